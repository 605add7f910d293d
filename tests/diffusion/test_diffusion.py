from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reference
from noise import NOISY
from recodiff.diffusion.denoisers import MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import Cosine, NoNoise
from recodiff.diffusion.timesteps import LossAwareTimesteps, UniformTimesteps
from recodiff.errors import ConfigError
from recodiff.tensors.losses import Multinomial, SquaredError
from recodiff.tensors.random import Kept, keep_mask
from recodiff.tensors.rows import Rows

ROWS, WIDTH = 6, 25


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(
    betas: Tensor, *, sampler: type[Any] = UniformTimesteps, dropout: float = 0.0, normalise=False, **settings: Any
) -> Diffusion:
    """A small diffusion whose network has weights large enough to matter."""
    net = MLPDenoiser(WIDTH, (8, 5), generator=rng(1), normalise=normalise)
    for parameter in net.parameters():
        parameter.data.mul_(2)
    return Diffusion(GaussianProcess(betas), net, sampler(len(betas)), dropout=dropout, **settings)


def some_rows(seed: int = 0) -> Rows:
    """Weighted rows, one of them empty."""
    draw = np.random.default_rng(seed)
    columns = [draw.permutation(WIDTH)[: n % 7] for n in draw.integers(1, 7, ROWS)]
    columns[2] = columns[2][:0]
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in columns])])
    values = torch.tensor(draw.uniform(0.1, 1, int(offsets[-1])), dtype=torch.float32)
    return Rows(offsets, torch.tensor(np.concatenate(columns)), values, WIDTH)


def f64(x: Tensor | None) -> np.ndarray:
    assert x is not None
    return x.detach().double().numpy()


def truth_of(diffusion: Diffusion) -> reference.ConcatMLP:
    parameters = {name: f64(tensor) for name, tensor in diffusion.denoiser.state_dict().items()}
    return reference.ConcatMLP(parameters, diffusion.denoiser.activation, normalise=diffusion.denoiser.normalise)


# The loss

T = torch.tensor([0, 1, 2, 4, 4, 0])


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("kind", ["snr", "half_snr", "none"])
def test_the_loss_of_x0_prediction_is_the_weighted_mean_square(name: str, kind) -> None:
    """w(t) mean_j (x_0 - f(x_t, t))^2 for the steps and the noise that were given."""
    betas = NOISY[name].betas(5)
    diffusion, source, noise = make(betas, step_weights=kind), some_rows(), torch.randn(ROWS, WIDTH, generator=rng(2))
    found = diffusion.loss(source, t=T, noise=noise, generator=rng())
    x0, t, b = f64(source.dense()), T.tolist(), betas.numpy()
    out = truth_of(diffusion)(reference.q_sample(x0, t, f64(noise), b), t)
    weights = {"snr": reference.x0_weights(b), "half_snr": reference.x0_weights(b, half=True), "none": np.ones(5)}[kind]
    assert found.loss.dtype == torch.float64  # weights of 10^5 beside weights of 1
    np.testing.assert_allclose(f64(found.x0_hat), out, atol=2e-5)
    np.testing.assert_allclose(f64(found.loss), weights[t] * reference.squared(out, x0), rtol=2e-5)
    assert found.t.tolist() == t


@pytest.mark.parametrize("name", NOISY)
def test_the_loss_of_eps_prediction_with_its_own_first_step(name: str) -> None:
    betas = NOISY[name].betas(5)
    diffusion, source, noise = make(betas, prediction="eps"), some_rows(), torch.randn(ROWS, WIDTH, generator=rng(2))
    found = diffusion.loss(source, t=T, noise=noise, generator=rng())
    x0, eps, t, b = f64(source.dense()), f64(noise), T.tolist(), betas.numpy()
    x_t, bar, variance = reference.q_sample(x0, t, eps, b), reference.alpha_bar(b), reference.noise(b)
    out = truth_of(diffusion)(x_t, t)
    x0_hat = x_t / np.sqrt(bar[t])[:, None] - np.sqrt(variance[t] / bar[t])[:, None] * out
    at_first, later = reference.squared(x0_hat, x0) / 2, reference.squared(out, eps)
    truth = reference.eps_weights(b)[t] * np.where(T.numpy() == 0, at_first, later)
    np.testing.assert_allclose(f64(found.x0_hat), x0_hat, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(f64(found.loss), truth, rtol=1e-4)


def test_a_target_of_its_own_replaces_the_source_in_the_comparison_only() -> None:
    betas = NOISY["linear_variance"].betas(5)
    diffusion, source, target = make(betas), some_rows(0), some_rows(1)
    noise = torch.randn(ROWS, WIDTH, generator=rng(2))
    found = diffusion.loss(source, target, t=T, noise=noise, generator=rng())
    t = T.tolist()
    out = truth_of(diffusion)(reference.q_sample(f64(source.dense()), t, f64(noise), betas.numpy()), t)
    truth = reference.x0_weights(betas.numpy())[t] * reference.squared(out, f64(target.dense()))
    np.testing.assert_allclose(f64(found.loss), truth, rtol=2e-5)
    assert not np.allclose(truth, reference.squared(out, f64(source.dense())))


@pytest.mark.parametrize(("distance", "prediction"), [(SquaredError, "x0"), (SquaredError, "eps"), (Multinomial, "x0")])
def test_sparse_and_dense_rows_cost_the_same(distance, prediction) -> None:
    diffusion = make(NOISY["cosine"].betas(5), loss=distance(), prediction=prediction, dropout=0.5).train()
    source, target, seen = some_rows(0), some_rows(1), some_rows(2)
    for goal, left_out in [(None, None), (target, None), (target, seen)]:
        dense = None if goal is None else goal.dense()
        a = diffusion.loss(source, goal, left_out, t=T, generator=rng())
        b = diffusion.loss(source.dense(), dense, left_out, t=T, generator=rng())
        torch.testing.assert_close(a.loss, b.loss, rtol=1e-5, atol=1e-7)


def test_seen_entries_reach_neither_the_loss_nor_the_last_layer() -> None:
    diffusion, source, target = make(NOISY["linear_variance"].betas(5)), some_rows(0), some_rows(1)
    seen = Rows(torch.arange(ROWS + 1), torch.full((ROWS,), 3), torch.ones(ROWS), WIDTH)
    diffusion.loss(source, target, seen, t=T, generator=rng()).loss.sum().backward()
    gradient = diffusion.denoiser.last.weight.grad
    assert gradient is not None
    assert not gradient[3].any()
    assert bool(gradient[torch.arange(WIDTH) != 3].any(1).all())


def test_the_multinomial_loss_is_weighted_by_step_like_the_squared() -> None:
    betas = NOISY["linear_variance"].betas(5)
    diffusion, source, target = make(betas, loss=Multinomial()), some_rows(0), some_rows(1)
    noise, t = torch.randn(ROWS, WIDTH, generator=rng(2)), T.tolist()
    found = diffusion.loss(source, target, t=T, noise=noise, generator=rng())
    out = truth_of(diffusion)(reference.q_sample(f64(source.dense()), t, f64(noise), betas.numpy()), t)
    truth = reference.x0_weights(betas.numpy())[t] * reference.multinomial(out, f64(target.dense()))
    np.testing.assert_allclose(f64(found.loss), truth, rtol=2e-5, atol=1e-9)


def test_a_target_equal_to_the_source_changes_nothing() -> None:
    for distance in (SquaredError(), Multinomial()):
        diffusion, source = make(NOISY["cosine"].betas(5), loss=distance), some_rows()
        a, b = (diffusion.loss(source, goal, t=T, generator=rng()).loss for goal in (None, source))
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_draws_come_in_the_order_step_noise_mask() -> None:
    diffusion, source = make(NOISY["linear_variance"].betas(5), dropout=0.5).train(), some_rows()
    found, again = diffusion.loss(source, generator=rng(7)), rng(7)
    t, _ = diffusion.timesteps.sample(ROWS, again)
    noise = torch.randn(ROWS, WIDTH, generator=again)
    keep = keep_mask((ROWS, WIDTH), 0.5, noise, again)
    x_t = diffusion.process.q_sample(source.dense(), t, noise) * keep * 2
    assert torch.equal(found.t, t)
    torch.testing.assert_close(found.x0_hat, diffusion.denoiser(x_t, t))


def test_a_loss_is_a_function_of_the_generator_and_masks_differ_between_calls() -> None:
    diffusion, source = make(NOISY["linear_variance"].betas(5), dropout=0.5).train(), some_rows()
    noise = torch.zeros(ROWS, WIDTH)
    assert torch.equal(diffusion.loss(source, generator=rng(3)).loss, diffusion.loss(source, generator=rng(3)).loss)
    generator = rng(3)
    first, second = (diffusion.loss(source, t=T, noise=noise, generator=generator).loss for _ in range(2))
    assert not torch.equal(first, second)


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    diffusion, source = make(NOISY["linear_variance"].betas(5), dropout=0.5, sampler=LossAwareTimesteps).train(), some_rows()
    before = torch.get_rng_state()
    diffusion.loss(source, generator=rng())
    diffusion.denoise(source, noise_steps=2, sampling_noise=True, generator=rng())
    assert torch.equal(torch.get_rng_state(), before)


def test_drawn_steps_are_paid_for_by_their_probability_and_given_ones_are_not() -> None:
    diffusion, source = (
        make(NOISY["linear_variance"].betas(3), sampler=LossAwareTimesteps),
        some_rows().take(torch.arange(ROWS).repeat(10)),
    )
    sampler: LossAwareTimesteps = diffusion.timesteps  # pyright: ignore[reportAssignmentType]
    sampler.update(torch.arange(3).repeat(10), torch.tensor([1.0, 2.0, 4.0]).repeat(10))
    law, noise = sampler.probabilities().clone(), torch.zeros(10 * ROWS, WIDTH)
    found = diffusion.loss(source, noise=noise, generator=rng())
    assert len(found.t.unique()) == 3
    given = diffusion.loss(source, t=found.t, noise=noise, generator=rng())
    torch.testing.assert_close(found.loss * 3 * law[found.t], given.loss, rtol=1e-12, atol=0)


def test_the_sampler_learns_the_weighted_losses_before_division() -> None:
    diffusion, source = make(NOISY["linear_variance"].betas(2), sampler=LossAwareTimesteps), some_rows()
    sampler: LossAwareTimesteps = diffusion.timesteps  # pyright: ignore[reportAssignmentType]
    sampler.update(torch.arange(2).repeat(10), torch.tensor([1.0, 9.0]).repeat(10))
    fresh = reference.Fifo(2)
    fresh.update([0, 1] * 10, [1.0, 9.0] * 10)
    noise = torch.zeros(ROWS, WIDTH)
    found = diffusion.loss(source, noise=noise, generator=rng())
    weighted = diffusion.loss(source, t=found.t, noise=noise, generator=rng()).loss
    fresh.update(found.t.tolist(), weighted.tolist())
    np.testing.assert_allclose(sampler.probabilities().numpy(), fresh.law(), rtol=1e-12)


def test_a_loss_that_is_only_looked_at_does_not_change_what_is_drawn_next() -> None:
    diffusion, source = make(NOISY["linear_variance"].betas(2), sampler=LossAwareTimesteps), some_rows()
    diffusion.eval().loss(source, generator=rng())
    diffusion.train().loss(source, t=torch.zeros(ROWS, dtype=torch.int64), generator=rng())
    assert diffusion.timesteps.count.sum() == 0  # pyright: ignore[reportAttributeAccessIssue]
    diffusion.loss(source, generator=rng())
    assert diffusion.timesteps.count.sum() == ROWS  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("sampler", [UniformTimesteps, LossAwareTimesteps])
def test_the_mean_loss_estimates_equation_13(sampler) -> None:
    """With noise and dropout off, the mean over draws tends to the average of L_t over the steps, whatever the sampler learned."""
    diffusion, source = make(NOISY["linear_variance"].betas(4), sampler=sampler), some_rows()
    noise = torch.zeros(ROWS, WIDTH)
    per_step = torch.stack([
        diffusion.loss(source, t=torch.full((ROWS,), t), noise=noise, generator=rng()).loss.detach() for t in range(4)
    ])  # fmt: skip
    generator, many = rng(5), some_rows().take(torch.arange(ROWS).repeat(500))
    diffusion.loss(many, noise=noise.repeat(500, 1), generator=generator)  # fills the histories
    draws = diffusion.loss(many, noise=noise.repeat(500, 1), generator=generator).loss.detach()
    spread = draws.std().item() / len(draws) ** 0.5
    assert draws.mean().item() == pytest.approx(per_step.mean().item(), abs=4.5 * spread)


def test_no_gradient_flows_through_the_samplers_history() -> None:
    diffusion = make(NOISY["linear_variance"].betas(2), sampler=LossAwareTimesteps)
    for _ in range(3):
        diffusion.loss(some_rows(), generator=rng()).loss.mean().backward()
    assert not diffusion.timesteps.history.requires_grad  # pyright: ignore[reportAttributeAccessIssue]


def test_every_parameter_of_the_network_learns() -> None:
    diffusion = make(NOISY["linear_variance"].betas(5), dropout=0.5).train()
    diffusion.loss(some_rows(), generator=rng()).loss.mean().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in diffusion.parameters())


@pytest.mark.parametrize("betas", [NoNoise().betas(3), NOISY["cosine"].betas(1)], ids=["no noise", "one step"])
def test_training_is_possible_where_the_released_program_crashes(betas: Tensor) -> None:
    diffusion, source = make(betas, sampler=LossAwareTimesteps, dropout=0.5).train(), some_rows()
    for _ in range(20):
        loss = diffusion.loss(source, generator=rng()).loss
        loss.mean().backward()
        assert bool(loss.isfinite().all())
    if not diffusion.process.has_noise:
        assert diffusion.step_weights.tolist() == [1.0] * 3


def test_without_noise_the_network_sees_the_row_itself() -> None:
    diffusion, source = make(NoNoise().betas(3)), some_rows()
    found = diffusion.loss(source, t=torch.zeros(ROWS, dtype=torch.int64), generator=rng())
    torch.testing.assert_close(found.x0_hat, diffusion.denoiser(source.dense(), found.t), rtol=0, atol=0)


def test_what_eps_prediction_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match="prediction='x0'"):
        make(NoNoise().betas(3), prediction="eps")
    with pytest.raises(ConfigError, match="squared"):
        make(Cosine().betas(3), prediction="eps", loss=Multinomial())


# The chain


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("steps", [1, 2, 5, 40])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_plain_chain_is_algorithm_2(name: str, steps: int, normalise: bool) -> None:
    betas = NOISY[name].betas(steps)
    diffusion, source = make(betas, normalise=normalise), some_rows()
    truth = reference.chain(truth_of(diffusion), f64(source.dense()), betas.numpy())
    for x0 in (source, source.dense()):
        np.testing.assert_allclose(f64(diffusion.denoise(x0)), truth, atol=2e-5 * max(1, abs(truth).max()))


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize(("noise_steps", "sampling_noise"), [(1, False), (3, False), (5, False), (0, True), (2, True)])
def test_the_chain_with_noise_is_algorithm_2_with_the_generators_draws(name: str, noise_steps: int, sampling_noise: bool) -> None:
    """However little the start is noised, all T steps are walked back."""
    betas = NOISY[name].betas(5)
    diffusion, source, again = make(betas), some_rows(), rng(9)
    draws = [f64(torch.empty(ROWS, WIDTH).normal_(generator=again)) for _ in range(6)]
    truth = reference.chain(
        truth_of(diffusion), f64(source.dense()), betas.numpy(),
        noise_steps=noise_steps, draws=draws, sampling_noise=sampling_noise,
    )  # fmt: skip
    found = diffusion.denoise(source, noise_steps=noise_steps, sampling_noise=sampling_noise, generator=rng(9))
    np.testing.assert_allclose(f64(found), truth, atol=2e-5 * max(1, abs(truth).max()))


class Visits(nn.Module):
    """Answers zeros and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, x_t: Tensor, t: Tensor, keep: Kept | None = None) -> Tensor:
        self.asked.append((x_t, t))
        return torch.zeros_like(x_t)


@pytest.mark.parametrize("noise_steps", [0, 1, 5])
def test_the_network_is_asked_once_per_step_from_the_last_to_the_first(noise_steps: int) -> None:
    visits = Visits()
    process = GaussianProcess(NOISY["cosine"].betas(5))
    diffusion = Diffusion(process, visits, UniformTimesteps(5))  # pyright: ignore[reportArgumentType]
    diffusion.denoise(some_rows(), noise_steps=noise_steps, generator=rng())
    assert [t.unique().tolist() for _, t in visits.asked] == [[4], [3], [2], [1], [0]]


@pytest.mark.parametrize("noise_steps", [1, 3, 5])
def test_the_chain_starts_from_the_law_of_x_at_t_prime(noise_steps: int) -> None:
    process, visits, draws = GaussianProcess(NOISY["linear_variance"].betas(5)), Visits(), 4000
    diffusion = Diffusion(process, visits, UniformTimesteps(5))  # pyright: ignore[reportArgumentType]
    diffusion.denoise(torch.ones(draws, 10), noise_steps=noise_steps, generator=rng())
    start, variance = visits.asked[0][0].double(), float(1 - process.alpha_bar[noise_steps - 1])
    assert start.mean().item() == pytest.approx((1 - variance) ** 0.5, abs=4.5 * (variance / start.numel()) ** 0.5)
    assert start.var().item() == pytest.approx(variance, rel=4.5 * (2 / start.numel()) ** 0.5)


@pytest.mark.parametrize("noise_steps", [6, 41, -1])
def test_more_noise_steps_than_steps_are_refused(noise_steps: int) -> None:
    with pytest.raises(ConfigError, match=rf"noise_steps={noise_steps} lies outside 0\.\.5"):
        make(NOISY["cosine"].betas(5)).denoise(some_rows(), noise_steps=noise_steps, generator=rng())


def test_without_noise_the_chain_applies_the_network_t_times() -> None:
    diffusion, source = make(NoNoise().betas(4)), some_rows()
    x = source.dense()
    for t in (3, 2, 1, 0):
        x = diffusion.denoiser(x, torch.full((ROWS,), t))
    torch.testing.assert_close(diffusion.denoise(source), x.detach(), rtol=1e-6, atol=1e-6)


def test_the_last_step_is_the_estimate_at_the_first_step() -> None:
    diffusion, source = make(NOISY["cosine"].betas(1)), some_rows()
    expected = diffusion.denoiser(source.dense(), torch.zeros(ROWS, dtype=torch.int64))
    torch.testing.assert_close(diffusion.denoise(source), expected.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["linear_variance", "released", "linear", "binomial"])
def test_the_chain_of_eps_prediction(name: str) -> None:
    betas = NOISY[name].betas(5)
    diffusion, source = make(betas, prediction="eps"), some_rows()
    net, bar, variance = truth_of(diffusion), reference.alpha_bar(betas.numpy()), reference.noise(betas.numpy())

    def x0_hat(x: np.ndarray, t) -> np.ndarray:
        return (x - np.sqrt(variance[t[0]]) * net(x, t)) / np.sqrt(bar[t[0]])

    truth = reference.chain(x0_hat, f64(source.dense()), betas.numpy())
    np.testing.assert_allclose(f64(diffusion.denoise(source)), truth, atol=2e-5 * max(1, abs(truth).max()))


def test_a_perfect_eps_network_gives_x_0_back() -> None:
    """If f knows the eps of q_sample, the estimate of x_0 is x_0 at every step."""
    process, x0, eps = GaussianProcess(NOISY["linear_variance"].betas(5)), torch.randn(5, 4), torch.randn(5, 4)
    t = torch.arange(5)

    class Oracle(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor, keep: Kept | None = None) -> Tensor:
            return eps

    diffusion = Diffusion(process, Oracle(), UniformTimesteps(5), prediction="eps")  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(diffusion.x0_hat(process.q_sample(x0, t, eps), t), x0, rtol=1e-5, atol=1e-5)
    assert diffusion.eval().loss(x0, t=t, noise=eps, generator=rng()).loss.abs().max().item() < 1e-9


def test_dropout_never_touches_the_chain() -> None:
    diffusion, source = make(NOISY["cosine"].betas(5), dropout=0.9), some_rows()
    torch.testing.assert_close(diffusion.train().denoise(source), diffusion.eval().denoise(source), rtol=0, atol=0)


def test_input_is_normalised_before_dropout_as_released() -> None:
    """Section 3: optional row normalisation, then dropout with inverted scaling; the other order undoes the scaling."""
    diffusion, source = make(NoNoise().betas(1), dropout=0.5, normalise=True).train(), some_rows()
    found = diffusion.loss(source, t=torch.zeros(ROWS, dtype=torch.int64), generator=rng(3)).x0_hat
    x = torch.nn.functional.normalize(source.dense())
    dropped = x * keep_mask((ROWS, WIDTH), 0.5, x, rng(3)) * 2
    net = reference.ConcatMLP({name: f64(p) for name, p in diffusion.denoiser.state_dict().items()})
    np.testing.assert_allclose(f64(found), net(f64(dropped), [0] * ROWS), atol=1e-5)
