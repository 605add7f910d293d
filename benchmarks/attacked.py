"""What `attack.py` mutates: a file of every kind that is read, and what reads it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recodiff import build, prepare, read_log, read_settings
from recodiff.config import to_toml
from recodiff.data import Random, synthesise
from recodiff.data.interactions import IdMap
from recodiff.data.readers.formats import read_items
from recodiff.data.readers.id_files import read_ids
from recodiff.evaluation.given_lists import read_lists
from recodiff.evaluation.item_facts import load_embeddings
from recodiff.experiments.tuning.spaces import read_space

USERS, ITEMS = 25, 18
GENRES = 19


@dataclass(frozen=True)
class Target:
    """A file, and what reads it.

    Args:
        name: of the file.
        content: of the file, or of what `pack` makes the file of.
        use: reads it.
        pack: makes the file of the mutated content.
    """

    name: str
    content: bytes
    use: Callable[[Path], object]
    pack: Callable[[bytes], bytes] = bytes


def targets() -> list[Target]:
    """Logs, archives of logs, releases, tables of items, files of ids, lists, settings, spaces and embeddings."""
    return [*logs(), *archives(), *items(), *ids(), *lists(), *settings()]


def written(frame: pl.DataFrame) -> dict[str, bytes]:
    """A table in every form, by its ending."""
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    text = frame.write_csv()
    tabs = frame.write_csv(separator="\t")
    return {
        "csv": text.encode(),
        "tsv": tabs.encode(),
        "parquet": parquet.getvalue(),
        "jsonl": frame.write_ndjson().encode(),
        "csv.gz": gzip.compress(text.encode()),
    }


def _log() -> pl.DataFrame:
    frame = synthesise(USERS, ITEMS, 160).select("user", "item", pl.col("time").alias("timestamp"))
    return frame.with_columns(rating=pl.lit(4.0))


def logs() -> list[Target]:
    frame = _log()
    rows = frame.select("user", "item", "rating", "timestamp").rows()
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    listed = [f"{user} " + " ".join(str(item) for other, item, *_ in rows if other == user) for user in range(USERS)]
    named = {f"log.{ending}": content for ending, content in written(frame).items()} | {
        "ratings.dat": "".join(f"{user}::{item}::{rating}::{time}\n" for user, item, rating, time in rows).encode(),
        "log.inter": (head + "".join(f"{user}\t{item}\t{rating}\t{time}\n" for user, item, rating, time in rows)).encode(),
        "sequences.txt": ("\n".join(listed) + "\n").encode(),
        "packed-under-another-name.csv": gzip.compress(frame.write_csv().encode()),
    }
    return [Target(name, content, use) for name, content in named.items() for use in (read_log, _prepared)]


def _prepared(path: Path) -> None:
    """Reads a log and writes the data folder."""
    with tempfile.TemporaryDirectory() as out:
        prepare(read_log(path), Path(out) / "data", split=Random(0.2, 0.2))


def archives() -> list[Target]:
    """Archives whose bytes are mutated, and archives of a mutated log."""
    text = _log().write_csv().encode()
    makers: dict[str, Callable[[bytes], bytes]] = {
        "log.zip": _zip,
        "log.tar.gz": _tar,
        "log.csv.bz2": bz2.compress,
        "log.csv.xz": lzma.compress,
    }
    whole = [Target(name, make(text), read_log) for name, make in makers.items()]
    makers["log.csv.gz"] = gzip.compress
    inner = [Target(name, text, read_log, make) for name, make in makers.items()]
    pairs = np.stack([_log()["user"].to_numpy(), _log()["item"].to_numpy()], 1).astype(np.int64)
    return [*whole, *inner, Target("train_list.npy", _npy(pairs), _released)]


def _zip(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("release/ratings.csv", content)
        archive.writestr("release/README.txt", "about")
    return packed.getvalue()


def _tar(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("release/ratings.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def _released(path: Path) -> None:
    """Reads a release folder whose training part is the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train_list.npy").write_bytes(path.read_bytes())
        for part in ("valid", "test"):
            (folder / f"{part}_list.npy").write_bytes(_npy(np.zeros((1, 2), np.int64)))
        read_log(folder)


def items() -> list[Target]:
    known = pl.Series("item", range(ITEMS))
    frame = pl.DataFrame({"item": known, "title": [f"Film {item} (19{item:02})" for item in known], "genres": ["A|B"] * ITEMS})
    films = "".join(
        f"{item}|Film {item}|01-Jan-1995||http://x|{'|'.join('01'[item % 2] for _ in range(GENRES))}\n" for item in known
    )
    head = "item_id:token\tmovie_title:token_seq\trelease_year:token\n"
    atomic = head + "".join(f"{item}\tFilm {item}\t1995\n" for item in known)
    named = {f"items.{ending}": content for ending, content in written(frame).items()}
    named |= {"u.item": films.encode("latin-1"), "log.item": atomic.encode(), "movies.dat": _dat(frame)}
    return [Target(name, content, lambda path: read_items(path, known)) for name, content in named.items()]


def _dat(frame: pl.DataFrame) -> bytes:
    return "".join(f"{item}::{title}::{genres}\n" for item, title, genres in frame.rows()).encode()


def ids() -> list[Target]:
    known = IdMap(pl.Series("user", [f"u{number}" for number in range(USERS)]))
    frame = pl.DataFrame({"name": ["x"] * USERS, "user": known.ids})
    named = {f"users.{ending}": content for ending, content in written(frame).items()}
    named["users.txt"] = "\n".join(known.ids.to_list()).encode()
    return [Target(name, content, lambda path: read_ids(path, known, "user")) for name, content in named.items()]


def lists() -> list[Target]:
    users, catalogue = IdMap.range(USERS), IdMap.range(ITEMS)
    rows = [(user, (user + rank) % ITEMS, rank, 1 / rank) for user in range(USERS) for rank in range(1, 6)]
    frame = pl.DataFrame(rows, schema=["user", "item", "rank", "score"], orient="row")
    named = {ending: content for ending, content in written(frame).items() if ending != "jsonl"}
    return [
        Target(f"lists.{ending}", content, lambda path: read_lists(path, users, catalogue)) for ending, content in named.items()
    ]


def settings() -> list[Target]:
    """Settings of models and of searches, and embeddings of items."""
    models = ["t-diffrec", "ease", "sasrec", "l-diffrec", "fs-diffrec", "multivae"]
    texts = [to_toml({"model": name, **build(name).config.model_dump(mode="json")}) for name in models]
    space = '"training.lr" = { low = 1e-4, high = 1e-2, log = true }\n"denoiser.hidden" = { choices = [[8], [16, 16]] }\n'
    table = _npy(np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32))
    return [
        *(Target("settings.toml", text.encode(), _built) for text in texts),
        Target("space.toml", space.encode(), read_space),
        Target("item_emb.npy", table, _embedded),
    ]


def _built(path: Path) -> None:
    name, found = read_settings(path)
    build(name, found, where=str(path))


def _embedded(path: Path) -> None:
    """Reads embeddings as they lie in a data folder."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "item_emb.npy").write_bytes(path.read_bytes())
        load_embeddings(Path(name), IdMap.range(ITEMS))
