"""IRGAN: what either player learns by, against slow float64 truths, and the law that items are drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import reference
from recodiff import Run, build
from recodiff.data.interactions import Interactions
from recodiff.data.weighting import LinearRecency
from recodiff.errors import ConfigError
from recodiff.models.factors.irgan import IRGAN, IRGANNet
from recodiff.tensors.random import keyed_generator
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress
from toy import random_interactions

RUN = Run(seed=0, progress=False, device="cpu")
LINEAR = {"kind": "linear", "w_min": 0.3}
WARM, PLAY = Progress(0, 0), Progress(5, 50)
Array = NDArray[np.float64]


def fitted(x: Interactions, **settings: Any) -> IRGAN:
    defaults = {"width": 3, "negatives": 2, "samples": 4, "warmup_epochs": 2, "l2": 0.0, "training": {"epochs": 1, "lr": 0.3}}
    model = build("irgan", defaults | settings).fit(x, RUN)
    assert isinstance(model, IRGAN)
    return model


def game(rng: np.random.Generator, **settings: Any) -> tuple[IRGANNet, Pair, Interactions]:
    """A network in float64, and a pair of all users in their order."""
    x = random_interactions(rng, 6, 7, 0.4)
    x = x.take(np.flatnonzero(x.lengths() > 0))
    model = fitted(x, weighting=LINEAR, **settings)
    pair = model.pairs().bind(x, model.config.weighting, torch.device("cpu"))(torch.arange(x.n_users), keyed_generator(1))
    net = model.module.double().train()
    assert isinstance(net, IRGANNet)
    return net, pair, x


def scores(p: dict[str, Array], player: str) -> Array:
    return p[f"{player}users"] @ p[f"{player}items"].T + p[f"{player}bias"]


def softmax(g: Array) -> Array:
    return np.exp(g) / np.exp(g).sum(1, keepdims=True)


def drawn_twice(net: IRGANNet, monkeypatch: pytest.MonkeyPatch, users: int) -> tuple[Array, Array]:
    """Fixes what is drawn for the discriminator and then for the generator."""
    draws = [torch.randint(7, (users, 4), generator=keyed_generator(seed)) for seed in (1, 2)]
    left = iter(draws)
    monkeypatch.setattr(net, "_draw", lambda law, generator: next(left))
    return draws[0].numpy(), draws[1].numpy()


def test_the_discriminator_learns_to_tell_what_was_met(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    net, pair, x = game(rng, l2=0.2)
    fakes, _ = drawn_twice(net, monkeypatch, x.n_users)
    net(pair, PLAY, keyed_generator(0)).sum().backward()
    rows = LinearRecency(w_min=0.3)(x).matrix.toarray().astype(np.float64)
    start = {key: parameter.detach().numpy().copy() for key, parameter in net.named_parameters()}
    assert pair.negatives is not None
    met = list(zip(pair.source.row_of().tolist(), pair.source.columns.tolist(), pair.negatives.tolist(), strict=True))

    def truth(p: dict[str, Array]) -> float:
        f, out = scores(p, "discriminator."), 0.0
        for user, item, others in met:
            out += rows[user, item] * reference.softplus(-float(f[user, item]))
            size = (p["discriminator.users"][user] ** 2).sum() + (p["discriminator.items"][item] ** 2).sum()
            size += np.mean([(p["discriminator.items"][j] ** 2).sum() for j in others])
            out += rows[user, item] * 0.1 * size
        for user, items in enumerate(fakes):
            out += rows[user].sum() * np.mean([reference.softplus(float(f[user, item])) for item in items])
        return out

    for key, parameter in net.named_parameters():
        if key.startswith("discriminator."):
            assert parameter.grad is not None
            slopes = reference.slopes(lambda value, key=key: truth(start | {key: value}), start[key])
            np.testing.assert_allclose(parameter.grad, slopes, rtol=1e-5, atol=1e-6)


def test_the_generator_learns_by_rewards_of_what_it_drew(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    net, pair, x = game(rng, met_share=0.3)
    _, drawn = drawn_twice(net, monkeypatch, x.n_users)
    net(pair, PLAY, keyed_generator(0)).sum().backward()
    rows = LinearRecency(w_min=0.3)(x).matrix.toarray().astype(np.float64)
    start = {key: parameter.detach().numpy().copy() for key, parameter in net.named_parameters()}
    p0, f = softmax(scores(start, "")), scores(start, "discriminator.")
    proposal = 0.7 * p0 + 0.3 * rows / rows.sum(1, keepdims=True)

    def truth(p: dict[str, Array]) -> float:
        log_p, out = np.log(softmax(scores(p, ""))), 0.0
        for user, items in enumerate(drawn):
            for item in items:
                reward = 2 * reference.sigmoid(f[user, item]) - 1
                out -= rows[user].sum() / 4 * p0[user, item] / proposal[user, item] * reward * log_p[user, item]
        return out

    for key in ("users", "items", "bias"):
        slopes = reference.slopes(lambda value, key=key: truth(start | {key: value}), start[key])
        grad = net.get_parameter(key).grad
        assert grad is not None
        np.testing.assert_allclose(grad, slopes, rtol=1e-5, atol=1e-6)


def test_the_mean_of_its_gradient_is_that_of_the_reward_under_its_law(rng: np.random.Generator) -> None:
    net, pair, _ = game(rng, samples=100_000, met_share=0.4)
    net(pair, PLAY, keyed_generator(3)).sum().backward()
    factors = net.compute()
    law = torch.softmax(factors.users @ factors.items.T + factors.bias, 1)
    judged = net.discriminator.compute()
    reward = 2 * torch.sigmoid(judged.users @ judged.items.T + judged.bias).detach() - 1
    (exact,) = torch.autograd.grad(-(pair.source.sums() * (law * reward).sum(1)).sum(), [net.users])
    assert net.users.grad is not None
    np.testing.assert_allclose(net.users.grad, exact, atol=0.02 * float(exact.abs().max()))


def test_warming_up_the_generator_learns_as_mf_does(rng: np.random.Generator) -> None:
    net, pair, x = game(rng, l2=0.1)
    net(pair, WARM, keyed_generator(0)).sum().backward()
    mf = build("mf", {"width": 3, "negatives": 2, "l2": 0.1, "dropout": 0.0, "training": {"epochs": 1}}).fit(x, RUN)
    plain = mf.module.double().train()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    with torch.no_grad():
        for key, parameter in plain.named_parameters():
            parameter.copy_(net.get_parameter(key))
    plain(pair, WARM, keyed_generator(0)).sum().backward()
    for key, parameter in plain.named_parameters():
        torch.testing.assert_close(net.get_parameter(key).grad, parameter.grad)
    assert net.discriminator.users.grad is not None, "the discriminator plays from the first"


def test_items_are_drawn_by_their_law(rng: np.random.Generator) -> None:
    net = fitted(random_interactions(rng), samples=20_000).module
    assert isinstance(net, IRGANNet)
    law = torch.tensor([[0.5, 0.0, 0.3, 0.2], [0.0, 0.35, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])  # the second sums to less than 1
    drawn = net._draw(law, keyed_generator(0))
    assert drawn.shape == (3, 20_000)
    shares = torch.stack([torch.bincount(row, minlength=4) / 20_000 for row in drawn])
    np.testing.assert_allclose(shares, law / law.sum(1, keepdim=True), atol=0.02)
    assert (shares[law == 0] == 0).all()
    assert torch.equal(drawn, net._draw(law, keyed_generator(0)))


def test_the_generator_ranks_and_both_players_are_kept(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted(x, warmup_epochs=0)
    state = model.state()
    torch.testing.assert_close(model.vectors().vectors, state["items"])
    assert {f"discriminator.{name}" for name in ("users", "items", "bias")} < state.keys()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"warmup_epochs": -1}, "'warmup_epochs' = -1"),
        ({"samples": 0}, "'samples' = 0"),
        ({"met_share": 1.0}, "'met_share' = 1"),
        ({"reward": "softplus"}, "unknown setting 'reward'"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build("irgan", settings)
