"""Modules of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recodiff.runtime import user_code
from recodiff.runtime.user_code import import_user_module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(user_code, "LOOKED_IN", [str(tmp_path)])
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def test_a_module_that_is_installed_is_taken_from_there(folder: Path) -> None:
    (folder / "colorsys.py").write_text("raise SystemExit")
    before = [*sys.path]
    assert import_user_module("colorsys").hls_to_rgb
    assert sys.path == before


def test_the_folder_is_on_the_path_once_a_module_was_found_there(folder: Path) -> None:
    (folder / "of_mine.py").write_text("VALUE = 3")
    assert import_user_module("of_mine").VALUE == 3
    assert sys.path[-1] == str(folder)


@pytest.mark.parametrize("text", [None, "raise KeyError", "import nowhere_at_all"])
def test_a_module_that_fails_leaves_no_folder_on_the_path(folder: Path, text: str | None) -> None:
    if text is not None:
        (folder / "fails_in_a_way.py").write_text(text)
    before = [*sys.path]
    with pytest.raises((ImportError, KeyError)):
        import_user_module("fails_in_a_way")
    assert sys.path == before
