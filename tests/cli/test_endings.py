"""How a command ends when something else ends it: one sentence, and the way to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recodiff import cli
from recodiff.data import synthesise
from recodiff.runtime.progress import printable

ESCAPE = "\x1b[2J\x1b]0;owned\x07\u202eabc\x9b31m"


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def command(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "_parsed", lambda *_, **__: (command, SimpleNamespace(args=(), kwargs={})))
    with pytest.raises(SystemExit) as ended:
        cli.main(["train"])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 8.00 TiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_too_little_memory_is_one_sentence(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(monkeypatch, error) == 1
    said = capsys.readouterr().err
    assert said.startswith("recodiff: there is too little memory (")
    assert said.count("\n") == 1


def test_a_bug_still_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        ends_with(monkeypatch, RuntimeError("a bug"))


def test_a_training_that_the_system_ends_says_how_to_go_on(tmp_path: Path) -> None:
    synthesise(40, 30, 500).write_parquet(tmp_path / "log.parquet")
    command: Callable[..., list[str]] = lambda *words: [sys.executable, "-m", "recodiff", *words]  # noqa: E731
    subprocess.run(command("prepare", "log.parquet", "data"), cwd=tmp_path, check=True, capture_output=True)
    train = command("train", "diffrec", "--data", "data", "--out", "run", "--set", "training.epochs=100000", "--threads", "1")
    train += ["--set", "training.patience_epochs=100000"]
    running = subprocess.Popen(train, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while not (tmp_path / "run" / "checkpoint.safetensors").exists():
        assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 143
    assert said.splitlines()[-1] == ("recodiff: ended by the system (SIGTERM); the same command with --resume goes on from here")
    assert not list((tmp_path / "run").glob(".*")), "nothing half written is left"


@pytest.mark.parametrize("text", [ESCAPE, "\x00", "a\rb"])
def test_control_characters_never_reach_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u202e" for c in shown)


@pytest.mark.parametrize("text", ["Amélie", "千と千尋の神隠し", "Heat\t1995", "two\nlines", "👍🏽", "שלום"])
def test_titles_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_an_error_that_names_a_hostile_file_stays_one_harmless_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error: Any = FileNotFoundError(2, "No such file or directory", f"a{ESCAPE}\nb")
    assert ends_with(monkeypatch, error) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said
