"""The exact k best inner products of users and items: found by fast products, decided by products of one fixed order.

A fast matrix product adds in an order that depends on block and batch, so its last bits do too; one of 16 or 8 bits is further off.
Here they only bound: no score of fixed order is greater than its bound. The candidates of the greatest bounds are scored, and
then whoever else has a bound that is not below the K-th best score. A score is one float32 number per user and item, whose terms a
machine adds in one order, whatever else is scored beside it.

The unit roundoff is e = 2^-24. A float32 sum of n products in any order is within n e / (1 - n e) of the true one, times the sum
of their absolute values. Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1. By
Cauchy-Schwarz that sum is at most |u| |v| + |b|.

Items are bounded in groups, by the greatest of each. A block of `step` items has `each` groups, of which each has every
`each`-th item of the block: maxima are then of whole rows of memory.

Shapes: `B` users, `I` items, `H` width of the vectors, `G` groups of items, `C` candidates of a user, `K` list length.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from recodiff.ranking import sixteen_bits
from recodiff.ranking.kept import Kept
from recodiff.runtime import memory
from recodiff.tensors.largest import LEAST_BLOCKS, largest
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows

GROUP, GROUP_NUMBERS = 32, 4096
"""Items of a group at most; numbers of their vectors at most, since all of a candidate group are read again."""
GROUPS = 32
"""Times K: groups that there are at least, else they are smaller."""
BLOCK_BYTES, LEAST_BLOCK = 2**21, 1024
"""What the products of one block of items may take, so that they stay in cache; items in a block at least."""
BLOCKS = (64, 32, 16)
"""Groups of which only the greatest bound is kept while those of the greatest are sought: as many as leave enough blocks."""
MOST_CANDIDATES = 2**20
"""Items that are scored at once for users who are sent back."""
FEW, SPARE_TIES = 2, 4
"""Times K: so many candidates are sorted whole; of more, candidates beyond K which show whether more than those equal the last."""

NO_SCORE = float("-inf")
Best = tuple[Tensor, Tensor]
Entries = tuple[Tensor, Tensor]


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


class Items:
    """The items' side of the products, made once for all batches.

    Args:
        kept: what is known of the vectors.
        banned: bool [I], true for items that no list may hold; None where all may.
    """

    def __init__(self, kept: Kept, banned: Tensor | None = None) -> None:
        self.kept, self.vectors = kept, kept.vectors
        self.bias = kept.bias if banned is None else kept.bias.masked_fill(banned, NO_SCORE)
        self.banned = None if banned is None else banned.nonzero()[:, 0]
        self.sent_back = 0
        """Users for whom more candidates had to be looked at than there was room for."""


@dataclass(frozen=True)
class Groups:
    """How items are grouped.

    Args:
        items: I.
        size: items of a group.
        each: groups of a block.
    """

    items: int
    size: int
    each: int

    @property
    def step(self) -> int:
        """Items of a block; the last may have fewer."""
        return self.size * self.each

    @property
    def count(self) -> int:
        """G; the last of them may be empty."""
        return -(-self.items // self.step) * self.each

    def of(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """The group of each item, and its place in it.

        Args:
            items: int64, of any shape.
        """
        within = items % self.step
        return items // self.step * self.each + within % self.each, within // self.each

    def members(self, groups: Tensor) -> Tensor:
        """Items of groups, some of them beyond the last, int64 [b, C * size].

        Args:
            groups: int64 [b, C].
        """
        first = groups // self.each * self.step + groups % self.each
        return (first[:, :, None] + torch.arange(self.size) * self.each).flatten(1)


def ranked_at_once(n_items: int, width: int, k: int) -> int:
    """The number of users whose lists are found together.

    Args:
        n_items: I.
        width: H.
        k: K.
    """
    return memory.users_at_once(-(-n_items // max(_size(n_items, width, k) // 2, 1)), products=False)


def _size(n_items: int, width: int, k: int) -> int:
    most = min(GROUP, GROUP_NUMBERS // max(width, 1), n_items // (GROUPS * k))
    return 1 << max(most, 1).bit_length() - 1


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
    n_items, width = items.vectors.shape
    size = _size(n_items, width, k)
    blocks = -(-n_items // max(LEAST_BLOCK, BLOCK_BYTES // (4 * max(len(users), 1))))
    groups = Groups(n_items, size, -(-n_items // (blocks * size)))
    bounds = _bounds(users, items, unwanted, groups)
    return {name: _decided(users, items, seen, bounds[name], groups, k) for name, seen in unwanted.items()}


@dataclass(frozen=True)
class Bounds:
    """What no score of a user and a group exceeds: `raised` products.

    Args:
        products: fast ones, the greatest of each group, [B, G].
        margins: what those of float32 may be off by, [B, 1].
        narrow: whether they are of 16 bits, which are bounds but for their last rounding.
    """

    products: Tensor
    margins: Tensor
    narrow: bool

    def raised(self, products: Tensor, users: Tensor | slice) -> Tensor:
        """The bounds, of some of the products.

        Args:
            products: [b, C].
            users: whose they are; positions int64 [b].
        """
        return sixteen_bits.raised(products) if self.narrow else products + self.margins[users]


def _bounds(users: Tensor, items: Items, unwanted: Mapping[str, Rows], groups: Groups) -> dict[str, Bounds]:
    """Of the items that are wanted, by the mask's name."""
    narrow = None if items.kept.copy is None else items.kept.copy.of_users(users)
    n, kind = len(users), users if narrow is None else narrow
    by_item = {name: _by_item(rows) for name, rows in unwanted.items()}
    room = kind.new_empty(n * groups.step)
    found = {name: kind.new_empty(groups.count, n) for name in unwanted}
    for number, start in enumerate(range(0, groups.items, groups.step)):
        stop = min(start + groups.step, groups.items)
        block = _products(users, narrow, items, start, stop, room)
        here = slice(number * groups.each, (number + 1) * groups.each)
        for name, scores in _masked(block, items, by_item, start, stop):
            torch.amax(scores.view(groups.size, -1), 0, out=found[name][here].view(-1))
    margins = items.kept.margins(users)
    return {name: Bounds(products.float().T.contiguous(), margins, narrow is not None) for name, products in found.items()}


def _products(users: Tensor, narrow: Tensor | None, items: Items, start: int, stop: int, room: Tensor) -> Tensor:
    """Fast products of users with the items from `start` to `stop`, [step, B] in `room`; -inf behind the last item."""
    n, there = len(users), (stop - start) * len(users)
    block = room[:there].view(-1, n)
    if narrow is not None and items.kept.copy is not None:
        items.kept.copy.products(narrow, start, stop, block)
    elif n == 1:
        block.copy_(inner_products(users, items.vectors[start:stop], items.kept.bias[start:stop]).T)
    else:
        torch.mm(items.vectors[start:stop], users.T, out=block).add_(items.kept.bias[start:stop, None])
    if items.banned is not None:
        first, last = torch.searchsorted(items.banned, torch.tensor([start, stop])).tolist()
        block.index_fill_(0, items.banned[first:last] - start, NO_SCORE)
    room[there:] = NO_SCORE
    return room.view(-1, n)


def _masked(block: Tensor, items: Items, unwanted: Mapping[str, Entries], start: int, stop: int) -> Iterator[tuple[str, Tensor]]:
    """The products, -inf where a mask has an entry, for one mask after another; the last may lie where the products do."""
    final = list(unwanted)[-1]
    for name, (columns, rows) in unwanted.items():
        scores = block if name == final else block.clone()
        first, last = torch.searchsorted(columns, torch.tensor([start, stop])).tolist()
        scores.view(-1).index_fill_(0, (columns[first:last] - start) * block.shape[1] + rows[first:last], NO_SCORE)
        yield name, scores


def _by_item(rows: Rows) -> Entries:
    """Columns of entries, ascending, and the row of each."""
    columns, order = rows.columns.sort()
    return columns, rows.row_of()[order]


def _decided(users: Tensor, items: Items, seen: Rows, bounds: Bounds, groups: Groups, k: int) -> Best:
    """The `k` best of each user: of the groups with the greatest bounds, then of all whose bound is not below the k-th score."""
    values, first = _largest(bounds.products, min(k + items.kept.spare, groups.count))
    scores, listed = _of_groups(users, items, seen, first, groups, k)
    least = bounds.raised(values[:, -1:], slice(None))
    back = ((least >= scores[:, -1:]) & (least > NO_SCORE) & (bounds.margins > 0))[:, 0].nonzero()[:, 0]
    rest = bounds.products[back].scatter_(1, first[back], NO_SCORE)
    counts = ((bounds.raised(rest, back) >= scores[back, -1:]) & (rest > NO_SCORE)).sum(1)
    for some, count in _portions(counts, groups.size):
        rows = back[some]
        others = _of_groups(users[rows], items, seen.take(rows), _largest(rest[some], count)[1], groups, k)
        both = (torch.cat(pair, 1) for pair in ((scores[rows], others[0]), (listed[rows], others[1])))
        scores[rows], listed[rows] = _first(*both, k)
    items.sent_back += len(back)
    items.kept.note(len(users), len(back), int(counts.sum()) * groups.size)
    return scores, listed


def _largest(bounds: Tensor, k: int) -> Best:
    blocks = (block for block in BLOCKS if bounds.shape[1] // block >= LEAST_BLOCKS * k)
    return largest(bounds, k, next(blocks, BLOCKS[0]))


def _portions(counts: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Positions of users who are looked at together, and the number of groups of each."""
    order = counts.argsort(descending=True)[: int((counts > 0).sum())]
    while len(order):
        most = int(counts[order[0]])
        here = max(MOST_CANDIDATES // (most * size), 1)
        yield order[:here], most
        order = order[here:]


def _of_groups(users: Tensor, items: Items, seen: Rows, chosen: Tensor, groups: Groups, k: int) -> Best:
    """The `k` greatest products of fixed order in some groups of items; users [b, H], chosen [b, C]."""
    chosen = chosen.sort(1).values
    listed = groups.members(chosen)
    inside = listed.clamp(max=groups.items - 1)
    scores = fixed_products(users, items.vectors, inside).add_(items.bias[inside]).masked_fill_(listed >= groups.items, NO_SCORE)
    scores.view(-1).index_fill_(0, _places(seen, chosen, groups), NO_SCORE)
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
