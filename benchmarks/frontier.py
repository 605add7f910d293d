"""Leave-one-out on the Amazon review sets, where the field keeps its records; and members of the family on ml-1m_clean.

    python benchmarks/frontier.py beauty --seeds 1 2 3          FS-ridge and each of its parts, one training a seed
    python benchmarks/frontier.py beauty --models gsasrec --seeds 1
    python benchmarks/frontier.py ml-1m_clean --models bspm-ml-1m_clean gf-cf-ml-1m_clean --seeds 0
    python benchmarks/frontier.py page                         frontier.md alone

Models learn from train. Epochs are chosen on the validation part. Test is read once a training. Keeps `frontier.json`: a row that
is there is not measured again, and a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

import recodiff
from machine import SHARED, machine
from recodiff.data.dataset import Dataset
from recodiff.reports.cells import short
from recodiff.reports.markdown import markdown_table
from saved_rows import SavedRows

HERE = Path(__file__).resolve().parent
KEPT, PAGE = HERE / "frontier.json", HERE / "frontier.md"
METRICS = {"beauty": ("recall@10", "ndcg@10"), "toys": ("recall@10", "ndcg@10"), "ml-1m_clean": ("recall@20", "ndcg@20")}
"""By the set; the last is ranked by the official protocol, the others leave one item out."""
SUM = "fs-ridge"
PARTS = {"rows": "F-ridge", "sequence": "eSASRec", "items": "EASE, half-life 5 on the history"}
TITLES = {
    "fs-ridge": "FS-ridge (ours)",
    "gsasrec": "gSASRec",
    "bert4rec": "BERT4Rec",
    "sasrec": "SASRec",
    "ease": "EASE",
    "bspm-ml-1m_clean": "BSPM",
    "gf-cf-ml-1m_clean": "GF-CF",
}
PUBLISHED = {
    "beauty": {"SASRec, sampled softmax": (0.0921, 0.0531), "eSASRec": (0.0928, 0.0523), "HSTU": (0.0788, 0.0439)},
    "toys": {"SASRec, sampled softmax": (0.0970, 0.0580), "eSASRec": (0.0939, 0.0538), "HSTU": (0.0778, 0.0450)},
    "ml-1m_clean": {},
}
"""R@10 and N@10 of arXiv 2508.06450, its own runs."""
INTRODUCTION = """By the protocol [leave-one-out](../docs/explanation/protocols.md) the last item of each user is to be found \
among all others, from all before it; by the official one test is ranked from train. Models learn from train alone and have their \
default settings or a preset's. Epochs are chosen on the validation part (N@10). The shares of FS-ridge, .05 of either closed \
form, were chosen on Beauty's validation part with seed 0, before any test figure of the sum was seen. The closed forms are \
fitted once (seed 0). `benchmarks/frontier.py` measures and writes this page from `frontier.json`. Mean over seeds (standard \
error over seeds)."""

SAID = """What the figures say:

* **The sum is worth more than any of its components.** F-ridge, eSASRec and EASE find other items; .05 of either closed form \
beside the encoder raises test R@10 / N@10 of it by .0119 / .0066 (seed 1). It stays below the published figures, by .0031 / .0006.
* **eSASRec stays below its published figure by .015 / .006.** Its training was stopped after 12 epochs, 3 after the best. The \
authors draw items for each place, ours are shared by a user's places; their configuration file has a width of 256, their \
table and ours 64. Which of these it is was not measured.
* **Everything falls by a fifth from validation to test**: the item to be found lies a step further behind what was learned.
* **Items to compare with are drawn for each user.** Drawn once for a whole batch, validation N@10 is .0244, .0442 and .0509 \
after 3, 6 and 9 epochs. Drawn for each user it is .0402, .0568 and .0584.
* **Not measured yet:** five seeds, Toys, gSASRec, BERT4Rec, SASRec's full softmax in the sum, and FS-DiffRec by the same search."""


def measured(data: Dataset, name: str, seed: int, runs: Path) -> Iterator[dict[str, Any]]:
    """Trains a model, and measures it; of FS-ridge the encoder, its closed forms once for all seeds, and their sum."""
    if name != SUM:
        model = trained(data, name, seed, runs)
        yield row(data, TITLES[name], seed, model, model.summary)
        return
    parts = {
        "rows": trained(data, "f-ridge", 0, runs),
        "sequence": trained(data, "esasrec", seed, runs),
        "items": trained(data, "ease", 0, runs),
    }
    yield from summed(data, parts, seed)


def trained(data: Dataset, source: str, seed: int, runs: Path) -> Any:
    """A model or preset by the commands' own way; goes on where it was stopped."""
    out = runs / data.name / f"{source}-{seed}"
    return recodiff.train(source, data, out=out, seed=seed, device="cpu", threads=1, resume=True, progress=False)


def summed(data: Dataset, parts: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Each fitted part alone unless it was measured, then FS-ridge of them and the default shares."""
    model: Any = recodiff.build(SUM)
    for part, fitted in parts.items():
        model.parts[part].restore(fitted.state(), fitted.items, "cpu")
    model._items = data.items
    model.scales, shares = model._spread(data.train), model.shares.clone()
    said = {"shares": dict(zip(model.parts, shares.tolist(), strict=True))}
    for place, part in enumerate(model.parts):
        alone = seed if part == "sequence" else 0
        if not SavedRows(KEPT).has({"data": data.name, "model": PARTS[part], "seed": alone}):
            model.shares = torch.zeros_like(shares)
            model.shares[place] = 1.0
            yield row(data, PARTS[part], alone, model, parts[part].summary)
    model.shares = shares
    yield row(data, TITLES[SUM], seed, model, said)


def row(data: Dataset, title: str, seed: int, model: Any, summary: dict[str, Any]) -> dict[str, Any]:
    """What is kept of one model."""
    staged, metrics = recodiff.stages(data, protocol=protocol_of(data.name)), METRICS[data.name]
    found = recodiff.measure(model, {"valid": staged.valid, "test": staged.test}, metrics)
    return {
        "data": data.name,
        "model": title,
        "seed": seed,
        **{metric: found["test"].mean(metric) for metric in metrics},
        **{f"valid {metric}": found["valid"].mean(metric) for metric in metrics},
        **{key: summary[key] for key in ("best_epoch", "seconds", "shares") if key in summary},
        "machine": {key: value for key, value in machine().items() if key in ("processor", "torch", "commit", "date")},
    }


def protocol_of(data: str) -> Literal["official", "leave-one-out"]:
    """How a set is cut and ranked."""
    return "official" if data == "ml-1m_clean" else "leave-one-out"


def write_page() -> None:
    """frontier.md, of what is kept."""
    rows = SavedRows(KEPT).rows()
    lines = ["# Leave-one-out on sparse sequences", "", INTRODUCTION, ""]
    for data, metrics in METRICS.items():
        mine = [row for row in rows if row["data"] == data]
        if not mine:
            continue
        titles = dict.fromkeys(row["model"] for row in mine)
        cells = [line(metrics, title, [row for row in mine if row["model"] == title]) for title in titles]
        for name, figures in PUBLISHED[data].items():
            cells.append([f"{name}, as published", *(f"{figure:.4f}" for figure in figures), "", "", ""])
        heads = ["model", *(f"{part} {short(metric)}" for part in ("test", "valid") for metric in metrics), "seeds"]
        lines += [f"## {data}, {protocol_of(data)}", "", markdown_table(heads, cells), ""]
        shares = [row["shares"] for row in mine if row["model"] == TITLES[SUM]]
        if shares:
            said = ", ".join(f"{PARTS[part]} {share:g}" for part, share in shares[0].items())
            lines += [f"Shares of FS-ridge: {said}.", ""]
    runs = [row["machine"] for row in rows]
    said = ", ".join(dict.fromkeys(f"commit {run['commit']}, {run['processor']}" for run in runs))
    dates = sorted({run["date"][:10] for run in runs})
    lines += [f"{said}, one thread, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}."]
    PAGE.write_text("\n".join([*lines, "", SAID, ""]), encoding="utf-8")


def line(metrics: Sequence[str], title: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """A model's row of the table."""
    return [title, *(cell([row[key] for row in rows]) for key in (*metrics, *(f"valid {one}" for one in metrics))), str(len(rows))]


def cell(values: Sequence[float]) -> str:
    """The mean, and of several seeds its standard error."""
    mean = f"{statistics.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ({statistics.stdev(values) / len(values) ** 0.5:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*METRICS, "page"))
    parser.add_argument("--models", nargs="+", choices=TITLES, default=[SUM])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "frontier")
    asked = parser.parse_args()
    if asked.what != "page":
        folder, kept = asked.shared / asked.what, SavedRows(KEPT)
        official = protocol_of(asked.what) == "official"
        data = recodiff.load_dataset(folder) if official else recodiff.prepare(folder, protocol="leave-one-out", name=asked.what)
        for name in asked.models:
            for seed in asked.seeds:
                if kept.has({"data": data.name, "model": TITLES[name], "seed": seed}):
                    continue
                for one in measured(data, name, seed, asked.runs):
                    kept.put(one, {key: one[key] for key in ("data", "model", "seed")})
                    print(data.name, one["model"], seed, *(f"{one[metric]:.4f}" for metric in METRICS[data.name]), flush=True)
    write_page()


if __name__ == "__main__":
    main()
