"""The model that a contract tests, and how it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recodiff.config import Settings, merge
from recodiff.data.interactions import Interactions
from recodiff.models.base import Recommender
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build, config_of
from recodiff.runtime.run import Run
from recodiff.testing.tiny_data import checkerboard

BOARD = checkerboard(shuffled=True)
RUN = Run(seed=0, progress=False, device="cpu")
QUICK: Settings = {"training": {"epochs": 60, "batch_size": 10, "lr": 3e-3}}
"""How a network learns the board in a second, unless its settings say otherwise."""


@dataclass(frozen=True)
class ModelUnderTest:
    """A model with settings under which 50 users are learned in a second.

    Args:
        model: its name in MODELS, or `module:Class`.
        settings: enough capacity and little regularisation; a model with a group `training` needs none where QUICK will do.
        one_item_refused: part of the message, a regular expression, where a catalogue of one item is refused.
        fit_weights_refused: part of the message, a regular expression, where weights in the fit are refused.
        starts_by_position: whether what is drawn at first belongs to positions in the catalogue; always so for networks.
    """

    model: str
    settings: Settings = field(default_factory=dict)
    one_item_refused: str | None = None
    fit_weights_refused: str | None = None
    starts_by_position: bool = False

    def build(self, over: Mapping[str, Any] | None = None, **training: Any) -> Recommender:
        """A fresh model under the settings.

        Args:
            over: further settings, laid upon them.
            training: settings for every group `training`, such as `epochs=1`.
        """
        quick = QUICK if "training" in config_of(self.model).model_fields else {}
        whole = build(self.model, merge(quick, self.settings)).config.model_dump()
        return build(self.model, merge(_trained_by(whole, training), over or {}))

    def fit(self, x: Interactions = BOARD, run: Run = RUN, over: Mapping[str, Any] | None = None, **training: Any) -> Recommender:
        """A fresh model fitted to `x`; the other arguments as of `build`."""
        return self.build(over, **training).fit(x, run)


def _trained_by(settings: Settings, training: Mapping[str, Any]) -> Settings:
    return {
        key: {**value, **training} if key == "training" else _trained_by(value, training) if isinstance(value, dict) else value
        for key, value in settings.items()
    }


def has_network(model: Recommender) -> bool:
    """Tell whether a network is trained, in a component of the model at least."""
    return isinstance(model, TorchRecommender) or any(map(has_network, model.components().values()))
