"""Are whole trainings the same at two commits? One per model family, on small real data, figures compared digit by digit.

    python benchmarks/rerun.py 0c1bfcc                        this working tree against a commit
    python benchmarks/rerun.py 0c1bfcc main                   one commit against another
    python benchmarks/rerun.py 0c1bfcc --only diffrec ease    these models alone
    python benchmarks/rerun.py 0c1bfcc --out benchmarks/rerun.md

`unchanged.py` compares 20 steps on a made-up log byte for byte; this trains to the end, with validation and early stopping, on
MovieLens latest-small (ratings from 4 on, 5-core, split by time within each user; MovieLens 100K where it is not at hand). Both
sides run here, in one call, on one thread; the data folder is prepared by the first and loaded by the second. A row differs if a
digit of a figure, the number of epochs or the best epoch does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unchanged import ONE_THREAD, ROOT, sources_at

SHARED = ROOT.parent / "shared" / "data"
SEED = 1
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
DATA = "ml-latest-small"
LEARN = {"epochs": 20, "batch_size": 100, "check_every_epochs": 5, "patience_epochs": 10}
ROWS = {"denoiser": {"hidden": [100]}, "training": LEARN}
LATENT = ROWS | {"codec": {"latent": 50, "embeddings": {"kind": "svd", "dimensions": 16}}}
FACTORS = {"width": 32, "training": LEARN}
SEQUENCE = {"width": 16, "length": 12, "training": LEARN | {"epochs": 4, "check_every_epochs": 2}}
AUTOENCODER = {"network": {"hidden": [100], "latent": 32}, "training": LEARN}
MODELS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "itemknn": {},
    "rp3beta": {},
    "puresvd": {"factors": 64},
    "gf-cf": {"factors": 64},
    "ials": {"factors": 32},
    "ease": {},
    "mf": FACTORS,
    "irgan": FACTORS | {"warmup_epochs": 3, "samples": 16},
    "lightgcn": FACTORS,
    "cdae": {"hidden": 50, "training": LEARN},
    "diffrec": ROWS,
    "t-diffrec": ROWS,
    "l-diffrec": LATENT,
    "lt-diffrec": LATENT,
    "f-diffrec": ROWS,
    "f-ridge": {},
    "fs-diffrec": {"parts": {"rows": {"settings": ROWS}, "sequence": {"settings": SEQUENCE}}},
    "sasrec": SEQUENCE,
    "gru4rec": SEQUENCE,
    "acvae": SEQUENCE | {"latent": 16},
    "multidae": AUTOENCODER,
    "multivae": AUTOENCODER,
    "giffcf": {"width": 16, "channels": 2, "training": LEARN | {"epochs": 10}},
    "codigem": {"hidden": [100], "training": LEARN | {"epochs": 10}},
}
"""Model -> settings that have it train in seconds; the rest are its defaults."""


# One side: runs with the sources of one commit, and uses names that are public at both.


def work(out: Path, source: Path, only: Sequence[str]) -> None:
    import torch

    import recodiff
    from recodiff.data import Temporal

    torch.set_num_threads(1)
    if (source / "dataset.json").exists():
        data = recodiff.load_dataset(source)
    else:
        split, folder = Temporal(valid=0.1, test=0.2), out / "data"
        data = recodiff.prepare(recodiff.read_log(source), folder, min_weight=4, user_core=5, item_core=5, split=split)
    history, test = data.history("train"), data.part("test")
    mask = data.history("train+valid")
    for name in only or MODELS:
        began = time.perf_counter()
        model = recodiff.build(name, MODELS[name])
        model.fit(data.train, recodiff.Run(seed=SEED, device="cpu", progress=False), validate=recodiff.Validation(data))
        found = recodiff.evaluate(model, history, test, METRICS, mask=mask)
        figures: dict[str, Any] = {metric: found.mean(metric) for metric in METRICS}
        figures |= {f"epochs{name}": epochs for name, epochs in epochs_of(model.summary)}
        row = {"figures": figures, "seconds": time.perf_counter() - began}
        (out / f"row-{name}.json").write_text(json.dumps(row), encoding="utf-8")
        print(f"  {name}: {row['seconds']:.0f} s", file=sys.stderr)
    shape = {"users": data.train.n_users, "items": data.train.n_items, "interactions": data.info["interactions"]}
    (out / "data.json").write_text(json.dumps(shape | {"fingerprint": data.fingerprint()}), encoding="utf-8")


def epochs_of(summary: dict[str, Any], name: str = "") -> list[tuple[str, str]]:
    """How long each network of a model was trained, and which epoch it has: `30, the best 20`."""
    own = [(name, f"{summary['epochs']}, the best {summary['best_epoch']}")] if "epochs" in summary else []
    inner = [(key, value) for key, value in summary.items() if isinstance(value, dict)]
    return own + [one for key, value in inner for one in epochs_of(value, f"{name} {key}")]


# Both sides.


def side(commit: str | None, folder: Path, source: Path, only: Sequence[str]) -> dict[str, Any]:
    """Rows and the data's shape with the sources of a commit; None is the working tree as it stands."""
    tree, out = ROOT if commit is None else sources_at(commit, folder / "tree"), folder / "out"
    out.mkdir(parents=True)
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(tree / "src"), "PYTHONHASHSEED": "0"}
    here = [sys.executable, str(Path(__file__).resolve()), "--work", str(out), "--data", str(source)]
    print(commit or "working tree", file=sys.stderr)
    subprocess.run([*here, *(["--only", *only] if only else [])], check=True, env=environment, cwd=folder)
    rows = {name: json.loads((out / f"row-{name}.json").read_text("utf-8")) for name in only or MODELS}
    return {"rows": rows, "data": json.loads((out / "data.json").read_text("utf-8"))}


def page(before: dict[str, Any], after: dict[str, Any], commits: tuple[str, str], source: Path) -> tuple[str, int]:
    """The table in Markdown, and how many rows differ."""
    from machine import machine  # of the working tree: the sides have sources of their own

    here = machine()
    shape, lines, wrong = after["data"], [], 0
    for name, row in before["rows"].items():
        ours, theirs = row["figures"], after["rows"][name]["figures"]
        differing = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
        wrong += bool(differing)
        epochs = "; ".join(
            f"{key.removeprefix('epochs').strip()} {value}".strip() for key, value in theirs.items() if "epochs" in key
        )
        verdict = f"DIFFERS: {', '.join(sorted(differing))}" if differing else "identical"
        seconds = f"{row['seconds']:.0f} / {after['rows'][name]['seconds']:.0f}"
        lines.append(
            f"| {name} | {theirs['recall@20']:.10f} | {theirs['ndcg@20']:.10f} | {epochs or '–'} | {seconds} | {verdict} |"
        )
    alike = before["data"] == after["data"]
    text = f"""# Whole trainings at two commits

`python benchmarks/rerun.py {" ".join(commits)}`: before {commits[0]}, after {commits[1]}, in one call on one thread.
{here["processor"]}, torch {here["torch"]}, Python {here["python"]}, {here["date"]}.
Data: {source.name}, {shape["users"]} users, {shape["items"]} items, {shape["interactions"]} interactions, fingerprints
{"alike" if alike else "DIFFERENT"}. Compared are recall and NDCG at 10 and 20 on the test part, all digits, and the epochs.

| model | R@20 | N@20 | epochs | seconds before / after | figures |
|---|---|---|---|---|---|
{chr(10).join(lines)}

{len(lines) - wrong} of {len(lines)} rows identical.
"""
    return text, wrong + (not alike)


def name_of(commit: str | None) -> str:
    """The short hash of a commit, with a + for a working tree that differs from it."""
    git = ["git", "-C", str(ROOT)]
    short = subprocess.run([*git, "rev-parse", "--short", commit or "HEAD"], capture_output=True, text=True, check=True)
    changed = commit is None and subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "src"], check=False).returncode
    return short.stdout.strip() + ("+" if changed else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", nargs="?", help="a commit")
    parser.add_argument("after", nargs="?", help="another; the working tree unless given")
    parser.add_argument("--only", nargs="+", default=(), choices=list(MODELS), metavar="MODEL", help="models, all unless given")
    parser.add_argument("--out", type=Path, help="a Markdown file for the table, printed in any case")
    parser.add_argument("--data", type=Path, help="a log of ratings; MovieLens latest-small unless given")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        work(given.work, given.data, given.only)
        return 0
    if given.before is None:
        parser.error("name a commit to compare with, for example 0c1bfcc")
    source = given.data or SHARED / DATA
    if not source.exists():
        import recodiff

        source = recodiff.fetch("ml-100k")
    commits = name_of(given.before), name_of(given.after)  # a branch may move while this runs
    given.before, given.after = commits[0], given.after and commits[1]
    with tempfile.TemporaryDirectory() as folder:
        before = side(given.before, Path(folder) / "before", source.resolve(), given.only)
        prepared = Path(folder) / "before" / "out" / "data"
        after = side(given.after, Path(folder) / "after", prepared, given.only)
    text, wrong = page(before, after, commits, source)
    print(text)
    if given.out is not None:
        given.out.write_text(text, "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
