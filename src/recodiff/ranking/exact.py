"""The exact k best inner products of users and items: found by fast products, decided by products of one fixed order.

A fast matrix product adds in an order that depends on block and batch, so its last bits do too; one of 16 or 8 bits is further off.
Here they only bound: no score of fixed order is greater than its bound. The candidates of the greatest bounds are scored, and
then whoever else has a bound that is not below the K-th best score. A score is one float32 number per user and item, whose terms a
machine adds in one order, whatever else is scored beside it.

The unit roundoff is e = 2^-24. A float32 sum of n products in any order is within n e / (1 - n e) of the true one, times the sum
of their absolute values. Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1. By
Cauchy-Schwarz that sum is at most |u| |v| + |b|.

Shapes: `B` users, `I` items, `H` width of the vectors, `G` groups of items, `C` candidates of a user, `K` list length.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from recodiff.ranking.bounds import NO_SCORE, Bounds, Groups, Items, bounds_of
from recodiff.tensors.largest import LEAST_BLOCKS, largest
from recodiff.tensors.rows import Rows

COLUMNS_AT_ONCE = (64, 32, 16)
"""Groups of which only the greatest bound is kept while those of the greatest are sought: as many as leave enough blocks."""
MOST_SCORED = 2**20
"""Items that are scored at once for users who are sent back."""
FEW, SPARE_TIES = 2, 4
"""Times K: so many candidates are sorted whole; of more, candidates beyond K which show whether more than those equal the last."""

Best = tuple[Tensor, Tensor]


def fixed_products(users: Tensor, items: Tensor, candidates: Tensor) -> Tensor:
    """Inner products u . v of one order of addition, the same for a user and an item in every batch.

    They are PyTorch's product of dense matrices at the places of a sparse one, which computes each by itself.

    Args:
        users: [B, H].
        items: [I, H].
        candidates: positions of items, int64 [B, C].

    Returns:
        [B, C].
    """
    n, each = candidates.shape
    if each > len(items):  # a sparse row holds no more than that
        return torch.cat([fixed_products(users, items, part) for part in candidates.split(len(items), 1)], 1)
    places, columns = torch.arange(0, n * each + 1, each), candidates.reshape(-1)
    _say_once()
    wanted = torch.sparse_csr_tensor(places, columns, users.new_zeros(n * each), (n, len(items)), check_invariants=False)
    return torch.sparse.sampled_addmm(wanted, users, items.T, beta=0.0).values().view(n, each)


@cache
def _say_once() -> None:
    """Have PyTorch say unheard that sparse rows are in beta: it says so once, and filters of warnings are all threads' own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1), check_invariants=False)


def best_products(users: Tensor, items: Items, unwanted: Mapping[str, Rows], k: int) -> dict[str, Best]:
    """Find each user's `k` greatest products, for each of several masks.

    Args:
        users: [B, H].
        items: of the same width.
        unwanted: by name, what is left out of each user's list, rows [B, I].
        k: 1 to I.

    Returns:
        By the mask's name, scores and items, both [B, K], the greatest first, of equals the lower position; -inf where a list ends
        early, NaN where a product is.
    """
    bounds = bounds_of(users, items, unwanted, k)
    return {name: _decided(users, items, seen, bounds[name], k) for name, seen in unwanted.items()}


def _decided(users: Tensor, items: Items, seen: Rows, bounds: Bounds, k: int) -> Best:
    """The `k` best of each user: of the groups with the greatest bounds, then of all whose bound is not below the k-th score."""
    groups = bounds.groups
    values, first = _largest(bounds.products, min(k + bounds.spare.now, groups.count))
    scores, listed = _of_groups(users, items, seen, (values, first), groups, k)
    least = bounds.raised(values[:, -1:], slice(None))
    back = ((least >= scores[:, -1:]) & (least > NO_SCORE) & (bounds.margins > 0))[:, 0].nonzero()[:, 0]
    rest = bounds.products[back].scatter_(1, first[back], NO_SCORE)
    counts = ((bounds.raised(rest, back) >= scores[back, -1:]) & (rest > NO_SCORE)).sum(1)
    for some, count in _portions(counts, groups.size):
        rows = back[some]
        others = _of_groups(users[rows], items, seen.take(rows), _largest(rest[some], count), groups, k)
        both = torch.cat([scores[rows], others[0]], 1), torch.cat([listed[rows], others[1]], 1)
        scores[rows], listed[rows] = _first(*both, k)
    items.sent_back += len(back)
    bounds.spare.note(len(users), len(back), int(counts.sum()) * groups.size)
    return scores, listed


def _largest(bounds: Tensor, k: int) -> Best:
    blocks = (block for block in COLUMNS_AT_ONCE if bounds.shape[1] // block >= LEAST_BLOCKS * k)
    return largest(bounds, k, next(blocks, COLUMNS_AT_ONCE[0]))


def _portions(counts: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Positions of users who are looked at together, and the number of groups of each."""
    order = counts.argsort(descending=True)[: int((counts > 0).sum())]
    while len(order):
        most = int(counts[order[0]])
        here = max(MOST_SCORED // (most * size), 1)
        yield order[:here], most
        order = order[here:]


def _of_groups(users: Tensor, items: Items, seen: Rows, found: Best, groups: Groups, k: int) -> Best:
    """The `k` greatest products of fixed order in the groups that were found, but for those of -inf; users [b, H], both [b, C]."""
    chosen, order = found[1].sort(1)
    closed = found[0].gather(1, order) == NO_SCORE
    listed = groups.members(chosen)
    inside = listed.clamp(max=groups.items - 1)
    scores = fixed_products(users, items.vectors, inside).add_(items.bias[inside]).masked_fill_(listed >= groups.items, NO_SCORE)
    scores.view(-1).index_fill_(0, _places(seen, chosen, groups), NO_SCORE)
    scores.view(*chosen.shape, groups.size).masked_fill_(closed[:, :, None], NO_SCORE)
    if short := max(k - scores.shape[1], 0):
        scores, inside = pad(scores, (0, short), value=NO_SCORE), pad(inside, (0, short))
    return _first(scores, inside, k)


def _first(scores: Tensor, items: Tensor, k: int) -> Best:
    """The `k` greatest, of equals the lower position."""
    if scores.shape[1] > FEW * k:  # sorting them all costs more
        room = min(k + SPARE_TIES, scores.shape[1])
        best, at = scores.topk(room)
        if bool((best[:, -1] == best[:, k - 1]).any()):  # more that equal the last may be behind
            room = max(int((scores >= best[:, k - 1 : k]).sum(1).amax()), k)  # nothing is above what is no number
            best, at = scores.topk(room)
        scores, items = best, items.gather(1, at)
    items, order = items.sort(1)
    scores, order = scores.gather(1, order).sort(dim=1, descending=True, stable=True)
    return scores[:, :k], items.gather(1, order[:, :k])


def _places(seen: Rows, chosen: Tensor, groups: Groups) -> Tensor:
    """Where what is left out stands among the items of chosen groups, laid flat; `chosen` ascend."""
    keys = (torch.arange(len(chosen))[:, None] * groups.count + chosen).view(-1)
    group, place = groups.of(seen.columns)
    wanted = seen.row_of() * groups.count + group
    at = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    hit = keys[at] == wanted
    return at[hit] * groups.size + place[hit]
