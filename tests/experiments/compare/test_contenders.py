"""Who is compared: names of the sources, and what is refused or noted before anything trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recodiff import Dataset, Temporal, prepare, synthesise
from recodiff.errors import ConfigError
from recodiff.experiments.compare.contenders import read_contenders


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(synthesise(40, 30, 600, seed=1), split=Temporal(0.1, 0.2), name="clicks")


def settings(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)


def test_a_file_is_named_by_its_stem_a_study_by_its_folder_and_the_rest_by_itself(tmp_path: Path) -> None:
    mine = settings(tmp_path / "mine.toml", 'model = "ease"\nl2 = 3.0\n')
    best = settings(tmp_path / "my-study" / "best.toml", 'model = "ease"\n')
    found = read_contenders([mine, best, "popularity", "ease-ml-100k"])
    assert [one.label for one in found] == ["mine", "my-study", "popularity", "ease-ml-100k"]
    assert found[0].model.config.l2 == 3.0
    assert [one.source for one in found[:2]] == [mine, best]


def test_two_of_one_name_none_at_all_and_a_foreign_reference_are_refused(tmp_path: Path) -> None:
    one = settings(tmp_path / "a" / "x.toml", 'model = "ease"\n')
    other = settings(tmp_path / "b" / "x.toml", 'model = "ease"\n')
    with pytest.raises(ConfigError, match="are both called 'x'; rename one of the files"):
        read_contenders([one, other])
    with pytest.raises(ConfigError, match="nothing to compare"):
        read_contenders([])
    with pytest.raises(ConfigError, match="the reference 'mf' is not among those compared; choose one of ease"):
        read_contenders(["ease"], reference="mf")
    with pytest.raises(ConfigError, match="did you mean 'ease'"):
        read_contenders(["eese"])


def test_a_case_knows_what_its_model_needs(data: Dataset) -> None:
    ease, diffrec, forecast = (one.progress(data) for one in read_contenders(["ease", "diffrec", "f-diffrec"]))
    assert [one.case.seeded for one in (ease, diffrec, forecast)] == [False, True, True]
    assert [one.case.needs_order for one in (ease, diffrec, forecast)] == [False, False, True]
    assert ease.resolved is not None
    assert ease.resolved.train["l2"] == 500.0, "all settings, the defaults spelt out"


def test_what_cannot_run_on_the_data_has_a_note_and_no_settings(data: Dataset) -> None:
    timeless = replace(
        data,
        train=replace(data.train, times=None, time_kind=None),
        valid=None if data.valid is None else replace(data.valid, times=None, time_kind=None),
        test=None if data.test is None else replace(data.test, times=None, time_kind=None),
    )
    ease, forecast = (one.progress(timeless) for one in read_contenders(["ease", "f-diffrec"]))
    assert forecast.note == "not run: it needs time, and this data has none"
    assert (ease.note, forecast.resolved) == ("", None)
    assert read_contenders(["ease"])[0].progress(timeless, "chronological").note.startswith("not run: ")
