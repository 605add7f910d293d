"""The folder of a search: resuming, what is refused, what is written and shown."""

from __future__ import annotations

import csv
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recodiff import build
from recodiff.configs import read_settings
from recodiff.data import Dataset
from recodiff.errors import CheckpointError
from recodiff.evaluation.validation import Validation
from recodiff.experiments.tuning import search
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.dimensions import Range
from recodiff.experiments.tuning.study import JOURNAL, open_study
from recodiff.experiments.tuning.tune import refit, tune_settings
from recodiff.experiments.tuning.tuning_result import TuningResult
from recodiff.models.linear.ease import Ease
from recodiff.runtime.folders import LOCK
from recodiff.training.checkpoint import CHECKPOINT
from studies import L2, LR, RUN, TINY, a_second_a_glance, drawn, interrupt

# What somebody else wrote.


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the last trial that the journal tells of, as somebody may who sends the folder."""
    lines = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    change([line for line in lines if "trial" in line.get("user_attr", {})][-1]["user_attr"]["trial"])
    (folder / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("key", ["model", "parts.a.model", "weighting.model"])
def test_a_class_that_a_trial_in_the_folder_names_is_not_imported(
    ease: Callable[..., TuningResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    ease(tmp_path / "s", 3)
    (tmp_path / "hostile_study.py").write_text("raise SystemExit('code of the folder was run')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    rewritten(tmp_path / "s", lambda trial: trial.update(value=1.0, settings={key: "hostile_study:Model"}))
    with pytest.raises(CheckpointError, match="asks to import 'hostile_study:Model'"):
        ease(tmp_path / "s", 3)


def test_a_setting_that_the_search_does_not_draw_is_refused(ease: Callable[..., TuningResult], tmp_path: Path) -> None:
    ease(tmp_path / "s", 3)
    rewritten(tmp_path / "s", lambda trial: trial["settings"].update({"training.epochs": 10**9}))
    with pytest.raises(CheckpointError, match=r"has a trial of 'training\.epochs', which this search does not draw"):
        ease(tmp_path / "s", 3)


@pytest.mark.parametrize("change", [{"number": "x"}, {"state": "won"}, {"value": []}, {"settings": 3}, {"seconds": {}}])
def test_a_damaged_trial_is_one_sentence(ease: Callable[..., TuningResult], tmp_path: Path, change: dict[str, Any]) -> None:
    ease(tmp_path / "s", 3)
    rewritten(tmp_path / "s", lambda trial: trial.update(change))
    with pytest.raises(CheckpointError, match="is damaged"):
        ease(tmp_path / "s", 3)


# Going on.


def test_the_same_command_adds_only_what_is_missing(
    ease: Callable[..., TuningResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ease(tmp_path / "s", 4)
    monkeypatch.setattr(Ease, "_fit", lambda *_: pytest.fail("nothing is missing"))
    assert ease(tmp_path / "s", 4).trials == first.trials
    monkeypatch.undo()
    more = ease(tmp_path / "s", 7)
    assert more.trials[:4] == first.trials
    assert len(more.trials) == 7


def test_a_killed_study_goes_on_as_if_it_had_not_been(
    ease: Callable[..., TuningResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ease(trials=8)
    for after in (0, 4):  # in the very first trial, and in a later one
        interrupt(monkeypatch, after)
        with pytest.raises(KeyboardInterrupt):
            ease(tmp_path / "s", 8)
        monkeypatch.undo()
    found = ease(tmp_path / "s", 8)
    counted = [trial for trial in found.trials if trial.counts]
    assert [trial.settings for trial in counted] == drawn(whole)
    assert [trial.value for trial in counted] == [trial.value for trial in whole.trials]
    assert found.states == {"complete": 8, "killed": 2}
    assert found.start.settings == {"l2": 500.0}


def test_half_a_line_in_the_journal_is_no_trial(ease: Callable[..., TuningResult], tmp_path: Path) -> None:
    before = ease(tmp_path / "s", 4)
    with (tmp_path / "s" / JOURNAL).open("a") as journal:
        journal.write('{"op_code": 4, "wor')
    (tmp_path / "s" / f"{JOURNAL}.lock").touch()
    (tmp_path / "s" / f"{JOURNAL}.lock0e1f.rename").touch()  # killed while it let go
    began = time.monotonic()
    found = ease(tmp_path / "s", 5)
    assert found.trials[:4] == before.trials
    assert len(found.trials) == 5
    assert time.monotonic() - began < 20, "no wait for a lock that nobody holds"
    assert not list((tmp_path / "s").glob("*.lock*"))


def test_a_damaged_study_is_refused(ease: Callable[..., TuningResult], tmp_path: Path) -> None:
    ease(tmp_path / "s", 3)
    journal = tmp_path / "s" / JOURNAL
    journal.write_text("nonsense\n" + journal.read_text())
    with pytest.raises(CheckpointError, match=r"journal\.jsonl' cannot be read"):
        ease(tmp_path / "s", 3)
    (tmp_path / "s" / "study.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"study\.json' cannot be read"):
        ease(tmp_path / "s", 3)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "diffrec", "space": LR}, "model"),
        ({"data": "another"}, "data"),
        ({"space": {"l2": Range(low=1.0, high=10.0)}}, "space"),
        ({"settings": {"l2": 7.0}}, "settings"),
        ({"run": replace(RUN, seed=1)}, "seed"),
    ],
)
def test_the_folder_of_another_study_is_refused(data: Dataset, tmp_path: Path, change: dict[str, Any], what: str) -> None:
    out = tmp_path / "s"
    given: dict[str, Any] = {"name": "ease", "settings": {}, "data": data, "run": RUN, "budget": Budget(2), "space": L2}
    other: dict[str, Any] = {**given, **change}
    if other["data"] == "another":
        other["data"] = replace(data, train=data.train.take(range(1, 60)), valid=data.part("valid").take(range(1, 60)), test=None)
    for one in (given, other):
        one["run"] = replace(one["run"], out=out)
    tune_settings(**given)
    before = (out / JOURNAL).read_bytes()
    with pytest.raises(CheckpointError, match=f"holds a study of (another|other) {what}; go on with the command that began it"):
        tune_settings(**other)
    assert (out / JOURNAL).read_bytes() == before


def test_a_folder_of_something_else_is_refused(ease: Callable[..., TuningResult], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="holds something else"):
        ease(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"

    def another() -> None:
        with open_study(folder, {"model": "ease"}, seed=0, warmup_epochs=0):
            pytest.fail("it is held")

    with open_study(folder, {"model": "ease"}, seed=0, warmup_epochs=0), ThreadPoolExecutor() as other:
        with pytest.raises(CheckpointError, match="is in use by another command"):
            other.submit(another).result()
        assert (folder / LOCK).exists()
    assert not (folder / LOCK).exists()


# What is shown and written.


@pytest.mark.parametrize(("budget", "total"), [(Budget(5), 5), (Budget(5, 600), 600), (Budget(seconds=6.5), 6)])
def test_the_bar_counts_what_the_end_of_which_is_known(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, budget: Budget, total: int
) -> None:
    a_second_a_glance(monkeypatch)
    steps: list[int] = []
    notes: list[str] = []

    def advance(step: int, note: str) -> None:
        steps.append(step)
        notes.append(note)

    @contextmanager
    def bar(what: str, of: int | None, *, show: bool, start: int) -> Iterator[Callable[[int, str], None]]:
        assert (what, of, show, start) == ("tuning", total, True, 0)
        yield advance

    monkeypatch.setattr(search, "progress", SimpleNamespace(bar=bar))
    found = tune_settings("diffrec", TINY, data, replace(RUN, progress=True), budget, space=LR)
    assert min(steps) >= 0
    assert sum(steps) == (5 if total == 5 else min(total, int(found.seconds)))
    assert notes[0] == "trial 0"
    assert re.fullmatch(r"trial 0, epoch 1, recall@20 0\.\d{4}", notes[1])
    assert notes[-1].endswith(f"best recall@20 {found.best.value:.4f} in trial {found.best.number}")


def test_best_toml_is_a_complete_config(data: Dataset, tmp_path: Path) -> None:
    found = tune_settings(
        "t-diffrec", TINY, data, replace(RUN, out=tmp_path / "s", seed=3), Budget(3), fixed=["diffusion", "sampling"]
    )
    text = (tmp_path / "s" / "best.toml").read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]
    for fact in ("T-DiffRec", "clicks", f"{found.best.value:.4f}", found.about["fingerprint"], "Seed: 3", "3 trials"):
        assert fact in " ".join(head)
    name, settings = read_settings(tmp_path / "s" / "best.toml")
    model = build(name, settings)
    assert model.config == build("t-diffrec", found.settings).config
    validation = Validation(data, ("recall@20", "ndcg@20"))
    assert validation(model.fit(data.train, replace(RUN, seed=3), validate=validation))["recall@20"] == found.best.value


@pytest.mark.parametrize("name", ["lt-diffrec", "f-diffrec", "ease"])
def test_any_config_survives_toml(name: str) -> None:
    from recodiff.config import to_toml

    settings = build(name).config.model_dump(mode="json")
    if name == "lt-diffrec":
        settings["codec"]["embeddings"] = {"kind": "file", "path": 'a "quoted" \\ päth\n.npy'}
    assert build(name, tomllib.loads(to_toml(settings))).config == build(name, settings).config


def test_every_trial_is_written(ease: Callable[..., TuningResult], tmp_path: Path) -> None:
    found = ease(tmp_path / "s", 4)
    told = json.loads((tmp_path / "s" / "trials.json").read_text())
    assert [trial["settings"] for trial in told] == drawn(found)
    with (tmp_path / "s" / "trials.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["l2"]) for line in lines] == [trial["settings"]["l2"] for trial in told]
    assert [float(line["recall@20"]) for line in lines] == [trial["value"] for trial in told]
    assert {line["state"] for line in lines} == {"complete"}


def test_the_best_so_far_is_there_when_a_study_is_killed(
    ease: Callable[..., TuningResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        ease(tmp_path / "s", 8)
    assert read_settings(tmp_path / "s" / "best.toml")[0] == "ease"
    assert len(json.loads((tmp_path / "s" / "trials.json").read_text())) == 3


def test_a_search_without_a_folder_writes_nothing(
    ease: Callable[..., TuningResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ease(trials=2)
    assert not list(tmp_path.iterdir())


def test_a_refit_learns_from_validation_too(data: Dataset, tmp_path: Path) -> None:
    found = tune_settings("diffrec", TINY, data, RUN, Budget(2), space=LR)
    run = replace(RUN, out=tmp_path / "m")
    model = refit(found, data, run)
    described = json.loads((tmp_path / "m" / "config.json").read_text())
    assert described["info"]["refit"] is True
    assert described["info"]["chosen"]["best_epoch"] == model.config.training.epochs
    assert described["info"]["asked"] == build("diffrec", found.settings).config.model_dump(mode="json")

    other = replace(found, settings={**found.settings, "denoiser": {"hidden": [4]}})
    refit(other, data, run)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["config"]["denoiser"]["hidden"] == [4]

    build("diffrec", other.settings).fit(data.train, run, validate=Validation(data, ("recall@20", "ndcg@20")))
    assert (tmp_path / "m" / CHECKPOINT).exists(), "as a refit leaves it that was killed"
    refit(found, data, run)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["config"]["denoiser"]["hidden"] == [8]
    assert not (tmp_path / "m" / CHECKPOINT).exists()
