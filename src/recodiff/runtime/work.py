"""Work that goes in one step: counted before it begins, and turned into seconds by the rates of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array

DENSE_SIZE, SPARSE_ROWS, SPARSE_COLUMNS, IN_A_ROW = 1536, 1000, 4000, 100
"""Of the tables that the rates are measured on: large enough for the rate of a long step, and done within a second."""


@dataclass(frozen=True)
class Work:
    """Work that nothing can end halfway, such as an inversion.

    Args:
        double: floating-point operations on dense tables of float64, those of an inversion.
        single: of float32.
        sparse: products of two entries in products of sparse tables.
    """

    double: float = 0.0
    single: float = 0.0
    sparse: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.double + other.double, self.single + other.single, self.sparse + other.sparse)

    def seconds(self, rates: Work) -> float:
        """Estimate how long it takes.

        Args:
            rates: work of each kind that is done in a second.
        """
        return self.double / rates.double + self.single / rates.single + self.sparse / rates.sparse


SLOWEST = Work(double=1e9, single=2e9, sparse=5e6)
"""Rates below those of any machine that is in use: what takes no time at these needs no measurement."""


def measured_rates(device: torch.device) -> Work:
    """Measure the rates of this machine as it is now, beside whatever else it does; takes about a second.

    Args:
        device: of the dense tables.
    """
    draw = np.random.default_rng(0)
    columns = draw.integers(0, SPARSE_COLUMNS, SPARSE_ROWS * IN_A_ROW)
    offsets = np.arange(0, len(columns) + 1, IN_A_ROW)
    rows = csr_array((np.ones(len(columns)), columns, offsets), shape=(SPARSE_ROWS, SPARSE_COLUMNS))
    across = csr_array(rows.T)
    return Work(
        double=DENSE_SIZE**3 / _shortest(lambda: _invert(torch.float64, device), device),
        single=DENSE_SIZE**3 / _shortest(lambda: _invert(torch.float32, device), device),
        sparse=len(columns) * IN_A_ROW / _shortest(lambda: across @ rows, device),
    )


def _invert(dtype: torch.dtype, device: torch.device) -> None:
    table = torch.eye(DENSE_SIZE, dtype=dtype, device=device)
    torch.cholesky_inverse(torch.linalg.cholesky(table))


def _shortest(call: Callable[[], object], device: torch.device, repeats: int = 2) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - began)
    return min(taken)
