"""CDAE against slow float64 truths; what it knows of a user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import reference
from recodiff import Run, build, item_vectors, recommend, user_vectors
from recodiff.data.interactions import IdMap, Interactions
from recodiff.data.weighting import LinearRecency
from recodiff.errors import ConfigError
from recodiff.models.autoencoders.cdae import CDAE
from recodiff.models.batch import Batch
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.trainable import Progress
from toy import checkerboard, random_interactions

H: dict[str, Any] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": reference.ACTIVATIONS["relu"],
    "tanh": reference.ACTIVATIONS["tanh"],
}
LOSS = {"logistic": reference.logistic, "squared": reference.half_square, "bpr": reference.bpr}


def fitted(x: Interactions, **settings: Any) -> CDAE:
    settings = {"hidden": 3, "dropout": 0.0, "training": {"epochs": 2, "lr": 0.1}} | settings
    model = build("cdae", settings).fit(x, Run(seed=0, progress=False, device="cpu"))
    assert isinstance(model, CDAE)
    return model


@pytest.mark.parametrize("activation", list(H))
@pytest.mark.parametrize("loss", list(LOSS))
def test_the_loss_and_its_gradient_are_the_equations(activation: str, loss: str, rng: np.random.Generator) -> None:
    x = random_interactions(rng, 5, 7, 0.4)
    x = x.take(np.flatnonzero(x.lengths() > 0))
    weighting = LinearRecency(w_min=0.3)
    model = fitted(x, activation=activation, loss={"kind": loss}, negatives=2, weighting={"kind": "linear", "w_min": 0.3})
    net = model.module.double().train()
    users = torch.randperm(x.n_users)
    pair = model.pairs().bind(x, weighting, torch.device("cpu"))(users, keyed_generator(1))
    found = net(pair, Progress(0, 0), keyed_generator(2))
    found.sum().backward()

    rows = weighting(x).matrix.toarray().astype(np.float64)
    start = {key: parameter.detach().numpy().copy() for key, parameter in net.named_parameters()}
    assert pair.negatives is not None
    entries = list(zip(users[pair.source.row_of()].tolist(), pair.source.columns.tolist(), pair.negatives.tolist(), strict=True))

    def truth(changed: dict[str, Any]) -> Any:
        p, out = start | changed, np.zeros(x.n_users)
        for user, item, negatives in entries:
            s = reference.cdae(rows[user], p["users"][user], p, H[activation])
            out[user] += rows[user, item] * LOSS[loss](float(s[item]), s[negatives])
        return out

    np.testing.assert_allclose(found.detach(), truth({})[users], rtol=1e-6)
    for key, parameter in net.named_parameters():
        slopes = reference.slopes(lambda value, key=key: truth({key: value}).sum(), start[key])
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad, slopes, rtol=1e-5, atol=1e-6)


def test_a_known_user_brings_a_vector_and_a_stranger_none(rng: np.random.Generator) -> None:
    x = random_interactions(rng, 8, 6, 0.5)
    model = fitted(x)
    rows = x.matrix.toarray().astype(np.float64)
    p = {key: parameter.detach().numpy().astype(np.float64) for key, parameter in model.module.named_parameters()}
    places = torch.tensor([0, -1, 2, -1])
    scores = model.score(Batch(Rows.from_csr(x.take([0, 1, 2, 3]).matrix), places))
    for row, place in enumerate(places.tolist()):
        own = p["users"][place] if place >= 0 else np.zeros(3)
        np.testing.assert_allclose(scores[row], reference.cdae(rows[row], own, p, H["tanh"]), rtol=1e-4, atol=1e-5)
    assert not np.allclose(p["users"], 0)


def test_a_known_user_s_history_is_looked_at_too() -> None:
    x = checkerboard(10)
    model = fitted(x)
    other = Interactions.from_arrays([0], [3], IdMap([x.users.ids[0]]), x.items, times=[1], time_kind="order")
    assert not np.allclose(user_vectors(model, other), user_vectors(model, x.take([0])))


def test_inner_products_are_the_scores() -> None:
    x = checkerboard(10)
    model = fitted(x)
    vectors, bias = item_vectors(model)
    scores = model.score(Batch(Rows.from_csr(x.matrix), torch.arange(10)))
    np.testing.assert_allclose(user_vectors(model, x) @ vectors.T + bias, scores, rtol=1e-4, atol=1e-5)


def test_dropout_takes_from_the_input_alone() -> None:
    x = checkerboard(10)
    plain, dropping = (fitted(x, dropout=q, training={"epochs": 1, "lr": 1e-9}).module.train() for q in (0.0, 0.5))
    pair = fitted(x).pairs().bind(x, LinearRecency(), torch.device("cpu"))(torch.arange(10), keyed_generator(0))
    losses = [net(pair, Progress(0, 0), keyed_generator(1)) for net in (plain, dropping, dropping)]
    assert not torch.allclose(losses[0], losses[1])
    assert torch.equal(losses[1], losses[2])  # one generator, one draw
    with torch.no_grad():
        for net in (plain, dropping):
            net.encoder.zero_()
    torch.testing.assert_close(*(net(pair, Progress(0, 0), keyed_generator(1)) for net in (plain, dropping)))


@pytest.mark.parametrize("kind", ["truncated", "reweighted"])
def test_it_learns_by_the_denoising_losses_too(kind: str) -> None:
    x = checkerboard(20)
    settings = {"hidden": 16, "loss": {"kind": kind}, "training": {"epochs": 60, "batch_size": 10, "lr": 1e-2}}
    assert (recommend(fitted(x, **settings), x, 1).items[:, 0] == np.arange(20)).mean() >= 0.9


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"loss": {"kind": "truncated", "drop_rate": 1.0}}, "drop_rate' = 1"),
        ({"loss": {"kind": "reweighted", "exponent": -1.0}}, "exponent' = -1"),
        ({"loss": {"kind": "logistic", "exponent": 1.0}}, "unknown setting 'loss.*exponent'"),
        ({"hidden": 0}, "'hidden' = 0"),
        ({"activation": "gelu"}, "'activation' = 'gelu'"),
        ({"dropout": 1.0}, "'dropout' = 1"),
        ({"negatives": 0}, "'negatives' = 0"),
        ({"loss": {"kind": "hinge"}}, "'loss' = "),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_by_name(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        build("cdae", settings)
