"""ONNX: the whole model in a file that onnxruntime runs, without this library and without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.errors import DataError, ModelError
from recodiff.models.base import Recommender
from recodiff.ranking.recommend import HISTORIES, Recommendations, need_length, recommend
from recodiff.stores.manifest import Manifest, needed
from recodiff.stores.onnx_graph import PAD, graph_of
from recodiff.stores.store import CATALOGUE, Store

FILE = "model.onnx"
HISTORIES_AT_ONCE = 256
"""Histories scored together."""
CLOSE = 1e-4
"""How far scores may differ, as a part of the greatest."""


class Onnx(Store):
    """A model file: `history` (ids, oldest first) and `k` in, `items` and `scores` out, seen items left out.

    Args:
        manifest: what it says of itself.
        items: the catalogue.
        folder: where the file is.
    """

    kind = "onnx"

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items)
        package = needed("onnxruntime", "onnx onnxruntime")
        options = package.SessionOptions()
        options.log_severity_level = 3
        self._session = package.InferenceSession(str(folder / FILE), options, providers=["CPUExecutionProvider"])

    @classmethod
    def write(cls, folder: Path, model: Recommender) -> None:
        """Write the file.

        Args:
            folder: an empty one.
            model: a fitted model.

        Raises:
            ModelError: the model cannot be written so.
        """
        (folder / FILE).write_bytes(graph_of(model).SerializeToString())

    def nearest(self, queries: Any, count: int) -> Any:
        """A graph of a whole model takes histories; see `query`.

        Raises:
            ModelError: always.
        """
        raise ModelError("this store takes histories, not vectors; call query(history, k)")

    def query(self, users: Any, k: int, *, seen: Interactions | None = None) -> Recommendations:
        """Give the lists that `recommend` gives.

        Args:
            users: histories, as `recommend` takes them; every item is an event of its own and counts 1.
            k: list length, 1 to I.
            seen: further items that no list holds, rows as in `users`.

        Raises:
            DataError: the histories are over another catalogue, have weights, or events of several items.
            ModelError: `k` is no whole number or lies outside 1..I.
        """
        need_interactions(users, "the history", HISTORIES)
        need_length(k, len(self.items), CATALOGUE)
        _check(users, self.items)
        further = np.zeros(users.n_users, np.int64) if seen is None else seen.lengths()
        items = np.full((users.n_users, k), -1, np.int64)
        scores = np.full((users.n_users, k), -np.inf, np.float32)
        for start in range(0, users.n_users, HISTORIES_AT_ONCE):
            rows = np.arange(start, min(start + HISTORIES_AT_ONCE, users.n_users))
            places, values = self._asked(users.take(rows), int(min(k + further[rows].max(), len(self.items))))
            for row, found, value in zip(rows, places, values, strict=True):
                kept = self._unseen(found, value, None if seen is None else seen.matrix[[row]].indices, k)
                items[row, : len(kept[0])], scores[row, : len(kept[0])] = kept
        return Recommendations(items, scores, users.users, self.items)

    def _asked(self, x: Interactions, count: int) -> tuple[Any, Any]:
        text = self.items.ids.dtype == pl.String
        given = np.full(
            (x.n_users, max(1, int(x.lengths().max(initial=0)))), PAD[type(self.items.ids.dtype)], object if text else np.int64
        )
        given[x.rows(), x.positions()] = self.items.externals(x.matrix.indices).to_numpy()
        found, scores = self._session.run(None, {"history": given, "k": np.array([count], np.int64)})
        places = np.full(scores.shape, -1, np.int64)
        there = np.isfinite(scores)
        places[there] = self.items.positions(pl.Series(found[there].tolist(), dtype=self.items.ids.dtype))
        return places, scores


def check_equal(store: Onnx, model: Recommender, history: Interactions) -> None:
    """Compare the file's scores with the model's.

    Args:
        store: the opened file.
        model: the model.
        history: users to compare for.

    Raises:
        ModelError: they differ, so the model is of a kind that the file cannot hold.
    """
    k = min(20, len(model.items))
    ours, theirs = recommend(model, history, k).scores, store.query(history, k).scores
    there = np.isfinite(ours) & np.isfinite(theirs)
    far = np.abs(np.where(there, ours - theirs, 0)).max(initial=0)
    if (np.isfinite(ours) != np.isfinite(theirs)).any() or far > CLOSE * max(1.0, float(np.abs(ours[there]).max(initial=0))):
        raise ModelError(
            f"{model.registered} cannot be written as ONNX: its scores are not a sum over the history's items (off by {far:.2g}); "
            "use a store of vectors, or write lists"
        )


def _check(x: Interactions, items: IdMap) -> None:
    if x.items != items:
        raise DataError(f"the history is over {x.n_items} items that are not the store's {len(items)}; give that of its catalogue")
    if x.nnz and (x.matrix.data != 1).any():
        raise DataError("the history has weights, which this file does not take; give one whose interactions count 1 each")
    if x.shares_times():
        raise DataError("the history has events of several items, which this file does not take; prepare it with --events split")
