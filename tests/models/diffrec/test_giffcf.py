"""GiffCF: filter, loss and chain against slow float64 truths in the space of the items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import reference
from recodiff import Run, build, load_model, save_model
from recodiff.data.interactions import Interactions
from recodiff.data.weighting import LinearRecency
from recodiff.errors import ConfigError, ModelError
from recodiff.models.batch import Batch
from recodiff.models.diffrec import giffcf
from recodiff.models.diffrec.giffcf import GiffCF
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress
from reference import closed_form
from toy import random_interactions, scores_of, with_gaps

RUN = Run(seed=0, progress=False, device="cpu")
START = Progress(0, 0)
Array = NDArray[np.float64]


def fitted(x: Interactions, **settings: Any) -> GiffCF:
    """A model whose every weight is away from where it starts."""
    settings = {"width": 3, "channels": 2, "dropout": 0.0, "training": {"epochs": 1, "lr": 0.1}} | settings
    model = build("giffcf", settings).fit(x, RUN)
    assert isinstance(model, GiffCF)
    with torch.no_grad():
        for key, parameter in model.module.named_parameters():
            parameter.add_(torch.randn(parameter.shape, generator=keyed_generator(key)) * 0.3)
    model.module.eval()
    return model


def weights(model: GiffCF) -> dict[str, Array]:
    named = model.module.named_parameters()
    return {key.removeprefix("mixer."): parameter.detach().double().numpy().copy() for key, parameter in named}


def dense(x: Interactions) -> Array:
    return x.matrix.toarray().astype(np.float64)


@pytest.mark.parametrize("exponents", [(0.25, 0.5), (0.0, 0.0), (0.5, 0.5)])
@pytest.mark.parametrize("dense_up_to", [0, 1000])
def test_the_filter_is_its_definition(
    exponents: tuple[float, float], dense_up_to: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(giffcf, "FILTER_TABLE_UP_TO", dense_up_to)
    for x in (random_interactions(rng), with_gaps()):
        model = fitted(x, user_exponent=exponents[0], item_exponent=exponents[1])
        a = closed_form.item_filter(dense(x), *exponents)
        smoother = model.module.smoother
        assert (smoother.table is None) == (dense_up_to == 0)
        np.testing.assert_allclose(smoother(Rows.from_csr(x.matrix)), dense(x) @ a, rtol=1e-4, atol=1e-6)
        v = torch.tensor(rng.normal(size=(x.n_items, 4)), dtype=torch.float32)
        np.testing.assert_allclose(smoother.of_items(v), a @ v.double().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("dense_up_to", [0, 1000])
@pytest.mark.parametrize("exponent", [0.0, 0.5])
def test_the_chain_in_the_low_rank_part_is_the_chain_over_the_items(
    steps: int, channels: int, dense_up_to: int, exponent: float, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(giffcf, "FILTER_TABLE_UP_TO", dense_up_to)
    x = random_interactions(rng)
    weighting = {"kind": "linear", "w_min": 0.2}
    model = fitted(x, steps=steps, channels=channels, smoothing=1.5, length_exponent=exponent, weighting=weighting)
    history = dense(LinearRecency(w_min=0.2)(x))
    a = closed_form.item_filter(history, 0.25, 0.5)
    expected = [closed_form.giffcf(row, a, 1.5, steps, weights(model), exponent) for row in history]
    np.testing.assert_allclose(scores_of(model, x), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("channels", [0, 2])
@pytest.mark.parametrize("exponent", [0.0, 0.5])
def test_the_loss_and_its_gradient_are_the_equations(
    channels: int, dropout: float, exponent: float, rng: np.random.Generator
) -> None:
    x = random_interactions(rng, 7, 9, 0.4)
    model = fitted(x, channels=channels, dropout=dropout, length_exponent=exponent)
    net, rows, draws = model.module.double().train(), Rows.from_csr(x.matrix), keyed_generator(1)
    found = net(Pair(rows), START, keyed_generator(1))
    found.sum().backward()

    history = (rows.drop(dropout, draws) if dropout else rows).dense().double().numpy()
    steps = torch.randint(3, (len(rows),), generator=draws).tolist()
    assert len(set(steps)) > 1
    a = closed_form.item_filter(dense(x), 0.25, 0.5)
    start = {key: parameter.detach().numpy().copy() for key, parameter in net.named_parameters()}

    def truth(changed: dict[str, Array]) -> Array:
        p = {key.removeprefix("mixer."): value for key, value in (start | changed).items()}
        out = []
        for row, whole, step in zip(history, dense(x), steps, strict=True):
            z = closed_form.smoothed(row, a, 1.5 * (step + 1) / 3)
            out.append(((closed_form.giffcf_estimate(z, row, a, step, p, exponent) - whole) ** 2).mean())
        return np.array(out)

    np.testing.assert_allclose(found.detach(), truth({}), rtol=1e-5)
    for key, parameter in net.named_parameters():
        slopes = reference.slopes(lambda value, key=key: truth({key: value}).sum(), start[key])
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad, slopes, rtol=1e-4, atol=1e-6)


def test_a_target_may_be_another_row_and_seen_items_count_nothing(rng: np.random.Generator) -> None:
    x = random_interactions(rng, 7, 9, 0.4)
    net, rows = fitted(x, steps=1).module.train(), Rows.from_csr(x.matrix)
    other = Rows.from_csr(random_interactions(rng, 7, 9, 0.4).matrix)
    estimate = net.denoise(rows).numpy()
    found = net(Pair(rows, other, rows), START, keyed_generator(1)).detach()
    unseen = rows.dense().numpy() == 0
    np.testing.assert_allclose(found, ((estimate - other.dense().numpy()) ** 2 * unseen).mean(1), rtol=1e-4)


def test_scores_follow_the_weights_and_not_an_older_table(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted(x)
    before = scores_of(model, x)
    with torch.no_grad():
        model.module.items.mul_(2)
    model.module.eval()
    a = closed_form.item_filter(dense(x), 0.25, 0.5)
    expected = [closed_form.giffcf(row, a, 1.5, 3, weights(model)) for row in dense(x)]
    np.testing.assert_allclose(scores_of(model, x), expected, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(scores_of(model, x), before)


def test_a_model_folder_holds_the_filter(tmp_path: Path, rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted(x)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.parameters == sum(p.numel() for p in model.module.parameters()), "the filter is not learned"
    assert torch.equal(loaded.score(Batch(Rows.from_csr(x.matrix))), model.score(Batch(Rows.from_csr(x.matrix))))


def test_weights_that_are_no_counts_are_refused(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    with pytest.raises(ModelError, match="GiffCF takes weights for counts"):
        build("giffcf").fit(x.with_values(np.full(x.nnz, -1.0, np.float32)), RUN)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"steps": 0}, "'steps' = 0"),
        ({"smoothing": -1.0}, "'smoothing' = -1"),
        ({"user_exponent": -0.5}, "'user_exponent' = -0.5"),
        ({"width": 0}, "'width' = 0"),
        ({"channels": -1}, "'channels' = -1"),
        ({"dropout": 1.0}, "'dropout' = 1"),
        ({"alpha": 1.0}, "unknown setting 'alpha'"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build("giffcf", settings)
