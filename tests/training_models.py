"""Models that the loop trains, and networks as it builds them."""

from __future__ import annotations

from typing import Any

from recodiff import Run, build
from recodiff.data.interactions import Interactions
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import MODELS
from toy import is_here


def trained_by_epochs() -> list[str]:
    return [name for name in MODELS if is_here(name) and isinstance(build(name), TorchRecommender)]


def made(name: str, data: Interactions, **settings: Any) -> TorchRecommender:
    model = build(name, settings)
    assert isinstance(model, TorchRecommender)
    model.users = data.users
    model.derived = model.derive(data, Run(device="cpu"))
    return model
