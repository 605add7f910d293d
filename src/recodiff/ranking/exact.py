"""The exact k best inner products of users and items: found by fast products, decided by products of one fixed order.

A fast matrix product adds in an order that depends on block and batch, so its last bits do too. Here it only finds candidates. A
score is one float32 number per user and item, whose terms a machine adds in one order, whatever else is scored beside it. A bound
on what both may round away says which candidates must be looked at; where there is no room for all of them, more is made.

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

from recodiff.models.batch import ItemVectors
from recodiff.runtime import memory
from recodiff.tensors.largest import largest
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows

GROUP = 32
"""Items of which only the greatest product is kept at first."""
MANY_ITEMS = 1024
"""Times K: with fewer items each is a group of its own, since the candidates' vectors cost more to read again than they save."""
SCORES_SAVED = GROUP // 2
"""Times less than its scores a user then takes."""
BLOCK_BYTES, LEAST_BLOCK = 2**21, 1024
"""What the products of one block of items may take, so that they stay in cache; items in a block at least."""
SPARE_CANDIDATES = 8
"""Candidates beyond K that there is room for at first."""
FEW = 2
"""Times K: so many candidates are sorted whole."""
ROUNDOFF, MARGIN = 2.0**-24, 1.02
"""Of float32; for the rounding of the bounds themselves."""

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


def greatest_norm(vectors: Tensor) -> float:
    """The greatest |v|.

    Args:
        vectors: [I, H].
    """
    return float(torch.linalg.vector_norm(vectors, dim=1).amax())


class Items:
    """The items' side of the products, made once for all batches.

    Args:
        vectors: [I, H] and bias [I], float32 on the CPU.
        banned: bool [I], true for items that no list may hold; None where all may.
        norm: of `greatest_norm`, where it is known: to find it reads all vectors, as a single user's products do.
    """

    def __init__(self, vectors: ItemVectors, banned: Tensor | None = None, norm: float | None = None) -> None:
        self.vectors = vectors.vectors.contiguous()
        self.bias = vectors.bias if banned is None else vectors.bias.masked_fill(banned, NO_SCORE)
        self.norm = greatest_norm(self.vectors) if norm is None else norm
        self.offset = float(vectors.bias.abs().amax())
        self.sent_back = 0
        """Users for whom more candidates had to be looked at than there was room for."""

    def margins(self, users: Tensor) -> Tensor:
        """The most that a fast product may lie from the one of fixed order, [B, 1]; 0 where the numbers leave float32.

        Args:
            users: [B, H].
        """
        terms = self.vectors.shape[1] + 1
        unit = MARGIN * ROUNDOFF * (terms + terms.bit_length() + 3)
        sizes = torch.linalg.vector_norm(users, dim=1, keepdim=True) * self.norm + self.offset
        return (unit * sizes).nan_to_num_(0.0, posinf=0.0)


def ranked_at_once(n_items: int, k: int) -> int:
    """The number of users whose lists are found together.

    Args:
        n_items: I.
        k: K.
    """
    return memory.users_at_once(-(-n_items // SCORES_SAVED) if _size(n_items, k) > 1 else n_items, products=False)


def _size(n_items: int, k: int) -> int:
    return GROUP if n_items >= MANY_ITEMS * k else 1


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
    size = _size(len(items.vectors), k)
    maxima, margins = _maxima(users, items, unwanted, size), items.margins(users)
    found: dict[str, Best] = {}
    for name, seen in unwanted.items():
        scores, listed = users.new_full((len(users), k), NO_SCORE), seen.offsets.new_zeros((len(users), k))
        for rows, groups in _candidates(maxima[name], margins, k, items):
            scores[rows], listed[rows] = _of_groups(users[rows], items, seen.take(rows), groups, size, k)
        found[name] = scores, listed
    return found


def _maxima(users: Tensor, items: Items, unwanted: Mapping[str, Rows], size: int) -> dict[str, Tensor]:
    """The greatest fast product of each group of `size` items among those that are wanted, by the mask's name, [B, G]."""
    n, n_items = len(users), len(items.vectors)
    by_item = {name: _by_item(rows) for name, rows in unwanted.items()}
    if size == 1:
        return dict(_masked(users, items, by_item, 0, n_items, users.new_empty(n * n_items)))
    step = max(LEAST_BLOCK, BLOCK_BYTES // (4 * max(n, 1)) // size * size)
    room, found = users.new_empty(n * min(step, n_items)), {name: users.new_empty(n, -(-n_items // size)) for name in unwanted}
    for start in range(0, n_items, step):
        stop = min(start + step, n_items)
        for name, scores in _masked(users, items, by_item, start, stop, room):
            _grouped(scores, size, found[name][:, start // size : -(-stop // size)])
    return found


def _masked(
    users: Tensor, items: Items, unwanted: Mapping[str, Entries], start: int, stop: int, room: Tensor
) -> Iterator[tuple[str, Tensor]]:
    """The fast products with the items from `start` to `stop`, -inf where a mask has an entry; the last may lie in `room`."""
    n, width = len(users), stop - start
    if n == 1:
        block = inner_products(users, items.vectors[start:stop], items.bias[start:stop])
    else:
        block = torch.addmm(items.bias[start:stop], users, items.vectors[start:stop].T, out=room[: n * width].view(n, width))
    final = list(unwanted)[-1]
    for name, (columns, rows) in unwanted.items():
        scores = block if name == final else block.clone()
        first, last = torch.searchsorted(columns, torch.tensor([start, stop])).tolist()
        scores.view(-1).index_fill_(0, rows[first:last] * width + columns[first:last] - start, NO_SCORE)
        yield name, scores


def _by_item(rows: Rows) -> Entries:
    """Columns of entries, ascending, and the row of each."""
    columns, order = rows.columns.sort()
    return columns, rows.row_of()[order]


def _grouped(scores: Tensor, size: int, out: Tensor) -> None:
    """The greatest of each `size` columns; the last may be fewer."""
    whole = scores.shape[1] // size
    torch.amax(scores[:, : whole * size].unflatten(1, (whole, size)), 2, out=out[:, :whole])
    if whole < out.shape[1]:
        torch.amax(scores[:, whole * size :], 1, out=out[:, whole])


def _candidates(scores: Tensor, margins: Tensor, k: int, items: Items) -> Iterator[tuple[Tensor, Tensor]]:
    """Which columns may hold one of the `k` greatest, by what fast products leave open.

    Args:
        scores: of fast products [B, G].
        margins: how far each may lie from its product of fixed order, [B, 1].
        k: list length.
        items: counts the users who were sent back.

    Yields:
        Rows int64 [b], and their columns int64 [b, C], ascending.
    """
    n_columns = scores.shape[1]
    room = min(k + SPARE_CANDIDATES, n_columns)
    values, columns = largest(scores, room)
    least = values[:, min(k, room) - 1, None] - 2 * margins
    more = (values[:, -1:] >= least) & (values[:, -1:] > NO_SCORE) & (margins > 0) & (room < n_columns)
    fits = (~more[:, 0]).nonzero()[:, 0]
    if len(fits):
        yield fits, columns[fits].sort(1).values
    back = more[:, 0].nonzero()[:, 0]
    items.sent_back += len(back)
    for row in back.split(1) if len(back) else ():
        yield row, ((scores[row] >= least[row]) & (scores[row] > NO_SCORE)).nonzero()[None, :, 1]


def _of_groups(users: Tensor, items: Items, seen: Rows, groups: Tensor, size: int, k: int) -> Best:
    """The `k` greatest products of fixed order in some groups of items, ascending; users [b, H], groups [b, C]."""
    n_items = len(items.vectors)
    listed = (groups[:, :, None] * size + torch.arange(size)).flatten(1)[:, :n_items]  # what is more lies behind the last
    inside = listed.clamp(max=n_items - 1)
    scores = fixed_products(users, items.vectors, inside).add_(items.bias[inside]).masked_fill_(listed >= n_items, NO_SCORE)
    scores.view(-1).index_fill_(0, _places(seen, groups, size, listed.shape[1]), NO_SCORE)
    if short := max(k - scores.shape[1], 0):
        scores, inside = pad(scores, (0, short), value=NO_SCORE), pad(inside, (0, short))
    return _first(scores, inside, k)


def _first(scores: Tensor, items: Tensor, k: int) -> Best:
    """The `k` greatest, of equals the lower position; `items` ascend."""
    if scores.shape[1] > FEW * k:  # sorting them all costs more
        least = scores.topk(k).values[:, -1:]
        room = max(int((scores >= least).sum(1).amax()), k)  # nothing is above what is no number
        at = scores.topk(room, sorted=False).indices.sort(1).values
        scores, items = scores.gather(1, at), items.gather(1, at)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    return scores[:, :k], items.gather(1, order[:, :k])


def _places(seen: Rows, groups: Tensor, size: int, width: int) -> Tensor:
    """Where what is left out stands among the items of the groups, `width` a user, laid flat."""
    n_groups, each = -(-seen.width // size), groups.shape[1]
    rows = torch.arange(len(groups))[:, None]
    keys = (rows * n_groups + groups).view(-1)
    wanted = seen.row_of() * n_groups + seen.columns // size
    at = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    hit = keys[at] == wanted
    at = at[hit]
    return at // each * width + at % each * size + seen.columns[hit] % size
