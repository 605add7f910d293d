"""A model whose network the one training loop fits.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from recodiff.config import Settings, merge
from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models.base import Recommender, Validate
from recodiff.runtime import distributed
from recodiff.runtime.run import Run
from recodiff.tensors.uninitialised import give_weights, uninitialised
from recodiff.training import loop
from recodiff.training.pairs import Pairs
from recodiff.training.settings import TrainingConfig

DERIVED = "derived."
"""Begins the names of what is saved and was not learned."""


Net = TypeVar("Net", bound=nn.Module)


class TorchRecommender(Recommender, Generic[Net]):
    """A model that `training.train` fits: it declares a network (of type `Net`), its pairs and its parameter groups."""

    copies_state = True
    module: Net
    derived: Mapping[str, Tensor] = MappingProxyType({})
    """What `derive` gave, for `build`."""

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """Derive what the network's shape needs to know of the data beyond the number of items, by name; saved with the model.

        Args:
            train: what is learned from.
            run: its seed is that of random draws.
        """
        return {}

    @abstractmethod
    def build(self, n_items: int, generator: torch.Generator) -> Net:
        """A fresh network whose forward is the loss: (pair, progress, generator) -> [B].

        Args:
            n_items: I.
            generator: of the initial weights.
        """

    @abstractmethod
    def pairs(self) -> Pairs:
        """The pairs that are learned from."""

    @property
    def training(self) -> TrainingConfig:
        """The settings of the loop."""
        return self.config.training

    @property
    def validation_metrics(self) -> tuple[str, ...]:
        """The metric that stops the loop."""
        return (self.training.metric,)

    def refit_settings(self) -> Settings:
        """See `Recommender`: the best epoch."""
        return merge(super().refit_settings(), {"training": {"epochs": self.summary["best_epoch"]}})

    def by_item(self) -> dict[str, int]:
        """The parameters that processes share, and which of their dimensions is the items'; of a model that `shares_items`."""
        return {}

    def parameter_groups(self, module: Net) -> list[dict[str, Any]]:
        """Groups of AdamW; one with the config's rate and decay unless a model says otherwise.

        Args:
            module: the network.
        """
        return [{"params": list(module.parameters()), "lr": self.training.lr, "weight_decay": self.training.weight_decay}]

    def working_bytes(self, module: Net, batch: int) -> int:
        """Bytes of a training step of `batch` users beside weights, gradients and AdamW, where that grows with the catalogue.

        Args:
            module: what `build` gives; its numbers may be lacking, its shapes are there.
            batch: users in a batch.
        """
        return 0

    def memory_hint(self, module: Net) -> str:
        """A remedy other than a smaller batch that would make a step take less, as the end of a sentence; `module` as above."""
        return ""

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        loop.train_network(self, train, run, validate)

    def state(self) -> dict[str, Tensor]:
        """See `Recommender`; buffers of the training itself are left to the checkpoint."""
        _ = self.items
        learned = {name: parameter.detach() for name, parameter in self.module.named_parameters()}
        learned = distributed.as_slices(learned, self.by_item(), self.shard)
        return learned | {DERIVED + name: tensor for name, tensor in self.derived.items()}

    @property
    def device(self) -> torch.device:
        """The device that the model scores on, by its first parameter: a lone user's list asks for it several times."""
        _ = self.items
        first = next(self.module.parameters(), None)
        return super().device if first is None else first.device

    @property
    def parameters(self) -> int:
        """The number of learned numbers."""
        return super().parameters - sum(tensor.numel() for tensor in self.derived.values())

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.derived = {name.removeprefix(DERIVED): tensor.cpu() for name, tensor in state.items() if name.startswith(DERIVED)}
        state = {name: tensor for name, tensor in state.items() if not name.startswith(DERIVED)}
        module = uninitialised(lambda: self.build(len(self.items), torch.Generator()))
        lacking, foreign = give_weights(module, state)
        if lacking or foreign:
            raise ModelError(f"the weights lack {lacking or 'nothing'} and hold {foreign or 'nothing'} beyond this model")
        self.module = module.to(next(iter(state.values())).device).eval()
