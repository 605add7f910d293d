from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reference
from recodiff.diffusion.denoisers import MLPDenoiser, timestep_embedding
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import NoNoise
from recodiff.diffusion.timesteps import UniformTimesteps
from recodiff.tensors.networks import ACTIVATIONS, Activation
from recodiff.tensors.random import Kept

SIZES = [[16], [16, 8], [16, 8, 12]]
RELEASED = [600, 200, 600]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().double().numpy() for name, tensor in module.state_dict().items()}


def test_the_embedding_has_the_check_values() -> None:
    found = timestep_embedding(torch.tensor([1]), 10)[0].tolist()
    said = [0.54030, 0.98747, 0.99968, 0.99999, 1.0, 0.84147, 0.15783, 0.025116, 0.0039811, 0.00063096]
    assert [float(f"{value:.5g}") for value in found] == said


@pytest.mark.parametrize("size", [2, 3, 10, 11, 32])
def test_the_embedding_equals_its_equation_at_every_step(size: int) -> None:
    t = torch.arange(40)
    found = timestep_embedding(t, size)
    assert found.shape == (40, size)
    np.testing.assert_allclose(found.numpy(), reference.timestep_embedding(t.tolist(), size), atol=4e-6)
    assert size % 2 == 0 or not found[:, -1].any()


def test_the_released_network_has_the_released_number_of_parameters() -> None:
    assert sum(p.numel() for p in MLPDenoiser(2810, RELEASED).parameters()) == 3_622_320


@pytest.mark.parametrize("hidden", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalise", [False, True])
def test_it_is_an_mlp_on_the_concatenation_of_row_and_embedding(hidden: list[int], activation: Activation, normalise: bool) -> None:
    net = MLPDenoiser(30, hidden, embedding=7, activation=activation, normalise=normalise, generator=rng())
    x, t = torch.randn(6, 30, generator=rng(1)), torch.tensor([0, 1, 2, 3, 39, 39])
    truth = reference.ConcatMLP(arrays(net), activation, normalise=normalise)(x.double().numpy(), t.tolist())
    np.testing.assert_allclose(net(x, t).detach().numpy(), truth, atol=2e-6)


def test_its_output_depends_on_the_step() -> None:
    net, x = MLPDenoiser(30, [16], generator=rng()), torch.randn(1, 30).expand(5, 30)
    assert len(net(x, torch.arange(5)).unique(dim=0)) == 5


def test_weights_have_variance_two_over_the_fans_counting_the_embedding_in() -> None:
    net = MLPDenoiser(1000, RELEASED, generator=rng())
    fans = {
        net.first: 1010 + 600,
        net.first_step: 1010 + 600,
        net.body[0]: 600 + 200,
        net.body[1]: 200 + 600,
        net.last: 600 + 1000,
    }
    for layer, total in fans.items():
        weight = layer.weight.detach().double()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        slack = 4.5 * math.sqrt(2 / weight.numel())
        assert weight.var().item() == pytest.approx(2 / total, rel=slack)
        assert weight.mean().item() == pytest.approx(0, abs=4.5 * math.sqrt(2 / total / weight.numel()))


def test_fan_in_of_the_first_layer_is_that_of_the_concatenation() -> None:
    """An embedding as wide as the row doubles the fan-in of both parts."""
    net = MLPDenoiser(150, [200], embedding=150, generator=rng())
    for layer in (net.first, net.first_step):
        assert layer.weight.var().item() == pytest.approx(2 / (300 + 200), rel=4.5 * math.sqrt(2 / layer.weight.numel()))


def test_the_embeddings_own_layer_is_drawn_by_its_own_fans() -> None:
    nets = [MLPDenoiser(5, [3], generator=rng(seed)) for seed in range(60)]
    weights = torch.stack([net.embed.weight for net in nets]).detach()
    assert weights.var().item() == pytest.approx(2 / 20, rel=4.5 * math.sqrt(2 / weights.numel()))


def test_released_biases_have_standard_deviation_a_thousandth() -> None:
    net = MLPDenoiser(3000, RELEASED, generator=rng())
    layers = [net.embed, net.first, *net.body, net.last]
    assert all(layer.bias.any() for layer in layers)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    for layer in layers[1:]:
        bias: Tensor = layer.bias.detach()  # pyright: ignore[reportAssignmentType, reportAttributeAccessIssue, reportCallIssue]
        assert bias.std().item() == pytest.approx(0.001, rel=4.5 / math.sqrt(2 * len(bias)))


def test_xavier_has_the_same_weights_and_no_bias() -> None:
    net = MLPDenoiser(1000, [400], initialisation="xavier", generator=rng())
    assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))
    assert net.first.weight.var().item() == pytest.approx(2 / 1410, rel=4.5 * math.sqrt(2 / net.first.weight.numel()))


def test_the_generator_decides_the_weights() -> None:
    first, again, other = (MLPDenoiser(9, [4, 3], generator=rng(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(first.state_dict(), again.state_dict(), rtol=0, atol=0)
    assert not torch.equal(first.last.weight, other.last.weight)


# Dropout belongs to the input of the network, so it is tested on what the network is given


class Recorder(MLPDenoiser):
    """Keeps what it was given."""

    given: Tensor

    def forward(self, x_t: Tensor, t: Tensor, keep: Kept | None = None) -> Tensor:
        self.given = x_t if keep is None else keep.of(x_t) * keep.growth
        return super().forward(x_t, t, keep)


def shown(x: Tensor, *, dropout: float, training: bool, seed: int = 0) -> Tensor:
    net = Recorder(x.shape[1], [4], generator=rng())
    diffusion = Diffusion(GaussianProcess(NoNoise().betas(2)), net, UniformTimesteps(2), dropout=dropout).train(training)
    diffusion.loss(x, generator=rng(seed))
    return net.given


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_zeroes_its_share_and_scales_up_the_rest(dropout: float) -> None:
    given = shown(torch.full((200, 500), 3.0), dropout=dropout, training=True)
    kept = given != 0
    np.testing.assert_allclose(given[kept].numpy(), 3 / (1 - dropout), rtol=1e-6)
    assert kept.double().mean().item() == pytest.approx(1 - dropout, abs=4.5 * math.sqrt(dropout * (1 - dropout) / kept.numel()))


@pytest.mark.parametrize(("dropout", "training"), [(0.5, False), (0.0, True)])
def test_dropout_is_off_in_evaluation_and_at_zero(dropout: float, training: bool) -> None:
    x = torch.randn(5, 20)
    torch.testing.assert_close(shown(x, dropout=dropout, training=training), x, rtol=0, atol=0)


def test_the_dropout_mask_is_the_generators() -> None:
    x = torch.ones(5, 100)
    first, again, other = (shown(x, dropout=0.5, training=True, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dropout_leaves_embedding_hidden_layers_and_target_alone() -> None:
    """With an all-zero row nothing can be dropped, so training and evaluation agree exactly."""
    net = MLPDenoiser(30, [16, 8], generator=rng())
    diffusion = Diffusion(GaussianProcess(NoNoise().betas(3)), net, UniformTimesteps(3), dropout=0.9)
    x, target, t = torch.zeros(4, 30), torch.randn(4, 30), torch.tensor([0, 1, 2, 2])
    trained = diffusion.train().loss(x, target, t=t, generator=rng())
    judged = diffusion.eval().loss(x, target, t=t, generator=rng())
    torch.testing.assert_close(trained.loss, judged.loss, rtol=0, atol=0)
    assert trained.x0_hat is not None
    truth = reference.squared(trained.x0_hat.detach().double().numpy(), target.double().numpy())
    np.testing.assert_allclose(trained.loss.detach().numpy(), truth, rtol=1e-5)
