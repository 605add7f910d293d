"""Upper bounds of scores by products of bfloat16 numbers, on machines that make them faster than float32's.

A vector v is its rounding v' and a rest, so u . v = u' . v' + u' . (v - v') + (u - u') . v, of which the last two are at most
|u| |v - v'| + |u - u'| |v| by Cauchy-Schwarz. Both are products of a number of the user and one of the item. They are columns more
of the same matrix product, and so is the bias, in three pieces of 8 bits. The product is a bound, each item's by its own norm and
rest.

The unit roundoff of bfloat16 is 2^-8. The terms of a product are exact in float32, which has 16 bits for them; their sum is one of
float32, of which `exact` has the bound. Here it is taken twice, for processors that add pairs of terms in a way of their own. What
float32 is too small for, as squares and products of the tiniest numbers, is less than the `FLOOR` of every bound.

Shapes: `B` users, `I` items, `H` width of the vectors, `W` width of the copy.
"""

from __future__ import annotations

from functools import cache
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.functional import pad

from recodiff.ranking.rounding import FLOOR, ROUNDOFF, ROWS_BYTES, SLACK, items_fit, users_fit
from recodiff.runtime.float32 import fast_products

ROUNDOFF_16 = 2.0**-8
"""Of bfloat16."""
MORE_COLUMNS = 5
"""Three of the bias, two of the bound."""
MULTIPLE = 16
"""Of which the width is one: odd rows are slower to read."""
FEW_COLUMNS = 32
"""Whose products are faster the other way about."""
FASTER, HOPELESS = 1.3, 4
"""Times float32's rate from which products of bfloat16 pay; times the time that they may take, after which they are given up."""


class Copy16:
    """Item vectors in bfloat16, with the columns that make their products bounds; `copied_to_16` says whether there can be one.

    Args:
        vectors: float32 [I, H], on the CPU.
        bias: float32 [I].
        norm: the greatest |v|.
    """

    def __init__(self, vectors: Tensor, bias: Tensor, norm: float) -> None:
        n, width = vectors.shape
        self.width = _width(width)
        self.rows = torch.empty(n, self.width, dtype=torch.bfloat16)
        unit = SLACK * 3 * (width + MORE_COLUMNS) * ROUNDOFF
        columns = torch.empty(n, 2)
        step = max(ROWS_BYTES // (4 * width), 1)
        for start in range(0, n, step):
            part = vectors[start : start + step]
            narrow, norms = part.bfloat16(), torch.linalg.vector_norm(part, dim=1)
            rests = narrow.float().sub_(part)
            columns[start : start + step, 0] = torch.linalg.vector_norm(rests, dim=1).add_(norms, alpha=unit)
            columns[start : start + step, 1] = norms
            torch.cat([narrow, narrow.new_zeros(len(part), self.width - width)], 1, out=self.rows[start : start + step])
        self.rows[:, width : width + 3] = _pieces(bias, unit)
        self.rows[:, width + 3 : width + 5] = _raised(columns.mul_(SLACK).add_(FLOOR * norm))

    @property
    def nbytes(self) -> int:
        """Bytes of the copy."""
        return self.rows.nbytes

    def of_users(self, users: Tensor) -> Tensor | None:
        """Users' vectors beside those of the items, bfloat16 [B, W]; None where the bounds would not hold for one of them.

        Args:
            users: float32 [B, H].
        """
        if not users_fit(users):
            return None
        narrow, norms = users.bfloat16(), torch.linalg.vector_norm(users, dim=1)
        rests = torch.linalg.vector_norm(users - narrow, dim=1)
        sizes = _raised(torch.stack([norms.mul_(1 + ROUNDOFF_16), rests], 1).mul_(SLACK))
        more = self.width - users.shape[1] - MORE_COLUMNS
        return torch.cat([narrow, narrow.new_ones(len(users), 3), pad(sizes, (0, more))], 1)

    def products(self, users: Tensor, start: int, stop: int, out: Tensor) -> None:
        """Write bounds of the items from `start` to `stop`, rounded once more: `raised` makes bounds of them again.

        Args:
            users: of `of_users`.
            start: the first item.
            stop: behind the last.
            out: bfloat16 [stop - start, B].
        """
        if len(users) < FEW_COLUMNS:
            out.copy_(torch.mm(users, self.rows[start:stop].T).T)
        else:
            torch.mm(self.rows[start:stop], users.T, out=out)


def raised(products: Tensor) -> Tensor:
    """The greatest numbers that may have been rounded to some of bfloat16; float32.

    Args:
        products: of any shape.
    """
    wide = products.float()
    return torch.maximum(wide * (1 + SLACK * ROUNDOFF_16), wide * (1 - SLACK * ROUNDOFF_16))  # -inf stays so


def copied_to_16(vectors: Tensor, bias: Tensor, norm: float) -> Copy16 | None:
    """A copy of items in bfloat16; None where their products are not fast, bounds would not hold or memory is short.

    Args:
        vectors: float32 [I, H], on the CPU.
        bias: float32 [I].
        norm: the greatest |v|.
    """
    fits = is_faster() and items_fit(vectors, bias, norm, bytes_each=2 * _width(vectors.shape[1]))
    return Copy16(vectors, bias, norm) if fits else None


def _width(vectors: int) -> int:
    return -(-(vectors + MORE_COLUMNS) // MULTIPLE) * MULTIPLE


@cache
def is_faster() -> bool:
    """Try whether products of bfloat16 are FASTER here than float32's, and as exact as the bounds suppose; some 10 ms."""
    wide = torch.ones(256, 192), torch.ones(192, 512)
    narrow = wide[0].bfloat16(), wide[1].bfloat16()
    with fast_products():
        most = _seconds(*wide, 5) / FASTER
        # a processor that has no such products takes a hundred times as long
        return _seconds(*narrow, 1) < HOPELESS * most and _seconds(*narrow, 5) < most and all(map(adds_in_float32, (1, 8, 64)))


def _pieces(bias: Tensor, unit: float) -> Tensor:
    """Three numbers of 8 bits for each, which add up to no less than the bias and what its sums round away, [I, 3]."""
    first = bias.bfloat16()
    rest = bias - first
    second = rest.bfloat16()
    third = (rest - second).add_(bias.abs(), alpha=unit)
    return torch.stack([first, second, (third + third.abs() * 2 * ROUNDOFF_16).bfloat16()], 1)


def _raised(sizes: Tensor) -> Tensor:
    """Numbers of 8 bits that are no less; `sizes` are not negative."""
    return (sizes * (1 + 2 * ROUNDOFF_16)).bfloat16()


def adds_in_float32(users: int) -> bool:
    """Try whether sums are of float32 and rounded once, to the nearest, by numbers that other ways lose.

    Args:
        users: columns of the product.
    """
    terms = torch.zeros(64, 1024)
    terms[:, 0], terms[0, 1:], terms[1, 1:3] = 1.0, 2.0**-12, torch.tensor([2.0**-8, 2.0**-12])
    terms[2] = -terms[1]
    found = terms.bfloat16() @ torch.ones(1024, users, dtype=torch.bfloat16)
    wanted = torch.tensor([1.25, 1 + 2.0**-7, -1 - 2.0**-7])
    return bool((found[:3].float() == wanted[:, None]).all())


def _seconds(a: Tensor, b: Tensor, repeats: int) -> float:
    """The least of some products' times, after one that does not count."""
    taken: list[float] = []
    for _ in range(repeats + 1):
        began = perf_counter()
        torch.mm(a, b)
        taken.append(perf_counter() - began)
    return min(taken[1:])
