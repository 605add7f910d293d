"""Linear item-item models in closed form: EASE, EDLAE, RLAE.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_array
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch
from recodiff.models.linear.sparse import ITEMS_AT_ONCE, gram, products_by_items, products_by_users, scaled, size_of
from recodiff.models.registry import title
from recodiff.runtime import progress
from recodiff.runtime.memory import available_memory
from recodiff.runtime.run import Run
from recodiff.runtime.work import Work
from recodiff.tensors.rows import Rows
from recodiff.training.traits import Traits

Advance = Callable[[int, str], None]
DOUBLE_UP_TO_ITEMS = 12_000
"""Catalogues up to this size are solved in float64, larger ones in float32."""
USERS_FOR_AN_ITEM = 0.9
"""Users for each item up to which a table of users is inverted in place of one of items: the cube of that in operations."""


class ClosedFormConfig(ModelConfig):
    """The setting that the family shares."""

    l2: float = Field(default=500.0, gt=0)
    """The ridge, lambda."""


class ClosedForm(Recommender):
    """Base of the family: scores are x B, B_ij = [i = j] - P_ij / d_j, P = (X'X + diag(ridge))^-1.

    Its members differ in the ridge and in the divisor d. Dense: [I, I] in memory, refused where that does not fit. Where users are
    fewer than items, P comes from a table of users.
    """

    Config = ClosedFormConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), seeded=False)

    def work(self, train: Interactions) -> Work:
        """See `Recommender`: X'X or X X', one inversion, and for the latter the way back to items."""
        users, items = train.n_users, train.n_items
        if users > USERS_FOR_AN_ITEM * items:
            return dense_work(items**3, items) + Work(sparse=products_by_users(train))
        return dense_work(users**3 + 4 * train.nnz * (users + items), items) + Work(sparse=products_by_items(train))

    def ridge(self, squares: Tensor) -> Tensor | float:
        """The ridge that is added to the diagonal of X'X, [I].

        Args:
            squares: that diagonal, [I].
        """
        return self.config.l2

    def divisor(self, diagonal: Tensor) -> Tensor:
        """The divisor d [I]; the diagonal of P itself makes the diagonal of B zero.

        Args:
            diagonal: of P, [I].
        """
        return diagonal

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        n, device = train.n_items, run.torch_device
        dtype = torch.float64 if n <= DOUBLE_UP_TO_ITEMS else torch.float32
        refuse_if_too_large(n, dtype, device, title(self.registered))
        matrix = csr_array(self.config.weighting.for_fit(train).matrix)
        inverse = self._by_users if _few_users(train, dtype, device) else self._by_items
        with progress.bar("solving for the item-item weights", 3, show=run.progress) as advance:
            table = inverse(matrix, dtype, device, advance)
            table.div_(-self.divisor(table.diagonal().clone())).diagonal().add_(1)
            self.weights = table.to(torch.float32)
            advance(1, "")

    def _by_items(self, matrix: csr_array, dtype: torch.dtype, device: torch.device, advance: Advance) -> Tensor:
        """P [I, I] as it is defined."""
        advance(0, "X'X")
        table = gram(matrix, dtype, device)
        table.diagonal().add_(self.ridge(table.diagonal().clone()))
        advance(1, "inverting")
        self._invert(table)
        advance(1, "")
        return table

    def _by_users(self, matrix: csr_array, dtype: torch.dtype, device: torch.device, advance: Advance) -> Tensor:
        """P [I, I] by Woodbury's identity, R the ridge: R^-1 - R^-1 X' K X R^-1, K = (1 + X R^-1 X')^-1 [n_users, n_users]."""
        advance(0, "X X'")
        exact = csr_array(matrix, dtype=np.float64, copy=True)
        squares = np.asarray((exact**2).sum(axis=0))
        ridge = self.ridge(torch.from_numpy(squares).to(device, dtype)) + torch.zeros(len(squares), dtype=dtype, device=device)
        down = ridge.double().rsqrt().cpu().numpy()
        kernel = gram(csr_array(scaled(exact, np.ones(size_of(exact)[0]), down).T), dtype, device)
        if kernel.diagonal().max() * torch.finfo(dtype).eps > 1:  # the 1 would be lost
            raise self._too_small()
        kernel.diagonal().add_(1)
        advance(1, "inverting")
        self._invert(kernel)
        advance(1, "X' K X")
        by_item = Rows.from_csr(matrix, device).transposed()
        out = torch.empty(len(squares), len(squares), dtype=dtype, device=device)
        for items in torch.arange(len(squares), device=device).split(ITEMS_AT_ONCE):
            out[items[0] : items[-1] + 1] = by_item.matmul(by_item.take(items).matmul(kernel).T.contiguous()).T
        out.div_(-ridge).div_(ridge[:, None]).diagonal().add_(1 / ridge)
        return out

    def _invert(self, table: Tensor) -> None:
        """Inverts a symmetric table in place."""
        columns = table.mT  # symmetric, and in the order that LAPACK overwrites in place
        _, failed = torch.linalg.cholesky_ex(columns, out=(columns, torch.empty(0, dtype=torch.int32, device=table.device)))
        if failed:
            raise self._too_small()
        torch.cholesky_inverse(columns, out=columns)

    def _too_small(self) -> ModelError:
        return ModelError(f"l2 = {self.config.l2} is too small to invert X'X + l2 I on this data; raise it, for example to 100")

    def score(self, batch: Batch) -> Tensor:
        """The product x B, [B, I]."""
        return batch.history.matmul(self.weights)

    def state(self) -> dict[str, Tensor]:
        """B [I, I]."""
        _ = self.items
        return {"weights": self.weights}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.weights = state["weights"]


class Ease(ClosedForm):
    """Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, WWW 2019.

    P = (X'X + lambda I)^-1, B_ij = -P_ij / P_jj off the diagonal and 0 on it; scores are x B.
    """


class EdlaeConfig(ClosedFormConfig):
    """Settings of EDLAE."""

    dropout: float = Field(default=0.5, ge=0, lt=1)
    """p, the share of its input that the model is fitted to do without; 0 is EASE."""


class Edlae(ClosedForm):
    """Steck, *Autoencoders that don't overfit towards the Identity*, NeurIPS 2020: the zero-diagonal form.

    EASE with the ridge lambda + p / (1 - p) n_j on item j, n_j = (X'X)_jj (its count on 0/1 data). Dropout of the input amounts
    to that in expectation.
    """

    Config = EdlaeConfig

    def ridge(self, squares: Tensor) -> Tensor:
        """See `ClosedForm`."""
        p = self.config.dropout
        return self.config.l2 + p / (1 - p) * squares


class RlaeConfig(ClosedFormConfig):
    """Settings of RLAE."""

    xi: float = Field(default=0.3, ge=0, le=1)
    """How far the diagonal may rise; 0 is EASE, 1 the plain ridge regression."""


class Rlae(ClosedForm):
    """Moon et al., *It's Enough: Relaxing Diagonal Constraints in Linear Autoencoders for Recommendation*, SIGIR 2023.

    B = I - P diag(lambda + mu), mu_j = max(0, (1 - xi) / P_jj - lambda): the least that keeps B_jj <= xi.
    """

    Config = RlaeConfig

    def divisor(self, diagonal: Tensor) -> Tensor:
        """The divisor 1 / (lambda + mu), see `ClosedForm`."""
        return (diagonal / (1 - self.config.xi)).clamp_max(1 / self.config.l2)


def _few_users(train: Interactions, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether to go through a table of users: it is the smaller, and beside the items' there is room for it."""
    users, items = train.n_users, train.n_items
    if users > USERS_FOR_AN_ITEM * items:
        return False
    free = _free_memory(device)
    return free is None or _bytes_of(items, dtype, device, more=(users / items) ** 2) <= free


def _free_memory(device: torch.device) -> int | None:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()


def _bytes_of(n_items: int, dtype: torch.dtype, device: torch.device, *, more: float) -> float:
    # Solved in place; float64 is rounded to float32 beside itself, and a GPU's solver works on a copy.
    tables = more + (1.5 if dtype == torch.float64 else 1.1)
    return dtype.itemsize * (tables + (device.type == "cuda")) * n_items**2


def dense_work(operations: float, n_items: int) -> Work:
    """The work of an operation on tables of items, in the type in which they are solved.

    Args:
        operations: floating-point operations.
        n_items: I.
    """
    return Work(double=operations) if n_items <= DOUBLE_UP_TO_ITEMS else Work(single=operations)


def refuse_if_too_large(n_items: int, dtype: torch.dtype, device: torch.device, name: str, *, more: int = 0) -> None:
    """Refuse a catalogue whose item-item tables do not fit in memory.

    Args:
        n_items: I.
        dtype: solved in.
        device: solved on.
        name: of the model.
        more: tables [I, I] held beside the one that is solved in place.

    Raises:
        ModelError: they do not fit.
    """
    free, needed = _free_memory(device), _bytes_of(n_items, dtype, device, more=more)
    if free is not None and needed > free:
        raise ModelError(
            f"{name} on {n_items} items needs about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; "
            f"keep at most some {int(n_items * (free / needed) ** 0.5)} items (a larger item core) or use itemknn or rp3beta, "
            "whose tables are sparse"
        )
