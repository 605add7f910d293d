"""The loss in the hidden space, against the dense one."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from noise import SCHEDULES
from recodiff.diffusion import hidden
from recodiff.diffusion.denoisers import MLPDenoiser
from recodiff.diffusion.diffusion import DensePath, Diffusion
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.timesteps import LossAwareTimesteps, UniformTimesteps
from recodiff.errors import ConfigError
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.registry import build
from recodiff.runtime.run import Run
from recodiff.tensors.losses import Multinomial
from recodiff.tensors.networks import ACTIVATIONS, Activation
from recodiff.tensors.rows import Rows
from toy import checkerboard

LAYERS = [(12,), (12, 7), (12, 7, 9)]
ROWS, WIDTH, STEPS = 6, 60, 5
T = torch.tensor([0, 1, 2, 4, 4, 0])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(betas: Tensor, layers: tuple[int, ...], activation: Activation = "tanh", **settings: Any) -> Diffusion:
    net = MLPDenoiser(WIDTH, layers, activation=activation, generator=rng(1))
    hidden.lay_out_by_item(net)
    return Diffusion(GaussianProcess(betas), net, UniformTimesteps(len(betas)), **settings).double()


def some_rows(seed: int = 0, rows: int = ROWS) -> Rows:
    draw = np.random.default_rng(seed)
    columns = [draw.permutation(WIDTH)[:n] for n in draw.integers(0, 12, rows)]
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in columns])])
    values = torch.tensor(draw.uniform(0.1, 1, int(offsets[-1])))
    return Rows(offsets, torch.tensor(np.concatenate(columns)), values, WIDTH)


def loss_and_gradients(diffusion: Diffusion, space: Any, *pair: Any, **given: Any) -> tuple[Tensor, list[Tensor]]:
    diffusion.loss_path = space
    loss = diffusion.loss(*pair, t=T, generator=rng(5), **given).loss
    parameters = list(diffusion.denoiser.parameters())
    return loss, list(torch.autograd.grad(loss.sum() / diffusion.step_weights.max(), parameters))


def assert_same(diffusion: Diffusion, *pair: Any, eps: Tensor | None = None) -> None:
    projected = None if eps is None else eps @ diffusion.denoiser.first.weight.T
    ours = loss_and_gradients(diffusion, hidden.HiddenPath(), *pair, noise=projected)
    truth = loss_and_gradients(diffusion, DensePath(), *pair, noise=eps)
    torch.testing.assert_close(ours[0], truth[0], rtol=1e-10, atol=1e-12)
    for a, b in zip(ours[1], truth[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_loss_and_gradients_are_the_dense_ones_for_the_same_noise(name: str, layers: tuple[int, ...]) -> None:
    diffusion = make(SCHEDULES[name].betas(STEPS), layers).eval()
    eps = torch.randn(ROWS, WIDTH, dtype=torch.float64, generator=rng(2)) if name != "none" else None
    assert_same(diffusion, some_rows(), eps=eps)
    assert_same(diffusion, some_rows(), some_rows(3), some_rows(4), eps=eps)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_loss_and_gradients_are_the_dense_ones_for_every_activation(activation: Activation) -> None:
    assert_same(make(SCHEDULES["none"].betas(STEPS), (12, 7), activation).eval(), some_rows())


def test_dropout_takes_the_rows_own_entries_exactly() -> None:
    diffusion, x = make(SCHEDULES["none"].betas(STEPS), (12,), dropout=0.4).train(), some_rows()
    diffusion.loss_path = hidden.HiddenPath()
    ours = diffusion.loss(x, t=T, generator=rng(5)).loss
    dropped = x.drop(0.4, rng(5))
    estimate = diffusion.denoiser(dropped.dense().double(), T)
    torch.testing.assert_close(ours, (estimate - x.dense()).square().mean(1), rtol=1e-6, atol=0)


def sums_before_activation(diffusion: Diffusion, space: Any, x: Rows, t: Tensor) -> Tensor:
    """What stands before the first activation, [B, h1]."""
    caught: list[Tensor] = []
    diffusion.loss_path, real = space, diffusion.denoiser.hidden
    diffusion.denoiser.hidden = lambda z: real(caught.append(z.detach()) or z)  # pyright: ignore[reportAttributeAccessIssue]
    diffusion.loss(x, t=t, generator=rng(7))
    diffusion.denoiser.hidden = real  # pyright: ignore[reportAttributeAccessIssue]
    return caught[0]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_noise_after_the_first_layer_has_the_dense_ones_mean_and_covariance(dropout: float) -> None:
    many, diffusion = 40_000, make(SCHEDULES["linear_variance"].betas(STEPS), (4,), dropout=dropout).train()
    one = some_rows(8, rows=1)
    x, t = one.take(torch.zeros(many, dtype=torch.int64)), torch.full((many,), 3)
    found = {space: sums_before_activation(diffusion, space, x, t) for space in (hidden.HiddenPath(), DensePath())}
    (mean, covariance), (true_mean, true_covariance) = ((z.mean(0), z.T.cov()) for z in found.values())
    spread = true_covariance.diagonal().sqrt()
    assert bool(((mean - true_mean).abs() < 5 * spread * (2 / many) ** 0.5).all())
    assert bool(((covariance - true_covariance).abs() < 0.04 * spread[:, None] * spread).all())
    noise = diffusion.process.variance[3] * diffusion.denoiser.first.weight @ diffusion.denoiser.first.weight.T / (1 - dropout)
    if dropout == 0:  # else what dropout does to the row's own entries comes on top
        assert bool(((covariance - noise).abs() < 0.03 * spread[:, None] * spread).all())


def test_the_expected_loss_is_the_dense_one() -> None:
    many, diffusion = 20_000, make(SCHEDULES["linear"].betas(STEPS), (8,), "silu", dropout=0.3).train()
    for parameter in diffusion.denoiser.parameters():
        parameter.data.mul_(2)
    x, t = some_rows(8, rows=1).take(torch.zeros(many, dtype=torch.int64)), torch.full((many,), 2)
    means = []
    for space in (hidden.HiddenPath(), DensePath()):
        diffusion.loss_path = space
        loss = diffusion.loss(x, t=t, generator=rng(7)).loss.detach()
        means.append((float(loss.mean()), float(loss.std()) / many**0.5))
    (ours, error), (truth, true_error) = means
    assert abs(ours - truth) < 5 * (error + true_error)


def test_loss_aware_steps_learn_in_the_hidden_space_too() -> None:
    net = MLPDenoiser(WIDTH, (8,), generator=rng(1))
    sampler = LossAwareTimesteps(3)
    diffusion = Diffusion(GaussianProcess(SCHEDULES["linear"].betas(3)), net, sampler, loss_path=hidden.HiddenPath()).train()
    found = diffusion.loss(some_rows(), generator=rng())
    assert found.x0_hat is None
    assert int(sampler.count.sum()) == ROWS


# Where it is chosen


def model(space: str = "auto", batch: int = 400, **settings: Any) -> DiffRec:
    shape = {"denoiser": {"hidden": [20]}, "diffusion": {"space": space}, "training": {"batch_size": batch, "epochs": 30}}
    for path, value in settings.items():
        group, _, key = path.partition("__")
        shape.setdefault(group, {})[key] = value
    built = build("diffrec", shape)
    assert isinstance(built, DiffRec)
    return built


def space_of(built: DiffRec, items: int = WIDTH) -> type:
    return type(built.build(items, rng()).diffusion.loss_path)


def test_auto_takes_what_costs_less_arithmetic() -> None:
    # 4 (h1^2 + hL^2) against B (4 h1 + 6 hL): 3,200 against 200 B.
    assert space_of(model(batch=17)) is hidden.HiddenPath
    assert space_of(model(batch=16)) is DensePath
    # Without noise there is no W W': 1,600 against 200 B.
    assert space_of(model(batch=9, diffusion__schedule={"kind": "none"})) is hidden.HiddenPath
    assert space_of(model("dense")) is DensePath
    assert space_of(model("hidden", batch=1)) is hidden.HiddenPath


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"diffusion__prediction": "eps"}, "prediction='x0'"),
        ({"denoiser__normalise": True}, "denoiser.normalise=false"),
        ({"denoiser__hidden": [61]}, "60 items are fewer than the 61"),
        ({"codec__kind": "clustered_vae", "codec__clusters": 1}, "codec.kind='identity'"),
    ],
    ids=str,
)
def test_where_it_does_not_hold_auto_is_dense_and_hidden_is_refused(settings: dict[str, Any], why: str) -> None:
    for asked in ("auto", "hidden"):
        with contextlib.nullcontext() if asked == "auto" else pytest.raises(ConfigError, match=why):
            built = model(asked, **settings)
            built.derived = {"clusters": torch.zeros(WIDTH, dtype=torch.int64)}
            assert space_of(built) is DensePath


@pytest.mark.parametrize("activation", ["silu", "tanh"])
def test_the_multinomial_loss_and_its_gradients_are_the_dense_ones(activation: Activation) -> None:
    diffusion = make(SCHEDULES["none"].betas(STEPS), (12,), activation, loss=Multinomial()).eval()
    assert_same(diffusion, some_rows())
    assert_same(diffusion, some_rows(), some_rows(3), some_rows(4))
    noisy = make(SCHEDULES["linear"].betas(STEPS), (12,), activation, loss=Multinomial()).eval()
    assert_same(noisy, some_rows(), eps=torch.randn(ROWS, WIDTH, dtype=torch.float64, generator=rng(2)))


def fitted(space: str, schedule: dict[str, Any]) -> DiffRec:
    return model(space, batch=7, diffusion__schedule=schedule, diffusion__steps=3, denoiser__dropout=0.0).fit(
        checkerboard(40), Run(device="cpu", progress=False, seed=1)
    )


def test_training_in_either_space_ends_at_the_same_weights_where_nothing_is_drawn() -> None:
    ours, truth = (fitted(space, {"kind": "none"}) for space in ("hidden", "dense"))
    torch.testing.assert_close(
        torch.tensor([entry["loss"] for entry in ours.summary["log"][:20]]),
        torch.tensor([entry["loss"] for entry in truth.summary["log"][:20]]),
        rtol=1e-4,
        atol=0,
    )


def test_training_learns_through_the_projected_noise() -> None:
    log = fitted("hidden", {"kind": "linear_variance", "noise_scale": 0.5, "noise_max": 0.9}).summary["log"]
    assert log[-1]["loss"] < log[0]["loss"] / 2


def test_a_latent_model_learns_by_the_gaussian_likelihood() -> None:
    settings = {
        "codec": {"latent": 12, "clusters": 1, "likelihood": "gaussian"},
        "denoiser": {"hidden": [16]},
        "training": {"epochs": 30, "batch_size": 10},
    }
    found = build("l-diffrec", settings).fit(checkerboard(30), Run(device="cpu", progress=False))
    log = found.summary["log"]
    assert log[-1]["loss"] < 0.7 * log[0]["loss"]
