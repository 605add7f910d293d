"""What the loop asks of a model, and no more.

Shapes: `B` users in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from recodiff.data.interactions import Interactions
from recodiff.runtime.run import Run
from recodiff.tensors.sharding import Shard
from recodiff.training.pairs import Pairs
from recodiff.training.settings import TrainingConfig
from recodiff.training.traits import Traits


@dataclass(frozen=True)
class Progress:
    """The progress of a training: what annealed weights depend on.

    Args:
        epoch: epochs completed.
        step: batches completed.
    """

    epoch: int
    step: int


class Trainable(Protocol):
    """A model whose network the loop fits; `models.network.TorchRecommender` is one.

    The loop sets `derived`, `module` and `summary`; everything else it reads or calls.
    """

    config: Any
    """Its settings; `weighting` is among them."""
    module: Any
    """The network, an `nn.Module` of any kind; its forward is the loss, (pair, progress, generator) -> [B]."""
    derived: Mapping[str, Tensor]
    """What `derive` gave, for `build`."""
    summary: dict[str, Any]
    """What is said of the training when it is over."""
    shard: Shard | None
    """Which items' weights are here, where processes share them."""

    @property
    def traits(self) -> Traits:
        """Whether it has item vectors, shares items and so on."""
        ...

    @property
    def training(self) -> TrainingConfig:
        """The settings of the loop."""
        ...

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """Derive what the network's shape needs to know of the data beyond the number of items, by name.

        Args:
            train: what is learned from.
            run: its seed is that of random draws.
        """
        ...

    def build(self, n_items: int, generator: torch.Generator) -> nn.Module:
        """A fresh network.

        Args:
            n_items: I.
            generator: of the initial weights.
        """
        ...

    def pairs(self) -> Pairs:
        """The pairs that are learned from."""
        ...

    def parameter_groups(self, module: Any) -> list[dict[str, Any]]:
        """Groups of AdamW.

        Args:
            module: the network.
        """
        ...

    def by_item(self) -> dict[str, int]:
        """The parameters that processes share, and which of their dimensions is the items'."""
        ...

    def working_bytes(self, module: Any, batch: int) -> int:
        """Bytes that a step of `batch` users takes beside weights, gradients and AdamW, where that grows with the catalogue.

        Args:
            module: the network.
        """
        ...

    def memory_hint(self, module: Any) -> str:
        """A remedy other than a smaller batch that would make a step take less, as the end of a sentence.

        Args:
            module: the network.
        """
        ...
