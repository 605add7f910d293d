"""Who is compared: settings read, checked and named before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recodiff.configs import read_settings
from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError
from recodiff.evaluation.metrics import parse_all
from recodiff.evaluation.protocol import ChooseOn, Protocol
from recodiff.experiments.runs.cases import Case, ResolvedCase
from recodiff.experiments.runs.protocols import refusal
from recodiff.experiments.runs.runner import CaseProgress
from recodiff.experiments.runs.train import validation_metrics
from recodiff.experiments.tuning.tuning_result import BEST
from recodiff.models.base import Recommender
from recodiff.models.registry import MODELS, build
from recodiff.runtime import files


@dataclass(frozen=True)
class Contender:
    """One of those compared.

    Args:
        label: what tables call it.
        source: as it was given: a TOML file, a preset or a model.
        model: what the settings make.
    """

    label: str
    source: str
    model: Recommender

    def progress(
        self, data: Dataset, protocol: Protocol = "official", choose_on: ChooseOn = "valid", left_out: str = ""
    ) -> CaseProgress:
        """The case to run on `data`, or why it cannot be.

        Args:
            data: what it is trained and measured on.
            protocol: how the parts of the data are used.
            choose_on: what ends its training, see `train.train_run`.
            left_out: why it is not run, where that is known.
        """
        name, model = self.model.registered, self.model
        case = Case(
            self.label,
            self.label,
            name,
            protocol=protocol,
            choose_on=choose_on,
            seeded=model.traits.seeded,
            needs_order=model.traits.order_aware,
        )
        if left_out:
            return CaseProgress(case, note=left_out)
        if note := refusal(protocol, data):
            return CaseProgress(case, note=f"not run: {note}")
        if case.needs_order and data.train.time_kind is None:
            return CaseProgress(case, note="not run: it needs time, and this data has none")
        return CaseProgress(case, ResolvedCase(case, self.source, self.model.config.model_dump(mode="json"), None, as_preset=True))


def read_contenders(sources: Sequence[str | Path], reference: str | None = None) -> list[Contender]:
    """Read all settings; a file is named by its stem (`best.toml` by its folder), presets and models by themselves.

    Args:
        sources: TOML files, presets or models.
        reference: label of the one that the others are tested against.

    Raises:
        ConfigError: there are none, one is unknown or wrong, two have the same name, or none has that of the reference.
    """
    if not sources:
        raise ConfigError("nothing to compare; give settings files, presets or models, such as ease diffrec")
    contenders: dict[str, Contender] = {}
    for source in map(str, sources):
        name, settings = read_settings(source, models=MODELS)
        label = _label(Path(source)) if source.endswith(".toml") or (Path(source).is_file() and source not in MODELS) else source
        if not files.is_plain_name(label):
            raise ConfigError(f"'{source}' would be called {label!r}, which cannot be the name of a folder; rename the file")
        if label in contenders:
            raise ConfigError(
                f"'{contenders[label].source}' and '{source}' are both called '{label}'; rename one of the files, or give it once"
            )
        model = build(name, settings, where=source)
        parse_all(validation_metrics(model))  # a figure of a user's own function is none that we measure
        contenders[label] = Contender(label, source, model)
    if reference is not None and reference not in contenders:
        raise ConfigError(f"the reference '{reference}' is not among those compared; choose one of {', '.join(contenders)}")
    return list(contenders.values())


def _label(path: Path) -> str:
    """Studies all call what they found best.toml."""
    return path.resolve().parent.name if path.name == BEST else path.stem
