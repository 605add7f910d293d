"""Popularity: the same list for every user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch
from recodiff.runtime.run import Run
from recodiff.training.traits import Traits


class PopularityConfig(ModelConfig):
    """Popularity has no settings of its own."""


class Popularity(Recommender):
    """Scores an item by the summed weight of its interactions, for every user alike."""

    Config = PopularityConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), seeded=False, personalised=False)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        matrix = self.config.weighting.for_fit(train).matrix
        counts = np.bincount(matrix.indices, weights=matrix.data, minlength=train.n_items)
        self.counts = torch.from_numpy(counts.astype(np.float32)).to(run.torch_device)

    def score(self, batch: Batch) -> Tensor:
        """The popularity of each item, [B, I], every row the same."""
        return self.counts.repeat(len(batch.history), 1)

    def state(self) -> dict[str, Tensor]:
        """The summed weights [I]."""
        _ = self.items
        return {"counts": self.counts}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.counts = state["counts"]
