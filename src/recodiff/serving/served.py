"""A model as it is served: loaded from its folder, with titles to search and what is said about it.

Shapes: `I` items.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.events import recorded
from recodiff.data.interactions import Events
from recodiff.models.base import Recommender
from recodiff.models.mapped import load_mapped
from recodiff.models.saving import CONFIG, COUNTS, ITEMS, WEIGHTS, load_item_table, load_model, read_config
from recodiff.ranking.recommend import history_of, recommend

Id = int | str
SPELT = re.compile(r"-?[1-9][0-9]{0,18}|0")
"""Text that spells a whole number as Python does: `007` is not 7."""
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, eq=False)
class Served:
    """A loaded model.

    Args:
        name: that it is served under.
        model: fitted.
        titles: one for each item position, or None.
        counts: how often each item stands in what the model learned from [I], or None where its folder does not say.
        described: what config.json holds.
        version: a short hash of the folder's content.
    """

    name: str
    model: Recommender
    titles: list[str | None] | None
    counts: NDArray[np.int64] | None
    described: dict[str, Any] = field(repr=False)
    version: str

    @property
    def size(self) -> int:
        """I."""
        return len(self.model.items)

    @cached_property
    def events(self) -> Events:
        """The kind of a user's interactions at one time, as the model learned them."""
        return recorded(self.described["info"].get("data", {}))

    @cached_property
    def popular(self) -> NDArray[np.int64] | None:
        """Positions [I], what most users interacted with first; None where the folder does not say."""
        return None if self.counts is None else np.argsort(-self.counts, kind="stable")

    @cached_property
    def ids(self) -> list[Id]:
        """External ids [I], in the catalogue's own type."""
        return self.model.items.ids.to_list()

    @cached_property
    def _keys(self) -> pl.Series:
        """Titles and ids as they are searched."""
        names = self.titles if self.titles is not None else [None] * self.size
        return pl.Series(
            [plain_text(f"{title or ''} {item}") for title, item in zip(names, self.ids, strict=True)], dtype=pl.String
        )

    def title(self, position: int) -> str | None:
        """The title of an item, where there is one.

        Args:
            position: in the catalogue.
        """
        return None if self.titles is None else self.titles[position]

    @cached_property
    def _places(self) -> dict[Id, int]:
        """Position of each id: for the few of a request a dictionary takes microseconds, `IdMap.positions` a millisecond."""
        return {item: position for position, item in enumerate(self.ids)}

    @cached_property
    def _numbers(self) -> bool:
        return self.model.items.ids.dtype == pl.Int64

    def positions(self, ids: Iterable[Id]) -> list[int]:
        """Positions of ids, whole numbers and text mixed; -1 where the model does not know one.

        Args:
            ids: as for `IdMap.positions`: text that spells a whole number will do where ids are whole numbers.
        """
        places = self._places
        return [places.get(self.own(item), -1) for item in ids]

    def own(self, item: Id) -> Id:
        """An id in the catalogue's type, where it can be; the model need not know it.

        Args:
            item: as it was given.
        """
        if not self._numbers:
            return str(item)
        return int(item) if isinstance(item, str) and SPELT.fullmatch(item) else item

    def search(self, text: str, limit: int) -> list[int]:
        """Positions of items whose title or id holds every word of a text: titles that begin with it first, then popular ones.

        Args:
            text: what was typed; case and accents do not count.
            limit: positions at most.
        """
        words = plain_text(text).split()
        if not words:
            best = np.arange(self.size) if self.popular is None else self.popular
            return best[:limit].tolist()
        holds = np.ones(self.size, bool)
        for word in words:
            holds &= self._keys.str.contains(word, literal=True).to_numpy()
        found = np.flatnonzero(holds)
        begins = self._keys.gather(found).str.starts_with(" ".join(words)).to_numpy()
        weight = np.zeros(len(found)) if self.counts is None else self.counts[found]
        return found[np.lexsort((found, -weight, ~begins))][:limit].tolist()


def plain_text(text: str) -> str:
    """Text as it is compared: without case, accents and punctuation.

    Args:
        text: of any origin.
    """
    letters = (char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    return " ".join(WORD.findall("".join(letters)))


def load_served(name: str, folder: Path, *, device: str = "cpu", trust_code: bool = False, mapped: bool = False) -> Served:
    """Load a model folder to be served, and score one history so that the first request finds it warm.

    Args:
        name: to serve it under.
        folder: written by `save_model`.
        device: where to score.
        trust_code: as for `load_model`.
        mapped: whether the folder is of `copy_to_map`, and its weights are shared with other processes.

    Raises:
        CheckpointError: the folder is missing, damaged or foreign.
        ConfigError: there is no such device here.
        ModelError: the model cannot score.
    """
    before = stamp(folder)
    described = read_config(folder)
    model = load_mapped(folder, trust_code=trust_code) if mapped else load_model(folder, device=device, trust_code=trust_code)
    model.lay_out()
    table = load_item_table(folder)
    titles = table["title"].cast(pl.String).to_list() if "title" in table.columns else None
    counts = table[COUNTS].fill_null(0).to_numpy().astype(np.int64) if COUNTS in table.columns else None
    version = hashlib.sha256(repr((described.get("seal"), described["hashes"])).encode()).hexdigest()[:12]
    served = Served(name, model, titles, counts, described, version)
    _ = served._keys, served.popular, served._places
    recommend(model, history_of(model, served.ids[:1]), 1)
    if stamp(folder) != before:  # replaced meanwhile: the parts may be of two models
        return load_served(name, folder, device=device, trust_code=trust_code, mapped=mapped)
    return served


def stamp(folder: Path) -> tuple[Any, ...]:
    """A mark that changes when the model in a folder is replaced: times, sizes and places of its files.

    Args:
        folder: of the model.
    """
    found = []
    for name in (CONFIG, WEIGHTS, ITEMS):
        try:
            state = (folder / name).stat()
            found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)
