"""Old paths of modules and names: they resolve for one release, with a warning that names the new path.

`MODULES` and `NAMES` are the one table. A path that is now a package (`recodiff.training`) answers for the names that its old
module had.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

REMOVED_IN = "0.3.0"
"""The version that no longer has the old paths."""
MODULES: dict[str, str] = {
    "recodiff.allocator": "recodiff.runtime.memory",
    "recodiff.averaging": "recodiff.training.ema",
    "recodiff.beyond": "recodiff.evaluation.list_metrics",
    "recodiff.checkpoint": "recodiff.models.saving",
    "recodiff.data.atomic": "recodiff.runtime.folders",
    "recodiff.data.columns": "recodiff.data.readers.columns",
    "recodiff.data.corrupt": "recodiff.data.noise",
    "recodiff.data.datasets": "recodiff.data.download",
    "recodiff.data.draws": "recodiff.data.random_keys",
    "recodiff.data.folder": "recodiff.data.dataset",
    "recodiff.data.formats": "recodiff.data.readers.formats",
    "recodiff.data.frames": "recodiff.data.readers.frames",
    "recodiff.data.readers": "recodiff.data.readers.log",
    "recodiff.data.tables": "recodiff.data.readers.text_tables",
    "recodiff.diffusion.draws": "recodiff.tensors.random",
    "recodiff.diffusion.gram": "recodiff.tensors.gram",
    "recodiff.diffusion.losses": "recodiff.tensors.losses",
    "recodiff.diffusion.networks": "recodiff.tensors.networks",
    "recodiff.diffusion.products": "recodiff.tensors.products",
    "recodiff.diffusion.rows": "recodiff.tensors.rows",
    "recodiff.diffusion.shard": "recodiff.tensors.sharding",
    "recodiff.diffusion.softmax": "recodiff.tensors.softmax",
    "recodiff.distributed": "recodiff.runtime.distributed",
    "recodiff.evaluation": "recodiff.evaluation.evaluate",
    "recodiff.experiments.apart": "recodiff.experiments.runs.peak_memory",
    "recodiff.experiments.cases": "recodiff.experiments.runs.cases",
    "recodiff.experiments.closer": "recodiff.experiments.runs.details",
    "recodiff.experiments.compare.output": "recodiff.experiments.compare.comparison_files",
    "recodiff.experiments.compare.page": "recodiff.experiments.compare.comparison_page",
    "recodiff.experiments.compare.tuned": "recodiff.experiments.compare.studies",
    "recodiff.experiments.dimensions": "recodiff.experiments.tuning.dimensions",
    "recodiff.experiments.pages": "recodiff.reports.cells",
    "recodiff.experiments.paired": "recodiff.evaluation.significance",
    "recodiff.experiments.protocols": "recodiff.experiments.runs.protocols",
    "recodiff.experiments.reproduce.cases": "recodiff.experiments.reproduce.experiment",
    "recodiff.experiments.reproduce.drawing": "recodiff.experiments.reproduce.paper_figures",
    "recodiff.experiments.reproduce.outcome": "recodiff.experiments.reproduce.result",
    "recodiff.experiments.reproduce.plans": "recodiff.experiments.reproduce.catalogue",
    "recodiff.experiments.results": "recodiff.experiments.runs.results",
    "recodiff.experiments.runner": "recodiff.experiments.runs.runner",
    "recodiff.experiments.runs": "recodiff.experiments.runs.train",
    "recodiff.experiments.runs.deciding": "recodiff.experiments.runs.deciding_metric",
    "recodiff.experiments.search": "recodiff.experiments.tuning.search",
    "recodiff.experiments.spaces": "recodiff.experiments.tuning.spaces",
    "recodiff.experiments.study": "recodiff.experiments.tuning.study",
    "recodiff.experiments.tune": "recodiff.experiments.tuning.tune",
    "recodiff.experiments.tuned": "recodiff.experiments.tuning.tuning_result",
    "recodiff.experiments.work": "recodiff.experiments.runs.job",
    "recodiff.export": "recodiff.ranking.vectors",
    "recodiff.figures": "recodiff.reports.figures",
    "recodiff.files": "recodiff.runtime.files",
    "recodiff.float32": "recodiff.runtime.float32",
    "recodiff.memory": "recodiff.training.memory",
    "recodiff.metrics": "recodiff.evaluation.metrics",
    "recodiff.models": "recodiff.models.registry",
    "recodiff.models.acvae": "recodiff.models.sequences.acvae",
    "recodiff.models.autoencoders": "recodiff.models.autoencoders.multivae",
    "recodiff.models.cdae": "recodiff.models.autoencoders.cdae",
    "recodiff.models.clusters": "recodiff.models.diffrec.item_clusters",
    "recodiff.models.codigem": "recodiff.models.diffrec.codigem",
    "recodiff.models.contrast": "recodiff.models.factors.contrast",
    "recodiff.models.diffrec": "recodiff.models.diffrec.diffrec",
    "recodiff.models.ease": "recodiff.models.linear.ease",
    "recodiff.models.factors": "recodiff.models.factors.embeddings",
    "recodiff.models.fold_in": "recodiff.models.factors.fold_in",
    "recodiff.models.forecast_ridge": "recodiff.models.linear.forecast_ridge",
    "recodiff.models.giffcf": "recodiff.models.diffrec.giffcf",
    "recodiff.models.gru4rec": "recodiff.models.sequences.gru4rec",
    "recodiff.models.ials": "recodiff.models.factors.ials",
    "recodiff.models.implicit": "recodiff.models.factors.implicit",
    "recodiff.models.irgan": "recodiff.models.factors.irgan",
    "recodiff.models.latent": "recodiff.models.diffrec.codec_settings",
    "recodiff.models.lightgcn": "recodiff.models.factors.lightgcn",
    "recodiff.models.lowrank": "recodiff.models.linear.lowrank",
    "recodiff.models.mf": "recodiff.models.factors.mf",
    "recodiff.models.neighbours": "recodiff.models.linear.neighbours",
    "recodiff.models.sasrec": "recodiff.models.sequences.sasrec",
    "recodiff.models.sequence": "recodiff.models.sequences.encoder",
    "recodiff.models.settings": "recodiff.diffusion.settings",
    "recodiff.models.sparse": "recodiff.models.linear.sparse",
    "recodiff.models.windows": "recodiff.models.sequences.windows",
    "recodiff.optimizer": "recodiff.training.adamw",
    "recodiff.pairs": "recodiff.training.pairs",
    "recodiff.progress": "recodiff.runtime.progress",
    "recodiff.ranking": "recodiff.ranking.recommend",
    "recodiff.report": "recodiff.reports.html",
    "recodiff.resuming": "recodiff.training.checkpoint",
    "recodiff.run": "recodiff.runtime.run",
    "recodiff.runtime.trial": "recodiff.runtime.crash_check",
    "recodiff.tensors.blank": "recodiff.tensors.uninitialised",
    "recodiff.testing.boards": "recodiff.testing.tiny_data",
    "recodiff.testing.subject": "recodiff.testing.model_under_test",
    "recodiff.training": "recodiff.training.loop",
    "recodiff.weighting": "recodiff.data.weighting",
}
"""Old module -> new module."""
NAMES: dict[str, dict[str, str]] = {
    "recodiff.config": {
        "presets": "recodiff.configs",
        "read_settings": "recodiff.configs",
        "told": "recodiff.configs:description",
    },
    "recodiff.data.readers.columns": {
        **dict.fromkeys(("convert", "parse_ids", "parse_weight"), "recodiff.data.readers.values"),
        **dict.fromkeys(("TimeUnit", "parse_time"), "recodiff.data.readers.times"),
    },
    "recodiff.data.readers.formats": dict.fromkeys(("RELEASE_FILES", "read_release"), "recodiff.data.readers.diffrec"),
    "recodiff.evaluation": {
        "METRICS": "recodiff.evaluation.evaluate:DEFAULT_METRICS",
        "Validation": "recodiff.evaluation.validation",
        "looks_ahead": "recodiff.evaluation.protocol",
    },
    "recodiff.data.dataset": dict.fromkeys(("MANIFEST", "load_dataset", "save_dataset"), "recodiff.data.saving"),
    "recodiff.diffusion.diffusion": {
        "DenseSpace": "recodiff.diffusion.diffusion:DensePath",
        "Space": "recodiff.diffusion.diffusion:LossPath",
    },
    "recodiff.diffusion.hidden": {"HiddenSpace": "recodiff.diffusion.hidden:HiddenPath"},
    "recodiff.diffusion.settings": dict.fromkeys(
        ("AnySchedule", "Binomial", "Cosine", "Linear", "LinearVariance", "NoNoise"), "recodiff.diffusion.schedules"
    ),
    "recodiff.evaluation.metrics": dict.fromkeys(
        ("average_precision", "hit_rate", "mrr", "ndcg", "precision", "recall", "recall_min"), "recodiff.evaluation.hit_metrics"
    ),
    "recodiff.experiments.runs": {
        "ChooseOn": "recodiff.evaluation.protocol",
        "Measured": "recodiff.experiments.runs.measurement",
        "PartName": "recodiff.evaluation.protocol",
        "commit": "recodiff.experiments.runs.provenance",
        "compare_fingerprint": "recodiff.experiments.runs.provenance:trained_on_other_data",
        "measure": "recodiff.experiments.runs.measurement:measure_parts",
    },
    "recodiff.experiments.runs.cases": {
        "METRICS": "recodiff.experiments.runs.cases:REPORTED_METRICS",
        "Settled": "recodiff.experiments.runs.cases:ResolvedCase",
        "TESTED": "recodiff.experiments.runs.cases:TESTED_METRICS",
    },
    "recodiff.experiments.runs.job": {
        "Group": "recodiff.experiments.runs.job:Job",
        "digest": "recodiff.experiments.runs.identity",
        "results_of": "recodiff.experiments.runs.job:run_job",
    },
    "recodiff.experiments.runs.protocols": dict.fromkeys(("HISTORY", "in_order"), "recodiff.evaluation.protocol"),
    "recodiff.experiments.runs.runner": {
        "Asked": "recodiff.experiments.runs.options:RunOptions",
        "Found": "recodiff.experiments.runs.runner:CaseProgress",
        "SEEDS": "recodiff.experiments.runs.options",
    },
    "recodiff.models.diffrec": {"LatentDiffRecNet": "recodiff.models.diffrec.networks"},
    "recodiff.models.base": {"DERIVED": "recodiff.models.network", "TorchRecommender": "recodiff.models.network"},
    "recodiff.ranking": dict.fromkeys(("largest", "rank", "ranked"), "recodiff.ranking.topk"),
    "recodiff.reports.cells": {
        "provenance": "recodiff.experiments.runs.provenance:provenance_of_rows",
        "table": "recodiff.reports.markdown:markdown_table",
    },
    "recodiff.tensors.random": {
        "Part": "recodiff.tensors.random:BatchSlice",
        "PartGenerator": "recodiff.tensors.random:SliceGenerator",
        "part_of": "recodiff.tensors.random:batch_slice_of",
    },
    "recodiff.training.loop": {"CHECKPOINT": "recodiff.training.checkpoint", "LOG": "recodiff.training.checkpoint"},
    "recodiff.training.memory": {
        "MOST_USERS": "recodiff.runtime.memory",
        "blank": "recodiff.tensors.uninitialised:uninitialised",
        "users_at_once": "recodiff.runtime.memory",
    },
}
"""Module -> names that it had, and the module that has them now; `module:name` where the name is another."""
IN_PLACE: dict[str, dict[str, str]] = {
    "recodiff.experiments.reproduce.settings": {"settle": "resolve"},
    "recodiff.experiments.tuning.tuning_result": {"Tuned": "TuningResult"},
    "recodiff.training.pairs": {"Unmet": "Unseen"},
    "recodiff.tensors.products": {"Room": "ScoreBuffer"},
    "recodiff.cli.export": {"ITEMS": "ITEM_VECTORS", "USERS": "USER_VECTORS"},
    "recodiff.cli.demo": {"SHOWN": "MODELS_SHOWN"},
    "recodiff.cli.parameters": {"whole": "whole_number"},
    "recodiff.cli.recommend": {"SHOWN": "ROWS_SHOWN"},
    "recodiff.data.dataset": {"build": "interactions_of"},
    "recodiff.data.download": {"KNOWN": "KNOWN_DATASETS"},
    "recodiff.data.genres": {"NONE": "NO_GENRES"},
    "recodiff.evaluation.significance": {"Tested": "TestResult", "ENTRIES_AT_ONCE": "DRAWS_AT_ONCE", "ROUNDING": "EQUAL_WITHIN"},
    "recodiff.experiments.compare": {"write": "write_comparison"},
    "recodiff.experiments.compare.comparison_files": {"describe": "comparison_as_json", "write": "write_comparison"},
    "recodiff.experiments.compare.comparison_page": {"render": "render_comparison", "title": "comparison_title"},
    "recodiff.experiments.compare.tables": {"Figure": "FigureOf", "median": "median_cost", "whole": "cost_cell"},
    "recodiff.experiments.demo": {"METRICS": "TOUR_METRICS", "MODELS": "TOUR_MODELS", "save": "save_tour"},
    "recodiff.experiments.reproduce.output": {"describe": "outcome_as_json", "write": "write_outcome"},
    "recodiff.experiments.reproduce.page": {"median": "median_field", "render": "render_outcome", "title": "outcome_title"},
    "recodiff.experiments.reproduce.paper_figures": {"draw": "draw_paper_figures"},
    "recodiff.experiments.runs.details": {"look_closer": "add_details", "LENGTH": "LISTS_OF"},
    "recodiff.experiments.runs.job": {"Wanted": "CasesByKey"},
    "recodiff.experiments.runs.peak_memory": {"call_apart": "call_in_process", "kind_of": "memory_kind"},
    "recodiff.experiments.runs.protocols": {"PARTS": "PARTS_USED"},
    "recodiff.experiments.runs.results": {"describe": "result_as_json", "save": "save_result"},
    "recodiff.experiments.tuning.dimensions": {"Draw": "DrawOne", "draw": "draw_settings"},
    "recodiff.experiments.tuning.spaces": {
        **{"FORECAST": "FORECAST_SPACE", "LATENT": "LATENT_SPACE"},
        **{"NEIGHBOURS": "NEIGHBOURS_SPACE", "SEQUENCE": "SEQUENCE_SPACE"},
    },
    "recodiff.models.autoencoders.cdae": {"ACTIVATIONS": "HIDDEN_ACTIVATIONS", "Activation": "HiddenActivation"},
    "recodiff.models.diffrec.giffcf": {"DENSE_UP_TO_ITEMS": "FILTER_TABLE_UP_TO"},
    "recodiff.models.factors.contrast": {"DENSE_UP_TO": "DENSE_SCORES_UP_TO", "compare": "contrast_scores"},
    "recodiff.models.factors.embeddings": {"user_vectors": "user_factors"},
    "recodiff.models.linear.lowrank": {"DENSE_UP_TO": "DENSE_SIDE_UP_TO"},
    "recodiff.models.mixture": {"ITEMS": "ITEM_PATH", "PARTS": "COMPONENTS", "Part": "Component", "SEQUENCE": "SEQUENCE_PATH"},
    "recodiff.models.sequences.encoder": {"drop": "drop_numbers", "sum_by_user": "loss_by_user"},
    "recodiff.reports.html": {"Entry": "ReportEntry", "render": "render_report"},
    "recodiff.runtime.distributed": {"part": "batch_slice", "rank": "process_rank", "write_tensors": "write_gathered"},
    "recodiff.runtime.files": {"Piece": "TensorPiece"},
    "recodiff.tensors.softmax": {"LEAST": "LOG_OF_NOTHING"},
    "recodiff.training.checkpoint": {"State": "TrainingState", "write": "write_checkpoint"},
    "recodiff.training.loop": {"train": "train_network"},
}
"""Module -> names that it had, and what it calls them now."""
for _module, _names in IN_PLACE.items():
    NAMES.setdefault(_module, {}).update({old: f"{_module}:{new}" for old, new in _names.items()})


FUNCTIONS: dict[str, str] = {
    "recodiff.data.noise": "corrupt",
    "recodiff.evaluation.evaluate": "evaluate",
    "recodiff.ranking.recommend": "recommend",
}
"""Module -> its function whose old path is a module's now: `from recodiff.evaluation import evaluate` gives the module."""


def warn_deprecated(old: str, new: str, *, removed_in: str = REMOVED_IN, stacklevel: int = 3) -> None:
    """Warn that `old` is called `new` now.

    Args:
        old: what the caller used.
        new: what to use instead.
        removed_in: the version from which `old` is gone.
        stacklevel: of the caller's line, as `warnings.warn` counts it.
    """
    sentence = f"'{old}' is '{new}' now; the old name goes with recodiff {removed_in}"
    warnings.warn(sentence, DeprecationWarning, stacklevel=stacklevel)


def old_names(module: str) -> Callable[[str], Any]:
    """A `__getattr__` for a module that answers for names that stand elsewhere now.

    Args:
        module: its dotted path.
    """

    def answer(name: str) -> Any:
        home, _, renamed = (NAMES.get(module, {}).get(name) or MODULES.get(module) or "").partition(":")
        own = name.startswith("__") or _is_submodule(module, name)
        found = None if not home or own else importlib.import_module(home)
        if found is None or not hasattr(found, renamed or name):
            raise AttributeError(f"module '{module}' has no attribute '{name}'")
        warn_deprecated(f"{module}.{name}", f"{home}.{renamed or name}")
        return getattr(found, renamed or name)

    return answer


class _CallableModule(ModuleType):
    """A module that answers for the function which had its path."""

    def __call__(self, *positional: Any, **named: Any) -> Any:
        """Call the function, with a warning that names its new path."""
        function = FUNCTIONS[self.__name__]
        warn_deprecated(f"{self.__name__}()", f"{self.__name__}.{function}()")
        return getattr(self, function)(*positional, **named)


def answer_calls(module: str) -> None:
    """Make a module of FUNCTIONS callable.

    Args:
        module: its dotted path.
    """
    sys.modules[module].__class__ = _CallableModule


def _is_submodule(module: str, name: str) -> bool:
    from importlib.util import find_spec

    loaded = sys.modules.get(module)
    return hasattr(loaded, "__path__") and find_spec(f"{module}.{name}") is not None


class _Alias:
    """Puts the new module in the place of the old one."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Python's own empty module, until `exec_module` replaces it."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Import the new module under the old name."""
        old = module.__name__
        sys.modules[old] = importlib.import_module(MODULES[old])


def spec_of(fullname: str) -> ModuleSpec | None:
    """A spec that loads the new module of an old path, with a warning; None for a path that never moved.

    Args:
        fullname: dotted path of a module that is not there.
    """
    if fullname not in MODULES:
        return None
    warn_deprecated(
        fullname, MODULES[fullname], stacklevel=4
    )  # of who asked; Python leaves its own frames of an import out of the count
    loader: Any = _Alias()  # importlib.abc, of which it might be, takes longer to import than the rest of this file
    return ModuleSpec(fullname, loader)
