"""The layouts that published data sets come in: which files a folder holds, and what those files mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.readers.columns import KNOWN, find_columns, parse_ids, plain
from recodiff.data.readers.frames import opened, picked
from recodiff.data.readers.tables import open_table, read_lines
from recodiff.errors import ConfigError, DataError

FORMATS: tuple[str, ...] = ("auto", "table", "parquet", "movielens", "recbole", "lightgcn", "diffrec")
RELEASE_FILES = {part: f"{part}_list.npy" for part in ("train", "test", "valid")}  # in the order of time
_MOVIELENS = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
_TEXTS = (".csv", ".tsv", ".txt", ".dat", ".data", ".inter")
_ITEM_FILES = ("items.parquet", "items.csv", "items.tsv")
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def locate(source: Path, format: str = "auto") -> tuple[str, list[Path]]:
    """The format of a file or folder and the files that hold its interactions.

    Raises:
        DataError: there is nothing there, or nothing that is known.
        ConfigError: the format's name is unknown.
    """
    if format not in FORMATS:
        raise ConfigError(f"format {format!r} is unknown; choose one of {', '.join(FORMATS)}")
    if not source.exists():
        raise DataError(f"{source} does not exist; give a file or folder of interactions")
    found, files = _in_folder(source) if source.is_dir() else (_of_file(source), [source])
    if source.is_dir() and format not in ("auto", found):
        raise DataError(f"{source} looks like {found}, not {format}; give the file itself to have it read as {format}")
    return (found if format == "auto" else format), files


def _of_file(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    if path.name in _MOVIELENS:
        return "movielens"
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    if name.endswith(".inter"):
        return "recbole"
    if path.suffix in (".npy", ".zip", ".json"):
        raise DataError(f"{path} is not a table of interactions; give the folder it stands in, or the unpacked folder")
    return "lightgcn" if path.name in ("train.txt", "test.txt") else "table"


def _in_folder(folder: Path) -> tuple[str, list[Path]]:
    if (folder / "dataset.json").exists():
        raise DataError(f"{folder} is prepared already; use it as it is (load_dataset, --data), or prepare its source anew")
    if (folder / RELEASE_FILES["train"]).exists():
        return "diffrec", [folder]
    for name in _MOVIELENS:
        if (folder / name).exists():
            return "movielens", [folder / name]
    if (folder / "train.txt").exists():
        return "lightgcn", [path for path in (folder / "train.txt", folder / "test.txt") if path.exists()]
    parquets = [path for path in sorted(folder.glob("*.parquet")) if path.stem not in ("items", "users")]
    if parquets:
        return "parquet", parquets
    texts = [path for path in sorted(folder.iterdir()) if path.suffix in _TEXTS and path.stem not in ("items", "users")]
    texts = [path for path in texts if path.suffix == ".inter"] or [path for path in texts if path.stem.lower() != "readme"]
    if len(texts) == 1:
        return _of_file(texts[0]), texts
    held = ", ".join(path.name for path in sorted(folder.iterdir())[:8]) or "nothing"
    raise DataError(f"{folder} holds no interactions that are known at sight ({held}); give the file itself")


def read_lightgcn(files: list[Path]) -> pl.DataFrame:
    """LightGCN text, a user and then its items on each line: columns `user`, `item`, and `part` where there are several files.

    Raises:
        DataError: a line holds anything but whole numbers from 0 on.
    """
    pieces = []
    for path in files:
        lines = read_lines(path, path.name)
        bad = ~lines.str.contains(r"^\d{1,18}( +\d{1,18})*$").fill_null(True)
        if bad.any():
            line = int(bad.arg_max() or 0)
            raise DataError(
                f"{path.name}, line {line + 1}: {lines[line][:60]!r} is not LightGCN's `user item item ...` in whole numbers; "
                "mend the line, or say format='table' if it is a table"
            )
        numbers = lines.drop_nulls().str.replace_all(" +", " ").str.split(" ").cast(pl.List(pl.Int64))
        pairs = pl.DataFrame({"user": numbers.list.first(), "item": numbers.list.slice(1)}).explode("item").drop_nulls()
        pieces.append(pairs.with_columns(part=pl.lit(path.stem)) if len(files) > 1 else pairs)
    return pl.concat(pieces)


def read_release(folder: Path) -> pl.DataFrame:
    """A DiffRec release folder: columns `user`, `item`, `part` and `time`, a rank within the user.

    The order of a user's rows is the order in time, and the part called test lies **between** train and valid. Both are
    verified for the two ML-1M sets and assumed for the others.

    Raises:
        DataError: a file is missing or damaged, or holds anything but pairs of whole numbers from 0 on.
    """
    pieces = []
    for part, name in RELEASE_FILES.items():
        pairs = _pairs(folder / name)
        pieces.append(pl.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1]}).with_columns(part=pl.lit(part)))
    return pl.concat(pieces).with_columns(time=pl.int_range(pl.len(), dtype=pl.Int64).over("user"))


def _pairs(path: Path) -> np.ndarray:
    try:
        pairs = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; a release folder holds {', '.join(RELEASE_FILES.values())}") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} is no whole array of numbers ({str(error).splitlines()[0]}); fetch it again") from None
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise DataError(f"{path} holds {pairs.dtype} {list(pairs.shape)}, not whole numbers [n, 2] = (user, item); fetch it again")
    negative = np.flatnonzero((pairs < 0).any(axis=1))
    if len(negative):
        raise DataError(
            f"{path}, row {negative[0]}: {pairs[negative[0]].tolist()} holds a negative number; users and items count from 0"
        )
    if len(pairs) and pairs.max() >= 2**31:
        raise DataError(f"{path} holds the number {pairs.max()}, too high for a position; users and items count from 0")
    return pairs.astype(np.int64)


def items_beside(file: Path, format: str) -> Path | None:
    """The table of titles that goes with a file (or release folder) of interactions, if there is one."""
    folder = file if file.is_dir() else file.parent
    names = (_MOVIELENS.get(file.name), f"{file.stem}.item" if format == "recbole" else None, *_ITEM_FILES)
    return next((folder / name for name in names if name and (folder / name).exists()), None)


def read_items(source: Any, ids: pl.Series, *, drop_long: bool = False) -> pl.DataFrame:
    """A table of items: `item`, of the same type as the log's ids, then `title` where there is one, then the rest.

    Args:
        source: a path, or a frame.
        ids: the item ids of the log.
        drop_long: leave out lines with too many fields instead of refusing them.

    Raises:
        DataError: the file cannot be read, or no column is clearly the id.
    """
    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and path.suffix not in (".parquet", ".pq"):
        table = _u_item(path) if path.name == "u.item" else _text_items(path, drop_long)
    else:
        try:
            frame = opened(source if path is None else pl.scan_parquet(path, glob=False))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{source} cannot be read as Parquet ({str(error).splitlines()[0]}); is it whole?") from None
        names = [str(name) for name in frame.columns]
        table = picked(frame, _renamed(names, path.name if path else "the frame of titles"))
    table = table.with_columns(parse_ids(table["item"], decide=ids.dtype == pl.Int64).cast(ids.dtype, strict=False))
    table = table.drop_nulls("item").unique("item", keep="first", maintain_order=True)
    if "title" not in table.columns:
        return table.select("item", pl.exclude("item"))
    return table.select("item", pl.col("title").cast(pl.String).str.strip_chars(), pl.exclude("item", "title"))


def _renamed(columns: Sequence[str], source: str) -> dict[str, str]:
    """New name -> column: the id and the title by their role, all others by their own name without RecBole's type."""
    only_id = [name for name in columns if plain(name) == "id"] if not any(plain(name) in KNOWN["item"] for name in columns) else []
    roles = find_columns(columns, {"item": only_id[0] if only_id else None, "title": None}, source)
    rest = {name: name.split(":")[0] for name in columns if name not in roles.values()}
    return {**roles, **{f"{short}_" if short in roles else short: name for name, short in rest.items()}}


def _text_items(path: Path, drop_long: bool) -> pl.DataFrame:
    text = open_table(path, quoted=path.suffix != ".item")
    columns = text.columns()
    if text.header:
        roles = _renamed(columns, path.name)
    else:
        roles = dict(zip(("item", "title", "genres", *columns[3:]), columns, strict=False))
    table, _ = text.collect([pl.col(name).alias(new) for new, name in roles.items()], drop_long=drop_long)
    if {"release_year", "title"} <= set(table.columns):
        year, title = pl.col("release_year"), pl.col("title")
        undated = year.str.contains(r"^\d{4}$") & ~title.str.contains(r"\(\d{4}\)$")
        table = table.with_columns(title=pl.when(undated).then(pl.format("{} ({})", title, year)).otherwise(title))
    return table


def _u_item(path: Path) -> pl.DataFrame:
    """MovieLens' `u.item`: id, title, dates, a link and a 0/1 column for each genre, in Latin-1."""
    text = open_table(path, separator="|", header=False, encoding="latin-1", quoted=False)
    columns = text.columns()
    if len(columns) != 5 + len(_GENRES):
        raise DataError(f"{path.name} has {len(columns)} columns, not the {5 + len(_GENRES)} of MovieLens' u.item; fetch it again")
    flags = [pl.when(pl.col(column) == "1").then(pl.lit(genre)) for column, genre in zip(columns[5:], _GENRES, strict=True)]
    named = [pl.col(column).alias(name) for column, name in zip(columns, ("item", "title", "release_date"), strict=False)]
    table, _ = text.collect([*named, pl.concat_list(flags).list.drop_nulls().list.join("|").alias("genres")])
    return table
