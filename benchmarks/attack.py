"""Mutated logs and damaged folders by the thousand: each is read, or refused in one sentence.

    python benchmarks/attack.py --inputs 5000 --folders 1000 --seed 1

Every try has a time limit and a limit of memory. What ends otherwise (a traceback, a hang, a message of several lines) is printed
with the seed that makes it again, and the exit code is 1. Nothing outside a temporary folder is written.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import recodiff
from attacked import targets
from recodiff import Run, build, load_dataset, load_model, prepare, recommend
from recodiff.data import synthesise
from recodiff.data.saving import MANIFEST
from recodiff.errors import RecodiffError
from recodiff.experiments.runs.train import train_run
from recodiff.models.saving import CONFIG, seal
from recodiff.runtime import files

SECONDS, MEMORY = 60, 6 * 2**30
"""Longer and larger than any of these inputs, a few kilobytes each, has a right to."""
TOLD = 100
"""Tries after which the counts so far are told."""
KEPT = ("ratings.dat", "u.item", "movies.dat")
"""Files that are known by their whole name."""
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


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Content with one to four things done to it that happen to files; half the time with a digit or two exchanged, no more."""
    changed = bytearray(content)
    digits = [place for place, letter in enumerate(content) if letter in b"0123456789"]
    if digits and rng.random() < 0.5:
        for place in rng.sample(digits, min(len(digits), rng.randint(1, 2))):
            changed[place : place + 1] = rng.choice((b"%d" % rng.randrange(10), b"", b"-", b".", b"00000000000000000000", b"e9"))
        return bytes(changed)
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


Attempt = tuple[str, Callable[[], object]]


def inputs(first: int, number: int, seed: int, here: Path) -> Iterator[Attempt]:
    """Mutated files, and what reads each."""
    every = targets()
    for index in range(first, first + number):
        rng = random.Random(f"{seed}-{index}")
        target = every[index % len(every)]
        path = here / f"try-{target.name}" if target.name not in KEPT else here / target.name
        path.write_bytes(target.pack(mutated(target.content, rng)))
        yield f"input {seed}-{index} {target.name}", lambda use=target.use, path=path: use(path)
        path.unlink()


def write_folders(here: Path) -> dict[str, Callable[[Path], object]]:
    """Folders of every kind, and what a command does with each."""
    data = prepare(synthesise(30, 60, 240), here / "data")
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


def folders(first: int, number: int, seed: int, here: Path) -> Iterator[Attempt]:
    """Damaged and made-up folders, and what opens each."""
    kinds = list(write_folders(here).items())
    for index in range(first, first + number):
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
        if rng.random() < 0.5 and path.suffix != ".parquet":
            reseal(folder)
        yield f"folder {seed}-{index} {kind}/{path.name}", lambda use=use, folder=folder: use(folder)


def reseal(folder: Path) -> None:
    """Makes hashes and seal fit what stands in a folder, as whoever makes one up would."""
    for name in (CONFIG, MANIFEST):
        path = folder / name
        try:
            described = json.loads(path.read_text("utf-8"))
            hashes = {file: files.sha256(folder / file) for file in described["hashes"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue
        described["hashes"] = hashes
        path.write_text(json.dumps(described | ({"seal": seal(described)} if name == CONFIG else {})))


def _twisted(value: object, rng: random.Random) -> object:
    """JSON with one value somewhere in it exchanged for something else."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        return value | {key: _twisted(value[key], rng)}
    return rng.choice([None, -1, 2**70, "", "x" * 1000, [], {}, True, 1e308, value])


KINDS = {"inputs": inputs, "folders": folders}


def work(kind: str, first: int, number: int, seed: int) -> None:
    """Make tries in this process, and print a line before and after each, as JSON: number, what it is, and how it ended."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as here:
        for index, (what, attempt) in enumerate(KINDS[kind](first, number, seed, Path(here)), first):
            print(json.dumps([index, what, None]), flush=True)
            print(json.dumps([index, what, outcome(attempt)]), flush=True)


def attack(kind: str, first: int, number: int, seed: int) -> Counter[str]:
    """Make tries in a process of their own, and in another one from the next on where a try ends it."""
    found: Counter[str] = Counter()
    at = first
    while at < first + number:
        words = [sys.executable, __file__, "--work", kind, "--first", at, "--number", first + number - at, "--seed", seed]
        worker = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        what = f"{kind} {seed}-{at}"
        for line in worker.stdout or ():
            index, what, how = json.loads(line)
            if how is not None:
                at = index + 1
                report(what, how, found)
                if found.total() % TOLD == 0:
                    print(f"{kind} up to {index}: {dict(found)}", flush=True)
        if worker.wait() or at < first + number:
            report(what, f"ends the process: {worker.returncode}", found)
            at += 1
    return found


def report(what: str, how: str, found: Counter[str]) -> None:
    """Count how a try ended, and print what should not have been."""
    found[how.partition(":")[0]] += 1
    if how not in ("read", "refused"):
        print(f"{what}: {how}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--folders", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first try, to make them in pieces")
    parser.add_argument("--work", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.first, options.number, options.seed)
        return
    found = {kind: attack(kind, options.first, getattr(options, kind), options.seed) for kind in KINDS}
    for kind, counts in found.items():
        print(f"{kind}: {dict(counts)} (recodiff {recodiff.__version__}, seed {options.seed}, from {options.first})")
    sys.exit(any(set(counts) - {"read", "refused"} for counts in found.values()))


if __name__ == "__main__":
    main()
