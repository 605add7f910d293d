"""Linear item-item models in closed form: EASE, EDLAE, RLAE.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from recodiff import progress
from recodiff.allocator import available_memory
from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models import title
from recodiff.models.base import Batch, ModelConfig, Recommender, Validate
from recodiff.models.sparse import gram
from recodiff.training import Run

DOUBLE_UP_TO_ITEMS = 12_000
"""Catalogues up to this size are solved in float64, larger ones in float32."""


class ClosedFormConfig(ModelConfig):
    """The setting that the family shares."""

    l2: float = Field(default=500.0, gt=0)
    """The ridge, lambda."""


class ClosedForm(Recommender):
    """Base of the family: scores are x B, B_ij = [i = j] - P_ij / d_j, P = (X'X + diag(ridge))^-1.

    Its members differ in the ridge and in the divisor d. Dense: [I, I] in memory, refused where that does not fit.
    """

    Config = ClosedFormConfig
    seeded = False

    def ridge(self, squares: Tensor) -> Tensor | float:
        """What is added to the diagonal of X'X, given that diagonal [I]."""
        return self.config.l2

    def divisor(self, diagonal: Tensor) -> Tensor:
        """d [I], given the diagonal of P [I]; that diagonal itself makes the diagonal of B zero."""
        return diagonal

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        n, device = train.n_items, run.torch_device
        dtype = torch.float64 if n <= DOUBLE_UP_TO_ITEMS else torch.float32
        refuse_if_too_large(n, dtype, device, title(self.registered))
        matrix = self.config.weighting.for_fit(train).matrix
        with progress.bar("solving for the item-item weights", 3, show=run.progress) as advance:
            advance(0, "X'X")
            table = gram(matrix, dtype, device)
            table.diagonal().add_(self.ridge(table.diagonal().clone()))
            advance(1, "factoring")
            columns = table.mT  # symmetric, and in the order that LAPACK overwrites in place
            _, failed = torch.linalg.cholesky_ex(columns, out=(columns, torch.empty(0, dtype=torch.int32, device=device)))
            if failed:
                raise ModelError(
                    f"l2 = {self.config.l2} is too small to invert X'X + l2 I on this data; raise it, for example to 100"
                )
            advance(1, "inverting")
            torch.cholesky_inverse(columns, out=columns)
            table.div_(-self.divisor(table.diagonal().clone())).diagonal().add_(1)
            self.weights = table.to(torch.float32)
            advance(1, "")

    def score(self, batch: Batch) -> Tensor:
        """x B, [B, I]."""
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

    EASE with the ridge lambda + p / (1 - p) n_j on item j, n_j = (X'X)_jj (its count on 0/1 data): what dropout of the input
    amounts to in expectation.
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
        """1 / (lambda + mu), see `ClosedForm`."""
        return (diagonal / (1 - self.config.xi)).clamp_max(1 / self.config.l2)


def refuse_if_too_large(n_items: int, dtype: torch.dtype, device: torch.device, name: str, *, more: int = 0) -> None:
    """Refuses a catalogue whose item-item tables do not fit in memory.

    Args:
        n_items: I.
        dtype: solved in.
        device: solved on.
        name: of the model.
        more: tables [I, I] held beside the one that is solved in place.

    Raises:
        ModelError: they do not fit.
    """
    # Solved in place; float64 is rounded to float32 beside itself, and a GPU's solver works on a copy.
    tables = more + (1.5 if dtype == torch.float64 else 1.1)
    on_gpu = device.type == "cuda"
    per_cell = dtype.itemsize * (tables + on_gpu)
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else available_memory()
    if free is not None and per_cell * n_items**2 > free:
        raise ModelError(
            f"{name} on {n_items} items needs about {per_cell * n_items**2 / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; "
            f"keep at most some {int((free / per_cell) ** 0.5)} items (a larger item core) or use itemknn or rp3beta, "
            "whose tables are sparse"
        )
