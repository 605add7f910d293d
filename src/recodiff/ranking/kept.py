"""What is found once of item vectors and serves while they stay as they are: their greatest norm, and copies of fewer bits.

Shapes: `B` users, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from recodiff.models.batch import ItemVectors
from recodiff.ranking.eight_bits import Copy8, copied_to_8
from recodiff.ranking.rounding import LEAST_NORM, LEAST_TERM, MOST_NORM, ROUNDOFF, SLACK
from recodiff.ranking.sixteen_bits import Copy16, copied_to_16

LISTS_TO_PAY = 32
"""Lists from which a copy pays: to make it reads the vectors a few times."""
MOST_LOOKED_AT = 1 / 50
"""Share of the catalogue that may be looked at again, on average of the lists; beyond it products of float32 cost less."""
FIRST_SPARE, MOST_SPARE = (8, 32), (64, 1024)
"""Candidates beyond K, of users together and of one alone: at first, and at most."""
OFTEN = 1 / 16
"""Share of users who may be sent back before candidates become more."""
ROWS_IN_FLOAT64 = 4096


def greatest_norm(vectors: Tensor) -> float:
    """The greatest |v|.

    Args:
        vectors: [I, H].
    """
    norm = float(torch.linalg.vector_norm(vectors, dim=1).amax())
    if LEAST_NORM <= norm <= MOST_NORM:
        return norm  # else squares may have left float32
    return max(float(torch.linalg.vector_norm(part.double(), dim=1).amax()) for part in vectors.split(ROWS_IN_FLOAT64))


class Spare:
    """The number of candidates beyond K that are scored at first, learned from how often they were too few.

    Args:
        least: at first.
        most: which they may become.
    """

    def __init__(self, least: int, most: int) -> None:
        self.now, self.most = least, most
        self.lists = self.looked_at = 0

    def note(self, lists: int, sent_back: int, looked_at: int) -> None:
        """Learn from some lists.

        Args:
            lists: that were made.
            sent_back: users for whom the candidates were too few.
            looked_at: items that were looked at again for them.
        """
        if sent_back > OFTEN * lists:
            self.now = min(2 * self.now, self.most)
        self.lists, self.looked_at = self.lists + lists, self.looked_at + looked_at

    def costs_too_much(self, n_items: int) -> bool:
        """Tell whether so much is looked at again that bounds nearer to the scores are better.

        Args:
            n_items: I.
        """
        return self.looked_at > MOST_LOOKED_AT * max(self.lists, LISTS_TO_PAY) * n_items


class KeptVectors:
    """The norm and the copies that are kept of a model's item vectors.

    Args:
        vectors: [I, H] and bias [I], float32 on the CPU. Vectors are held, so that no others come to lie where they are.
        copies: whether there may be any: processes that share the vectors would each make its own.
    """

    def __init__(self, vectors: ItemVectors, *, copies: bool = True) -> None:
        self._given = vectors.vectors
        self.vectors, self.bias = vectors.vectors.contiguous(), vectors.bias.clone()
        self.groups, self.lone_items = (Spare(first, most) for first, most in zip(FIRST_SPARE, MOST_SPARE, strict=True))
        """Of users who are ranked together, groups; of lone users, items."""
        self._asked = self._asked_alone = 0
        self._tried: set[int] = set() if copies else {8, 16}
        self._copy_16: Copy16 | None = None
        self._copy_8: Copy8 | None = None

    @cached_property
    def norm(self) -> float:
        """The greatest |v|: to find it reads all vectors, as a single user's products do."""
        return greatest_norm(self.vectors)

    @cached_property
    def offset(self) -> float:
        """The greatest |b|."""
        return float(self.bias.abs().amax())

    def prepare(self, lists: int) -> None:
        """Make a copy, where so many lists were asked for that it pays: of 8 bits for users alone, of 16 for users together.

        Args:
            lists: that are asked for now.
        """
        if lists == 1:
            self._asked_alone += 1
        else:
            self._asked += lists
        if self._asked >= LISTS_TO_PAY and 16 not in self._tried:
            self._tried.add(16)
            self._copy_16 = copied_to_16(self.vectors, self.bias, self.norm)
        if self._asked_alone >= LISTS_TO_PAY and 8 not in self._tried:
            self._tried.add(8)
            self._copy_8 = copied_to_8(self.vectors, self.bias, self.norm)

    @property
    def copy_16(self) -> Copy16 | None:
        """The copy for users who are ranked together; None where there is none, or none that saves time."""
        if self._copy_16 is not None and self.groups.costs_too_much(len(self.vectors)):
            self._copy_16 = None
        return self._copy_16

    @property
    def copy_8(self) -> Copy8 | None:
        """The copy for a lone user, or None."""
        if self._copy_8 is not None and self.lone_items.costs_too_much(len(self.vectors)):
            self._copy_8 = None
        return self._copy_8

    def margins(self, users: Tensor) -> Tensor:
        """The most that a fast product of float32 may lie from the one of fixed order, [B, 1]; 0 where numbers leave float32.

        Args:
            users: [B, H].
        """
        terms = self.vectors.shape[1] + 1
        unit = SLACK * ROUNDOFF * 2 * (terms + 2)
        sizes = torch.linalg.vector_norm(users, dim=1, keepdim=True, dtype=torch.float64) * self.norm + self.offset
        margins = torch.where(sizes > 0, unit * sizes + terms * LEAST_TERM, 0.0)
        return margins.float().nan_to_num_(0.0, posinf=0.0)
