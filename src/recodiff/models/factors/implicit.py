"""Methods of the package `implicit` under our contract: ALS, BPR, and item neighbourhoods by BM25. Extra `baselines`.

They fit, and ALS folds in, on the CPU whatever the device; what they learned is kept as tensors.

Shapes: `B` users in a batch, `U` users, `I` items, `k` factors.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits
from torch import Tensor

from recodiff.config import refuse
from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError, missing_extra
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.factors.contrast import BPR
from recodiff.models.factors.embeddings import Factors, user_factors
from recodiff.models.factors.fold_in import fold_in
from recodiff.models.factors.ials import refuse_if_too_wide
from recodiff.models.linear.neighbours import ItemTableModel
from recodiff.models.linear.sparse import counts_of
from recodiff.models.registry import title
from recodiff.runtime.run import Run
from recodiff.tensors.rows import Rows
from recodiff.training.traits import Traits


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        need = "implicit-als, implicit-bpr and implicit-bm25 need the package implicit"
        raise missing_extra(error, name, need, '"recodiff[baselines]"') from None


_als, _bpr, _knn, _base = map(
    _module, ("implicit.cpu.als", "implicit.cpu.bpr", "implicit.nearest_neighbours", "implicit.recommender_base")
)


def _fit_quietly(solver: Any, matrix: csr_matrix, run: Run, remedy: str) -> None:
    """Fits a solver of the package.

    Raises:
        ModelError: it diverged; `remedy` says what to change.
    """
    try:
        solver.fit(matrix, show_progress=run.progress)
    except _base.ModelFitError:
        raise ModelError(f"implicit's solver diverged on this data; {remedy}") from None


class ImplicitAlsConfig(ModelConfig):
    """Settings of ALS by `implicit`."""

    factors: int = Field(default=64, ge=1)
    """k, the width of the vectors."""
    alpha: float = Field(default=5.0, gt=0)
    """How much an interaction weighs, times its own weight; a cell without one weighs 1."""
    l2: float = Field(default=0.01, gt=0)
    """lambda, the ridge, the same for all rows."""
    epochs: int = Field(default=15, ge=1)
    """How often the users' and the items' vectors are solved for."""


class ImplicitAls(Recommender):
    """Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008, by the package `implicit`:

        min  sum_(u,i) c_ui (r_ui - p_u.q_i)^2 + lambda (sum_u |p_u|^2 + sum_i |q_i|^2)

    with r = 1 and c = alpha w where there is an interaction of weight w, r = 0 and c = 1 elsewhere. `ials` has a ridge that grows
    with frequency and a weight of the unobserved instead. Each side is solved for exactly, not by conjugate gradients, so that a
    history, known or new, gets by `recalculate_user` the vector that the fit would give it.
    """

    Config = ImplicitAlsConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        refuse_if_too_wide(self.config.factors, train)
        counts = counts_of(self.config.weighting.for_fit(train), title(self.registered))
        with threadpool_limits(1, "blas"):  # the package has threads of its own, and warns of others
            solver = self._solver(run.seed)
            _fit_quietly(solver, csr_matrix(counts, dtype=np.float32), run, "raise l2")
        self.q = torch.from_numpy(solver.item_factors).to(run.torch_device)

    def _solver(self, seed: int = 0) -> Any:
        config: ImplicitAlsConfig = self.config
        return _als.AlternatingLeastSquares(
            factors=config.factors,
            alpha=config.alpha,
            regularization=config.l2,
            iterations=config.epochs,
            use_cg=False,
            num_threads=torch.get_num_threads(),
            random_state=seed,
        )

    def score(self, batch: Batch) -> Tensor:
        """Inner products p_u.q_i, [B, I]."""
        return self.user_vectors(batch) @ self.q.T

    def vectors(self) -> ItemVectors:
        """The items' q [I, k], without biases."""
        return ItemVectors(self.q, self.q.new_zeros(len(self.q)))

    def user_vectors(self, batch: Batch) -> Tensor:
        """The users' p [B, k], solved for from the histories."""
        history = _matrix_of(batch.history)
        with threadpool_limits(1, "blas"):
            solver = self._solver()
            solver.item_factors = self.q.cpu().numpy()
            found = solver.recalculate_user(np.arange(len(batch.history)), history)
        return torch.from_numpy(found).to(self.q)

    def state(self) -> dict[str, Tensor]:
        """The items' vectors q [I, k]."""
        _ = self.items
        return {"q": self.q}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.q = state["q"]


def _matrix_of(rows: Rows) -> csr_matrix:
    """The rows as the package takes them; an entry of weight zero would count as an item that was looked at and refused."""
    offsets, columns, values = (part.cpu().numpy() for part in (rows.offsets, rows.columns, rows.values))
    found = csr_matrix((values, columns.astype(np.int32), offsets.astype(np.int32)), shape=(len(rows), rows.width), copy=True)
    found.eliminate_zeros()
    return found


class ImplicitBprConfig(ModelConfig):
    """Settings of BPR by `implicit`."""

    factors: int = Field(default=64, ge=1)
    """k, the width of the vectors."""
    lr: float = Field(default=0.05, gt=0)
    """Step size of the stochastic descent."""
    l2: float = Field(default=0.01, ge=0)
    """lambda, on the vectors of the user, the positive item and the other that are compared."""
    epochs: int = Field(default=100, ge=1)
    """Passes over as many draws as there are interactions."""

    @model_validator(mode="after")
    def _fits_without_weights(self) -> Self:
        if self.weighting.on != "history" and self.weighting.needs_order:
            refuse('implicit-bpr draws interactions without weights; set weighting.on = "history", or use mf')
        return self


class ImplicitBpr(Recommender):
    """Rendle et al., *BPR: Bayesian Personalized Ranking from Implicit Feedback*, UAI 2009, by the package `implicit`:

        s_ui = p_u.q_i + b_i,  -log sigma(s_ui - s_uj) + lambda/2 (|p_u|^2 + |q_i|^2 + |q_j|^2 + b_i^2 + b_j^2)

    by stochastic descent, one interaction (u, i) and one item j at a time, j drawn by popularity and left out where u
    interacted with it. Interactions are drawn without weights, so a weighting can be on the history alone. With several threads
    two runs differ. An unseen user is folded in as for `mf`.
    """

    Config = ImplicitBprConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True, remembers_users=True)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        config: ImplicitBprConfig = self.config
        refuse_if_too_wide(config.factors, train)
        matrix = csr_matrix(train.with_values(np.ones(train.nnz, np.float32)).matrix, copy=True)  # ours is read-only
        solver = _bpr.BayesianPersonalizedRanking(
            factors=config.factors,
            learning_rate=config.lr,
            regularization=config.l2,
            iterations=config.epochs,
            num_threads=torch.get_num_threads(),
            random_state=run.seed,
        )
        _fit_quietly(solver, matrix, run, "lower lr")
        users, items = (torch.from_numpy(side).to(run.torch_device) for side in (solver.user_factors, solver.item_factors))
        # The package keeps the bias as one more number of an item, and a 1 with each user.
        self.factors = Factors(users[:, :-1].contiguous(), items[:, :-1].contiguous(), items[:, -1].contiguous())

    def score(self, batch: Batch) -> Tensor:
        """Inner products and biases p_u.q_i + b_i, [B, I]."""
        return torch.addmm(self.factors.bias, self.user_vectors(batch), self.factors.items.T)

    def vectors(self) -> ItemVectors:
        """The items' q [I, k] and b [I]."""
        _ = self.items
        return ItemVectors(self.factors.items, self.factors.bias)

    def user_vectors(self, batch: Batch) -> Tensor:
        """The users' p [B, k]: learned for known users, folded in for unseen users."""
        return user_factors(self.factors, batch, self._unseen_users)

    def _unseen_users(self, history: Rows) -> Tensor:
        items, bias = self.factors.items, self.factors.bias
        nothing = items.new_zeros(len(history), items.shape[1])
        return fold_in(history, items, bias, BPR(), negatives=1, received=nothing, share=1.0, l2=self.config.l2)

    def state(self) -> dict[str, Tensor]:
        """The learned p [U, k], q [I, k] and b [I]."""
        _ = self.items
        return {"p": self.factors.users, "q": self.factors.items, "b": self.factors.bias}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.factors = Factors(state["p"], state["q"], state["b"])


class ImplicitBm25Config(ModelConfig):
    """Settings of BM25 by `implicit`."""

    neighbours: int = Field(default=100, ge=1)
    """Similar items kept for each item of a history, itself among them."""
    k1: float = Field(default=1.2, ge=0)
    """How late a weight saturates; on 0/1 data, how strongly b acts."""
    b: float = Field(default=0.75, ge=0, le=1)
    """How strongly popular items are held back."""


class ImplicitBm25(ItemTableModel):
    """Item neighbourhoods under the weights of Robertson and Zaragoza, *The Probabilistic Relevance Framework: BM25 and Beyond*,
    2009, by the package `implicit`. Items are the documents, users the terms:

        v_ui = w_ui (k1 + 1) / (k1 (1 - b + b d_i / mean d) + w_ui) log(I / (1 + n_u)),  S_ij = v_i.v_j;  scores are x S

    with d_i the summed weights of an item, n_u the items of a user; of each *row* i only the largest entries stay.
    """

    Config = ImplicitBm25Config

    def _traits(self) -> Traits:
        return replace(super()._traits(), seeded=False)

    def table(self, train: Interactions, *, show: bool) -> csr_array:
        """See `ItemTableModel`."""
        config: ImplicitBm25Config = self.config
        counts = counts_of(train, title(self.registered))
        if counts.nnz == 0:
            return csr_array((train.n_items, train.n_items), dtype=np.float32)
        weighted = csr_matrix(_knn.bm25_weight(csr_matrix(counts.T), config.k1, config.b).T)
        neighbours = _knn.ItemItemRecommender(min(config.neighbours, train.n_items), num_threads=torch.get_num_threads())
        neighbours.fit(weighted, show_progress=show)
        return csr_array(neighbours.similarity, dtype=np.float32)
