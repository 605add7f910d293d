"""One training, and the lists of every case that shares it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from recodiff.config import Settings, merge
from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.evaluation.evaluate import Evaluation
from recodiff.evaluation.protocol import HISTORY, in_order
from recodiff.experiments.runs.cases import METRICS, Case, Settled
from recodiff.experiments.runs.details import look_closer
from recodiff.experiments.runs.peak_memory import call_apart, kind_of
from recodiff.experiments.runs.results import Result
from recodiff.experiments.runs.train import measure, provenance, train_run
from recodiff.models.base import Recommender
from recodiff.models.registry import build
from recodiff.models.saving import CONFIG, read_config
from recodiff.runtime import files
from recodiff.runtime.run import Run

Wanted = Mapping[str, Settled]


@dataclass(frozen=True)
class Group:
    """Cases that one training serves.

    Args:
        settled: the cases; they differ in how lists are made, if in anything.
        seed: of the training.
        apart: whether it has a process of its own.
        closely: whether more than means is measured, see `closer`.
    """

    settled: tuple[Settled, ...]
    seed: int
    apart: bool
    closely: bool = False

    @property
    def first(self) -> Settled:
        """Any of them, to train by."""
        return self.settled[0]

    def keys(self, data: Dataset, device: torch.device) -> dict[str, str]:
        """What names the result of each case: a hash of model, settings (a cap on the epochs is one), data and seed.

        Cases that are the same have the same.
        """
        about, memory = data.fingerprint(), kind_of(str(device)) if self.apart else None
        more = ["closely"] if self.closely else []
        return {one.case.key: digest([*_made_by(one), about, self.seed, memory, *more]) for one in self.settled}

    def folder(self, work: Path, data: Dataset) -> Path:
        """Where its training stands while it is not over."""
        made_by = [self.first.case.model, self.first.train, data.fingerprint(), self.seed, self.apart, *_unless_valid(self.first)]
        return work / f"training-{digest(made_by)}"


def _made_by(one: Settled) -> list[Any]:
    # A model trained with T = 1 is another than one of T steps that takes a single one when lists are made.
    trained = [] if one.rank is None else [{"trained": naming(one.train)}]
    return [one.case.model, naming(one.rank or one.train), *_unless_official(one), *trained, *_unless_valid(one)]


def _unless_official(one: Settled) -> list[str]:
    return [] if one.case.protocol == "official" else [one.case.protocol]


def _unless_valid(one: Settled) -> list[str]:
    return [] if one.case.choose_on == "valid" else [f"chosen on {one.case.choose_on}"]


def data_of(case: Case, data: Dataset, seed: int) -> Dataset:
    """What a case is trained and measured on: its parts in the order that its protocol asks for, with its share of noise."""
    given = in_order(data) if case.protocol == "chronological" else data
    if not case.noise:
        return given
    from recodiff.data.noise import corrupt

    return corrupt(given, share=case.noise, seed=seed)


def results_of(group: Group, wanted: Wanted, data: Dataset, folder: Path, run: Run, work: Path) -> list[Result]:
    """Trains and measures a group, going on from what an interrupted run left.

    Args:
        group: shares the training.
        wanted: the cases to measure, by the keys of their results.
        data: to train on and to be measured on, as `data_of` gives it.
        folder: where the data stands, for a process of its own.
        run: device, threads, progress.
        work: for what only an unfinished run needs.
    """
    out = group.folder(work, data)
    mine = replace(run, seed=group.seed, out=out, resume=True)
    if not group.apart:
        return _train_and_measure(group, wanted, data, folder, mine)
    if (out / CONFIG).exists():  # trained, but the peak went with the process
        shutil.rmtree(out)
    results, peak = call_apart(_load_train_and_measure, group, wanted, folder, mine, device=str(run.torch_device))
    return [replace(result, memory=peak.megabytes, memory_of=peak.of) for result in results]


def _load_train_and_measure(group: Group, wanted: Wanted, folder: Path, run: Run) -> list[Result]:
    data = data_of(group.first.case, load_dataset(folder), group.seed)
    return _train_and_measure(group, wanted, data, folder, run)


def _train_and_measure(group: Group, wanted: Wanted, data: Dataset, folder: Path, run: Run) -> list[Result]:
    assert run.out is not None
    first = group.first
    model = train_run(first.case.model, first.train, data, run, choose_on=first.case.choose_on, where=first.source)
    info = read_config(run.out)["info"]
    trainings = [info[name] for name in ("chosen", "training") if name in info]  # the first of two was not kept
    timed = all("seconds" in one for one in trainings)  # what an interrupted run took before is in them
    where = provenance(data, run) | machine(run.torch_device)
    results = []
    for key, one in wanted.items():
        ranking = _as_ranked(model, one)
        found = _measure(ranking, data, HISTORY[one.case.protocol], run)
        result = Result(
            key=key,
            model=one.case.model,
            seed=run.seed,
            settings=naming(one.rank or one.train),
            valid={metric: found["valid"].mean(metric) for metric in METRICS},
            test={metric: found["test"].mean(metric) for metric in METRICS},
            seconds=sum(one["seconds"] for one in trainings) if timed else info["seconds"],
            best_epoch=trainings[0].get("best_epoch"),
            parameters=model.parameters,
            shares=trainings[-1].get("shares", {}) if trainings else {},
            provenance=where,
        )
        results.append(look_closer(result, ranking, data, folder, found["test"], run) if group.closely else result)
    return results


def _measure(model: Recommender, data: Dataset, history: str, run: Run) -> dict[str, Evaluation]:
    """The validation part ranked from train, the test part from `history`."""
    if history == "train":  # scored once for both
        return measure(model, data, ("valid", "test"), METRICS, show_progress=run.progress).parts
    found = measure(model, data, ("valid",), METRICS, show_progress=run.progress).parts
    return found | measure(model, data, ("test",), METRICS, history=history, show_progress=run.progress).parts


def _as_ranked(model: Recommender, settled: Settled) -> Recommender:
    """The trained model under the settings that its lists are made with."""
    if settled.rank is None:
        return model
    again = build(settled.case.model, settled.rank, where=settled.source)
    return again.restore(model.state(), model.items, str(model.device), users=model.users)


def machine(device: torch.device) -> dict[str, Any]:
    """The processor or GPU, and the date."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{name}, {os.cpu_count()} cores"
    return {"machine": chip, "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}


LATER: tuple[tuple[str, str, Any], ...] = (
    ("pairs", "reach", None),
    ("diffusion", "space", "auto"),
    ("diffusion", "sampled_items", None),
    ("diffusion", "sampled_by", "uniform"),
    ("codec", "likelihood", "multinomial"),
    ("codec", "target", "dropped"),
    ("training", "precision", "float32"),
    ("training", "ema", None),
)
"""Settings that came after runs had been published, and the values at which a run is what it was without them."""


def naming(settings: Settings) -> Settings:
    """Settings as they name a run: files by name and content, so that they mean the same wherever the data stands, and without
    what came LATER, so that a new setting makes no old run a stranger."""
    return _by_content(_without_later(settings))


def _without_later(settings: Settings) -> Settings:
    inner = {name: _without_later(value) if isinstance(value, dict) else value for name, value in settings.items()}
    for group, key, neutral in LATER:
        held = inner.get(group)
        if isinstance(held, dict) and key in held and held[key] == neutral:
            inner[group] = {name: value for name, value in held.items() if name != key}
    return inner


def _by_content(settings: Settings) -> Settings:
    embeddings = (settings.get("codec") or {}).get("embeddings") or {}
    if embeddings.get("kind") != "file":
        return settings
    path = Path(embeddings["path"])
    content = files.sha256(path)[:16] if path.is_file() else "missing"
    return merge(settings, {"codec": {"embeddings": {"path": path.name, "content": content}}})


def digest(value: Any) -> str:
    """A short hash of anything JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
