"""Sparse tables of neighbourhood and graph models: degrees, products in blocks, the k largest, and a place in `state`.

Shapes: `n_users` users, `I` items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.runtime import progress
from recodiff.tensors.rows import Rows

ENTRIES_IN_BLOCK = 2**22
"""Of an item-item product made at once; bounds the memory of making a table to some 200 MiB beside the table itself."""

ITEMS_AT_ONCE = 1024
"""Rows of X'X that are made together."""
HIDDEN_AT_ONCE = 2**25
"""Entries of [B, n_users] that are made together where rows go through X'X by way of the users."""

Array = NDArray[np.float64]
Rescale = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[Any]]
"""(values, source item, scored item) of some entries -> their new values."""


def weights_of(x: Interactions) -> csr_array:
    """The weights as float64 [n_users, I]; what is seen with weight zero is left out.

    Args:
        x: interactions.
    """
    matrix = csr_array(x.matrix, dtype=np.float64, copy=True)
    matrix.eliminate_zeros()
    return matrix


def counts_of(x: Interactions, what: str) -> csr_array:
    """The weights [n, I] as `weights_of(x)` gives them, for a model to which weights are counts.

    Args:
        x: interactions.

    Raises:
        ModelError: a weight is negative; `what` names the model.
    """
    matrix = weights_of(x)
    if (matrix.data < 0).any():
        raise ModelError(
            f"{what} takes weights for counts, and {matrix.data.min():g} is among them; "
            "leave such rows out (recodiff prepare --min-rating) or do not keep the weights"
        )
    return matrix


def size_of(matrix: csr_array) -> tuple[int, int]:
    """Rows and columns of [n, m]; scipy's types leave open whether there are any.

    Args:
        matrix: of two dimensions.
    """
    return cast(tuple[int, int], matrix.shape)


def degrees(matrix: csr_array) -> tuple[Array, Array]:
    """Summed weights of each user [n_users] and of each item [I]; counts where all weights are 1.

    Args:
        matrix: [n_users, I].
    """
    return np.asarray(matrix.sum(axis=1)), np.asarray(matrix.sum(axis=0))


def power(degree: Array, exponent: float) -> Array:
    """A power degree^exponent, but 0 for what has no degree: it takes no part.

    Args:
        degree: 0 or more, [n].
        exponent: of any sign.
    """
    return np.power(degree, exponent, out=np.zeros_like(degree), where=degree > 0)


def scaled(matrix: csr_array, rows: Array, columns: Array) -> csr_array:
    """The product diag(rows) matrix diag(columns).

    Args:
        matrix: [n, m].
        rows: [n].
        columns: [m].
    """
    values = matrix.data * np.repeat(rows, np.diff(matrix.indptr)) * columns[matrix.indices]
    return csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def gram(matrix: csr_array, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The product X'X [I, I], dense, made in blocks of rows so that the sparse product is never held whole.

    Args:
        matrix: X [n_users, I].
        dtype: of the product.
        device: of the product.
    """
    right = matrix.astype(np.float64 if dtype == torch.float64 else np.float32)
    left, n = csr_array(right.T), size_of(matrix)[1]
    out = torch.empty(n, n, dtype=dtype, device=device)
    for start in range(0, n, ITEMS_AT_ONCE):
        out[start : start + ITEMS_AT_ONCE] = torch.from_numpy(csr_array(left[start : start + ITEMS_AT_ONCE] @ right).toarray())
    return out


def products_by_users(x: Interactions) -> float:
    """Count the products of two entries in X'X: pairs of items of one user.

    Args:
        x: X.
    """
    return float(np.square(x.lengths(), dtype=np.float64).sum())


def products_by_items(x: Interactions) -> float:
    """Count the products of two entries in X X': pairs of users of one item.

    Args:
        x: X.
    """
    return float(np.square(np.bincount(x.matrix.indices), dtype=np.float64).sum())


def through_users(x: Rows, by_item: Rows) -> Tensor:
    """The product x X'X without X'X, by two sparse products.

    Args:
        x: [B, I].
        by_item: X', [I, n_users].

    Returns:
        [B, I].
    """
    rows = torch.arange(len(x), device=x.offsets.device)
    parts = (x.take(part).matmul(by_item) for part in rows.split(max(1, HIDDEN_AT_ONCE // by_item.width)))
    return torch.cat([by_item.matmul(hidden.T.contiguous()).T for hidden in parts])


def item_table(left: csr_array, right: csr_array, k: int, *, rescale: Rescale | None = None, show: bool = True) -> csr_array:
    """The product left right without its diagonal, and of each column the k largest entries: [I, I] float32.

    Made in blocks of columns, so nothing of size I x I is ever held.

    Args:
        left: [I, n_users].
        right: [n_users, I].
        k: entries kept of a column; of equal ones those of the items that come first.
        rescale: applied to the entries of the product before any is dropped.
        show: whether a progress bar may be shown.
    """
    scored, sources = csr_array(right.T), csr_array(left.T)
    kept: list[csr_array] = []
    blocks = _blocks(scored, sources)
    with progress.bar("comparing items", size_of(scored)[0], show=show) as advance:
        for start, stop in blocks:
            # A block of the transposed product: its rows are columns of the table.
            block = csr_array(scored[start:stop] @ sources)
            column = np.repeat(np.arange(start, stop), np.diff(block.indptr))
            if rescale is not None:
                block.data = rescale(block.data, block.indices, column)
            block = _only(block, block.indices != column)
            kept.append(csr_array(_largest_of_rows(block, k), dtype=np.float32))
            advance(stop - start, "")
    return csr_array(vstack(kept, format="csr").T)


def _blocks(left: csr_array, right: csr_array) -> list[tuple[int, int]]:
    """Runs of rows of `left` whose product with `right` has no more than some ENTRIES_IN_BLOCK entries."""
    pattern = csr_array((np.ones(left.nnz), left.indices, left.indptr), shape=left.shape)
    most = np.minimum(pattern @ np.diff(right.indptr), size_of(right)[1])
    piece = np.cumsum(most) // ENTRIES_IN_BLOCK
    edges = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(most)]
    return list(pairwise(edges))


def _only(matrix: csr_array, chosen: NDArray[np.bool_]) -> csr_array:
    """The entries marked in `chosen` [nnz]."""
    indptr = np.concatenate([[0], np.cumsum(chosen)])[matrix.indptr]
    return csr_array((matrix.data[chosen], matrix.indices[chosen], indptr), shape=matrix.shape)


def _largest_of_rows(matrix: csr_array, k: int) -> csr_array:
    chosen = np.ones(matrix.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > k):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        chosen[entries] = _largest(matrix.data[entries], matrix.indices[entries], k)
    return _only(matrix, chosen)


def _largest(values: NDArray[Any], columns: NDArray[Any], k: int) -> NDArray[np.bool_]:
    least = np.partition(values, -k)[-k]
    chosen = values > least
    ties = np.flatnonzero(values == least)
    chosen[ties[np.argsort(columns[ties])][: k - chosen.sum()]] = True
    return chosen


def state_of(table: Rows) -> dict[str, Tensor]:
    """The three arrays of a sparse table.

    Args:
        table: [I, I].
    """
    return {"offsets": table.offsets, "columns": table.columns, "values": table.values}


def table_of(state: Mapping[str, Tensor], width: int) -> Rows:
    """The table back from its three arrays.

    Args:
        state: what `state_of` gave.
        width: I.
    """
    return Rows(state["offsets"], state["columns"], state["values"], width)
