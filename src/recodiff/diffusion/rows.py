"""A batch of sparse rows on one device: what travels from the data to the diffusion.

Shapes: `B` rows, `D` columns, `nnz` entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

TERMS_AT_ONCE = 2**22
"""Of a product of sparse rows with a sparse table; bounds its memory to some 200 MiB."""


@dataclass(frozen=True)
class Rows:
    """B sparse rows of width D; the entries of a row keep their order (oldest first where there is time).

    Args:
        offsets: int64 [B + 1], where each row's entries begin; the last is nnz.
        columns: int64 [nnz], 0..D-1, no column twice in a row.
        values: float32 [nnz].
        width: D.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor
    width: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def to(self, device: torch.device | str) -> Rows:
        """The same rows on another device."""
        offsets, columns, values = (part.to(device, non_blocking=True) for part in (self.offsets, self.columns, self.values))
        return Rows(offsets, columns, values, self.width)

    def take(self, rows: Tensor) -> Rows:
        """The rows at positions int64 [n], in that order."""
        lengths = self.offsets.diff()[rows]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        entries = torch.repeat_interleave(self.offsets[rows] - offsets[:-1], lengths)
        entries += torch.arange(len(entries), device=entries.device)
        return Rows(offsets, self.columns[entries], self.values[entries], self.width)

    def row_of(self) -> Tensor:
        """The row of each entry, int64 [nnz]."""
        rows = torch.arange(len(self), device=self.offsets.device)
        return torch.repeat_interleave(rows, self.offsets.diff(), output_size=len(self.columns))

    def flat(self) -> Tensor:
        """Where each entry stands in a dense [B * D], int64 [nnz]."""
        return self.row_of() * self.width + self.columns

    def dense(self) -> Tensor:
        """[B, D] float32."""
        out = torch.zeros(len(self) * self.width, device=self.values.device)
        return out.scatter_(0, self.flat(), self.values).view(len(self), self.width)

    def transposed(self) -> Rows:
        """The columns as rows, [D, B]."""
        order = torch.argsort(self.columns, stable=True)
        counts = torch.bincount(self.columns, minlength=self.width)
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return Rows(offsets, self.row_of()[order], self.values[order], len(self))

    def matmul(self, table: Tensor | Rows) -> Tensor:
        """These rows times `table` [D, H] -> dense [B, H]: costs nnz * H, whatever D is, and less where the table is sparse."""
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
    """[B, D] of rows that come sparse or dense."""
    return x.dense() if isinstance(x, Rows) else x
