"""A model of your own in some thirty lines: a co-occurrence recommender, trained and measured like the built-in ones.

python examples/add_a_model.py
recodiff train my.toml --data DIR --out RUN        with the line  model = "add_a_model:CoOccurrence"  in my.toml

Its test is a class of three lines, which pytest runs as 35 tests:

    from recodiff.testing import ModelContract

    class TestCoOccurrence(ModelContract):
        model = "add_a_model:CoOccurrence"
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from pydantic import Field

import recodiff
from recodiff.data import Interactions, synthesise
from recodiff.models.base import Validate


class CoOccurrenceConfig(recodiff.ModelConfig):
    """Settings: each with its type, bound and meaning; unknown keys are refused, weightings come with the base."""

    power: float = Field(default=0.5, ge=0, le=1)
    """How strongly popular items are held back."""


class CoOccurrence(recodiff.Recommender):
    """score(u, j) = sum over u's items i of |users of both i and j| / count_j^power."""

    Config = CoOccurrenceConfig

    def _traits(self) -> recodiff.Traits:
        return replace(super()._traits(), seeded=False)  # every seed gives the same model

    def _fit(self, train: Interactions, run: recodiff.Run, validate: Validate | None) -> None:
        x = self.config.weighting.for_fit(train).matrix
        together = (x.T @ x).toarray()
        count = np.maximum(together.diagonal(), 1)
        self.weights = torch.from_numpy((together / count**self.config.power).astype(np.float32))

    def score(self, batch: recodiff.Batch) -> torch.Tensor:
        return batch.history.matmul(self.weights)

    def state(self) -> dict[str, torch.Tensor]:
        return {"weights": self.weights}

    def _restore(self, state: Mapping[str, torch.Tensor]) -> None:
        self.weights = state["weights"]


if __name__ == "__main__":
    data = recodiff.prepare(synthesise(users=300, items=150, interactions=9_000, seed=0))
    for settings in ({}, {"weighting": {"kind": "half_life", "half_life": 5, "on": "history"}}):
        model = recodiff.build("add_a_model:CoOccurrence", settings).fit(data.train)
        found = recodiff.evaluate(model, data.history("train"), data.part("test"), mask=data.history("train+valid"))
        print(settings or "unweighted", f"recall@20 {found.mean('recall@20'):.4f}")
