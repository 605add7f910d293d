"""The published figures, and how the data they belong to is known. The figures themselves stand in `published.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from recodiff.data.dataset import Dataset


@dataclass(frozen=True)
class Known:
    """A data set of the paper.

    Args:
        name: of the released folder.
        title: what tables call it.
        users: how many.
        items: how many.
        interactions: how many in all parts.
    """

    name: str
    title: str
    users: int
    items: int
    interactions: int


@dataclass(frozen=True)
class Published:
    """The figures of one table or figure of the paper on one data set.

    Args:
        data: whose figures they are.
        where: the table or figure, and the paper.
        rows: case -> metric -> figure; parameters in millions, memory in MB.
    """

    data: Known
    where: str
    rows: Mapping[str, Mapping[str, float]]


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((resources.files("recodiff") / "experiments/reproduce/published.toml").read_text("utf-8"))


def known() -> dict[str, Known]:
    """The data sets of the paper, by name."""
    return {name: Known(name, **about) for name, about in _file()["data"].items()}


def published(experiment: str) -> dict[str, Published]:
    """The paper's figures of an experiment, by the name of the data set; none of a question that it does not ask.

    Args:
        experiment: its name, such as `table2`.
    """
    if not experiment:
        return {}
    table, sets = _file()[experiment], known()
    where = f"{table['where']} of {_file()['source']}"
    return {
        name: Published(sets[name], where, {case: dict(zip(table["columns"], row, strict=True)) for case, row in cases.items()})
        for name, cases in table["rows"].items()
    }


def recognise(data: Dataset) -> Known | None:
    """The data set of the paper that this is: by its name, its sizes and its published split together.

    Args:
        data: any data.
    """
    found = known().get(data.name)
    return found if found is not None and not _differences(data, found) else None


def beside(experiment: str, data: Dataset) -> Published | None:
    """The published figures that may stand beside ours on this data.

    Args:
        experiment: its name, such as `table2`.
        data: what ours ran on.
    """
    found = recognise(data)
    return published(experiment).get(found.name) if found else None


def not_comparable(experiment: str, data: Dataset) -> str:
    """A sentence on whose the published figures are where they may not stand beside ours; empty where they may.

    Args:
        experiment: its name, such as `table2`.
        data: what ours ran on.
    """
    if not experiment or beside(experiment, data) is not None:
        return ""
    theirs = "; ".join(one.data.title for one in published(experiment).values())
    named = known().get(data.name)
    differences = ", ".join(_differences(data, named)) if named else ""
    why = f" (the name is that of published data, but here are {differences})" if differences else ""
    return f"The published figures are for {theirs}, and are not comparable; shown on {data.name}{why}."


def _differences(data: Dataset, known: Known) -> list[str]:
    interactions = sum(part.nnz for part in data.parts().values())
    sizes = {"users": len(data.users), "items": len(data.items), "interactions": interactions}
    wrong = [
        f"{have:,} {what} in place of {getattr(known, what):,}" for what, have in sizes.items() if have != getattr(known, what)
    ]
    split = data.info.get("split", {}).get("strategy", "unknown")
    return wrong if split == "published" else [*wrong, f"the split '{split}' in place of the published one"]
