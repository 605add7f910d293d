"""CODIGEM against slow float64 truths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import reference
from layers import layers_of
from recodiff import Run, build
from recodiff.errors import ConfigError
from recodiff.models.batch import Batch
from recodiff.models.diffrec.codigem import Codigem, CodigemNet
from recodiff.tensors.networks import MLP
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress
from toy import checkerboard, random_interactions

ITEMS = 11
BOARD = checkerboard(20)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(steps: int, beta: float = 0.2) -> CodigemNet:
    """An untrained network whose activations' slopes are all different."""
    module = CodigemNet(ITEMS, steps, beta, (7, 5), generator())
    slopes = [part.weight for part in module.modules() if isinstance(part, torch.nn.PReLU)]
    with torch.no_grad():
        for i, slope in enumerate(slopes):
            slope.fill_(0.05 * (i + 1))
    return module


def apply(mlp: MLP, x: NDArray[np.float64]) -> NDArray[np.float64]:
    slopes = [part.weight.item() for part in mlp.body if isinstance(part, torch.nn.PReLU)]
    return reference.mlp(x, layers_of(mlp), [lambda z, a=a: np.where(z > 0, z, a * z) for a in slopes])


def rows() -> torch.Tensor:
    return Rows.from_csr(random_interactions(np.random.default_rng(0), 6, ITEMS, 0.4).matrix).dense()


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_loss_is_its_equation_at_the_same_noise(steps: int) -> None:
    module, x = net(steps), rows()
    noise = torch.randn(steps, *x.shape, generator=generator(1))
    expected = reference.codigem_loss(
        x.double().numpy(),
        list(noise.double().numpy()),
        0.2,
        lambda z: apply(module.decoder, z),
        [lambda z, mlp=mlp: apply(mlp, z) for mlp in module.back if isinstance(mlp, MLP)],
    )
    np.testing.assert_allclose(module.loss(x, list(noise)).detach().numpy(), expected, rtol=1e-5)


def test_training_draws_the_noise_of_every_step() -> None:
    module = net(3)
    found = Rows.from_csr(random_interactions(np.random.default_rng(0), 6, ITEMS, 0.4).matrix)
    draws = generator(5)
    noise = [torch.empty(len(found), ITEMS).normal_(generator=draws) for _ in range(3)]
    loss = module(Pair(found), Progress(epoch=0, step=0), generator(5))
    torch.testing.assert_close(loss, module.loss(found.dense(), noise))


def test_the_chain_keeps_its_law() -> None:
    """z_t is N((1 - beta)^(t/2) x, (1 - (1 - beta)^t) I): the noise of t equal steps."""
    x = torch.tensor([[0.0, 1.0]]).repeat(200_000, 1)
    z = net(4).chain(x, [torch.randn(x.shape, generator=generator(seed)) for seed in range(4)])
    for t, z_t in enumerate(z, 1):
        torch.testing.assert_close(z_t.mean(0), math.sqrt(0.8**t) * x[0], atol=0.01, rtol=0)
        torch.testing.assert_close(z_t.var(0), torch.full((2,), 1 - 0.8**t), atol=0.01, rtol=0)


def test_the_bound_of_one_step_has_the_divergence_of_its_gaussian_from_the_prior() -> None:
    """With T = 1, loss + log p(x | z_1) has the mean KL(N(sqrt(1 - beta) x, beta I) || N(0, I)), known in closed form."""
    module, x = net(1), rows()[:1]
    many = x.repeat(20_000, 1)
    noise = [torch.randn(many.shape, generator=generator(2))]
    with torch.no_grad():
        estimate = torch.tanh(module.decoder(module.chain(many, noise)[0]))
        distance = (many - estimate).square().sum(1) / 2 + ITEMS / 2 * math.log(2 * math.pi)
        found = (module.loss(many, noise) - distance).mean()
    mean, logvar = math.sqrt(0.8) * x.double().numpy(), np.full((1, ITEMS), math.log(0.2))
    assert found.item() == pytest.approx(reference.kl_from_standard_normal(mean, logvar)[0], abs=0.1)


def fitted(**settings: Any) -> Codigem:
    settings = {"hidden": [8, 8], "training": {"epochs": 3, "batch_size": 5}} | settings
    model = build("codigem", settings).fit(BOARD, Run(progress=False, device="cpu"))
    assert isinstance(model, Codigem)
    return model


def test_the_networks_of_the_way_back_change_no_list() -> None:
    one, four = fitted(steps=1, beta=0.1), fitted(steps=4, beta=0.1)
    assert len(four.module.back) == 3
    batch = Batch(Rows.from_csr(BOARD.matrix))
    torch.testing.assert_close(four.score(batch), one.score(batch), rtol=0, atol=0)


def test_every_network_of_the_way_back_learns() -> None:
    module = net(4)
    module.loss(rows(), list(torch.randn(4, *rows().shape))).sum().backward()
    assert all(bool(parameter.grad is not None and parameter.grad.any()) for parameter in module.parameters())


def test_scores_are_the_decoders_on_z_1_without_noise_and_an_inner_product() -> None:
    model, batch = fitted(beta=0.3), Batch(Rows.from_csr(BOARD.matrix))
    expected = apply(model.module.decoder, math.sqrt(0.7) * batch.history.dense().double().numpy())
    scores = model.score(batch)
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-4, atol=1e-5)
    items = model.vectors()
    torch.testing.assert_close(model.user_vectors(batch) @ items.vectors.T + items.bias, scores)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"steps": 0}, "steps' = 0"),
        ({"beta": 0.0}, r"beta' = 0\.0"),
        ({"beta": 1}, "beta' = 1"),
        ({"hidden": []}, r"hidden' = \[\]"),
        ({"hidden": [200, 0]}, r"hidden\.1' = 0"),
        ({"betas": 1e-4}, "did you mean 'beta'"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build("codigem", settings)


def test_the_loss_after_twelve_steps_is_what_it_was() -> None:
    """A frozen number: a change here means that published figures may have moved. Say so in CHANGELOG."""
    assert fitted().summary["log"][-1]["loss"] == pytest.approx(281.5249939, rel=1e-5)
