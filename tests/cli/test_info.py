"""`recodiff info --check`: all of a data folder is read and compared with what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Cli
from recodiff.data import load_dataset, mapped, prepare, save_dataset, synthesise
from recodiff.errors import DataError


def test_other_content_is_found_when_it_is_looked_for(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    save_dataset(prepare(synthesise(60, 40, 900, seed=1), split="temporal"), folder, mapped=True)
    assert "holds what was written" in cli("info", folder, "--check").succeeded().err
    path = folder / "valid.safetensors"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"valid\.safetensors"):
        load_dataset(folder)  # a small file is always read
    monkeypatch.setattr(mapped, "READ_UP_TO", 0)
    load_dataset(folder)
    cli("info", folder).succeeded()
    cli("info", folder, "--check").refused()


def test_models_are_not_checked_as_data(cli: Cli) -> None:
    cli("info", "diffrec", "--check").refused("--check is of data folders")
