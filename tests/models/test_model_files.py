"""Files of a folder that are a model's or its training's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recodiff import Run, build, save_model
from recodiff.models.model_files import CONFIG, FORMAT, ITEMS, WEIGHTS, logs_of, model_files, places_of, training_files
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG, LOG
from toy import checkerboard

LINE = '{"epoch": 1, "loss": 0.5, "seconds": 0.1}\n'


def describe(folder: Path, **content: Any) -> None:
    (folder / CONFIG).write_text(json.dumps({"format": FORMAT} | content))


def test_a_model_s_files_are_those_that_its_config_tells_of(tmp_path: Path) -> None:
    assert model_files(tmp_path) == set()
    save_model(build("ease").fit(checkerboard(12), Run(progress=False, device="cpu")), tmp_path)
    (tmp_path / "users.parquet").write_text("mine")
    assert model_files(tmp_path) == {CONFIG, ITEMS, WEIGHTS}


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other"}', "\xff", "[" * 100_000])
def test_a_config_of_others_makes_no_file_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / CONFIG).write_text(text, "latin-1")
    assert model_files(tmp_path) == set()


@pytest.mark.parametrize(
    "content",
    [
        {"hashes": {"../x": "", "notes": "", WEIGHTS: ""}},
        {"hashes": [WEIGHTS], "config": 3},
        {"hashes": {WEIGHTS: ""}, "config": {"parts": {"../..": {}, "a/b": {}, ".": {}, "": {}, "a\0": {}}}},
        {"hashes": {WEIGHTS: ""}, "config": {"parts": [1, 2]}},
    ],
)
def test_a_config_reaches_no_other_place(tmp_path: Path, content: dict[str, Any]) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / LOG).write_text(LINE)
    describe(folder, **content)
    assert model_files(folder) <= {CONFIG, WEIGHTS}


def test_logs_are_known_by_their_lines_and_their_places(tmp_path: Path) -> None:
    describe(tmp_path, config={"parts": {"rows": {}}})
    for place in ("", "refit", "parts/rows", "parts/other"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / LOG).write_text(LINE)
    (tmp_path / GROWING_LOG).write_text('{"mine": 1}\n')
    assert model_files(tmp_path) == {CONFIG, LOG, f"refit/{LOG}", f"parts/rows/{LOG}"}
    (tmp_path / CHECKPOINT).write_text("mine")
    assert training_files(tmp_path, {}) == set(), "a log alone is no training of ours"


def test_places_and_logs_of_components() -> None:
    settings = {"parts": {"a": {"settings": {"parts": {"b": {}}}}}}
    assert {"", "refit/", "parts/a/", "parts/a/parts/b/", "refit/parts/a/"} <= {*places_of(settings)}
    summary = {"a": {"log": [{"epoch": 1}], "b": {"log": []}}, "shares": {"a": 1.0}}
    assert logs_of(summary) == {f"parts/a/{LOG}": '{"epoch": 1}\n', f"parts/a/parts/b/{LOG}": ""}
