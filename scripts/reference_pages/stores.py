"""Vector stores: what `recodiff export --to` writes, and what the lists from each were measured to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recodiff.stores.kinds import STORE_KINDS, class_of
from reference_pages.markdown import code, first_paragraph, table

MEASURED = Path(__file__).resolve().parents[2] / "benchmarks" / "stores.json"
CASES = ("films", "stretched")
INTRO = (
    "# Vector stores\n\n`recodiff export RUN OUT --to ENGINE` fills one of these, and `recodiff.open_store` gives the lists of "
    "`recommend` from it. Start with [export vectors](../how-to/export-vectors.md). What each holds and how it is asked is "
    "[explained](../explanation/vector-stores.md)."
)
FIGURES = (
    "`python benchmarks/stores.py films` and `stretched` measure these rows; a dash is a row that was not measured.\n\n"
    "* `films`: 1,000 users of ml-1m_clean and F-DiffRec's vectors, 2,810 items of width 200. All of train and validation is "
    "seen.\n"
    "* `stretched`: 50,000 vectors of width 64 whose lengths differ 20 times, with a bias of standard deviation 1. 250 items are "
    "seen. Slow engines were asked for 50 to 200 users, the others for 1,000.\n"
    "* Times are CPU milliseconds a user. In brackets are those of PyTorch for the exact lists, in the same process. The work of "
    "a PostgreSQL server is not in pgvector's.\n"
    "* `at 2` is the breadth of a graph. `refused` is what `export` does not write; its sentences stand below."
)


def page() -> str:
    """The engines, then the measured rows."""
    kinds = {kind: class_of(kind) for kind in STORE_KINDS}
    engines = [(code(kind), first_paragraph(cls), ", ".join(map(code, cls.indexes))) for kind, cls in kinds.items()]
    measured = json.loads(MEASURED.read_text("utf-8"))
    header = ["engine", "index", *(f"{case}: {what}" for case in CASES for what in ("recall@20", "CPU ms (exact)")), "write, s"]
    parts = [
        INTRO,
        table(["`--to`", "what is written", "`--index`"], engines),
        "## What was measured",
        FIGURES,
        table(header, measured_rows(measured)),
        "## What was refused",
        table(["engine", "index", "case", "in a sentence"], refusals(measured)),
    ]
    return "\n\n".join(parts) + "\n"


def measured_rows(measured: dict[str, Any]) -> list[list[str]]:
    """Rows of the table, engine by engine.

    Args:
        measured: what `benchmarks/stores.json` holds: `ENGINE:INDEX` -> version and cases.
    """
    rows = []
    for name, cases in sorted(measured.items(), key=lambda row: STORE_KINDS.index(row[0].split(":")[0])):
        kind, index = name.split(":")
        cells = [cell for case in CASES for cell in _cells(cases.get(case))]
        seconds = (cases.get("stretched") or cases.get("films", {})).get("seconds to write")
        rows.append([f"{kind} {cases['version']}", index, *cells, "–" if seconds is None else f"{seconds:.1f}"])
    return rows


def refusals(measured: dict[str, Any]) -> list[list[str]]:
    """What was refused, and how.

    Args:
        measured: as of `measured_rows`.
    """
    found = (
        (*name.split(":"), case, rows[case]["refused"])
        for name, rows in measured.items()
        for case in CASES
        if "refused" in rows.get(case, {})
    )
    return [
        [kind, index, case, sentence.replace("__main__:Given", "such a model")]
        for kind, index, case, sentence in sorted(found, key=lambda row: STORE_KINDS.index(row[0]))
    ]


def _cells(row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return ["–", "–"]
    if "refused" in row:
        return ["refused", "–"]
    breadth = f" at {row['breadth']}" if row["breadth"] > 1 else ""
    short = "" if row["full lists"] == 1 else f", {1 - row['full lists']:.1%} of lists short"
    return [f"{row['recall@20']:.4f}{breadth}{short}", f"{row['ms a user']:.2f} ({row['exact ms a user']:.2f})"]
