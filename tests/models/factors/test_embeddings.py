"""Models of user and item vectors: the loss and its gradient, strangers, and who is a stranger."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import reference
from recodiff import Run, build, evaluate, history_of, prepare, recommend
from recodiff.data.interactions import IdMap, Interactions
from recodiff.data.synthetic import synthesise
from recodiff.data.weighting import LinearRecency
from recodiff.errors import ConfigError
from recodiff.models.batch import Batch
from recodiff.models.factors import fold_in as strangers
from recodiff.models.factors.contrast import BPR, Logistic, Reweighted, Squared, Truncated
from recodiff.models.factors.embeddings import FactorModel
from recodiff.models.factors.fold_in import fold_in
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.trainable import Progress
from toy import checkerboard, random_interactions

RUN = Run(seed=0, progress=False, device="cpu")
NAMES = ("mf", "lightgcn")
LINEAR = {"kind": "linear", "w_min": 0.3}


def fitted(name: str, x: Interactions, **settings: Any) -> FactorModel:
    model = build(name, {"width": 3, "dropout": 0.0, "training": {"epochs": 1, "lr": 0.1}} | settings).fit(x, RUN)
    assert isinstance(model, FactorModel)
    return model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("negatives", [1, 3])
def test_the_loss_and_its_gradient_are_the_equations(name: str, negatives: int, rng: np.random.Generator) -> None:
    x = random_interactions(rng, 6, 7, 0.4)
    x = x.take(np.flatnonzero(x.lengths() > 0))
    model = fitted(name, x, l2=0.3, negatives=negatives, weighting=LINEAR)
    net = model.module.double().train()
    users = torch.randperm(x.n_users)
    pair = model.pairs().bind(x, model.config.weighting, torch.device("cpu"))(users, keyed_generator(1))
    loss = net(pair, Progress(0, 0), keyed_generator(2))
    loss.sum().backward()

    weights = LinearRecency(w_min=0.3)(x).matrix.toarray().astype(np.float64)
    assert pair.negatives is not None
    whose = users[pair.source.row_of()].tolist()
    met = list(zip(whose, pair.source.columns.tolist(), pair.source.values.tolist(), strict=True))
    start = {key: parameter.detach().numpy().copy() for key, parameter in net.named_parameters()}

    def truth(changed: dict[str, Any]) -> Any:
        p = {"bias": np.zeros(x.n_items)} | start | changed
        learned = p["users"], p["items"]
        final = reference.light_propagation(weights, *learned, layers=3) if name == "lightgcn" else learned
        return reference.compared(final, learned, p["bias"], met, pair.negatives.tolist(), 0.3)  # type: ignore[union-attr]

    np.testing.assert_allclose(loss.detach(), truth({})[users], rtol=1e-6)
    for key, parameter in net.named_parameters():
        slopes = reference.slopes(lambda value, key=key: truth({key: value}).sum(), start[key])
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad, slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_changes_training_and_not_the_scores(name: str, rng: np.random.Generator) -> None:
    net = fitted(name, random_interactions(rng), dropout=0.5).module
    exact, drawn = (net.compute(generator).users.detach() for generator in (None, keyed_generator(0)))
    assert not torch.allclose(drawn, exact)
    assert torch.equal(net.eval().factors().users, exact)


def test_dropout_of_vectors_keeps_their_mean(rng: np.random.Generator) -> None:
    net = fitted("mf", random_interactions(rng), dropout=0.5).module
    with torch.no_grad():
        drawn = torch.stack([net.compute(keyed_generator(seed)).users for seed in range(400)])
        share = drawn.sum(0) / (400 * net.users)
    np.testing.assert_allclose(share, 1, atol=0.25)  # five standard deviations


LOSS = {
    "logistic": reference.logistic,
    "reweighted": partial(reference.reweighted, exponent=0.7),
    "squared": reference.half_square,
}


@pytest.mark.parametrize("loss", list(LOSS))
@pytest.mark.parametrize("name", NAMES)
def test_any_loss_takes_the_place_of_the_pairwise_one(name: str, loss: str, rng: np.random.Generator) -> None:
    x = random_interactions(rng, 6, 7, 0.4)
    x = x.take(np.flatnonzero(x.lengths() > 0))
    settings = {"kind": loss} | ({"exponent": 0.7} if loss == "reweighted" else {})
    model = fitted(name, x, l2=0.0, negatives=2, loss=settings)
    net = model.module.double().eval()
    factors, users = net.factors(), torch.arange(x.n_users)
    pair = model.pairs().bind(x, model.config.weighting, torch.device("cpu"))(users, keyed_generator(1))
    scores = (factors.users @ factors.items.T + factors.bias).numpy()
    truth = np.zeros(x.n_users)
    assert pair.negatives is not None
    for user, item, others in zip(x.rows(), pair.source.columns, pair.negatives, strict=True):
        truth[user] += LOSS[loss](float(scores[user, item]), scores[user, others])
    np.testing.assert_allclose(net.train()(pair, Progress(0, 0), keyed_generator(2)).detach(), truth, rtol=1e-6)


def test_a_denoising_loss_folds_strangers_in_by_what_it_denoises(rng: np.random.Generator) -> None:
    items, bias = torch.tensor(rng.normal(size=(9, 3))), torch.zeros(9, dtype=torch.float64)
    history, received = _history({4: 1.0, 0: 0.5}, 9), torch.zeros(1, 3, dtype=torch.float64)
    plain, *others = (
        fold_in(history, items, bias, loss, negatives=3, received=received, share=1.0, l2=0.1)
        for loss in (Logistic(), Truncated(), Reweighted())
    )
    assert all(torch.equal(plain, other) for other in others)


def _history(weights: dict[int, float], width: int) -> Rows:
    columns = torch.tensor(list(weights), dtype=torch.int64)
    return Rows(torch.tensor([0, len(weights)]), columns, torch.tensor(list(weights.values()), dtype=torch.float64), width)


NEGATIVES = 2
EXPECTED = {  # over the draws of NEGATIVES items
    "bpr": reference.bpr,
    "logistic": lambda met, others: reference.softplus(-met) + NEGATIVES * np.mean([reference.softplus(s) for s in others]),
    "squared": lambda met, others: ((1 - met) ** 2 + NEGATIVES * np.mean(others**2)) / 2,
}


@pytest.mark.parametrize("l2", [0.01, 0.3])
@pytest.mark.parametrize("share", [1.0, 0.25])
@pytest.mark.parametrize("spread", [0.3, 3.0])
@pytest.mark.parametrize("loss", [BPR(), Logistic(), Squared()], ids=lambda loss: loss.kind)
def test_a_stranger_is_folded_in_at_the_minimum_of_the_same_loss(
    loss: Any, l2: float, share: float, spread: float, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, bias, received = rng.normal(0, spread, (9, 3)), rng.normal(size=9), rng.normal(size=3)
    history = {4: 1.0, 0: 0.5, 7: 2.0}

    def cost(v: Any) -> float:
        return reference.stranger_objective(v, history, items, bias, received, share, l2, EXPECTED[loss.kind])

    lowest = minimize(cost, np.zeros(3), tol=1e-10)
    tensors = torch.tensor(items), torch.tensor(bias)
    costs = []
    for rounds in (0, 1, 2, 4, 8, 300):
        monkeypatch.setattr(strangers, "ROUNDS", rounds)
        rows = _history(history, 9)
        (found,) = fold_in(rows, *tensors, loss, negatives=NEGATIVES, received=torch.tensor(received)[None], share=share, l2=l2)
        costs.append(cost((found.numpy() - received) / share))
    assert all(later <= before + 1e-12 for before, later in pairwise(costs))
    assert costs[-1] == pytest.approx(lowest.fun, rel=1e-6)


def test_a_catalogue_is_stood_for_by_items_evenly_spaced(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    items, bias = torch.tensor(rng.normal(size=(400, 3))), torch.zeros(400, dtype=torch.float64)
    history, received = _history({3: 1.0, 200: 1.0, 399: 1.0}, 400), torch.zeros(1, 3, dtype=torch.float64)
    found = {}
    for size in (100, 400):
        monkeypatch.setattr(strangers, "NEGATIVES", size)
        found[size] = fold_in(history, items, bias, BPR(), negatives=1, received=received, share=1.0, l2=0.01)
    assert not torch.equal(found[100], found[400])
    assert torch.cosine_similarity(found[100], found[400]).item() > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_strangers_are_served_about_as_well_as_known_users(name: str) -> None:
    data = prepare(synthesise(users=150, items=80, interactions=4_000, seed=1))
    settings = {"width": 8, "negatives": 4, "l2": 1e-2, "training": {"epochs": 40, "batch_size": 50, "lr": 3e-2}}
    model = fitted(name, data.train, **settings)
    known, stranger = data.train, _unnamed(data.train)
    assert data.test is not None
    overlap = [
        len(set(a) & set(b)) / 10
        for a, b in zip(recommend(model, known, 10).items, recommend(model, stranger, 10).items, strict=True)
    ]
    assert np.mean(overlap) > 0.8
    there = evaluate(model, known, data.test, ("recall@10",)).mean("recall@10")
    here = evaluate(model, stranger, _unnamed(data.test), ("recall@10",)).mean("recall@10")
    assert here == pytest.approx(there, rel=0.1)


def _unnamed(x: Interactions) -> Interactions:
    return Interactions(x.matrix, x.times, x.time_kind, IdMap.unnamed(x.n_users), x.items)


@pytest.mark.parametrize("name", NAMES)
def test_who_met_nothing_gets_the_users_mean(name: str) -> None:
    model = fitted(name, checkerboard(10))
    found = model.user_vectors(Batch(Rows.from_csr(history_of(model, [], ["item-001"]).matrix)))
    mean = model.module.factors().users.mean(0)
    torch.testing.assert_close(found[0], mean)
    assert not torch.allclose(found[1], mean)


@pytest.mark.parametrize("name", NAMES)
def test_a_typed_history_is_nobodys_though_the_users_are_numbered_too(name: str, rng: np.random.Generator) -> None:
    x = random_interactions(rng)  # users 0, 1, 2...
    model = fitted(name, x)
    typed = history_of(model, x.items.externals(x.take([0]).matrix.indices).to_list())
    lists = recommend(model, typed, 5)
    assert lists.users.ids.to_list() == [0]
    assert lists.scores.tolist() == recommend(model, _unnamed(x.take([0])), 5).scores.tolist()
    assert lists.scores.tolist() != recommend(model, x.take([0]), 5).scores.tolist()


class KilledError(Exception):
    pass


@pytest.mark.parametrize("name", NAMES)
def test_a_run_killed_and_resumed_equals_the_uninterrupted_one(name: str, tmp_path: Path) -> None:
    figures = iter([0.1, 0.3])

    def killed(model: object) -> dict[str, float]:
        value = next(figures, None)
        if value is None:
            raise KilledError
        return {"recall@20": value}

    settings = {"dropout": 0.3, "training": {"epochs": 4, "batch_size": 7, "check_every_epochs": 1, "lr": 0.1}}
    x, run = checkerboard(20), Run(seed=5, out=tmp_path, progress=False, device="cpu")
    with pytest.raises(KilledError):
        build(name, settings).fit(x, run, validate=killed)
    resumed = build(name, settings).fit(x, replace(run, resume=True), validate=lambda model: {"recall@20": 0.5})
    whole = build(name, settings | {"training": settings["training"] | {"epochs": 3}}).fit(x, replace(run, out=None))  # type: ignore[operator]
    assert resumed.summary["best_epoch"] == 3
    for key, tensor in resumed.state().items():
        assert torch.equal(tensor, whole.state()[key])


@pytest.mark.parametrize("name", NAMES)
def test_the_item_embeddings_are_what_is_scored_with(name: str) -> None:
    x = checkerboard(10)
    model = fitted(name, x, width=4)
    assert model.item_embeddings().shape == (10, 4)
    users = model.module.factors().users
    scores = users @ model.item_embeddings().T + model.vectors().bias
    torch.testing.assert_close(scores, model.score(Batch(Rows.from_csr(x.matrix), torch.arange(10))))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"width": 0}, "'width' = 0"),
        ({"negatives": 0}, "'negatives' = 0"),
        ({"l2": -1.0}, "'l2' = -1"),
        ({"dropout": 1.0}, "'dropout' = 1"),
        ({"loss": {"kind": "hinge"}}, "'loss' = {'kind': 'hinge'}"),
        ({"factors": 3}, "unknown setting 'factors'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_settings_out_of_range_are_refused_by_name(name: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        build(name, settings)
