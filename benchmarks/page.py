"""results.md, from the JSON files that run.py and quality.py keep."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SPEED, QUALITY, PAGE = HERE / "results.json", HERE / "quality.json", HERE / "results.md"
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
ROWS = {
    "itemknn-ml-1m_clean": "ItemKNN",
    "userknn-ml-1m_clean": "UserKNN",
    "rp3beta-ml-1m_clean": "RP3beta",
    "puresvd-ml-1m_clean": "PureSVD, scaled by popularity",
    "gf-cf-ml-1m_clean": "GF-CF",
    "ials-ml-1m_clean": "iALS",
    "edlae-ml-1m_clean": "EDLAE",
    "rlae-ml-1m_clean": "RLAE",
    "rlae-half-life-history-ml-1m_clean": "RLAE (lambda 1000, xi .3), half-life 5 on the history",
    "ease-ml-1m_clean": "EASE, lambda 1000",
    "giffcf-ml-1m_clean": "GiffCF, chosen on validation, the division by length on the end of train",
    "ease-linear-history-ml-1m_clean": "EASE, the paper's linear weights on the history",
    "ease-half-life-history-ml-1m_clean": "EASE, half-life 5 on the history",
    "diffrec-ml-1m_clean": "DiffRec, released settings and stopping rule",
    "diffrec-bfloat16-ml-1m_clean": "DiffRec, the same, trained in bfloat16",
    "t-diffrec-ml-1m_clean": "T-DiffRec, the same, w_min .1",
    "diffrec-ml-1m_clean-tuned": "DiffRec, settings chosen on validation",
    "diffrec-batch-2048-ml-1m_clean": "DiffRec, the same, batch 2048 in place of 400",
    "t-diffrec-ml-1m_clean-tuned": "T-DiffRec, weighting and settings chosen on validation",
    "l-diffrec-ml-1m_clean": "L-DiffRec, released settings, stopping rule and item embeddings",
    "lt-diffrec-ml-1m_clean": "LT-DiffRec, the same, w_min .1",
    "l-diffrec-ml-1m_clean-tuned": "L-DiffRec, settings chosen on validation",
    "l-diffrec-gaussian-ml-1m_clean": "L-DiffRec, the same, Gaussian likelihood, its KL weight chosen on validation",
    "lt-diffrec-ml-1m_clean-tuned": "LT-DiffRec, weighting and settings chosen on validation",
    "f-diffrec-ml-1m_clean": "F-DiffRec, rows, settings chosen on validation",
    "f-diffrec-bfloat16-ml-1m_clean": "F-DiffRec, the same, trained in bfloat16",
    "fs-diffrec-ml-1m_clean": "FS-DiffRec: rows, sequence, item-item path",
    "sasrec-ml-1m_clean": "SASRec, the next ten items as targets",
    "f-ridge-ml-1m_clean": "F-ridge, settings chosen on validation",
}
ANCHORS = {
    "diffrec-ml-1m_clean": (0.1702, 0.1098),
    "t-diffrec-ml-1m_clean": (0.1985, 0.1312),
    "ease-ml-1m_clean": (0.1816, 0.1165),
    "diffrec-ml-1m_clean-tuned": (0.1787, 0.1148),
    "l-diffrec-ml-1m_clean": (0.1598, 0.1025),
    "lt-diffrec-ml-1m_clean": (0.1783, 0.1170),
    "l-diffrec-ml-1m_clean-tuned": (0.1809, 0.1122),
    "ease-linear-history-ml-1m_clean": (0.2150, 0.1434),
    "ease-half-life-history-ml-1m_clean": (0.2455, 0.1734),
    "itemknn-ml-1m_clean": (0.1703, 0.1136),
    "rp3beta-ml-1m_clean": (0.1764, 0.1139),
    "gf-cf-ml-1m_clean": (0.1625, 0.1062),
    "ials-ml-1m_clean": (0.1788, 0.1122),
    "edlae-ml-1m_clean": (0.1798, 0.1159),
    "rlae-ml-1m_clean": (0.1851, 0.1180),
    "rlae-half-life-history-ml-1m_clean": (0.2531, 0.1789),
    "giffcf-ml-1m_clean": (0.1977, 0.1272),
    "f-diffrec-ml-1m_clean": (0.300, 0.222),
    "f-ridge-ml-1m_clean": (0.2644, 0.1997),
}
"""R@20 and N@20 to lay beside: the authors' program retrained, the paper's checkpoint, prototypes and closed forms."""

BARS = {
    "chain_wide": "ratio at least 8",
    "chain_long": "ratio at least 15",
    "chain_released": "ratio at least 4",
    "train_step": "at least .60 of the matrix rate",
    "low_precision": "accuracy equal (rows above); against the peer see its case",
    "scoring": "at most 3.5 epochs, metrics under a tenth",
    "train_memory": "under 600 MB",
    "family_memory": "L-DiffRec saves .56 of the parameters, .25 of the memory",
    "import_time": "under 2 s of CPU",
    "preparing": "time and memory at most 1.05 of the commit named",
    "service_small": "1.5 times a plain handler, p99 no worse",
    "service_large": "5 times a plain handler, p99 no worse; a lone request 1.3 of recommend, its p99 2 of its median",
    "service_peer": "3 times recotem, p99 no worse",
    "service_workers": "a further worker adds under 250 MB",
    "service_lasting": "0 failed; memory grows by under .02 after the first minute",
    "cold_start": "lists and neighbours at most .55 of 0c1bfcc, help at most 1.5 times its imports",
    "hidden_step": "ratio at least 3.5 at batch 400, 15 at 2048; a quarter of the memory",
    "amazon_book_epoch": "[200] under 60 s at 190 GFLOP/s; at most 1,500 MB beyond the weights",
    "new_user": "median within 1.5 of reading the item matrix, p99 within 2 of the median, .70 of the matrix rate in batches",
    "exact_lists": "wide 2.0, catalogue 1.6 times 3cb9096 where bfloat16 has 1.8 times the rate, else 1.4, 1.1; lone user .5",
    "recommend_all": "ratio at least 8, .70 of the matrix rate",
    "two_processes": "losses within 1e-5",
    "shared_items": "losses within 1e-5",
    "f_diffrec": "under 90 s and 700 MB",
    "peer_epoch": "ratio at least 1.4, in bfloat16 2.5",
    "peer_validation": "ratio at least 40 (default), 4.5 (best)",
    "million": "prepare, DiffRec's epoch under an hour, peak under 10,000 MB; L-DiffRec's under 12,000 MB",
    "peer_book": "ratio at least 3.5 with both at batch 400, 12 with each at its best batch",
    "prepare_csv": "under 60 s and 4,000 MB",
}


def write_page() -> None:
    """results.md from the two JSON files."""
    text = [
        "# Measurements",
        "",
        "Made by `make bench` (speed, memory) and `python benchmarks/quality.py` (accuracy); do not edit.",
        "",
    ]
    if QUALITY.exists():
        text += ["## Accuracy", "", *_quality(json.loads(QUALITY.read_text())), ""]
    if SPEED.exists():
        text += _speed(json.loads(SPEED.read_text()))
    PAGE.write_text("\n".join(text))


def _speed(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of a Markdown list for each machine."""
    text = [
        "## Speed and memory",
        "",
        "Medians of repeated calls, but for what takes minutes (epochs and lists at the larger sizes, gowalla, saving a model:",
        "once). What a ratio compares was timed in one process, one after the other; in the cases hidden_step, two_processes,",
        "shared_items and those against RecBole in processes of their own that followed each other. MB are of 2^20 bytes.",
        "Each machine has a list of its own; the matrix rate is the best of those measured before and after a case.",
        "",
    ]
    for place, rows in sorted(found.items()):
        told = {
            key: ", ".join(sorted({str(row["machine"][key]) for row in rows.values()})) for key in ("threads", "torch", "python")
        }
        text += [
            f"### {place}",
            "",
            "{threads} threads, torch {torch}, Python {python}.".format(**told),
            "",
        ]
        text += [_case(name, rows[name]) for name in [*BARS, *sorted(rows.keys() - BARS.keys())] if name in rows]
        text.append("")
    return text


def _case(name: str, row: dict[str, Any]) -> str:
    measured = "; ".join(f"{key} **{short(value)}**" for key, value in row.items() if key not in ("case", "machine"))
    bar = f"Bar: {BARS[name]}. " if name in BARS else ""
    return f"* `{name}`, {row['case']}. {bar}{measured}. ({row['machine']['commit']}, {row['machine']['date']})"


def short(value: Any) -> str:
    return (
        f"{value:.3g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}" if isinstance(value, float) else str(value)
    )


def _quality(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of a Markdown table: mean and standard error over seeds."""
    by_preset: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_preset[row["preset"]].append(row)
    lines = [
        "ml-1m_clean as released; input train, train and valid masked, recall = hits / relevant; mean (standard error over seeds).",
        "",
        "| model | seeds | valid R@20 | R@10 | R@20 | N@10 | N@20 | to lay beside, R@20 / N@20 | best epochs | seconds | commit |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for preset in [name for name in ROWS if name in by_preset]:
        found = by_preset[preset]
        figures = [_mean_se([row["valid"]["recall@20"] for row in found])]
        figures += [_mean_se([row["test"][metric] for row in found]) for metric in METRICS]
        beside = "{:.4f} / {:.4f}".format(*ANCHORS[preset]) if preset in ANCHORS else ""
        epochs = ", ".join(str(row["best_epoch"]) for row in found if row["best_epoch"])
        seconds = statistics.median(row["seconds"] for row in found)
        commits = ", ".join(sorted({str(row["machine"]["commit"]) for row in found}))
        lines.append(f"| {ROWS[preset]} | {len(found)} | {' | '.join(figures)} | {beside} | {epochs} | {seconds:.0f} | {commits} |")
    return lines


def _mean_se(values: list[float]) -> str:
    error = f" ({statistics.stdev(values) / len(values) ** 0.5:.4f})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{error}"
