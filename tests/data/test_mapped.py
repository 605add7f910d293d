"""Large data folders: parts that are mapped give what parts that are read give, and nothing damaged is believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import recodiff
from recodiff.data import Dataset, load_dataset, mapped, prepare, save_dataset, saving, synthesise
from recodiff.data.noise import corrupt
from recodiff.errors import DataError


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(synthesise(60, 40, 900, seed=1), split="temporal", name="made up")


@pytest.fixture
def folder(data: Dataset, tmp_path: Path) -> Path:
    save_dataset(data, tmp_path / "data", mapped=True)
    return tmp_path / "data"


@pytest.fixture(params=["small", "large"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "large":
        monkeypatch.setattr(mapped, "READ_UP_TO", 0)
    return request.param


@pytest.mark.usefixtures("opened")
def test_what_is_mapped_is_what_is_read(data: Dataset, folder: Path, tmp_path: Path) -> None:
    save_dataset(data, tmp_path / "read", mapped=False)
    ours, theirs = load_dataset(folder), load_dataset(tmp_path / "read")
    assert ours.fingerprint() == theirs.fingerprint() == data.fingerprint()
    told = [{key: value for key, value in one.info.items() if key not in ("version", "files", "hashes")} for one in (ours, theirs)]
    assert told[0] == told[1]
    for name, part in ours.parts().items():
        other = theirs.parts()[name]
        assert part.fingerprint() == other.fingerprint()
        for found, expected in ((part.matrix.indptr, other.matrix.indptr), (part.matrix.indices, other.matrix.indices)):
            assert found.dtype == expected.dtype
            assert found.tolist() == expected.tolist()
        assert part.times is not None
        assert part.times.tolist() == other.times.tolist()  # type: ignore[union-attr]
        assert part.matrix.data.tolist() == other.matrix.data.tolist()
        with pytest.raises(ValueError, match="read-only"):
            part.matrix.data[0] = 2


@pytest.mark.usefixtures("opened")
def test_lists_and_trainings_of_mapped_data_are_the_same(data: Dataset, folder: Path) -> None:
    lists = []
    for dataset in (data, load_dataset(folder)):
        for name in ("popularity", "ease", "diffrec", "sasrec"):
            short = {"training": {"epochs": 1}} if name in ("diffrec", "sasrec") else {}
            model = recodiff.build(name, short)
            model.fit(dataset.train, recodiff.Run(seed=1, device="cpu", progress=False))
            lists.append(recodiff.recommend(model, dataset.history("train+valid"), 5).items.tolist())
    assert lists[: len(lists) // 2] == lists[len(lists) // 2 :]


@pytest.mark.usefixtures("opened")
def test_mapped_data_serves_all_that_data_does(data: Dataset, folder: Path, tmp_path: Path) -> None:
    there = load_dataset(folder)
    noisy = [corrupt(one, share=0.3, seed=2) for one in (data, there)]
    assert noisy[0].fingerprint() == noisy[1].fingerprint()
    save_dataset(noisy[1], tmp_path / "noisy")
    assert json.loads((tmp_path / "noisy" / "dataset.json").read_text())["version"] == 1
    assert "files" not in load_dataset(tmp_path / "noisy").info
    assert there.inner().fingerprint() == data.inner().fingerprint()
    save_dataset(there, folder, overwrite=True, mapped=False)
    assert not list(folder.glob("*.safetensors"))
    assert load_dataset(folder).fingerprint() == data.fingerprint()


def test_weights_and_data_without_time_are_mapped_too(data: Dataset, tmp_path: Path) -> None:
    def other(part: recodiff.Interactions) -> recodiff.Interactions:
        weighted = part.with_values(np.arange(part.nnz) / 7)
        return recodiff.Interactions(weighted.matrix, None, None, weighted.users, weighted.items)

    parts = {name: other(part) for name, part in data.parts().items()}
    made = replace(data, **parts, info={"name": "weighted"})
    save_dataset(made, tmp_path / "data", mapped=True)
    assert load_dataset(tmp_path / "data").fingerprint() == made.fingerprint()


def test_data_is_mapped_from_some_size_on(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_dataset(data, tmp_path / "small")
    assert (tmp_path / "small" / "train.parquet").exists()
    monkeypatch.setattr(saving, "MAPPED_FROM", 900)
    save_dataset(data, tmp_path / "large")
    assert (tmp_path / "large" / "train.safetensors").exists()
    assert not (tmp_path / "large" / "train.parquet").exists()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"12345678")


def _header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"items", b"itemz", 1))


def _huge(path: Path) -> None:
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])


def _starts(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(whole[:8], "little")
    whole[begin + 8 : begin + 16] = (2**40).to_bytes(8, "little")
    path.write_bytes(whole)


def _gone(path: Path) -> None:
    path.unlink()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("damage", [_cut, _longer, _header, _huge, _starts, _gone, _pipe])
def test_damaged_files_are_refused_by_name(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder / "train.safetensors")
    with pytest.raises(DataError, match=r"train\.safetensors.*prepare the data again") as refused:
        load_dataset(folder)
    assert "\n" not in str(refused.value)


def test_opening_reads_no_part_of_a_large_folder(tmp_path: Path) -> None:
    save_dataset(prepare(synthesise(2_000, 500, 60_000, seed=1), split="temporal"), tmp_path / "data", mapped=True)
    code = (
        "import sys\nfrom recodiff.data import load_dataset, mapped\nmapped.READ_UP_TO = 0\nimport mmap\n"
        "held = load_dataset(sys.argv[1]).train\nbase = held.matrix.indices\n"
        "while getattr(base, 'base', None) is not None: base = base.base\n"
        "print(type(getattr(base, 'obj', base)).__name__, '_fingerprint' in held.__dict__)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["mmap", "True"]


def test_a_later_version_is_refused_in_a_sentence(folder: Path) -> None:
    manifest = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(manifest | {"version": 3}))
    with pytest.raises(DataError, match=r"is of version 3, and this program reads versions 1 and 2; prepare the data again"):
        load_dataset(folder)
