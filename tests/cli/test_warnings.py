"""Warnings of ours are sentences for people; those of libraries are not shown."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest

from recodiff import cli
from recodiff.errors import RecodiffWarning


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)


def test_ours_are_shown_each_time_as_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*_: object, **__: object) -> None:
        for _number in range(2):
            warnings.warn("two\nlines", RecodiffWarning, stacklevel=1)
        warnings.warn("of a library", RuntimeWarning, stacklevel=1)

    monkeypatch.setattr(cli, "_parsed", lambda *_, **__: (command, SimpleNamespace(args=(), kwargs={})))
    with warnings.catch_warnings():
        cli.main(["info"])
    assert capsys.readouterr().err == "warning: two lines\nwarning: two lines\n"
