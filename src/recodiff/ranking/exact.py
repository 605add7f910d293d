"""The exact k best inner products of users and items: found by fast products, decided by products of one fixed order.

A fast matrix product adds in an order that depends on block and batch, so its last bits do too. Here it only finds candidates. A
score is one float32 number per user and item, whose terms are added pairwise in a fixed order. A bound on what both may round away
says which candidates must be looked at; where they are more than there is room for, more room is made.

With the unit roundoff e = 2^-24, a float32 sum of n products in any order is within n e / (1 - n e) of the true one, times the sum
of their absolute values (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1). By Cauchy-Schwarz that
sum is at most |u| |v| + |b|.

Shapes: `B` users, `I` items, `H` width of the vectors, `G` groups of items, `C` candidates of a user, `K` list length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from recodiff.models.batch import ItemVectors
from recodiff.runtime import memory
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows

GROUP = 32
"""Items of which only the greatest product is kept at first."""
FEW_GROUPS = 8
"""Times K: with fewer groups, each item is a group of its own."""
LIGHTER = GROUP // 2
"""Times less than its scores a user then takes."""
BLOCK_BYTES, LEAST_BLOCK = 2**21, 1024
"""What the products of one block of items may take, so that they stay in cache; items in a block at least."""
SPARE = 8
"""Candidates beyond K that there is room for at first."""
CANDIDATE_BYTES = 2**22
"""What the candidates' vectors of some users may take, so that they stay in cache."""
ROUNDOFF, MARGIN = 2.0**-24, 1.02
"""Of float32; for the rounding of the bounds themselves."""

NONE = float("-inf")
Best = tuple[Tensor, Tensor]


def fixed_products(users: Tensor, items: Tensor, bias: Tensor) -> Tensor:
    """Inner products u . v + b of a fixed order: the terms are added pairwise, then the bias.

    Each step is one rounded operation of float32, so the number is the same in every batch and on every device.

    Args:
        users: [B, H].
        items: [B, C, H].
        bias: [B, C].

    Returns:
        [B, C].
    """
    terms = items * users[:, None]
    width = terms.shape[-1]
    while width > 1:
        half = width // 2
        terms[..., :half] += terms[..., width - half : width]
        width -= half
    return terms[..., 0] + bias


class Items:
    """The items' side of the products, made once for all batches.

    Args:
        vectors: [I, H] and bias [I], float32 on one device.
        banned: bool [I], true for items that no list may hold; None where all may.
    """

    def __init__(self, vectors: ItemVectors, banned: Tensor | None = None) -> None:
        self.vectors = vectors.vectors.contiguous()
        self.bias = vectors.bias if banned is None else vectors.bias.masked_fill(banned, NONE)
        self.norm = float(torch.linalg.vector_norm(self.vectors, dim=1).amax())
        self.offset = float(vectors.bias.abs().amax())
        self.sent_back = 0
        """Users for whom more candidates had to be looked at than there was room for."""

    def margins(self, users: Tensor) -> Tensor:
        """How far a fast product may lie from the one of fixed order, [B, 1]; 0 where the numbers leave float32."""
        terms = self.vectors.shape[1] + 1
        unit = MARGIN * ROUNDOFF * (terms + terms.bit_length() + 3)
        sizes = torch.linalg.vector_norm(users, dim=1, keepdim=True) * self.norm + self.offset
        return (unit * sizes).nan_to_num_(0.0, posinf=0.0)


def users_at_once(n_items: int, k: int) -> int:
    """How many users' lists of `k` of `n_items` are found together."""
    return memory.users_at_once(-(-n_items // LIGHTER) if _size(n_items, k) > 1 else n_items, products=False)


def _size(n_items: int, k: int) -> int:
    return GROUP if n_items >= FEW_GROUPS * k * GROUP else 1


def best(users: Tensor, items: Items, unwanted: Mapping[str, Rows], k: int) -> dict[str, Best]:
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
        scores, listed = users.new_full((len(users), k), NONE), seen.offsets.new_zeros((len(users), k))
        for rows, groups in _candidates(maxima[name], margins, k, items, _columns_at_once(items, size)):
            scores[rows], listed[rows] = _of_groups(users[rows], items, seen.take(rows), groups, margins[rows], size, k)
        found[name] = scores, listed
    return found


def _maxima(users: Tensor, items: Items, unwanted: Mapping[str, Rows], size: int) -> dict[str, Tensor]:
    """The greatest fast product of each group of `size` items among those that are wanted, by the mask's name, [B, G]."""
    n, n_items = len(users), len(items.vectors)
    step = max(LEAST_BLOCK, BLOCK_BYTES // (4 * max(n, 1)) // size * size)
    room, final = users.new_empty(n * min(step, n_items)), list(unwanted)[-1]
    by_item = {name: _by_item(rows) for name, rows in unwanted.items()}
    found = {name: users.new_empty(n, -(-n_items // size)) for name in unwanted}
    for start in range(0, n_items, step):
        stop = min(start + step, n_items)
        block = _block(users, items, start, stop, room)
        for name, (columns, rows) in by_item.items():
            scores = block if name == final else block.clone()
            first, last = torch.searchsorted(columns, torch.tensor([start, stop], device=columns.device)).tolist()
            here = rows[first:last] * (stop - start) + columns[first:last] - start
            scores.view(-1).index_fill_(0, here, NONE)
            _grouped(scores, size, found[name][:, start // size : -(-stop // size)])
    return found


def _block(users: Tensor, items: Items, start: int, stop: int, room: Tensor) -> Tensor:
    """The fast products with the items from `start` to `stop`."""
    if len(users) == 1:
        return inner_products(users, items.vectors[start:stop], items.bias[start:stop])
    out = room[: len(users) * (stop - start)].view(len(users), stop - start)
    return torch.addmm(items.bias[start:stop], users, items.vectors[start:stop].T, out=out)


def _by_item(rows: Rows) -> tuple[Tensor, Tensor]:
    columns, order = rows.columns.sort()
    return columns, rows.row_of()[order]


def _grouped(scores: Tensor, size: int, out: Tensor) -> None:
    """The greatest of each `size` columns; the last may be fewer."""
    if size == 1:
        out.copy_(scores)
        return
    whole = scores.shape[1] // size
    torch.amax(scores[:, : whole * size].unflatten(1, (whole, size)), 2, out=out[:, :whole])
    if whole < out.shape[1]:
        torch.amax(scores[:, whole * size :], 1, out=out[:, whole])


def _columns_at_once(items: Items, size: int) -> int:
    """Groups whose items' vectors may stand together."""
    return max(CANDIDATE_BYTES // (4 * size * max(items.vectors.shape[1], 1)), 1)


def _candidates(scores: Tensor, margins: Tensor, k: int, items: Items, at_once: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Which columns may hold one of the `k` greatest, by what fast products leave open.

    Args:
        scores: of fast products [B, G].
        margins: how far each may lie from its product of fixed order, [B, 1].
        k: list length.
        items: counts the users who were sent back.
        at_once: columns of all users that are yielded together, at least those of one user.

    Yields:
        Rows int64 [b], and their columns int64 [b, C], ascending.
    """
    n_columns = scores.shape[1]
    room = min(k + SPARE, n_columns)
    values, columns = scores.topk(room)
    least = values[:, min(k, room) - 1, None] - 2 * margins
    more = (values[:, -1:] >= least) & (values[:, -1:] > NONE) & (margins > 0) & (room < n_columns)
    fits = (~more[:, 0]).nonzero()[:, 0]
    for rows in fits.split(max(at_once // room, 1)) if len(fits) else ():
        yield rows, columns[rows].sort(1).values
    back = more[:, 0].nonzero()[:, 0]
    items.sent_back += len(back)
    for row in back.split(1) if len(back) else ():
        yield row, ((scores[row] >= least[row]) & (scores[row] > NONE)).nonzero()[None, :, 1]


def _of_groups(users: Tensor, items: Items, seen: Rows, groups: Tensor, margins: Tensor, size: int, k: int) -> Best:
    """The `k` greatest products of fixed order in some groups of items, ascending; users [b, H], groups [b, C]."""
    n_items = len(items.vectors)
    listed = (groups[:, :, None] * size + torch.arange(size, device=groups.device)).flatten(1)
    inside = listed.clamp(max=n_items - 1)
    vectors, bias = items.vectors[inside], items.bias[inside].masked_fill_(listed >= n_items, NONE)
    bias.view(-1).index_fill_(0, _places(seen, groups, size), NONE)
    if size > 1:
        at = _near(torch.bmm(vectors, users[:, :, None])[:, :, 0] + bias, margins, k)
        listed, bias = listed.gather(1, at), bias.gather(1, at)
        vectors = vectors.gather(1, at[:, :, None].expand(-1, -1, vectors.shape[2]))
    scores = fixed_products(users, vectors, bias)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    short = max(k - scores.shape[1], 0)
    scores, order = (torch.nn.functional.pad(part[:, :k], (0, short), value=fill) for part, fill in ((scores, NONE), (order, 0)))
    return scores, listed.gather(1, order)


def _near(fast: Tensor, margins: Tensor, k: int) -> Tensor:
    """Columns, ascending, that may hold one of the `k` greatest: as many for every user as the one with most has."""
    k = min(k, fast.shape[1])
    least = fast.topk(k).values[:, -1:] - 2 * margins
    room = max(int((fast >= least).sum(1).amax()), k) if bool((least > NONE).all()) else fast.shape[1]
    return fast.topk(room, sorted=False).indices.sort(1).values


def _places(seen: Rows, groups: Tensor, size: int) -> Tensor:
    """Where what is left out stands among the items of the groups, [b, C * size] laid flat."""
    n_groups = -(-seen.width // size)
    rows = torch.arange(len(groups), device=groups.device)[:, None]
    keys = (rows * n_groups + groups).view(-1)
    wanted = seen.row_of() * n_groups + seen.columns // size
    at = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    hit = keys[at] == wanted
    return at[hit] * size + seen.columns[hit] % size
