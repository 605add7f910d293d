"""Batches of sparse rows on one device, which models and losses take.

Shapes: `B` rows, `D` columns, `nnz` entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

TERMS_AT_ONCE = 2**22
"""Of a product of sparse rows with a sparse table; bounds its memory to some 200 MiB."""


def waits_to_count(tensor: Tensor) -> bool:
    """Tell whether an array whose size depends on numbers makes the program wait for a device; on a CPU it does not.

    Args:
        tensor: on that device, of any shape.
    """
    return tensor.device.type != "cpu"


@dataclass(frozen=True)
class Rows:
    """B sparse rows of width D; the entries of a row keep their order (oldest first where there is time).

    Args:
        offsets: int64 [B + 1], where each row's entries begin; the last is nnz.
        columns: int64 [nnz], 0..D-1, no column twice in a row.
        values: float32 [nnz].
        width: D.
        before: entries of the whole batch that stand before these, where the rows are a part of it.
        total: entries of the whole batch; None where the rows are all of it.
        places: int64 [nnz], the place of each entry in its row, where several share one; they begin at 0 and rise by at most 1.
            None: each has its own.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor
    width: int
    before: int = 0
    total: int | None = None
    places: Tensor | None = None

    @staticmethod
    def from_csr(matrix: csr_array, device: torch.device | str = "cpu", places: NDArray[np.int64] | None = None) -> Rows:
        """A sparse matrix [B, D] as rows, entries in their order.

        Args:
            matrix: any numeric type; its values become float32.
            device: where the rows stand.
            places: of its entries, [nnz]; see the class.
        """
        offsets, columns = (torch.from_numpy(part.astype("int64")) for part in (matrix.indptr, matrix.indices))
        width = 0 if matrix.shape is None else int(matrix.shape[1])
        shared = None if places is None else torch.from_numpy(places)
        return Rows(offsets, columns, torch.from_numpy(matrix.data.astype("float32")), width, places=shared).to(device)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def to(self, device: torch.device | str) -> Rows:
        """The same rows on another device.

        Args:
            device: its name, or as torch has it.
        """
        offsets, columns, values = (part.to(device, non_blocking=True) for part in (self.offsets, self.columns, self.values))
        places = None if self.places is None else self.places.to(device, non_blocking=True)
        return Rows(offsets, columns, values, self.width, places=places)

    def part(self, start: int, stop: int) -> Rows:
        """The rows from `start` to `stop`, which remember their place in the batch: dropout draws for all of its entries."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        offsets = self.offsets[start : stop + 1] - first
        places = None if self.places is None else self.places[first:last]
        return Rows(offsets, self.columns[first:last], self.values[first:last], self.width, first, len(self.columns), places)

    def split(self, size: int) -> Iterator[Rows]:
        """The rows, `size` at a time, once empty where there are none; a GPU is waited for once, before the first."""
        starts = range(0, max(len(self), 1), size)
        bounds = self.offsets[torch.tensor([*starts, len(self)], device=self.offsets.device)].tolist()
        for start, (first, last) in zip(starts, pairwise(bounds), strict=True):
            offsets = self.offsets[start : min(start + size, len(self)) + 1] - first
            places = None if self.places is None else self.places[first:last]
            yield Rows(offsets, self.columns[first:last], self.values[first:last], self.width, places=places)

    def take(self, rows: Tensor) -> Rows:
        """The rows at some positions, in that order.

        Args:
            rows: positions, int64 [n].
        """
        entries, offsets = self.entries_of(rows)
        places = None if self.places is None else self.places[entries]
        return Rows(offsets, self.columns[entries], self.values[entries], self.width, places=places)

    def entries_of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The places of the entries of some rows, one row after another.

        Args:
            rows: positions, int64 [n].

        Returns:
            The entries' places, int64, and where each row's begin among them, int64 [n + 1].
        """
        lengths = self.offsets.diff()[rows]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        entries = torch.repeat_interleave(self.offsets[rows] - offsets[:-1], lengths)
        return entries.add_(torch.arange(len(entries), device=entries.device)), offsets

    def pick(self, place: Tensor, width: int) -> Rows:
        """The entries whose column has a place, in their order.

        Args:
            place: int64 [D], the column's place among the `width` new ones, or -1.
            width: of the result.
        """
        columns = place[self.columns]
        kept = columns >= 0
        before = torch.cat([self.offsets.new_zeros(1), kept.cumsum(0)])
        return Rows(before[self.offsets], columns[kept], self.values[kept], width)

    def between(self, start: int, stop: int) -> Rows:
        """The columns from `start` to `stop`, in their order; [B, stop - start]."""
        kept = (self.columns >= start) & (self.columns < stop)
        before = torch.cat([self.offsets.new_zeros(1), kept.cumsum(0)])
        return Rows(before[self.offsets], self.columns[kept] - start, self.values[kept], stop - start)

    def drop(self, p: float, generator: torch.Generator) -> Rows:
        """Dropout on the entries: each is removed with probability p, the others are multiplied by 1 / (1 - p).

        On sparse rows this is dropout of the dense row exactly, since its zeros stay zeros. On a GPU a dropped entry
        stays as an entry of value 0.

        Args:
            p: in [0, 1).
            generator: on the rows' device.
        """
        n = len(self.values)
        draws = torch.rand(n if self.total is None else self.total, generator=generator, device=self.values.device)
        kept = draws[self.before : self.before + n] >= p
        if waits_to_count(self.values):
            return Rows(self.offsets, self.columns, torch.where(kept, self.values / (1 - p), 0.0), self.width)
        before = torch.cat([self.offsets.new_zeros(1), kept.cumsum(0)])
        return Rows(before[self.offsets], self.columns[kept], self.values[kept] / (1 - p), self.width)

    def row_of(self) -> Tensor:
        """The row of each entry, int64 [nnz]."""
        rows = torch.arange(len(self), device=self.offsets.device)
        return torch.repeat_interleave(rows, self.offsets.diff(), output_size=len(self.columns))

    def sums(self) -> Tensor:
        """The sum of each row's values, [B]."""
        return self.values.new_zeros(len(self)).index_add(0, self.row_of(), self.values)

    def flat(self) -> Tensor:
        """The place of each entry in a dense [B * D], int64 [nnz]."""
        return self.row_of() * self.width + self.columns

    def blank(self) -> Tensor:
        """An array for the dense rows, [B, D], whose numbers are not set."""
        return self.values.new_empty((len(self), self.width))

    def add_to(self, total: Tensor, factor: Tensor) -> Tensor:
        """Add each row, times a factor of its own, to a total in place, and return it.

        Args:
            total: contiguous, [B, D].
            factor: [B].
        """
        values = self.values * factor[self.row_of()]
        total.view(-1).index_add_(0, self.flat(), values.to(total.dtype))
        return total

    def dense(self) -> Tensor:
        """The rows as a dense array [B, D] of the values' type."""
        out = torch.zeros(len(self) * self.width, dtype=self.values.dtype, device=self.values.device)
        return out.scatter_(0, self.flat(), self.values).view(len(self), self.width)

    def transposed(self) -> Rows:
        """The columns as rows, [D, B]."""
        order = torch.argsort(self.columns, stable=True)
        counts = self.offsets.new_zeros(self.width).index_add_(0, self.columns, torch.ones_like(self.columns))
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return Rows(offsets, self.row_of()[order], self.values[order], len(self))

    def matmul(self, table: Tensor | Rows) -> Tensor:
        """The product of the rows with a table; it costs nnz * H, whatever D is, and less where the table is sparse.

        Args:
            table: [D, H].

        Returns:
            [B, H], dense.
        """
        if isinstance(table, Rows):
            return self._matmul_sparse(table)
        return embedding_bag(
            self.columns, table, self.offsets, mode="sum", per_sample_weights=self.values.to(table.dtype), include_last_offset=True
        )

    def _matmul_sparse(self, table: Rows) -> Tensor:
        out = torch.zeros(len(self) * table.width, dtype=table.values.dtype, device=self.values.device)
        lengths = table.offsets.diff()[self.columns]
        sizes = torch.bincount(lengths.cumsum(0) // TERMS_AT_ONCE).tolist()
        begins = self.row_of() * table.width
        for begin, columns, values in zip(begins.split(sizes), self.columns.split(sizes), self.values.split(sizes), strict=True):
            terms = table.take(columns)
            entry = terms.row_of()
            out.index_add_(0, begin[entry] + terms.columns, values[entry] * terms.values)
        return out.view(len(self), table.width)


def as_dense(x: Rows | Tensor) -> Tensor:
    """The dense array [B, D] of rows that are sparse or dense.

    Args:
        x: [B, D].
    """
    return x.dense() if isinstance(x, Rows) else x
