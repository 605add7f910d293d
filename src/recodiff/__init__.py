"""Diffusion recommender models: from interaction logs to top-K recommendations.

Public names load when they are first used, so `import recodiff` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recodiff.checkpoint import load_model, save_model
    from recodiff.config import presets, read_settings
    from recodiff.data import Dataset, IdMap, Interactions, corrupt, fetch, load_dataset, prepare, read_log, save_dataset
    from recodiff.errors import CheckpointError, ConfigError, DataError, ModelError, RecodiffError
    from recodiff.evaluation import Evaluation, Validation, evaluate
    from recodiff.experiments.search import Budget
    from recodiff.experiments.tune import tune
    from recodiff.export import item_vectors, similar_items, user_vectors
    from recodiff.models import MODELS, build
    from recodiff.models.base import ModelConfig, Recommender, TorchRecommender
    from recodiff.models.batch import Batch
    from recodiff.ranking import Recommendations, history_of, recommend
    from recodiff.run import Run

_HOMES = {
    "checkpoint": ("load_model", "save_model"),
    "config": ("presets", "read_settings"),
    "data": ("Dataset", "IdMap", "Interactions", "corrupt", "fetch", "load_dataset", "prepare", "read_log", "save_dataset"),
    "errors": ("CheckpointError", "ConfigError", "DataError", "ModelError", "RecodiffError"),
    "evaluation": ("Evaluation", "Validation", "evaluate"),
    "experiments.search": ("Budget",),
    "experiments.tune": ("tune",),
    "export": ("item_vectors", "similar_items", "user_vectors"),
    "models": ("MODELS", "build"),
    "models.base": ("ModelConfig", "Recommender", "TorchRecommender"),
    "models.batch": ("Batch",),
    "ranking": ("Recommendations", "history_of", "recommend"),
    "run": ("Run",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MODELS",
    "Batch",
    "Budget",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "Dataset",
    "Evaluation",
    "IdMap",
    "Interactions",
    "ModelConfig",
    "ModelError",
    "RecodiffError",
    "Recommendations",
    "Recommender",
    "Run",
    "TorchRecommender",
    "Validation",
    "build",
    "corrupt",
    "evaluate",
    "fetch",
    "history_of",
    "item_vectors",
    "load_dataset",
    "load_model",
    "prepare",
    "presets",
    "read_log",
    "read_settings",
    "recommend",
    "save_dataset",
    "save_model",
    "similar_items",
    "tune",
    "user_vectors",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'recodiff' has no attribute '{name}'")
    return getattr(importlib.import_module(f"recodiff.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
