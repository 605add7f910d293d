"""Public data sets by name: fetched once, checked by hash, kept in a cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recodiff.data.readers import TERMS_FILE
from recodiff.errors import DataError

Say = Callable[[str], None]
_TIMEOUT_SECONDS = 10
_INSTALLER_TIMEOUT_SECONDS = 300
_GROUPLENS_TERMS = (
    "MovieLens data of GroupLens, University of Minnesota: for research; cite Harper & Konstan, The MovieLens Datasets: History and "
    "Context, ACM TiiS 5(4), 2015; no redistribution without permission (https://files.grouplens.org/datasets/movielens/)"
)


@dataclass(frozen=True)
class _Site:
    """An archive at its publisher.

    Args:
        name: folder in the cache, and what messages call the source.
        url: of the zip.
        md5: of the zip, as the publisher states it.
        members: file in the zip -> file in the cache.
    """

    name: str
    url: str
    md5: str
    members: dict[str, str]

    def get(self, work: Path) -> Path:
        """The zip, downloaded into `work` and checked."""
        archive = work / "archive.zip"
        with urllib.request.urlopen(self.url, timeout=_TIMEOUT_SECONDS) as answer, archive.open("wb") as file:
            shutil.copyfileobj(answer, file)
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != self.md5:
            raise DataError(f"the archive has md5 {found}, not {self.md5}")
        return archive

    def check(self, folder: Path) -> None:
        """Nothing more: the archive was checked as a whole."""


@dataclass(frozen=True)
class _Wheel:
    """Files inside a package, got by the installer's download command; the package is neither installed nor imported.

    Args:
        name: folder in the cache, and what messages call the source.
        requirement: the package with its exact version.
        members: file in the wheel -> file in the cache.
        sha256: file in the cache -> its hash.
    """

    name: str
    requirement: str
    members: dict[str, str]
    sha256: dict[str, str]

    def get(self, work: Path) -> Path:
        """The wheel, downloaded into `work`."""
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", str(work), self.requirement]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALLER_TIMEOUT_SECONDS, check=False)
        wheels = sorted(work.glob("*.whl"))
        if done.returncode or not wheels:
            raise DataError((done.stderr.strip().splitlines() or ["pip download gave no wheel"])[-1])
        return wheels[0]

    def check(self, folder: Path) -> None:
        """Compares the files with their hashes."""
        for name, expected in self.sha256.items():
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != expected:
                raise DataError(f"{name} has sha256 {found[:12]}..., not {expected[:12]}...")


@dataclass(frozen=True)
class _Known:
    terms: str
    sources: tuple[_Site | _Wheel, ...]


_ML_100K = "recbole/dataset_example/ml-100k/ml-100k"
KNOWN: dict[str, _Known] = {
    "ml-100k": _Known(
        _GROUPLENS_TERMS,
        (
            _Site(
                "files.grouplens.org",
                "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                "0e33842e24a9c977be4e0107933c0723",
                {f"ml-100k/{name}": name for name in ("u.data", "u.item", "README")},
            ),
            _Wheel(
                "recbole-1.2.1",
                "recbole==1.2.1",
                {f"{_ML_100K}.inter": "ml-100k.inter", f"{_ML_100K}.item": "ml-100k.item"},
                {
                    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                },
            ),
        ),
    )
}


def fetch(name: str, *, cache: str | Path | None = None, offline: bool = False, say: Say | None = None) -> Path:
    """The folder of a public data set, from the cache or else from the first of its sources that answers.

    Args:
        name: `ml-100k`.
        cache: where data sets are kept; `RECODIFF_CACHE` or the user's cache folder unless given.
        offline: use the cache only.
        say: is told, in one sentence, which source was used and on what terms.

    Raises:
        DataError: the name is unknown, or no source can be reached or trusted.
    """
    if name not in KNOWN:
        raise DataError(f"data set {name!r} is unknown; choose one of {', '.join(KNOWN)}, or give the path of your own data")
    known, home = KNOWN[name], (Path(cache).expanduser() if cache is not None else _cache()) / name
    tell = say or (lambda _: None)
    for source in known.sources:
        folder = home / source.name
        if all((folder / file).is_file() for file in (*source.members.values(), TERMS_FILE)):
            tell(f"{name}: from the cache {folder} (source: {source.name}). {known.terms}")
            return folder
    failures = ["the cache is empty and offline=True"] if offline else []
    for source in () if offline else known.sources:
        try:
            folder = _store(source, home, known.terms)
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError, DataError) as error:
            failures.append(f"{source.name}: {str(error).strip() or type(error).__name__}")
        else:
            tell(f"{name}: fetched from {source.name}{_instead(failures)}. {known.terms}")
            return folder
    raise DataError(f"{name} cannot be fetched ({'; '.join(failures)}); get the extracted folder by other means and give its path")


def _instead(failures: list[str]) -> str:
    return f" ({'; '.join(failures)})" if failures else ""


def _store(source: _Site | _Wheel, home: Path, terms: str) -> Path:
    """Fetches, checks and unpacks into a temporary folder, then renames it: a half-fetched source never looks whole."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=home) as temporary:
        work = Path(temporary)
        archive = source.get(work)
        fresh = work / "fresh"
        fresh.mkdir()
        with zipfile.ZipFile(archive) as opened:
            for member, file in source.members.items():
                with opened.open(member) as content, (fresh / file).open("wb") as target:
                    shutil.copyfileobj(content, target)
        source.check(fresh)
        (fresh / TERMS_FILE).write_text(f"{terms}\nSource: {source.name}\n", encoding="utf-8")
        folder = home / source.name
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(fresh, folder)
    return folder


def _cache() -> Path:
    chosen = os.environ.get("RECODIFF_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "recodiff"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "recodiff"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recodiff"
