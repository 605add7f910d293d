from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import reference
from noise import NOISY
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import Binomial, Cosine, Linear, LinearVariance, NoNoise

TINY = LinearVariance(noise_scale=0.0001, noise_min=0.0005, noise_max=0.005).betas(5)
"""Of noise from 5e-8 to 5e-7: the paper's for Amazon-book."""


@st.composite
def some_betas(draw: st.DrawFn) -> Tensor:
    """Any schedule, its noise down to that of the released settings."""
    steps, first = draw(st.integers(1, 60)), draw(st.none() | st.floats(5e-8, 1))
    alone = draw(st.sampled_from([None, Cosine, Binomial]))
    if alone is not None:
        return alone(first_beta=first).betas(steps)
    kind = draw(st.sampled_from([LinearVariance, Linear]))
    s, a = draw(st.floats(1e-4, 1)), draw(st.floats(5e-4, 0.5))
    b = draw(st.floats(min(2 * a, 0.99), 0.999))
    return kind(noise_scale=s, noise_min=a, noise_max=b, first_beta=first).betas(steps)


@settings(deadline=None, max_examples=100)
@given(some_betas())
def test_betas_lie_in_their_range_and_alpha_bar_falls(betas: Tensor) -> None:
    bar = GaussianProcess(betas).alpha_bar
    assert bool(((betas > 0) & (betas <= 1)).all())
    assert bool(((bar >= 0) & (bar < 1)).all())
    assert bool(((bar.diff() < 0) | (bar[:-1] == 0)).all())
    np.testing.assert_allclose(bar.numpy(), reference.alpha_bar(betas.numpy()), rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=100)
@given(some_betas())
def test_the_first_step_back_is_the_estimate_itself(betas: Tensor) -> None:
    process = GaussianProcess(betas)
    assert process.posterior_x0[0].item() == 1.0
    assert process.posterior_x_t[0].item() == 0.0
    assert process.posterior_std[0].item() == 0.0


@settings(deadline=None, max_examples=100)
@given(some_betas(), st.floats(-3, 3), st.floats(-3, 3))
def test_the_posterior_is_bayes_rule(betas: Tensor, x0: float, x_t: float) -> None:
    process, row = GaussianProcess(betas), torch.ones(1, 1)
    for t in range(len(betas)):
        mean, variance = reference.posterior(np.array([[x0]]), np.array([[x_t]]), t, betas.numpy())
        found = process.posterior_mean(x0 * row, x_t * row, torch.tensor([t])).item()
        assert found == pytest.approx(mean.item(), abs=1e-6 * (1 + abs(x0) + abs(x_t)))
        assert process.posterior_std[t].item() == pytest.approx(math.sqrt(variance), rel=1e-6)


@settings(deadline=None, max_examples=100)
@given(some_betas())
def test_a_posterior_step_leads_from_the_law_of_x_t_to_that_of_the_step_before(betas: Tensor) -> None:
    """x_{t-1} = c1 x_0 + c2 x_t + std z must be N(sqrt(alpha_bar_{t-1}) x_0, 1 - alpha_bar_{t-1})."""
    p = GaussianProcess(betas)
    c1, c2, std = (table.double().numpy() for table in (p.posterior_x0, p.posterior_x_t, p.posterior_std))
    noise = np.concatenate([[0], reference.noise(betas.numpy())])
    signal = np.sqrt(1 - noise)
    np.testing.assert_allclose(c1 + c2 * signal[1:], signal[:-1], atol=3e-7)
    np.testing.assert_allclose(c2**2 * noise[1:] + std**2, noise[:-1], rtol=1e-6)


@pytest.mark.parametrize("betas", [TINY, *(schedule.betas(40) for schedule in NOISY.values())], ids=["tiny", *NOISY])
def test_tables_are_the_float64_truth_rounded_once(betas: Tensor) -> None:
    p = GaussianProcess(betas)
    exact, left = [Fraction(0)], Fraction(1)
    for beta in betas.tolist():
        left *= 1 - Fraction(beta)
        exact.append(1 - left)
    noise, before = (np.array([float(x) for x in part]) for part in (exact[1:], exact[:-1]))
    beta = betas.numpy()
    truth = {
        "sqrt_alpha_bar": np.sqrt([float(1 - x) for x in exact[1:]]),
        "sqrt_one_minus_alpha_bar": np.sqrt(noise),
        "posterior_x0": beta * np.sqrt([float(1 - x) for x in exact[:-1]]) / noise,
        "posterior_x_t": before * np.sqrt(1 - beta) / noise,
        "posterior_std": np.sqrt(beta * before / noise),
        "eps_scale": np.sqrt([float(x / (1 - x)) for x in exact[1:]]),
    }
    for name, table in truth.items():
        buffer = getattr(p, name)
        assert buffer.dtype == torch.float32
        np.testing.assert_allclose(buffer.double().numpy(), table, rtol=1e-7, err_msg=name)


def test_noise_of_5e_8_survives_where_float32_subtraction_would_lose_it() -> None:
    process = GaussianProcess(TINY)
    assert process.sqrt_one_minus_alpha_bar[0].item() ** 2 == pytest.approx(5e-8, rel=1e-6)
    in_float32 = 1 - process.alpha_bar.float()
    assert in_float32[0].item() != pytest.approx(5e-8, rel=0.1)
    x_t = process.q_sample(torch.zeros(1, 1), torch.tensor([0]), torch.ones(1, 1))
    assert x_t.item() == pytest.approx(math.sqrt(5e-8), rel=1e-6)


def test_casting_the_module_does_not_touch_the_float64_tables() -> None:
    process = GaussianProcess(TINY).to(torch.float32)
    assert process.alpha_bar.dtype == process.x0_weights("snr").dtype == torch.float64


@pytest.mark.parametrize("name", NOISY)
def test_q_sample_is_equation_3(name: str) -> None:
    betas, rng = NOISY[name].betas(5), np.random.default_rng(0)
    x0, eps, t = rng.normal(size=(20, 7)), rng.normal(size=(20, 7)), rng.integers(0, 5, 20)
    x_t = GaussianProcess(betas).q_sample(torch.tensor(x0).float(), torch.tensor(t), torch.tensor(eps).float())
    np.testing.assert_allclose(x_t.numpy(), reference.q_sample(x0, t.tolist(), eps, betas.numpy()), atol=1e-6)


@pytest.mark.parametrize("name", ["linear_variance", "cosine"])
@pytest.mark.parametrize("t", [0, 2, 4])
def test_q_sample_has_the_mean_and_variance_of_q(name: str, t: int) -> None:
    betas, draws = NOISY[name].betas(5), 40_000
    x0 = torch.tensor([0.0, 1.0, 0.3, -2.0])
    eps = torch.randn(draws, 4, generator=torch.Generator().manual_seed(t))
    x_t = GaussianProcess(betas).q_sample(x0.expand(draws, 4), torch.full((draws,), t), eps)
    variance = reference.noise(betas.numpy())[t]
    mean = math.sqrt(1 - variance) * x0.double().numpy()
    np.testing.assert_allclose(x_t.mean(0).numpy(), mean, atol=4.5 * math.sqrt(variance / draws))
    np.testing.assert_allclose(x_t.var(0).numpy(), np.full(4, variance), rtol=4.5 * math.sqrt(2 / draws))


def test_walking_the_chain_forward_step_by_step_gives_the_law_of_q_sample() -> None:
    """Eq. (2) iterated: x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) z."""
    betas, draws, rng = NOISY["linear"].betas(5), 40_000, np.random.default_rng(1)
    x = np.ones(draws)
    for beta in betas.numpy():
        x = math.sqrt(1 - beta) * x + math.sqrt(beta) * rng.normal(size=draws)
    process = GaussianProcess(betas)
    mean, std = process.sqrt_alpha_bar[-1].item(), process.sqrt_one_minus_alpha_bar[-1].item()
    assert x.mean() == pytest.approx(mean, abs=4.5 * std / math.sqrt(draws))
    assert x.std() == pytest.approx(std, rel=4.5 / math.sqrt(2 * draws))


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("steps", [1, 5, 40])
def test_x0_from_eps_undoes_q_sample(name: str, steps: int) -> None:
    process = GaussianProcess(NOISY[name].betas(steps))
    generator = torch.Generator().manual_seed(steps)
    x0, eps = torch.randn(2, steps, 6, generator=generator)
    t = torch.arange(steps)
    back = process.x0_from_eps(process.q_sample(x0, t, eps), eps, t)
    error = (back - x0).abs() * process.sqrt_alpha_bar[t, None]  # rounding of x_t is blown up by 1 / sqrt(alpha_bar)
    assert float(error.max()) < 2e-6


def test_each_row_gets_its_own_step() -> None:
    process, x = GaussianProcess(NOISY["cosine"].betas(5)), torch.randn(5, 3)
    t = torch.tensor([4, 0, 2, 2, 1])
    together = process.posterior_mean(x, 2 * x, t)
    alone = [process.posterior_mean(x[i : i + 1], 2 * x[i : i + 1], t[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_step_weights_of_x0_prediction(name: str, steps: int) -> None:
    betas = NOISY[name].betas(steps)
    process = GaussianProcess(betas)
    np.testing.assert_allclose(process.x0_weights("snr").numpy(), reference.x0_weights(betas.numpy()), rtol=1e-7)
    np.testing.assert_allclose(process.x0_weights("half_snr").numpy(), reference.x0_weights(betas.numpy(), half=True), rtol=1e-7)
    assert process.x0_weights("none").tolist() == [1.0] * steps


def test_equation_11_halves_every_weight_but_the_first_steps() -> None:
    process = GaussianProcess(LinearVariance(noise_scale=0.5, noise_min=0.001, noise_max=0.005).betas(5))
    np.testing.assert_allclose(process.x0_weights("half_snr").numpy(), [1, 500, 1000 / 6, 250 / 3, 50], rtol=1e-9)


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_step_weights_of_eps_prediction(name: str, steps: int) -> None:
    betas = NOISY[name].betas(steps)
    process = GaussianProcess(betas)
    np.testing.assert_allclose(process.eps_weights("snr").numpy(), reference.eps_weights(betas.numpy()), rtol=1e-7)
    assert process.eps_weights("half_snr")[1:].tolist() == (process.eps_weights("snr")[1:] / 2).tolist()
    assert process.eps_weights("none").tolist() == [1.0] * steps


def test_without_noise_x_t_is_x_0_and_a_step_back_is_the_estimate() -> None:
    process, x, t = GaussianProcess(NoNoise().betas(3)), torch.randn(3, 4), torch.arange(3)
    assert not process.has_noise
    torch.testing.assert_close(process.q_sample(x, t, torch.randn(3, 4)), x, rtol=0, atol=0)
    torch.testing.assert_close(process.posterior_mean(2 * x, x, t), 2 * x, rtol=0, atol=0)
    assert process.posterior_std.tolist() == [0.0] * 3
    assert process.x0_weights("snr").tolist() == [1.0] * 3
