"""A model as a graph: onnxruntime alone gives the lists of `recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodiff import export_store, open_store, recommend
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import DataError, ModelError
from recodiff.stores.onnx_graph import graph_of
from stores.conftest import ITEMS, clicks, fitted

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
SMALL = {"denoiser": {"hidden": [16, 8]}, "training": {"epochs": 2}}
HALF, POWER = ({"kind": "half_life", "half_life": 3.0}, {"kind": "power_law", "exponent": 0.5})
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "diffrec": ("diffrec", SMALL),
    "t-diffrec": ("t-diffrec", SMALL),
    "f-diffrec": ("f-diffrec", SMALL),
    "gelu": ("diffrec", {**SMALL, "denoiser": {"hidden": [8], "activation": "gelu"}}),
    "relu": ("diffrec", {**SMALL, "denoiser": {"hidden": [8], "activation": "relu"}}),
    "half life": ("diffrec", {**SMALL, "weighting": HALF}),
    "power law": ("ease", {"weighting": POWER}),
    "ease": ("ease", {}),
    "edlae": ("edlae", {}),
    "f-ridge": ("f-ridge", {}),
    "itemknn": ("itemknn", {}),
    "rp3beta": ("rp3beta", {}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("text", [True, False], ids=["texts", "numbers"])
def test_the_graph_gives_the_lists_of_recommend(case: str, text: bool, tmp_path: Path) -> None:
    name, settings = CASES[case]
    x = clicks(IdMap([f"i{n}" for n in range(ITEMS)] if text else np.arange(ITEMS) * 3 + 1))
    model = fitted(name, x, **settings)
    export_store(model, tmp_path / "m", "onnx")
    with open_store(tmp_path / "m") as store:
        found = store.query(x, 20)
    wanted = recommend(model, x, 20)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4, atol=1e-5)
    apart = found.items != wanted.items  # nowhere but among items of equal score
    gap = np.abs(np.diff(wanted.scores, axis=1, append=-np.inf, prepend=np.inf))
    tied = np.minimum(gap[:, 1:], gap[:, :-1]) < 1e-5
    assert not (apart & ~tied)[:, :-1].any()
    for row, items in enumerate(found.items):
        assert not np.isin(items, x.matrix[[row]].indices).any()


def test_the_file_needs_onnxruntime_alone(tmp_path: Path, model: Any, history: Interactions) -> None:
    """Ids go in and come out; what the catalogue does not know is left out, and a list that ends early is filled up."""
    export_store(model, tmp_path / "m", "onnx")
    file = next((tmp_path / "m").glob("*/model.onnx"))
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = np.array([["i3", "i7", "i1"], ["i3", "", "unknown"]], dtype=object)
    items, scores = session.run(None, {"history": given, "k": np.array([ITEMS], np.int64)})
    assert set(items[0]) == {f"i{n}" for n in range(ITEMS) if n not in (3, 7, 1)} | {""}
    assert list(items[0][-3:]) == ["", "", ""]
    assert np.isneginf(scores[0][-3:]).all()
    alone, _ = session.run(None, {"history": np.array([["i3"]], dtype=object), "k": np.array([10], np.int64)})
    assert list(alone[0]) == list(items[1][:10])


@pytest.mark.parametrize("name", ["diffrec", "ease", "half life"])
def test_an_item_that_stands_twice_counts_once_where_it_came_last(name: str, tmp_path: Path) -> None:
    """As the service takes it; the library's own histories hold no item twice."""
    kind, settings = CASES[name]
    export_store(fitted(kind, clicks(IdMap(np.arange(ITEMS))), **settings), tmp_path / "m", "onnx")
    session = ort.InferenceSession(str(next((tmp_path / "m").glob("*/model.onnx"))), providers=["CPUExecutionProvider"])
    asked = {"k": np.array([ITEMS], np.int64)}
    twice = session.run(None, {"history": np.array([[5, 9, 5, 40, 5, 9]]), **asked})
    once = session.run(None, {"history": np.array([[40, 5, 9]]), **asked})
    assert twice[0].tolist() == once[0].tolist()
    np.testing.assert_allclose(twice[1], once[1], rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_a_graph_holds_nothing_that_is_not_used(case: str) -> None:
    """For such parts onnxruntime writes a warning at every start."""
    name, settings = CASES[case]
    graph = graph_of(fitted(name, clicks(IdMap(np.arange(ITEMS))), **settings)).graph
    used = {one for node in graph.node for one in node.input} | {"items", "scores"}
    assert [part.name for part in graph.initializer if part.name not in used] == []
    assert [node.name for node in graph.node if not used.intersection(node.output)] == []


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("l-diffrec", {"codec": {"clusters": 2}, "training": {"epochs": 1}}, "ONNX takes diffusion of rows"),
        ("diffrec", {**SMALL, "sampling": {"noise_steps": 1}}, "ONNX takes diffusion of rows"),
        ("userknn", {}, "cannot be written as ONNX: its scores are not a sum"),
        ("mf", {"training": {"epochs": 1}}, "remembers its users"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(
    name: str, settings: dict[str, Any], said: str, history: Interactions, tmp_path: Path
) -> None:
    model = fitted(name, history, **settings)
    with pytest.raises(ModelError, match=said):
        export_store(model, tmp_path / "m", "onnx")
    assert not (tmp_path / "m").exists()


def test_histories_that_the_graph_cannot_read_are_refused(model: Any, history: Interactions, tmp_path: Path) -> None:
    export_store(model, tmp_path / "m", "onnx")
    with open_store(tmp_path / "m") as store:
        with pytest.raises(DataError, match="has weights"):
            store.query(history.with_values(history.matrix.data * 2), 5)
        baskets = Interactions.from_arrays(
            [0, 0], [1, 2], IdMap(["a"]), history.items, times=[5, 5], time_kind="order", events="whole"
        )
        with pytest.raises(DataError, match="events of several items"):
            store.query(baskets, 5)
        with pytest.raises(ModelError, match="takes histories, not vectors"):
            store.nearest(np.zeros((1, 3), np.float32), 5)
