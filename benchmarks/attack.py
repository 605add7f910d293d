"""Mutated logs and damaged folders by the thousand: each is read, or refused in one sentence.

    python benchmarks/attack.py --inputs 5000 --folders 1000 --seed 1

Every try has a time limit and a limit of memory. What ends otherwise (a traceback, a hang, a message of several lines) is printed
with the seed that makes it again, and the exit code is 1. Nothing outside a temporary folder is written.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

import recodiff
from recodiff import Run, build, load_dataset, load_model, prepare, read_log, recommend
from recodiff.data import synthesise
from recodiff.errors import RecodiffError
from recodiff.experiments.runs.train import train_run

SECONDS, MEMORY = 20, 6 * 2**30
"""Longer and larger than any of these inputs, a few kilobytes each, has a right to."""
HEAVY = (
    b"99999999999999999999",
    b"-1",
    b"1e308",
    b"NaN",
    b"NA",
    b"\x00",
    b'"',
    b"\xff\xfe",
    b",,,,",
    b"::",
    b"\t",
    b"\r",
    b"\n\n",
    b"[" * 50,
)
RUN = Run(device="cpu", progress=False, threads=1)


def write_logs(here: Path) -> list[Path]:
    """A small log in every form that is read."""
    frame = synthesise(25, 18, 160).select("user", "item", pl.col("time").alias("timestamp")).with_columns(rating=pl.lit(4.0))
    rows = frame.select("user", "item", "rating", "timestamp").rows()
    frame.write_csv(here / "log.csv")
    frame.write_csv(here / "log.tsv", separator="\t")
    frame.write_parquet(here / "log.parquet")
    frame.write_ndjson(here / "log.jsonl")
    (here / "ratings.dat").write_text("".join(f"{u}::{i}::{r}::{t}\n" for u, i, r, t in rows))
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    (here / "log.inter").write_text(head + "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in rows))
    (here / "log.csv.gz").write_bytes(gzip.compress((here / "log.csv").read_bytes()))
    lines = [f"{u} " + " ".join(str(i) for other, i, *_ in rows if other == u) for u in range(25)]
    (here / "sequences.txt").write_text("\n".join(lines) + "\n")
    return sorted(here.iterdir())


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Content with one to four things done to it that happen to files."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(7):
            case 0 if changed:
                changed[at % len(changed)] = rng.randrange(256)
            case 1:
                changed[at:at] = rng.choice(HEAVY)
            case 2:
                del changed[at : at + rng.randint(1, 30)]
            case 3:
                del changed[at:]
            case 4:
                changed[at:at] = changed[: rng.randint(0, 200)]
            case 5:
                lines = bytes(changed).split(b"\n")
                rng.shuffle(lines)
                changed = bytearray(b"\n".join(lines))
            case _:
                changed[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(changed)


class TooLong(BaseException):
    """A try took more than SECONDS."""


@contextmanager
def bounded() -> Iterator[None]:
    def end(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def outcome(attempt: Callable[[], object]) -> str:
    """`read`, `refused`, or what went wrong."""
    try:
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            attempt()
        return "read"
    except RecodiffError as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error!r}"
    except TooLong:
        return "hangs"
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {str(error)[:200]!r}"


def try_inputs(number: int, seed: int, here: Path) -> Counter[str]:
    logs = [(path.name, path.read_bytes()) for path in write_logs(here)]
    found: Counter[str] = Counter()
    for index in range(number):
        rng = random.Random(f"{seed}-{index}")
        name, content = logs[index % len(logs)]
        path = here / f"try-{name}"
        path.write_bytes(mutated(content, rng))

        def attempt(path: Path = path) -> None:
            read_log(path)

        report(f"input {seed}-{index} {name}", outcome(attempt), found)
    return found


def write_folders(here: Path) -> dict[str, Callable[[Path], object]]:
    """Folders of every kind, and what a command does with each."""
    data = prepare(synthesise(30, 20, 240), here / "data")
    small = {"denoiser": {"hidden": [8]}, "training": {"epochs": 2, "check_every_epochs": 1}}

    def resumed(folder: Path) -> None:
        train_run("diffrec", small, data, Run(device="cpu", progress=False, threads=1, out=folder, resume=True))

    train_run("diffrec", small, data, Run(device="cpu", progress=False, threads=1, out=here / "model"))
    shutil.copytree(here / "model", here / "unfinished")
    build("diffrec", small).fit(data.train, Run(device="cpu", progress=False, threads=1, out=here / "unfinished"))
    (here / "unfinished" / "config.json").unlink()
    (here / "release").mkdir()
    for part, name in (("train", "train_list.npy"), ("valid", "valid_list.npy"), ("test", "test_list.npy")):
        rows = data.part(part)
        np.save(here / "release" / name, np.stack([rows.rows(), rows.matrix.indices], 1).astype(np.int64))

    def ranked(folder: Path) -> None:
        recommend(load_model(folder), data.train, 5)

    return {"data": load_dataset, "release": load_dataset, "model": ranked, "unfinished": resumed}


def try_folders(number: int, seed: int, here: Path) -> Counter[str]:
    kinds = list(write_folders(here).items())
    found: Counter[str] = Counter()
    for index in range(number):
        rng = random.Random(f"{seed}-folder-{index}")
        kind, use = kinds[index % len(kinds)]
        folder = here / "try"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(here / kind, folder)
        path = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
        if path.suffix == ".json" and rng.random() < 0.5:
            path.write_text(json.dumps(_twisted(json.loads(path.read_text("utf-8")), rng)))
        else:
            path.write_bytes(mutated(path.read_bytes(), rng))
        report(f"folder {seed}-{index} {kind}/{path.name}", outcome(lambda use=use, folder=folder: use(folder)), found)
    return found


def _twisted(value: object, rng: random.Random) -> object:
    """JSON with one value somewhere in it exchanged for something else."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        return value | {key: _twisted(value[key], rng)}
    return rng.choice([None, -1, 2**70, "", "x" * 1000, [], {}, True, 1e308, value])


def report(what: str, how: str, found: Counter[str]) -> None:
    found[how.partition(":")[0]] += 1
    if how not in ("read", "refused"):
        print(f"{what}: {how}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--folders", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found: dict[str, Counter[str]] = {}
    for name, tries, number in (("inputs", try_inputs, options.inputs), ("folders", try_folders, options.folders)):
        with tempfile.TemporaryDirectory() as here:
            found[name] = tries(number, options.seed, Path(here))
        print(f"{name}: {dict(found[name])} (recodiff {recodiff.__version__}, seed {options.seed})")
    sys.exit(any(set(counts) - {"read", "refused"} for counts in found.values()))


if __name__ == "__main__":
    main()
