"""What no score of a user and a group of items exceeds: fast products of 32, 16 or 8 bits, and what they may be off by.

Items are bounded in groups, by the greatest of each. A block of `step` items has `each` groups, which have every `each`-th item of
the block: maxima are then of whole rows of memory.

Shapes: `B` users, `I` items, `H` width of the vectors, `G` groups of items, `C` candidates of a user, `K` list length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from recodiff.ranking import sixteen_bits
from recodiff.ranking.kept import KeptVectors, Spare
from recodiff.ranking.sixteen_bits import Copy16
from recodiff.runtime import memory
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows

GROUP, GROUP_NUMBERS = 32, 4096
"""Items of a group at most; numbers of their vectors at most, since all of a candidate group are read again."""
GROUPS = 32
"""Times K: groups that there are at least, else they are smaller."""
BYTES_OF_GROUP = 10
"""Of a user: the greatest product, which has been moved twice."""
BLOCK_BYTES, LEAST_BLOCK = 2**21, 1024
"""What the products of one block of items may take, so that they stay in cache; items in a block at least."""

NO_SCORE = float("-inf")
Entries = tuple[Tensor, Tensor]


class Items:
    """The items' side of the products, made once for all batches.

    Args:
        kept: what is known of the vectors.
        banned: bool [I], true for items that no list may hold; None where all may.
    """

    def __init__(self, kept: KeptVectors, banned: Tensor | None = None) -> None:
        self.kept, self.vectors = kept, kept.vectors
        self.bias = kept.bias if banned is None else kept.bias.masked_fill(banned, NO_SCORE)
        self.banned = None if banned is None else banned.nonzero()[:, 0]
        self.sent_back = 0
        """Users for whom more candidates had to be looked at than there was room for."""


@dataclass(frozen=True)
class Groups:
    """The grouping of items.

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
    groups = -(-n_items // _size(n_items, width, k))
    return memory.users_at_once(-(-groups * BYTES_OF_GROUP // 8), products=False)  # which counts 8 an item


def _size(n_items: int, width: int, k: int) -> int:
    most = min(GROUP, GROUP_NUMBERS // max(width, 1), n_items // (GROUPS * k))
    return 1 << max(most, 1).bit_length() - 1


@dataclass(frozen=True)
class Bounds:
    """Numbers that no score of a user and a group exceeds: `raised` products.

    Args:
        products: fast ones, the greatest of each group, [B, G].
        margins: what products of float32 may be off by, [B, 1]; 0 where nothing may be said, or all scores are equal.
        groups: the groups.
        spare: candidates beyond K that are scored at first.
        bits: of the products' factors.
    """

    products: Tensor
    margins: Tensor
    groups: Groups
    spare: Spare
    bits: int

    def raised(self, products: Tensor, users: Tensor | slice) -> Tensor:
        """The bounds, of some of the products.

        Args:
            products: [b, C].
            users: whose they are; positions int64 [b].
        """
        if self.bits == 16:
            return sixteen_bits.raised(products)
        return products + self.margins[users] if self.bits == 32 else products


def bounds_of(users: Tensor, items: Items, unwanted: Mapping[str, Rows], k: int) -> dict[str, Bounds]:
    """Bounds of the items that are wanted, by the mask's name.

    Args:
        users: [B, H].
        items: of the same width.
        unwanted: by name, what is left out of each user's list, rows [B, I].
        k: K.
    """
    if len(users) > 1:
        return _of_users(users, items, unwanted, k, items.kept.copy_16)
    copy = items.kept.copy_8
    bounds = None if copy is None else copy.bounds(users)
    return _of_users(users, items, unwanted, k, None) if bounds is None else _of_a_lone_user(users, bounds, items, unwanted)


def _of_a_lone_user(user: Tensor, bounds: Tensor, items: Items, unwanted: Mapping[str, Rows]) -> dict[str, Bounds]:
    groups, margins = Groups(bounds.shape[1], 1, bounds.shape[1]), items.kept.margins(user)
    if items.banned is not None:
        bounds.index_fill_(1, items.banned, NO_SCORE)
    return {
        name: Bounds(bounds.index_fill(1, rows.columns, NO_SCORE), margins, groups, items.kept.lone_items, 8)
        for name, rows in unwanted.items()
    }


def _of_users(users: Tensor, items: Items, unwanted: Mapping[str, Rows], k: int, copy: Copy16 | None) -> dict[str, Bounds]:
    n, (n_items, width) = len(users), items.vectors.shape
    narrow = None if copy is None else copy.of_users(users)
    size, blocks = _size(n_items, width, k), -(-n_items // max(LEAST_BLOCK, BLOCK_BYTES // (4 * max(n, 1))))
    groups = Groups(n_items, size, -(-n_items // (blocks * size)))
    kind = users if narrow is None else narrow
    by_item = {name: _by_item(rows) for name, rows in unwanted.items()}
    room, found = kind.new_empty(n * groups.step), {name: kind.new_empty(groups.count, n) for name in unwanted}
    for number, start in enumerate(range(0, n_items, groups.step)):
        stop = min(start + groups.step, n_items)
        block = _products(users if narrow is None else narrow, None if narrow is None else copy, items, start, stop, room)
        here = slice(number * groups.each, (number + 1) * groups.each)
        for name, scores in _masked(block, by_item, start, stop):
            torch.amax(scores.view(size, -1), 0, out=found[name][here].view(-1))
    margins, bits = items.kept.margins(users), 32 if narrow is None else 16
    return {
        name: Bounds(products.float().T.contiguous(), margins, groups, items.kept.groups, bits) for name, products in found.items()
    }


def _products(users: Tensor, copy: Copy16 | None, items: Items, start: int, stop: int, room: Tensor) -> Tensor:
    """Fast products of users with the items from `start` to `stop`, or with their copy, [step, B] in `room`; -inf behind them."""
    n, there = len(users), (stop - start) * len(users)
    block, vectors, bias = room[:there].view(-1, n), items.vectors[start:stop], items.kept.bias[start:stop]
    if copy is not None:
        copy.products(users, start, stop, block)
    elif n == 1:
        block.copy_(inner_products(users, vectors, bias).T)
    else:
        torch.mm(vectors, users.T, out=block).add_(bias[:, None])
    if items.banned is not None:
        first, last = torch.searchsorted(items.banned, torch.tensor([start, stop])).tolist()
        block.index_fill_(0, items.banned[first:last] - start, NO_SCORE)
    room[there:] = NO_SCORE
    return room.view(-1, n)


def _masked(block: Tensor, unwanted: Mapping[str, Entries], start: int, stop: int) -> Iterator[tuple[str, Tensor]]:
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
