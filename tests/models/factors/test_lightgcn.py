"""LightGCN: the graph as an operator, against slow float64 truths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import reference
from recodiff import Run, build, load_model, save_model
from recodiff.data.interactions import Interactions
from recodiff.data.weighting import LinearRecency
from recodiff.errors import ConfigError
from recodiff.models.factors.lightgcn import Graph, LightGCN, _MeanOfLayers
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from toy import random_interactions

USERS, ITEMS, WIDTH = 6, 8, 3


@pytest.fixture
def x(rng: np.random.Generator) -> Interactions:
    found = random_interactions(rng, USERS, ITEMS, 0.35)
    assert (found.lengths() == 0).any() or (np.bincount(found.matrix.indices, minlength=ITEMS) == 0).any()
    return found


def vectors(rng: np.random.Generator) -> list[torch.Tensor]:
    return [torch.tensor(rng.normal(size=(n, WIDTH)), requires_grad=True) for n in (USERS, ITEMS)]


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
@pytest.mark.parametrize("w_min", [1.0, 0.3, 0.0])
def test_the_mean_of_the_layers_is_the_dense_one(x: Interactions, layers: int, w_min: float, rng: np.random.Generator) -> None:
    weighted = LinearRecency(w_min=w_min)(x)
    users, items = (tensor.detach() for tensor in vectors(rng))
    found = Graph(Rows.from_csr(weighted.matrix)).edges().mean_of_layers(users, items, layers)
    truth = reference.light_propagation(weighted.matrix.toarray().astype(np.float64), users.numpy(), items.numpy(), layers)
    for ours, theirs in zip(found, truth, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)  # the edges are float32


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_gradient_passes_through_the_same_operator(x: Interactions, dropout: float, rng: np.random.Generator) -> None:
    edges = Graph(Rows.from_csr(x.matrix)).edges(dropout, keyed_generator(0))
    assert torch.autograd.gradcheck(lambda u, i: _MeanOfLayers.apply(u, i, edges, 3), vectors(rng))


def test_dropout_takes_both_directions_of_an_edge(x: Interactions) -> None:
    graph = Graph(Rows.from_csr(x.matrix))
    whole, left = graph.edges(), graph.edges(0.5, keyed_generator(0))
    for edges in (whole, left):
        torch.testing.assert_close(edges.to_users.dense(), edges.to_items.dense().T)
    kept = left.to_users.values > 0
    assert 0 < kept.sum() < len(kept)
    torch.testing.assert_close(left.to_users.values[kept], whole.to_users.values[kept] / 0.5)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_stranger_receives_what_a_user_of_the_graph_with_that_history_receives(x: Interactions, layers: int) -> None:
    settings = {"width": 4, "layers": layers, "weighting": {"kind": "linear"}, "training": {"epochs": 2, "lr": 0.1}}
    model = build("lightgcn", settings).fit(x, Run(seed=0, progress=False, device="cpu"))
    assert isinstance(model, LightGCN)
    net = model.module
    known = x.take(x.users.positions(model.users.ids))
    received = net.received(Rows.from_csr(model.config.weighting(known).matrix))
    torch.testing.assert_close(received + net.share * net.users, net.factors().users)


def test_the_graph_is_saved_and_is_no_parameter(x: Interactions, tmp_path: Path) -> None:
    model = build("lightgcn", {"width": 4, "training": {"epochs": 1}}).fit(x, Run(progress=False, device="cpu"))
    assert model.parameters == 4 * (len(model.users) + ITEMS)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert isinstance(loaded, LightGCN)
    assert isinstance(model, LightGCN)
    assert torch.equal(loaded.item_embeddings(), model.item_embeddings())
    assert loaded.parameters == model.parameters


def test_no_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match="'layers' = 0"):
        build("lightgcn", {"layers": 0})
