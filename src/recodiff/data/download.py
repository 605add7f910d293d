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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recodiff.data.readers.log import TERMS_FILE
from recodiff.errors import DataError
from recodiff.moved import old_names

_TIMEOUT_SECONDS = 10
_INSTALLER_TIMEOUT_SECONDS = 300
_GROUPLENS_TERMS = (
    "MovieLens data of GroupLens, University of Minnesota: for research; cite Harper & Konstan, The MovieLens Datasets: History "
    "and Context, ACM TiiS 5(4), 2015; no redistribution without permission (https://files.grouplens.org/datasets/movielens/)"
)


@dataclass(frozen=True)
class _Source:
    """A place that a data set can be had from.

    Args:
        name: folder in the cache, and what messages call the source.
        get: downloads a zip (a wheel is one) into a folder and gives its path.
        members: file in the zip -> file in the cache.
        sha256: file in the cache -> its hash, where the zip is not checked as a whole.
    """

    name: str
    get: Callable[[Path], Path]
    members: Mapping[str, str]
    sha256: Mapping[str, str]


def _from_site(url: str, md5: str, work: Path) -> Path:
    archive = work / "archive.zip"
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, archive.open("wb") as file:
        shutil.copyfileobj(answer, file)
    _check(archive, "md5", md5)
    return archive


def _from_wheel(requirement: str, work: Path) -> Path:
    """By the installer's download command: the package is neither installed nor imported."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(work), requirement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALLER_TIMEOUT_SECONDS, check=False)
    wheel = next(work.glob("*.whl"), None)
    if done.returncode or wheel is None:
        raise DataError((done.stderr.strip().splitlines() or ["pip download gave no wheel"])[-1])
    return wheel


def _check(path: Path, algorithm: str, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        raise DataError(f"{path.name} has {algorithm} {found[:12]}..., not {expected[:12]}...")


_WHEEL_FOLDER = "recbole/dataset_example/ml-100k"
KNOWN_DATASETS: dict[str, tuple[str, tuple[_Source, ...]]] = {
    "ml-100k": (
        _GROUPLENS_TERMS,
        (
            _Source(
                "files.grouplens.org",
                partial(
                    _from_site, "https://files.grouplens.org/datasets/movielens/ml-100k.zip", "0e33842e24a9c977be4e0107933c0723"
                ),
                {f"ml-100k/{name}": name for name in ("u.data", "u.item", "README")},
                {},
            ),
            _Source(
                "recbole-1.2.1",
                partial(_from_wheel, "recbole==1.2.1"),
                {f"{_WHEEL_FOLDER}/{name}": name for name in ("ml-100k.inter", "ml-100k.item")},
                {
                    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                },
            ),
        ),
    )
}


def fetch(name: str, *, cache: str | Path | None = None, offline: bool = False, say: Callable[[str], None] | None = None) -> Path:
    """The folder of a public data set, from the cache or else from the first of its sources that answers.

    Args:
        name: `ml-100k`.
        cache: where data sets are kept; `RECODIFF_CACHE` or the user's cache folder unless given.
        offline: use the cache only.
        say: receives which source is used, and the data's terms.

    Raises:
        DataError: the name is unknown, or no source can be reached or trusted.
    """
    if name not in KNOWN_DATASETS:
        raise DataError(
            f"data set {name!r} is unknown; choose one of {', '.join(KNOWN_DATASETS)}, or give the path of your own data"
        )
    (terms, sources), home = KNOWN_DATASETS[name], (_cache() if cache is None else Path(cache).expanduser()) / name
    tell = say or (lambda _: None)
    for source in sources:
        folder = home / source.name
        if all((folder / file).is_file() for file in (*source.members.values(), TERMS_FILE)):
            tell(f"{name}: from the cache, {folder} (source: {source.name}). Terms: {terms}")
            return folder
    if offline:
        raise DataError(
            f"{name} is not in the cache {home}; fetch it once with offline=False, or give the path of its extracted folder"
        )
    failures: list[str] = []
    with _workplace(home) as work:
        for source in sources:
            try:
                folder = _store(source, work, home, terms)
            except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError, DataError) as error:
                failures.append(f"{source.name}: {str(error).strip() or type(error).__name__}")
            else:
                without = f", for {'; '.join(failures)}" if failures else ""
                tell(f"{name}: fetched from {source.name}{without}. Terms: {terms}")
                return folder
    raise DataError(f"{name} cannot be fetched ({'; '.join(failures)}); get its extracted folder by other means and give the path")


@contextmanager
def _workplace(home: Path) -> Iterator[Path]:
    """A temporary folder on the cache's own disk, so that what is whole can be renamed into place."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".partial-", dir=home)
    except OSError as error:
        raise DataError(f"the cache {home} cannot be written ({error.strerror}); name another folder with RECODIFF_CACHE") from None
    with temporary as path:
        yield Path(path)


def _store(source: _Source, work: Path, home: Path, terms: str) -> Path:
    """Fetches, checks and unpacks aside, then renames: a half-fetched source never looks whole."""
    fresh = work / source.name
    fresh.mkdir()
    with zipfile.ZipFile(source.get(work)) as archive:
        for member, file in source.members.items():
            with archive.open(member) as content, (fresh / file).open("wb") as target:
                shutil.copyfileobj(content, target)
    for file, expected in source.sha256.items():
        _check(fresh / file, "sha256", expected)
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


__getattr__ = old_names(__name__)
