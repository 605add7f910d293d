"""A dataset: interactions split into parts that share one numbering, their ids and titles, and how they came about."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.events import inner_report, newest_share, report
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Events, Interactions, TimeKind
from recodiff.errors import DataError
from recodiff.moved import old_names

PARTS = ("train", "valid", "test", "fold_in")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Interactions in parts that share one numbering of users and items.

    Args:
        train: what models learn from.
        valid: what settings are chosen on.
        test: what is reported.
        fold_in: histories of held-out users: never trained on, part of every history.
        item_table: one row per item position, `title` first if there are titles.
        info: sizes, source, terms, what was dropped and how it was split: what `dataset.json` holds.

    Raises:
        DataError: the parts number users or items differently, or the table has another length.
    """

    train: Interactions
    valid: Interactions | None
    test: Interactions | None
    fold_in: Interactions | None
    item_table: pl.DataFrame | None
    info: dict[str, Any]

    def __post_init__(self) -> None:
        if any(part.users != self.users or part.items != self.items for part in self.parts().values()):
            raise DataError("the parts number users or items differently; build all of them with the same two IdMaps")
        if len({(part.time_kind, part.events) for part in self.parts().values()}) > 1:
            raise DataError("some parts have another kind of time or events than others; give all of them the same, or none")
        if self.item_table is not None and self.item_table.height != len(self.items):
            raise DataError(
                f"the item table has {self.item_table.height} rows for {len(self.items)} items; give one row per item position"
            )

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {part.nnz}" for name, part in self.parts().items())
        return f"Dataset({self.name}: {len(self.users)} users, {len(self.items)} items; {parts})"

    @property
    def name(self) -> str:
        """The name of the data, for tables and messages."""
        return str(self.info.get("name", "data"))

    @property
    def users(self) -> IdMap:
        """External user ids, one per row of every part."""
        return self.train.users

    @property
    def items(self) -> IdMap:
        """External item ids, one per column of every part."""
        return self.train.items

    def parts(self) -> dict[str, Interactions]:
        """The parts that there are, by name."""
        named = zip(PARTS, (self.train, self.valid, self.test, self.fold_in), strict=True)
        return {name: part for name, part in named if part is not None}

    def titles(self) -> list[str] | None:
        """A title for each item position, the id where one is missing; None where the data has no titles."""
        if self.item_table is None or "title" not in self.item_table.columns:
            return None
        return self.item_table["title"].cast(pl.String).fill_null(self.items.ids.cast(pl.String)).to_list()

    def part(self, name: str) -> Interactions:
        """The part of that name.

        Args:
            name: `train`, `valid`, `test` or `fold_in`.

        Raises:
            DataError: the data has no such part.
        """
        have = self.parts()
        if name not in have:
            raise DataError(f"there is no part {name!r} in {self.name}; it has {', '.join(have)}")
        return have[name]

    def over(self, items: IdMap) -> tuple[Dataset, int]:
        """The same data over another catalogue, and how many interactions it lacks the items of.

        Args:
            items: the other catalogue.
        """
        moved = {name: part.over(items) for name, part in self.parts().items()}
        parts = {name: moved[name][0] if name in moved else None for name in PARTS}
        # Ids of one kind may be written as the other, as for `IdMap.positions`.
        ids = self.items.ids.cast(items.ids.dtype, strict=False)
        table = None if self.item_table is None else align(self.item_table.with_columns(item=ids).unique("item"), items)
        return Dataset(**parts, item_table=table, info=self.info), sum(dropped for _, dropped in moved.values())  # pyright: ignore[reportArgumentType]

    def history(self, parts: str = "train") -> Interactions:
        """The interactions that recommendations are made from: the named parts (`train`, `train+valid`) and always `fold_in`.

        Args:
            parts: names joined by `+`.

        Raises:
            DataError: the data has no such part.
        """
        have = self.parts()
        names = [name.strip() for name in parts.split("+")]
        for name in names:
            if name not in have:
                raise DataError(f"history {parts!r}: there is no part {name!r} in {self.name}; it has {', '.join(have)}")
        history = have[names[0]]
        for name in [*names[1:], *(["fold_in"] if "fold_in" in have and "fold_in" not in names else [])]:
            history = history.union(have[name])
        return history

    def inner(self, share: float = 0.1) -> Dataset:
        """The training part alone, its newest interactions in place of the validation part: to choose by the near future.

        Args:
            share: of each user's training history, rounded down; events stay whole, as `data.events.newest_share` says.

        Returns:
            A dataset without a test part, whose `info["inner"]` counts the users who have an inner part, and those who have none.

        Raises:
            DataError: the data has no order, or no history is long enough.
        """
        self.train.need_order("an inner validation part")
        held = newest_share(self.train, share)
        if not held.any():
            raise DataError(
                f"no training history has the {math.ceil(1 / share)} interactions, and an event after its first, that an inner "
                "validation part needs; choose on the validation part"
            )
        inner = replace(self, train=self.train.only(~held), valid=self.train.only(held), test=None)
        info = self.info | {"name": f"{self.name}, inner", "inner": inner_report(self.train, held, share)} | inner.summary()
        if "events" in info:
            info["events"] = {"kind": self.train.events} | report(inner.parts())
        return replace(inner, info=info)

    def fingerprint(self) -> str:
        """A short hash of all parts: equal data has equal fingerprints."""
        each = (f"{name}:{part.fingerprint()}" for name, part in self.parts().items())
        return hashlib.sha256("\n".join(each).encode()).hexdigest()[:16]

    def summary(self, moments: tuple[int, int] | None = None) -> dict[str, Any]:
        """Sizes, density, time span and fingerprint, as `dataset.json` holds them.

        Args:
            moments: the first and the last time, where they are known; found unless given.
        """
        pairs = {name: part.nnz for name, part in self.parts().items()}
        span: dict[str, Any] = {"kind": self.train.time_kind}
        if self.train.time_kind == "clock":
            times = [part.times for part in self.parts().values() if part.times is not None and part.nnz]
            if moments is None and times:
                moments = min(t.min() for t in times), max(t.max() for t in times)
            span |= {} if moments is None else {"first": _moment(moments[0]), "last": _moment(moments[1])}
        return {
            "users": len(self.users),
            "items": len(self.items),
            "interactions": sum(pairs.values()),
            "parts": pairs,
            "density": sum(pairs.values()) / max(len(self.users) * len(self.items), 1),
            "time": span,
            "titles": self.titles() is not None,
            "fingerprint": self.fingerprint(),
        }


def _moment(seconds: int) -> str:
    return str(np.datetime64(int(seconds), "s")) + "Z"


def interactions_of(
    frame: pl.DataFrame, users: IdMap, items: IdMap, time_kind: TimeKind | None, events: Events = "split"
) -> Interactions:
    """Interactions from a table of positions (`user`, `item`, maybe `weight`, `time`) in the order of the log.

    Args:
        frame: one row an interaction.
        users: the ids behind the positions in `user`.
        items: those behind `item`.
        time_kind: what the times are; None without a column `time`.
        events: what several interactions of one time are.
    """
    columns = {name: frame[name].to_numpy() if name in frame.columns else None for name in ("weight", "time")}
    return Interactions.from_arrays(
        frame["user"].to_numpy(),
        frame["item"].to_numpy(),
        users,
        items,
        weights=columns["weight"],
        times=columns["time"],
        time_kind=time_kind,
        events=events,
    )


def align(table: pl.DataFrame, items: IdMap) -> pl.DataFrame:
    """One row per item position of a table that has a column `item`; empty where the table does not know the item.

    Args:
        table: with a column `item` of external ids.
        items: the catalogue.
    """
    positions = items.ids.alias("item").to_frame()
    return positions.join(table, on="item", how="left", maintain_order="left").drop("item")


__getattr__ = old_names(__name__)
