"""Archives: what they hold is found, and what is damaged, hostile or too large is refused."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from recodiff.data.readers import packed
from recodiff.data.readers.packed import unpacked
from recodiff.errors import DataError

TEXT = b"user,item\n1,7\n"


def zipped(path: Path, **content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def held(path: Path) -> dict[str, bytes]:
    with unpacked(path) as found:
        files = [found] if found.is_file() else sorted(file for file in found.rglob("*") if file.is_file())
        return {file.name: file.read_bytes() for file in files}


def test_a_single_file_is_given_itself_however_deep_it_lies(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ml__inner__log_csv=TEXT)
    with unpacked(path) as found:
        assert found.is_file()
        assert found.read_bytes() == TEXT
        folder = found
    assert not folder.exists(), "the temporary folder is gone"


def test_a_folder_of_several_is_given_whole_without_what_systems_add(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    members = {"d/a.csv": TEXT, "d/b.csv": TEXT, "__MACOSX/d/a.csv": b"?", "d/.DS_Store": b"?"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert held(path) == {"a.csv": TEXT, "b.csv": TEXT}


@pytest.mark.parametrize(("ending", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz")])
def test_tars_of_all_kinds(tmp_path: Path, ending: str, mode: str) -> None:
    assert held(tarred(tmp_path / f"a{ending}", {"x/log.csv": TEXT}, mode)) == {"log.csv": TEXT}


def test_a_compressed_file_loses_its_ending(tmp_path: Path) -> None:
    for ending, compress in ((".bz2", bz2.compress), (".xz", lzma.compress)):
        path = tmp_path / f"log.csv{ending}"
        path.write_bytes(compress(TEXT))
        assert held(path) == {"log.csv": TEXT}


def test_what_is_no_archive_is_given_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(TEXT)
    for one in (path, tmp_path):
        with unpacked(one) as found:
            assert found == one


def test_damage_is_named_and_an_empty_archive_too(tmp_path: Path) -> None:
    for ending in (".zip", ".tar.gz", ".bz2", ".xz"):
        path = tmp_path / f"broken{ending}"
        path.write_bytes(b"no archive at all")
        with pytest.raises(DataError, match=rf"broken{ending}. cannot be read .*fetch it again") as refused, unpacked(path):
            pass
        assert "\n" not in str(refused.value)
    with pytest.raises(DataError, match=r"empty\.zip is empty"), unpacked(zipped(tmp_path / "empty.zip")):
        pass


def test_a_member_that_would_leave_the_folder_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {"../../outside.csv": TEXT}, "w")
    with pytest.raises(DataError, match="cannot be read"), unpacked(path):
        pass
    assert not (tmp_path.parent / "outside.csv").exists()


class Usage(NamedTuple):
    free: int


def test_what_does_not_fit_is_refused_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed.shutil, "disk_usage", lambda _: Usage(10))
    with pytest.raises(DataError, match="it holds 14 bytes or more, and the temporary folder has room for 10"):
        held(zipped(tmp_path / "a.zip", log_csv=TEXT))
