"""One runner: nothing is trained twice, and nothing that fails is hidden or stops the rest."""

from __future__ import annotations

import json
import shutil
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from torch import Tensor

from lab import TINY, Lab, plan_of, tiny
from recodiff import load_dataset, prepare, read_settings
from recodiff.data import Dataset, Random, synthesise
from recodiff.errors import ConfigError, DataError
from recodiff.experiments.reproduce.catalogue import EXPERIMENTS
from recodiff.experiments.reproduce.experiment import QUICK_EPOCHS, Experiment
from recodiff.experiments.reproduce.settings import resolve
from recodiff.experiments.runs import cases, job, options, runner
from recodiff.experiments.runs.identity import naming
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.experiments.runs.options import Deadline, RunOptions
from recodiff.experiments.runs.runner import span
from recodiff.models.registry import MODELS, Entry, build
from recodiff.training import loop

POPULAR = tiny("popular", "popularity", seeded=False)


def runs(lab: Lab) -> list[Path]:
    return sorted((lab.out / "runs").iterdir())


def test_a_second_run_of_the_same_command_trains_nothing(lab: Lab) -> None:
    plan = plan_of(tiny("a"), POPULAR)
    first = lab(plan, seeds=2)
    assert lab.trained == [("diffrec", 1), ("popularity", 1), ("diffrec", 2)]
    assert [len(row.results) for row in first.rows] == [2, 1], "popularity knows no seeds"
    assert first.missing() == {}
    assert [path.suffix for path in runs(lab)] == [".json"] * 3, "no trained model is left"
    again = lab(plan, seeds=2)
    assert len(lab.trained) == 3
    assert again.rows == first.rows
    assert all("measured before" in line for line in lab.said[-3:])


def test_more_seeds_and_other_settings_train_only_what_is_new(lab: Lab) -> None:
    lab(plan_of(tiny("a")), seeds=1)
    lab(plan_of(tiny("a"), tiny("b", more={"training": {"lr": 0.01}})), seeds=2)
    assert lab.trained == [("diffrec", 1), ("diffrec", 1), ("diffrec", 2), ("diffrec", 2)]
    lab(plan_of(tiny("the same under another name"), name="table2"), seeds=2)
    assert len(lab.trained) == 4, "results belong to settings, data and seed, not to a table"


def test_figures_are_those_of_the_official_protocol(lab: Lab, release: Path) -> None:
    (row,) = lab(plan_of(POPULAR), seeds=1).rows
    data = load_dataset(release)
    found = measure_parts(build("popularity").fit(data.train), data, ("valid", "test")).parts
    for metric in cases.REPORTED_METRICS:
        assert row.results[0].test[metric] == found["test"].mean(metric)
        assert row.results[0].valid[metric] == found["valid"].mean(metric)
    assert row.results[0].parameters == len(data.items)


def test_cases_that_differ_in_their_lists_alone_share_a_training(lab: Lab) -> None:
    cases = [tiny(f"T' = {share}", start=share) for share in (0, 0.25, 1)]
    zero, quarter, whole = lab(plan_of(tiny("plain"), *cases), seeds=2).rows[1:]
    assert lab.trained == [("diffrec", 1), ("diffrec", 2)]
    assert zero.source.endswith("T' = 0 of 4")
    assert quarter.source.endswith("T' = 1 of 4")
    assert whole.results[0].settings["sampling"]["noise_steps"] == 4
    assert zero.results[0].test == lab(plan_of(tiny("plain")), seeds=1).rows[0].results[0].test
    assert whole.results[0].key != zero.results[0].key


def test_a_killed_run_goes_on_where_it_stood(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tiny("a", more={"training": {"epochs": 6}}))
    whole = lab(plan, seeds=1).rows[0].results[0]
    shutil.rmtree(lab.out)
    step, steps = loop._Loop._step, []

    def counted(running: loop._Loop, users: Tensor) -> Tensor:
        steps.append(running.state.step)
        if steps == [0, 1, 2, 3, 4, 5, 6]:
            raise KeyboardInterrupt
        return step(running, users)

    monkeypatch.setattr(loop._Loop, "_step", counted)
    with pytest.raises(KeyboardInterrupt):
        lab(plan, seeds=1)
    assert [path.name.partition("-")[0] for path in runs(lab)] == ["training"]
    resumed = lab(plan, seeds=1).rows[0].results[0]
    assert steps[7] == 6, "two batches an epoch: three epochs are behind it"
    assert (resumed.test, resumed.valid, resumed.best_epoch) == (whole.test, whole.valid, whole.best_epoch)


def test_a_method_that_is_not_there_is_named_and_appears_once_it_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tiny("x", "not-yet"), POPULAR)
    assert lab(plan, seeds=1).missing() == {"case x": "not in this library yet"}
    monkeypatch.setitem(MODELS, "not-yet", Entry("recodiff.models.linear.ease:Ease", "Not yet"))
    found = lab(plan, seeds=1)
    assert found.missing() == {}
    assert found.rows[0].source == "the model's defaults"
    assert found.rows[0].results[0].model == "not-yet"


def test_every_planned_method_is_one_of_ours_or_named_as_missing(lab: Lab) -> None:
    found = lab(EXPERIMENTS["table2"], seeds=1, minutes=0)
    notes = {row.case.model: row.note for row in found.rows}
    assert set(notes) >= {"mf", "lightgcn", "cdae", "multidae", "multidae++", "multivae", "codigem", "irgan", "diffrec", "ease"}
    for model, note in notes.items():
        assert note == ("not run: --minutes 0 asks for what there is" if model in MODELS else "not in this library yet")


def test_what_fails_is_told_in_its_row_and_the_rest_goes_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tiny("wrong", more={"training": {"lr": -1}})
    diverges = tiny("diverges", more={"training": {"lr": 1e30}})
    monkeypatch.setitem(MODELS, "broken", Entry("recodiff.models.linear.ease:Ease", "Broken"))
    really = job.train_run

    def train_run(name: str, *arguments: Any, **more: Any) -> Any:
        return 1 / 0 if name == "broken" else really(name, *arguments, **more)

    monkeypatch.setattr(job, "train_run", train_run)
    found = lab(plan_of(wrong, diverges, tiny("bug", "broken"), POPULAR), seeds=1)
    notes = [row.note for row in found.rows]
    assert notes[0].startswith("failed: diffrec: setting 'training.lr' = -1")
    assert notes[1].startswith("failed: the loss is")
    assert notes[2] == "failed: ZeroDivisionError: division by zero (traceback: runs/failure-bug-seed-1.txt)"
    assert "1 / 0" in (lab.out / "runs" / "failure-bug-seed-1.txt").read_text()
    assert notes[3] == ""
    assert len(found.rows[3].results) == 1


def test_a_full_disk_stops_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(job, "train_run", full)
    with pytest.raises(OSError, match="No space left"):
        lab(plan_of(POPULAR), seeds=1)


def test_a_damaged_result_is_refused_by_name(lab: Lab) -> None:
    lab(plan_of(POPULAR), seeds=1)
    (kept,) = runs(lab)
    kept.write_text("{}")
    (note,) = lab(plan_of(POPULAR), seeds=1).missing().values()
    assert kept.name in note
    assert "remove it" in note


def test_no_run_is_begun_once_the_minutes_are_over(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tiny("a"), tiny("b", more={"training": {"lr": 0.01}}))
    for module in (runner, options):
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: 100.0 * len(lab.trained)))
    found = lab(plan, seeds=2, minutes=3)
    assert len(lab.trained) == 2
    assert lab.said[1].endswith("(2 min so far, about 5 min left)")
    assert [len(row.results) for row in found.rows] == [1, 1], "every case has its first seed before any has its second"
    assert found.rows[0].note == "1 of 2 seeds; not run: the 3 minutes were over"
    again = lab(plan, seeds=2, minutes=0)
    assert [row.results for row in again.rows] == [row.results for row in found.rows], "what is there is shown for nothing"


def test_no_run_is_begun_that_would_end_after_a_firm_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (runner, options):
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: 100.0 * len(lab.trained)))
    found = lab(plan_of(tiny("a")), seeds=3, deadline=Deadline(5.5, 0.0, firm=True))
    assert len(lab.trained) == 3
    found = lab(plan_of(tiny("b", more={"training": {"lr": 0.01}})), seeds=3, deadline=Deadline(8, 0.0, firm=True))
    assert len(lab.trained) == 4
    assert found.rows[0].note == "1 of 3 seeds; not run: it takes about 2 min, and less was left of the 8 minutes"


def test_progress_tells_which_case_of_how_many_and_what_is_left(lab: Lab) -> None:
    lab(plan_of(tiny("a"), POPULAR), seeds=1)
    assert lab.said[0] == "1/2 case a, seed 1 (0 s so far)"
    assert lab.said[1].startswith("2/2 case popular, seed 1 (")
    assert lab.said[1].endswith(" left)")
    assert [span(seconds) for seconds in (5, 125, 9000)] == ["5 s", "2 min", "2.5 h"]


def test_a_quick_pass_is_short(lab: Lab) -> None:
    plan = plan_of(tiny("a", more={"training": {"epochs": 500, "check_every_epochs": 5}}), tiny("b", quick=False))
    found = lab(plan, quick=True)
    assert found.seeds == (1,)
    assert [row.case.key for row in found.rows] == ["a"]
    assert found.left_out() == ["case b"]
    assert found.cap == QUICK_EPOCHS
    assert found.rows[0].results[0].settings["training"]["epochs"] == QUICK_EPOCHS


def test_settings_are_the_preset_for_the_data_or_a_stated_one(lab: Lab, release: Path, tmp_path: Path) -> None:
    (row,) = lab(plan_of(cases.Case("d", "DiffRec", "diffrec")), seeds=1, minutes=0).rows
    assert row.source == "preset diffrec-ml-1m_clean"
    assert row.as_preset
    other = Path(shutil.copytree(release, tmp_path / "mine"))
    (row,) = lab(plan_of(cases.Case("d", "DiffRec", "diffrec")), other, seeds=1, minutes=0).rows
    assert row.source == "preset diffrec-ml-1m_clean, as there is none for mine"
    tuned = cases.Case("d", "DiffRec", "diffrec", tuned="diffrec-ml-1m_clean-tuned")
    resolved = resolve(tuned, load_dataset(release), release)
    assert not isinstance(resolved, str)
    _, wanted = read_settings("diffrec-ml-1m_clean-tuned")
    assert resolved.source == "preset diffrec-ml-1m_clean-tuned"
    assert resolved.train["denoiser"]["hidden"] == wanted["denoiser"]["hidden"]


def test_order_aware_models_need_order(lab: Lab, tmp_path: Path) -> None:
    frame = synthesise(40, 30, 480, seed=3).select("user", "item")
    prepare(frame, tmp_path / "timeless", split=Random(valid=0.2, test=0.2))
    linear = tiny("weighted", more={"weighting": {"kind": "linear"}})
    found = lab(plan_of(tiny("t", "t-diffrec", needs_order=True), linear, POPULAR), tmp_path / "timeless", seeds=1)
    assert found.missing() == dict.fromkeys(("case t", "case weighted"), "needs time, this data has none")
    assert len(found.rows[2].results) == 1


@pytest.mark.parametrize(("part", "kept"), [("valid", {"test": 0.2}), ("test", {"valid": 0.2})])
def test_data_without_a_part_is_refused(tmp_path: Path, part: str, kept: dict[str, float]) -> None:
    split = Random(valid=kept.get("valid", 0.0), test=kept.get("test", 0.0))
    prepare(synthesise(40, 30, 480, seed=3), tmp_path / "d", split=split)
    with pytest.raises(DataError, match=f"data 'd' has no {part} part"):
        runner.load_complete(tmp_path / "d")


def test_noise_is_drawn_for_each_seed_and_trained_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, int]] = []

    def corrupt(data: Dataset, *, share: float, seed: int) -> Dataset:
        drawn.append((share, seed))
        keep = np.random.default_rng(seed).random(data.train.nnz) >= share
        return Dataset(data.train.only(keep), data.valid, data.test, None, None, data.info)

    stub = types.ModuleType("recodiff.data.noise")
    stub.corrupt = corrupt  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "recodiff.data.noise", stub)
    noisy = [tiny(f"{model} {share}", model, noise=share) for share in (0.1, 0.2) for model in ("popularity", "ease")]
    found = lab(plan_of(*noisy), seeds=2)
    assert found.missing() == {}
    assert drawn == [(0.1, 1), (0.2, 1), (0.1, 2), (0.2, 2)], "both models share what was drawn"
    prints = {result.provenance["data"]["fingerprint"] for row in found.rows for result in row.results}
    assert len(prints) == 4
    assert load_dataset(lab.folder).fingerprint() not in prints


def test_embeddings_beside_the_data_serve_released_rows(release: Path, tmp_path: Path) -> None:
    case = cases.Case("C = 3", "C = 3", "l-diffrec", {"codec": {"clusters": 3}})
    folder = Path(shutil.copytree(release, tmp_path / "ml-1m_clean"))
    data = load_dataset(folder)
    plain = resolve(case, data, folder)
    np.save(folder / "item_emb.npy", np.ones((3, 2), np.float32))
    released = resolve(case, data, folder)
    tuned = resolve(replace(case, tuned="lt-diffrec-ml-1m_clean"), data, folder)
    assert not isinstance(plain, str)
    assert not isinstance(released, str)
    assert not isinstance(tuned, str)
    assert plain.train["codec"]["embeddings"]["kind"] == "svd"
    assert plain.train["codec"]["clusters"] == released.train["codec"]["clusters"] == 3
    assert released.train["codec"]["embeddings"] == {"kind": "file", "path": str(folder / "item_emb.npy")}
    assert released.source.endswith("item embeddings: item_emb.npy of the data folder")
    assert tuned.train["codec"]["embeddings"]["kind"] == "svd"
    told = naming(released.case.model, released.train)
    assert str(tmp_path) not in json.dumps(told), "results name no place of this machine"
    assert told["codec"]["embeddings"]["path"] == "item_emb.npy"
    np.save(folder / "item_emb.npy", np.zeros((3, 2), np.float32))
    assert naming(released.case.model, released.train) != told, "other embeddings are another run"


def test_a_question_about_noise_doubts_data_that_tells_of_none(lab: Lab) -> None:
    plan = plan_of(POPULAR, noisy=True)
    assert "says that it is noisy" in lab(plan, seeds=1).plan.notes[-1]
    assert any("says that it is noisy" in line for line in lab.said)
    noisy = Path(shutil.copytree(lab.folder, lab.out.parent / "ml-1m_noisy"))
    assert lab(plan, noisy, seeds=1).plan.notes == plan.notes


@pytest.mark.parametrize("plan", EXPERIMENTS.values(), ids=lambda plan: plan.name)
def test_every_case_can_be_run_on_data_without_embeddings(plan: Experiment, release: Path) -> None:
    data = load_dataset(release)
    for case in plan.cases:
        resolved = resolve(case, data, release)
        assert not isinstance(resolved, str), resolved
        build(case.model, resolved.train)


@pytest.mark.parametrize(("asked", "words"), [(lambda: RunOptions(0), "seeds = 0"), (lambda: Deadline(-1.0), "minutes = -1")])
def test_what_cannot_be_asked_for(asked: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        asked()


def test_a_device_that_is_not_there_stops_at_once(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="device 'nonsense'"):
        lab(plan_of(POPULAR), device="nonsense")
    assert pl.DataFrame(lab.trained).is_empty()


def test_what_a_user_put_into_an_unfinished_run_stays(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    parts = {"one": {"model": "f-diffrec", "settings": TINY}, "two": {"model": "t-diffrec", "settings": TINY}}
    mixture = replace(tiny("mixed"), model="fs-diffrec", settings={"parts": parts})
    plan = plan_of(tiny("a"), mixture)
    with monkeypatch.context() as patched:
        patched.setattr(job, "measure", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lab(plan, seeds=1)
    (work,) = (path for path in runs(lab) if path.is_dir())
    (work / "notes.txt").write_text("mine")
    lab(plan, seeds=1)
    assert [str(path.relative_to(work)) for path in sorted(work.rglob("*"))] == ["notes.txt"]
    assert [path for path in runs(lab) if path.is_dir()] == [work], "the mixture's folder is gone with all its parts"
