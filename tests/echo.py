"""A model whose lists are known beforehand, and three users for it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recodiff import Run
from recodiff.data.interactions import IdMap, Interactions
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch


class Echo(Recommender):
    """Scores an item by its place in the catalogue, plus ten times its weight in the history."""

    Config = ModelConfig

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        self.base = torch.arange(train.n_items, dtype=torch.float32)

    def score(self, batch: Batch) -> Tensor:
        return self.base + 10 * batch.history.dense()

    def state(self) -> dict[str, Tensor]:
        return {"base": self.base}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.base = state["base"]


ITEMS = IdMap([f"i{n}" for n in range(6)])
X = Interactions.from_arrays([0, 0, 1], [5, 3, 4], IdMap(["a", "b", "c"]), ITEMS, times=[1, 2, 3], time_kind="order")


def fitted() -> Echo:
    return Echo().fit(X, Run(device="cpu"))
