"""Does a change that should change no number change none? Trains every model at two commits and compares byte for byte.

    python benchmarks/unchanged.py 0c1bfcc                        this working tree against a commit
    python benchmarks/unchanged.py 0c1bfcc main                   one commit against another
    python benchmarks/unchanged.py 0c1bfcc --only diffrec ease    these rows alone; `commands` is the row of the command line

Both sides run on this machine, with this interpreter and one thread. A model takes about 20 steps on a small made-up log with
times, a preset two epochs. Compared are every tensor of the weights, items and scores of the lists, what the training says of
itself, and what the model folder holds; of the commands the files of `prepare`, `train`, `tune` and `compare`: names, and JSON
without times and versions. A row differs if a byte does; what the later commit says beside all that is named as added. Ends with
1 where a row differs or is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import random
import runpy
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
USERS, ITEMS, LENGTH = 60, 40, 14
COMMANDS = "commands"

STEPS = {"epochs": 4, "batch_size": 12, "check_every_epochs": 2}
NOISY = {"kind": "linear_variance", "noise_scale": 0.5, "noise_max": 0.9}
ROWS = {"denoiser": {"hidden": [8]}, "training": STEPS}
CODEC = {"latent": 6, "embeddings": {"kind": "svd", "dimensions": 4}}
LATENT = {"codec": CODEC, "denoiser": {"hidden": [8]}, "training": STEPS}
FACTORS = {"width": 4, "training": STEPS}
SEQUENCE = {"width": 8, "length": 6, "training": STEPS}
AUTOENCODER = {"network": {"hidden": [8], "latent": 4}, "training": STEPS}
SETTINGS: dict[str, dict[str, Any]] = {
    "puresvd": {"factors": 4},
    "gf-cf": {"factors": 4},
    "ials": {"factors": 4},
    "implicit-als": {"factors": 4},
    "implicit-bpr": {"factors": 4, "epochs": 20},
    "mf": FACTORS,
    "irgan": FACTORS | {"warmup_epochs": 2, "samples": 8},
    "lightgcn": FACTORS,
    "cdae": {"hidden": 4, "training": STEPS},
    "diffrec": ROWS,
    "t-diffrec": ROWS,
    "l-diffrec": LATENT,
    "lt-diffrec": LATENT,
    "f-diffrec": ROWS,
    "lf-diffrec": LATENT,
    "fs-diffrec": {"parts": {"rows": {"settings": ROWS}, "sequence": {"settings": SEQUENCE}}},
    "bspm": {"factors": 3},
    "fs-ridge": {"parts": {"sequence": {"settings": SEQUENCE}}},
    "sasrec": SEQUENCE,
    "esasrec": SEQUENCE,
    "gsasrec": SEQUENCE,
    "bert4rec": SEQUENCE,
    "gru4rec": SEQUENCE,
    "acvae": SEQUENCE | {"latent": 4},
    "multidae": AUTOENCODER,
    "multivae": AUTOENCODER,
    "multidae++": AUTOENCODER,
    "giffcf": {"width": 4, "channels": 2, "training": STEPS},
    "codigem": {"hidden": [8], "training": STEPS},
}
"""Of a model that is not here, or whose defaults are small enough, the defaults."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "diffrec, dense": ("diffrec", ROWS | {"diffusion": {"steps": 3, "schedule": NOISY, "space": "dense"}}),
    "diffrec, hidden": ("diffrec", ROWS | {"diffusion": {"steps": 3, "schedule": NOISY, "space": "hidden"}}),
    "diffrec, eps": ("diffrec", ROWS | {"diffusion": {"prediction": "eps", "schedule": NOISY, "step_weights": "none"}}),
    "diffrec, noise": ("diffrec", ROWS | {"sampling": {"noise_steps": 2, "noise": True}}),
    "diffrec, ema": ("diffrec", ROWS | {"training": STEPS | {"ema": 0.5}}),
    "diffrec, bfloat16": ("diffrec", ROWS | {"training": STEPS | {"precision": "bfloat16"}}),
    "f-diffrec, sampled": ("f-diffrec", ROWS | {"diffusion": {"space": "hidden", "sampled_items": 5}}),
    "f-diffrec, squared": ("f-diffrec", ROWS | {"diffusion": {"loss": "squared", "space": "hidden"}}),
    "f-diffrec, reach": ("f-diffrec", ROWS | {"pairs": {"reach": 3}}),
    "l-diffrec, per cluster": ("l-diffrec", LATENT | {"codec": CODEC | {"decoder": "per_cluster"}}),
    "l-diffrec, gaussian": ("l-diffrec", LATENT | {"codec": CODEC | {"clusters": 1, "likelihood": "gaussian"}}),
}
"""What the defaults leave aside."""
CHANGES = {
    "recodiff",
    "versions",
    "commit",
    "date",
    "seal",
    "machine",
    "created",
    "out",
    "seconds",
    "inference_seconds",
    "training s",
    "inference s",
}
"""Keys of JSON that tell when, where or by which build, and so may differ."""


# One side: runs with the sources of one commit, and knows public names alone.


def work(out: Path, only: Sequence[str]) -> None:
    import torch

    import recodiff

    torch.set_num_threads(1)
    log, data = out / "log.csv", out / "data"
    write_log(log)
    dataset = recodiff.prepare(recodiff.read_log(log), data)
    rows: dict[str, tuple[str, dict[str, Any]]] = {name: (name, SETTINGS.get(name, {})) for name in recodiff.MODELS} | VARIANTS
    for preset in recodiff.presets():
        name, settings = recodiff.read_settings(preset)
        rows[f"{preset}.toml"] = name, two_epochs(recodiff.build(name, settings).config.model_dump(mode="json"))
    for row, (name, settings) in rows.items():
        if not only or row in only:
            _row(out, row, lambda name=name, settings=settings: model_of(name, settings, dataset))
    if not only or COMMANDS in only:
        _row(out, COMMANDS, lambda: commands(out / COMMANDS))


def _row(out: Path, row: str, make: Callable[[], dict[str, Any]]) -> None:
    began = time.perf_counter()
    try:
        found = {"found": make()}
    except Exception as error:  # one row that fails is told in the table, beside the others
        found = {"failed": f"{type(error).__name__}: {error}"}
    (out / f"row-{row}.json").write_text(json.dumps(found | {"took": time.perf_counter() - began}), encoding="utf-8")


def two_epochs(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a preset, its parts' among them, with short trainings."""
    short = {key: two_epochs(value) if isinstance(value, dict) else value for key, value in settings.items()}
    return short | ({"epochs": 2} if {"epochs", "batch_size"} <= short.keys() else {})


def model_of(name: str, settings: dict[str, Any], data: Any) -> dict[str, Any]:
    """What a trained model is, by name; bytes as hashes."""
    import numpy as np

    import recodiff

    truth = data.valid.matrix.toarray() > 0

    def validate(model: Any) -> dict[str, float]:
        lists = recodiff.recommend(model, data.train, 10).items
        hits = np.take_along_axis(truth, lists.clip(0), 1) & (lists >= 0)
        return {"recall@20": float(hits.sum() / truth.sum()), "ndcg@20": float(hits[:, :5].sum() / truth.sum())}

    model = recodiff.build(name, settings)
    model.fit(data.train, recodiff.Run(seed=3, device="cpu", progress=False), validate=validate)
    found: dict[str, Any] = {f"weights: {key}": hashed(tensor.numpy()) for key, tensor in model.state().items()}
    found |= lists_of("lists", model, data.train)
    found |= lists_of("of unseen users", model, recodiff.history_of(model, data.items.ids[:5].to_list()))
    found["config"] = model.config.model_dump(mode="json")
    found["summary"] = steady(model.summary)
    with tempfile.TemporaryDirectory() as folder:
        recodiff.save_model(model, Path(folder) / "m", item_table=data.item_table)
        found["folder"] = files_of(Path(folder) / "m")
        found |= lists_of("loaded", recodiff.load_model(Path(folder) / "m"), data.train)
    try:
        found["similar"] = recodiff.similar_items(model, data.items.ids[:3].to_list(), 5).to_dict(as_series=False)
    except recodiff.ModelError as error:  # which models have item vectors is theirs to say
        found["similar"] = str(error)
    return found


def lists_of(what: str, model: Any, history: Any) -> dict[str, str]:
    import recodiff

    lists = recodiff.recommend(model, history, 10)
    return {f"{what}: items": hashed(lists.items), f"{what}: scores": hashed(lists.scores)}


def hashed(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


def commands(folder: Path) -> dict[str, Any]:
    """The files that the commands leave, and what names results and studies."""
    folder.mkdir()
    write_log(folder / "log.csv")
    data, train = ("--data", folder / "data"), ("--set", "training.epochs=2", "--set", "denoiser.hidden=[8]")
    for arguments in (
        ("prepare", folder / "log.csv", folder / "data"),
        ("train", "f-diffrec", *data, "--out", folder / "run", "--threads", 1, "--refit", *train),
        ("tune", "ease", *data, "--out", folder / "tune", "--trials", 4, "--threads", 1, "--refit"),
        ("compare", "popularity", "ease", folder / "own.toml", *data, "--out", folder / "compare", "--seeds", 2, "--threads", 1),
    ):
        (folder / "own.toml").write_text('model = "t-diffrec"\n[training]\nepochs = 2\n[denoiser]\nhidden = [8]\n')
        called([str(argument) for argument in arguments])
    evaluated = called(["evaluate", str(folder / "run"), *map(str, data), "--json", "--threads", "1"])
    return {"evaluate": evaluated} | {f"file: {name}": content for name, content in files_of(folder).items()}


def called(arguments: list[str]) -> str:
    """What a command prints, called in this process as `python -m recodiff` calls it."""
    out, err, sys.argv = io.StringIO(), io.StringIO(), ["recodiff", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_module("recodiff", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"{' '.join(arguments[:2])} ended with {stop.code}: {err.getvalue().strip()[-300:]}") from None
    return out.getvalue()


def files_of(folder: Path) -> dict[str, Any]:
    """JSON less what tells the time, hashes of tensors and tables, of pages and logs the names alone."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            found[name] = steady(json.loads(path.read_text("utf-8").replace(str(folder), "")))
        elif path.suffix in (".safetensors", ".parquet", ".toml"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        elif path.is_file():
            found[name] = "there"
    return found


def steady(value: Any) -> Any:
    """JSON without what CHANGES from run to run."""
    if isinstance(value, dict):
        return {str(key): steady(inner) for key, inner in value.items() if key not in CHANGES}
    return [steady(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def write_log(path: Path) -> None:
    """Users with a taste that drifts: what is liked comes in runs, so order says something."""
    rng = random.Random(5)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["user", "item", "timestamp"])
        for user in range(USERS):
            start, met = rng.randrange(ITEMS), set[int]()
            while len(met) < LENGTH:
                near = (start + 2 * len(met) + rng.randrange(6)) % ITEMS
                item = rng.randrange(ITEMS) if rng.random() < 0.3 or near in met else near
                if item not in met:
                    table.writerow([f"u{user:02}", f"i{item:02}", 1_700_000_000 + 3600 * len(met) + user])
                    met.add(item)


# Both sides.


def sources_at(commit: str, folder: Path) -> Path:
    """The folder, with `src` as it was at a commit."""
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "src"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def side(commit: str | None, folder: Path, only: Sequence[str]) -> dict[str, Any]:
    """What comes out with the sources of a commit, by row; None is the working tree as it stands."""
    source, out = ROOT if commit is None else sources_at(commit, folder / "tree"), folder / "out"
    out.mkdir(parents=True)
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(source / "src"), "PYTHONHASHSEED": "0"}
    here = [sys.executable, str(Path(__file__).resolve()), "--work", str(out), *(["--only", *only] if only else [])]
    subprocess.run(here, check=True, env=environment, cwd=folder)
    rows = {path.stem.removeprefix("row-"): json.loads(path.read_text("utf-8")) for path in sorted(out.glob("row-*.json"))}
    print(f"{commit or 'working tree'}: {len(rows)} rows in {sum(row['took'] for row in rows.values()):.0f} s", file=sys.stderr)
    return rows


def compared(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[str, bool]:
    """What to say of a row, and whether it is as it should be."""
    if before is None:
        return "new", True
    if after is None:
        return "MISSING", False
    if "failed" in before or "failed" in after:
        told = [f"{name} failed: {row['failed']}" for name, row in (("before", before), ("after", after)) if "failed" in row]
        alike = before.get("failed") == after.get("failed")
        lacking = alike and "MissingExtraError" in told[0]
        return (f"not installed: {before['failed']}" if lacking else "; ".join(told)), lacking
    ours, theirs = flat(before["found"]), flat(after["found"])
    differing = [key for key in ours if key not in theirs or ours[key] != theirs[key]]
    added = sorted(theirs.keys() - ours.keys())
    if not differing:
        said = f"; added: {', '.join(added[:4])}{' and more' * (len(added) > 4)}" if added else ""
        return f"identical ({len(ours)} values){said}", True
    shown = "; ".join(f"{key}: {ours.get(key, 'none')} -> {theirs.get(key, 'none')}" for key in sorted(differing)[:4])
    return f"DIFFERS in {len(differing)} of {len(ours)}: {shown}", False


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Leaves of nested JSON by their dotted name."""
    inner = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
    if not inner:
        return {name: value}
    return {leaf: found for key, one in inner.items() for leaf, found in flat(one, f"{name}.{key}" if name else str(key)).items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", nargs="?", help="a commit")
    parser.add_argument("after", nargs="?", help="another; the working tree unless given")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="rows to compare, all unless given")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        work(given.work, given.only)
        return 0
    if given.before is None:
        parser.error("name a commit to compare with, for example 0c1bfcc")
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            side(commit, Path(folder) / at, given.only) for at, commit in zip("ab", (given.before, given.after), strict=True)
        )
    rows = list(dict.fromkeys((*before, *after)))
    if unknown := [name for name in given.only if name not in rows]:
        parser.error(f"unknown rows: {', '.join(unknown)}")
    told = {row: compared(before.get(row), after.get(row)) for row in rows}
    for row, (text, _) in told.items():
        print(f"{row:34} {text}")
    wrong = [row for row, (_, fine) in told.items() if not fine]
    print(f"{len(rows) - len(wrong)} of {len(rows)} rows as they should be" + (f"; not: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    raise SystemExit(main())
