"""The canonical data folder: interactions split into parts, their ids and titles, and how they came about.

`dataset.json` (what the folder holds), `users.parquet` and `items.parquet` (external ids by position; titles and the rest beside
them), and the parts, as present:

* version 1: `train.parquet`, `valid.parquet`, `test.parquet`, `fold_in.parquet`: columns `user` and `item`, positions; `weight`
  unless all are 1; `time` where there is one. All of it is read and compared with what was written when the folder is opened.
* version 2, from `MAPPED_FROM` interactions on: the same names ending in `.safetensors`, which are mapped (see `data.mapped`).
"""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from recodiff.data.dataset import PARTS, Dataset, align, interactions_of
from recodiff.data.events import recorded, unknown_to
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Interactions, TimeKind
from recodiff.data.mapped import AGAIN, open_part, write_part
from recodiff.data.readers.diffrec import RELEASE_FILES, read_release
from recodiff.data.readers.formats import READERS, read_items
from recodiff.data.readers.reader import PartOrder
from recodiff.errors import DataError, RecodiffWarning
from recodiff.runtime import files
from recodiff.runtime.folders import FolderKind, atomic_folder, finish

FORMAT, VERSION, MAPPED = "recodiff-dataset", 1, 2
MAPPED_FROM = 5_000_000
"""Interactions from which on a folder is written in version 2; reading fewer takes under a second."""
MANIFEST = "dataset.json"
ROOMY, MOST_UNSEEN = 100_000, 100
"""A release may number so many users or items, and so many more for each interaction; beyond that a number is damaged."""
IDS = ("users.parquet", "items.parquet")
OWNED = frozenset({MANIFEST, *IDS, *(f"{name}{ending}" for name in PARTS for ending in (".parquet", ".safetensors"))})
"""Names of files of a data folder; those that its dataset.json tells of are ours, whatever else stands there is not."""


def data_files(folder: Path) -> frozenset[str]:
    """Names of the files that are a dataset's in a folder; none where dataset.json is not there, or another's.

    Args:
        folder: of the data.
    """
    info = files.described(folder / MANIFEST, FORMAT)
    if info is None:
        return frozenset()
    hashes, parts = info.get("hashes", IDS), info.get("parts")  # folders of 0.1.0 have no hashes
    ending = ".parquet" if info.get("version") == VERSION else ".safetensors"
    named = {f"{name}{ending}" for name in parts} if isinstance(parts, dict) else set[str]()
    return frozenset({MANIFEST} | (OWNED & (named | {*hashes})))


DATA_FOLDER = FolderKind(MANIFEST, data_files)
"""A data folder, for whoever writes one."""


def save_dataset(dataset: Dataset, path: str | Path, *, overwrite: bool = False, mapped: bool | None = None) -> None:
    """Write the canonical folder, whole or not at all.

    Args:
        dataset: what to write.
        path: the folder; it must not exist, or be empty, or hold a dataset that may be replaced.
        overwrite: whether it may.
        mapped: whether its parts are files that are mapped and not read, which builds before 0.2.0 do not know; those of five
            million interactions or more, unless given.

    Raises:
        DataError: the place is taken, or it cannot be written (a full disk, a read-only folder); nothing there is lost.
    """
    with atomic_folder(Path(path), overwrite=overwrite, kind=DATA_FOLDER) as folder:
        parts = dataset.parts()
        mapped = sum(part.nnz for part in parts.values()) >= MAPPED_FROM if mapped is None else mapped
        described = {name: write_part(part, folder / f"{name}.safetensors") for name, part in parts.items() if mapped}
        for name, part in parts.items() if not mapped else ():
            _table(part).write_parquet(folder / f"{name}.parquet")
        write_rest(dataset, Path(path), folder, described if mapped else None)


def write_rest(
    dataset: Dataset, path: Path, folder: Path, mapped: dict[str, Any] | None, moments: tuple[int, int] | None = None
) -> None:
    """Write the files beside those of the parts: ids, titles and `dataset.json`.

    Args:
        dataset: what is written.
        path: the folder that it will be.
        folder: where its files stand now.
        mapped: what to say of mapped parts, by name; None where none is mapped.
        moments: as for `Dataset.summary`.

    Raises:
        OSError: they cannot be written.
    """
    dataset.users.ids.alias("user").to_frame().write_parquet(folder / "users.parquet")
    items = dataset.items.ids.alias("item").to_frame()
    if dataset.item_table is not None:
        items = items.hstack(dataset.item_table)
    items.write_parquet(folder / "items.parquet")
    head = {"format": FORMAT, "version": VERSION if mapped is None else MAPPED, "name": path.resolve().name}
    hashes = {path.name: files.sha256(path) for path in sorted(folder.glob("*.parquet"))}
    kept = {key: value for key, value in dataset.info.items() if key not in ("version", "files")}  # of where it came from
    manifest = head | kept | dataset.summary(moments) | {"hashes": hashes} | ({} if mapped is None else {"files": mapped})
    if dataset.train.times is not None:
        manifest["events"] = manifest.get("events", {}) | {"kind": dataset.train.events}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _table(part: Interactions) -> pl.DataFrame:
    columns = {"user": part.rows().astype(np.uint32), "item": part.matrix.indices.astype(np.uint32)}
    if (part.matrix.data != 1).any():
        columns["weight"] = part.matrix.data
    if part.times is not None:
        columns["time"] = part.times
    return pl.DataFrame(columns)


def load_dataset(path: str | Path, *, part_order: PartOrder = "auto", check: bool = False) -> Dataset:
    """Read a canonical folder, or a DiffRec release folder as it is.

    A release folder has 1 + its highest number users and items over **all** parts. Its times are ranks within a user over
    train, then valid, then test; of the known releases over train, then test, then valid (see `RELEASED`).

    Args:
        path: the folder.
        part_order: which of valid and test is the later part of a release folder.
        check: whether all of a large folder is read and compared with what was written; of a small one it always is.

    Raises:
        DataError: it is neither, of a later version, or a file is missing, damaged or does not belong to the others.
    """
    folder = Path(path).expanduser()
    finish(folder)
    if (folder / MANIFEST).exists():
        return _load_canonical(folder, check)
    if (folder / RELEASE_FILES["train"]).exists():
        return _load_release(folder, part_order)
    if not folder.exists():
        raise DataError(f"{folder} does not exist; give a data folder, or make one with `recodiff prepare`")
    raise DataError(
        f"{folder} is no data folder: it holds neither {MANIFEST} nor {RELEASE_FILES['train']}; make one with `recodiff prepare`"
    )


def _load_release(folder: Path, part_order: PartOrder) -> Dataset:
    frame, _ = read_release(folder, part_order)
    if frame.is_empty():
        raise DataError(f"{folder} holds no interactions; fetch it again")
    users, items = (_numbered(frame[name], folder) for name in ("user", "item"))
    try:
        parts = {
            name: interactions_of(frame.filter(pl.col("part") == name), users, items, "order")
            for name in ("train", "valid", "test")
        }
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None
    beside = READERS["diffrec"].titles_beside(folder)
    table = None if beside is None else align(read_items(beside, items.ids), items)
    info = {"name": folder.resolve().name, "source": str(folder), "split": {"strategy": "published"}}
    dataset = Dataset(**parts, fold_in=None, item_table=table, info=info)
    return replace(dataset, info=info | dataset.summary())


def _numbered(positions: pl.Series, folder: Path) -> IdMap:
    """The ids 0..highest of a release, which has some interaction of most of them."""
    highest = int(positions.max())  # type: ignore[arg-type]
    if highest > ROOMY + MOST_UNSEEN * len(positions):
        raise DataError(
            f"{folder} has {len(positions)} interactions and counts its {positions.name}s up to {highest}: a number is damaged, or "
            "these are ids; number them from 0 on without gaps, or prepare them as a log"
        )
    return IdMap.range(1 + highest)


def _load_canonical(folder: Path, check: bool) -> Dataset:
    info = _manifest(folder / MANIFEST)
    for name, expected in info.get("hashes", {}).items():  # folders of 0.1.0 have none
        if name in OWNED and (folder / name).is_file() and files.sha256(folder / name) != expected:
            raise DataError(f"{folder / name} is not what was written beside its {MANIFEST}; {AGAIN}")
    users, items = (_read(folder / f"{name}s.parquet", (name,)) for name in ("user", "item"))
    maps = IdMap(users["user"]), IdMap(items["item"])
    load = _load_part if info["version"] == VERSION else partial(_map_part, check=check)
    parts = {name: load(folder, name, *maps, info) if name in info["parts"] else None for name in PARTS}
    table = items.drop("item")
    dataset = Dataset(**parts, item_table=table if table.width else None, info=info)  # type: ignore[arg-type]
    if dataset.fingerprint() != info.get("fingerprint"):
        raise DataError(f"{folder} holds other data than its {MANIFEST} says (the fingerprints differ); prepare the data again")
    if sentence := unknown_to(dataset.name, info, dataset.parts()):
        warnings.warn(sentence, RecodiffWarning, stacklevel=3)
    return dataset


def _map_part(folder: Path, name: str, users: IdMap, items: IdMap, info: dict[str, Any], *, check: bool) -> Interactions:
    path, described = folder / f"{name}.safetensors", info.get("files", {}).get(name)
    part = open_part(path, described, users, items, info["time"]["kind"], recorded(info), check=check)
    if part.nnz != info["parts"][name]:
        raise DataError(f"{path} holds {part.nnz} interactions and {MANIFEST} says {info['parts'][name]}; {AGAIN}")
    return part


def _load_part(folder: Path, name: str, users: IdMap, items: IdMap, info: dict[str, Any]) -> Interactions:
    path = folder / f"{name}.parquet"
    frame = _read(path, ("user", "item"))
    for role, ids in (("user", users), ("item", items)):
        codes = frame[role]
        if not codes.dtype.is_integer() or (len(codes) and int(codes.max() or 0) >= len(ids)):  # type: ignore[arg-type]
            raise DataError(f"{path} holds {role} positions beyond the {len(ids)} of {role}s.parquet; prepare the data again")
    if any(frame.null_count().row(0)):
        raise DataError(f"{path} has empty cells; prepare the data again")
    try:
        return interactions_of(frame, users, items, info["time"]["kind"], recorded(info))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _manifest(path: Path) -> dict[str, Any]:
    with files.reading(path, DataError, AGAIN):
        info = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise DataError(f"{path} does not describe a {FORMAT}; give a folder that `recodiff prepare` wrote")
    if info.get("version") not in (VERSION, MAPPED):
        raise DataError(
            f"{path} is of version {info.get('version')}, and this program reads versions {VERSION} and {MAPPED}; "
            "prepare the data again, or use the program that wrote it"
        )
    parts, time = info.get("parts"), info.get("time")
    named = isinstance(parts, dict) and {"train"} <= parts.keys() <= set(PARTS)
    timed = isinstance(time, dict) and time.get("kind", "") in (*get_args(TimeKind), None)
    if not named or not timed or any(not isinstance(info.get(key, {}), dict) for key in ("hashes", "files")):
        raise DataError(f"{path} does not say which parts and times there are; prepare the data again")
    return info


def _read(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    with files.reading(path, DataError, AGAIN):
        frame = pl.read_parquet(path, glob=False)
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise DataError(f"{path} has no column {absent[0]!r}; prepare the data again")
    return frame
