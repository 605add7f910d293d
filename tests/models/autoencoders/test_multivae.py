"""MultiDAE, MultiVAE and MultiDAE++ against slow float64 truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import reference
from layers import layers_of
from recodiff import Run, build
from recodiff.errors import ConfigError
from recodiff.models.autoencoders.multivae import AutoencoderNet, GaussianPosterior, MultiAutoencoder
from recodiff.models.batch import Batch
from recodiff.tensors.losses import kl_from_standard_normal
from recodiff.tensors.networks import normalise
from recodiff.tensors.random import keep_mask
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress
from toy import checkerboard, random_interactions

ITEMS = 14
NETWORK: dict[str, Any] = {"hidden": [8], "latent": 4, "dropout": 0.0}
NAMES = ["multidae", "multivae", "multidae++"]
START = Progress(epoch=0, step=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(users: int = 9) -> Rows:
    """Random rows of random weights."""
    found = Rows.from_csr(random_interactions(np.random.default_rng(2), users, ITEMS, 0.4).matrix)
    return Rows(found.offsets, found.columns, torch.rand(len(found.columns), generator=generator()) + 0.5, ITEMS)


def net(name: str, **settings: Any) -> AutoencoderNet:
    """An untrained network in training mode."""
    model = build(name, {"network": NETWORK} | settings)
    assert isinstance(model, MultiAutoencoder)
    return model.build(ITEMS, generator(1)).train()


def encode(module: AutoencoderNet, x: torch.Tensor) -> NDArray[np.float64]:
    return reference.mlp(x.double().numpy(), layers_of(module.encoder), [np.tanh])


def decode(module: AutoencoderNet, z: NDArray[np.float64]) -> NDArray[np.float64]:
    return reference.mlp(z, layers_of(module.decoder), [np.tanh])


def lengths_one(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(reference.unit_rows(x.double().numpy()))


def test_multidaes_loss_is_its_equation() -> None:
    module, x = net("multidae"), rows()
    logits = decode(module, np.tanh(encode(module, lengths_one(x.dense()))))
    expected = reference.multinomial(logits, x.dense().double().numpy())
    np.testing.assert_allclose(module(Pair(x), START, generator()).detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("step", [0, 30, 1000])
def test_multivaes_loss_is_the_annealed_bound_at_the_same_noise(step: int) -> None:
    module, x = net("multivae", posterior={"kl_weight": 0.3, "kl_anneal_steps": 200}), rows()
    eps = torch.empty(len(x), 4).normal_(generator=generator()).double().numpy()
    mu, logvar = np.split(encode(module, lengths_one(x.dense())), 2, axis=1)
    logits = decode(module, mu + np.exp(logvar / 2) * eps)
    beta = {0: 0.0, 30: 0.15, 1000: 0.3}[step]
    expected = reference.multinomial(logits, x.dense().double().numpy()) + beta * reference.kl_from_standard_normal(mu, logvar)
    loss = module(Pair(x), Progress(epoch=0, step=step), generator())
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["multidae", "multivae"])
def test_dropout_acts_on_the_input_of_length_one_and_never_on_the_target(name: str) -> None:
    module, x = net(name, network=NETWORK | {"dropout": 0.4}), rows()
    draws = generator()
    thinned = normalise(x).drop(0.4, draws).dense()  # pyright: ignore[reportAttributeAccessIssue]
    encoded = encode(module, thinned)
    if name == "multivae":
        mu, logvar = np.split(encoded, 2, axis=1)
        z = mu + np.exp(logvar / 2) * torch.empty(len(x), 4).normal_(generator=draws).double().numpy()
    else:
        z = np.tanh(encoded)
    expected = reference.multinomial(decode(module, z), x.dense().double().numpy())
    np.testing.assert_allclose(module(Pair(x), START, generator()).detach().numpy(), expected, rtol=1e-5)


def test_multidae_plus_plus_is_given_diffrecs_noise_and_answers_with_the_clean_row() -> None:
    noise = {"steps": 6, "schedule": {"kind": "linear_variance", "noise_scale": 1.0, "noise_min": 0.1, "noise_max": 0.9}}
    module, x = net("multidae++", noise=noise, network=NETWORK | {"dropout": 0.4}), rows()
    draws = generator()
    t = torch.randint(6, (len(x),), generator=draws)
    eps = torch.empty(len(x), ITEMS).normal_(generator=draws)
    assert len(set(t.tolist())) > 1
    betas = reference.linear_variance(6, 1.0, 0.1, 0.9)
    x_t = reference.q_sample(x.dense().double().numpy(), t.tolist(), eps.double().numpy(), betas)
    keep = keep_mask((len(x), ITEMS), 0.4, eps, draws) / 0.6
    logits = decode(module, np.tanh(encode(module, lengths_one(torch.from_numpy(x_t)) * keep)))
    expected = reference.multinomial(logits, x.dense().double().numpy())
    np.testing.assert_allclose(module(Pair(x), START, generator()).detach().numpy(), expected, rtol=1e-5)


def test_without_noise_multidae_plus_plus_is_multidae() -> None:
    x = rows()
    still = net("multidae++", noise={"schedule": {"kind": "none"}})
    assert still.noised(x, generator()) is x
    assert torch.equal(still(Pair(x), START, generator()), net("multidae")(Pair(x), START, generator()))


def test_a_target_and_seen_items_are_passed_on_to_the_likelihood() -> None:
    module, x = net("multidae"), rows()
    target, seen = Rows(x.offsets, (x.columns + 1) % ITEMS, x.values, ITEMS), x
    logits = decode(module, np.tanh(encode(module, lengths_one(x.dense()))))
    hidden = [set(row.nonzero()[0].tolist()) for row in seen.dense().numpy()]
    open_target = np.where(seen.dense().numpy() > 0, 0, target.dense().numpy())
    expected = reference.multinomial(logits, open_target, hidden)
    np.testing.assert_allclose(module(Pair(x, target, seen), START, generator()).detach().numpy(), expected, rtol=1e-5)


def test_the_kl_weight_rises_linearly_to_its_cap() -> None:
    posterior = GaussianPosterior(0.2, 50)
    assert [posterior.beta_at(step) for step in (0, 5, 10, 11, 50, 10_000)] == [0.0, 0.1, 0.2, 0.2, 0.2, 0.2]
    assert GaussianPosterior(0.2, 0).beta_at(0) == 0.2


def test_the_kl_divergence_is_its_equation_and_nothing_at_the_prior() -> None:
    mean, log_variance = torch.randn(2, 5, 7, dtype=torch.float64)
    expected = reference.kl_from_standard_normal(mean.numpy(), log_variance.numpy())
    np.testing.assert_allclose(kl_from_standard_normal(mean, log_variance).numpy(), expected)
    assert kl_from_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("hidden", [[], [8], [8, 6]])
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_logits_of_the_clean_row_and_an_inner_product(name: str, hidden: list[int]) -> None:
    board = checkerboard(20)
    settings = {"network": {"hidden": hidden, "latent": 5}, "training": {"epochs": 2, "batch_size": 5}}
    model = build(name, settings).fit(board, Run(progress=False, device="cpu"))
    assert isinstance(model, MultiAutoencoder)
    batch = Batch(Rows.from_csr(board.matrix))
    encoder, decoder = layers_of(model.module.encoder), layers_of(model.module.decoder)
    unit = reference.unit_rows(batch.history.dense().double().numpy())
    encoded = reference.mlp(unit, encoder, [np.tanh] * len(hidden))
    code = encoded[:, :5] if name == "multivae" else np.tanh(encoded)
    expected = reference.mlp(code, decoder, [np.tanh] * len(hidden))
    scores = model.score(batch)
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-4, atol=1e-5)
    items = model.vectors()
    torch.testing.assert_close(model.user_vectors(batch) @ items.vectors.T + items.bias, scores)


@pytest.mark.parametrize(
    ("name", "settings", "named"),
    [
        ("multidae", {"posterior": {"kl_weight": 0.1}}, "unknown setting 'posterior.kl_weight'"),
        ("multivae", {"posterior": {"kl_weight": -0.1}}, r"kl_weight' = -0\.1"),
        ("multivae", {"posterior": {"kind": "uniform"}}, "'uniform'"),
        ("multivae", {"posterior": {"kl_anneal_steps": -1}}, "kl_anneal_steps' = -1"),
        ("multidae", {"network": {"dropout": 1.0}}, r"network\.dropout' = 1\.0"),
        ("multidae", {"network": {"latent": 0}}, r"network\.latent' = 0"),
        ("multidae", {"network": {"hidden": [600, 0]}}, r"network\.hidden\.1' = 0"),
        ("multidae", {"network": {"activation": "sine"}}, r"network\.activation' = 'sine'"),
        ("multidae++", {"noise": {"steps": 0}}, r"noise\.steps' = 0"),
        ("multidae++", {"noise": {"schedule": {"noise_scale": 0}}}, "noise_scale' = 0"),
        ("multidae++", {"noize": {}}, "did you mean 'noise'"),
    ],
)
def test_bad_settings_are_refused(name: str, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build(name, settings)


def test_noise_that_does_not_rise_is_refused_where_the_model_is_built() -> None:
    noise = {"schedule": {"kind": "linear_variance", "noise_min": 0.01, "noise_max": 0.01}}
    with pytest.raises(ConfigError, match=r"in 'noise': beta at step 2 .* noise_min=0.01, noise_max=0.01"):
        build("multidae++", {"noise": noise})


# Frozen numbers: a change here means that published figures may have moved. Change them knowingly, and say so in CHANGELOG.
FROZEN = {"multidae": 26.9434425, "multivae": 27.4115997, "multidae++": 26.8917381}


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_after_twenty_steps_is_what_it_was(name: str) -> None:
    settings = {"network": NETWORK | {"dropout": 0.5}, "training": {"epochs": 5, "batch_size": 5}}
    log = build(name, settings).fit(checkerboard(20), Run(seed=0, progress=False, device="cpu")).summary["log"]
    assert log[-1]["loss"] == pytest.approx(FROZEN[name], rel=1e-5)
