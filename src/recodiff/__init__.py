"""Diffusion recommender models: from interaction logs to top-K recommendations.

Public names load when they are first used, so `import recodiff` is cheap.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from recodiff.configs import presets, read_settings
    from recodiff.data import (
        AsPublished,
        Dataset,
        HeldOutUsers,
        IdMap,
        Interactions,
        LeaveLast,
        Random,
        Temporal,
        TemporalAt,
        TemporalGlobal,
        corrupt,
        fetch,
        load_dataset,
        prepare,
        read_log,
        save_dataset,
        synthesise,
    )
    from recodiff.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        MissingExtraError,
        ModelError,
        RecodiffError,
        RecodiffWarning,
    )
    from recodiff.evaluation.evaluate import Evaluation, evaluate, measure
    from recodiff.evaluation.protocol import Stages, Task, stages
    from recodiff.evaluation.validation import Validation
    from recodiff.experiments.auto import AutoResult, auto
    from recodiff.experiments.compare.comparison import Comparison, compare
    from recodiff.experiments.refresh import RefreshResult, refresh
    from recodiff.experiments.runs.options import Deadline, RunOptions
    from recodiff.experiments.runs.train import train
    from recodiff.experiments.tuning.budget import Budget
    from recodiff.experiments.tuning.tune import tune
    from recodiff.experiments.tuning.tuning_result import TuningResult
    from recodiff.models.base import ModelConfig, Recommender, Validate
    from recodiff.models.batch import Batch
    from recodiff.models.network import TorchRecommender
    from recodiff.models.registry import MODELS, build
    from recodiff.models.saving import load_model, load_titles, save_model
    from recodiff.ranking.candidates import Candidates
    from recodiff.ranking.explain import Explanation, explain
    from recodiff.ranking.recommend import Recommendations, history_of, recommend
    from recodiff.ranking.vectors import item_vectors, similar_items, user_vectors
    from recodiff.runtime.run import Run
    from recodiff.stores.open import open_store
    from recodiff.stores.write import export_store
    from recodiff.training.traits import Traits

_HOMES = {
    "models.saving": ("load_model", "load_titles", "save_model"),
    "configs": ("presets", "read_settings"),
    "data": (
        *(
            "Dataset",
            "IdMap",
            "Interactions",
            "corrupt",
            "fetch",
            "load_dataset",
            "prepare",
            "read_log",
            "save_dataset",
            "synthesise",
        ),
        *("AsPublished", "HeldOutUsers", "LeaveLast", "Random", "Temporal", "TemporalAt", "TemporalGlobal"),
    ),
    "errors": (
        *("CheckpointError", "ConfigError", "DataError", "MissingExtraError", "ModelError", "RecodiffError"),
        "RecodiffWarning",
    ),
    "evaluation.evaluate": ("Evaluation", "evaluate", "measure"),
    "evaluation.protocol": ("Stages", "Task", "stages"),
    "evaluation.validation": ("Validation",),
    "experiments.auto": ("AutoResult", "auto"),
    "experiments.compare.comparison": ("Comparison", "compare"),
    "experiments.refresh": ("RefreshResult", "refresh"),
    "experiments.runs.options": ("Deadline", "RunOptions"),
    "experiments.runs.train": ("train",),
    "experiments.tuning.tuning_result": ("TuningResult",),
    "experiments.tuning.budget": ("Budget",),
    "experiments.tuning.tune": ("tune",),
    "ranking.vectors": ("item_vectors", "similar_items", "user_vectors"),
    "models.registry": ("MODELS", "build"),
    "models.base": ("ModelConfig", "Recommender", "Validate"),
    "models.network": ("TorchRecommender",),
    "models.batch": ("Batch",),
    "ranking.candidates": ("Candidates",),
    "ranking.explain": ("Explanation", "explain"),
    "ranking.recommend": ("Recommendations", "history_of", "recommend"),
    "runtime.run": ("Run",),
    "stores.open": ("open_store",),
    "stores.write": ("export_store",),
    "training.traits": ("Traits",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


class _OldPaths:
    """Finds modules under the paths they had, after every other finder has failed; their table is read only then."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """A spec that loads the module from where it is now; None for a path that never moved."""
        if not fullname.startswith("recodiff."):
            return None
        from recodiff.moved import spec_of

        return spec_of(fullname)


if not any(getattr(finder, "__name__", "") == _OldPaths.__name__ for finder in sys.meta_path):  # once, though reloaded
    sys.meta_path.append(_OldPaths)

__all__ = [
    "MODELS",
    "AsPublished",
    "AutoResult",
    "Batch",
    "Budget",
    "Candidates",
    "CheckpointError",
    "Comparison",
    "ConfigError",
    "DataError",
    "Dataset",
    "Deadline",
    "Evaluation",
    "Explanation",
    "HeldOutUsers",
    "IdMap",
    "Interactions",
    "LeaveLast",
    "MissingExtraError",
    "ModelConfig",
    "ModelError",
    "Random",
    "RecodiffError",
    "RecodiffWarning",
    "Recommendations",
    "Recommender",
    "RefreshResult",
    "Run",
    "RunOptions",
    "Stages",
    "Task",
    "Temporal",
    "TemporalAt",
    "TemporalGlobal",
    "TorchRecommender",
    "Traits",
    "TuningResult",
    "Validate",
    "Validation",
    "auto",
    "build",
    "compare",
    "corrupt",
    "evaluate",
    "explain",
    "export_store",
    "fetch",
    "history_of",
    "item_vectors",
    "load_dataset",
    "load_model",
    "load_titles",
    "measure",
    "open_store",
    "prepare",
    "presets",
    "read_log",
    "read_settings",
    "recommend",
    "refresh",
    "save_dataset",
    "save_model",
    "similar_items",
    "stages",
    "synthesise",
    "train",
    "tune",
    "user_vectors",
]
STABLE = frozenset(
    {
        *("CheckpointError", "ConfigError", "DataError", "MissingExtraError", "ModelError", "RecodiffError", "RecodiffWarning"),
        *("Dataset", "Evaluation", "IdMap", "Interactions", "Recommendations", "Run", "Validation"),
        *("build", "evaluate", "fetch", "history_of", "load_dataset", "load_model", "prepare", "presets", "read_log"),
        *("read_settings", "recommend", "save_dataset", "save_model", "similar_items", "tune"),
    }
)
"""Public names that change with a deprecation of a release alone. The other public names are provisional; all else is internal."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("recodiff")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'recodiff' has no attribute '{name}'")
    return getattr(importlib.import_module(f"recodiff.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
