from __future__ import annotations

import numpy as np
import pytest
import torch

import reference
from recodiff.config import check
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import Binomial, Cosine, Linear, LinearVariance, NoNoise
from recodiff.diffusion.settings import DiffusionConfig
from recodiff.errors import ConfigError
from recodiff.models.registry import build

STEPS = [1, 2, 5, 40]

# Check values of the released program: s, a, b, T, first_beta; beta_0, beta_1, beta_{T-1}, alpha_bar_{T-1};
# the weights at t = 0, 1, 2, T-1
CHECK_VALUES = {
    "DiffRec ml-1m_clean": (
        (0.005, 0.005, 0.01, 40, 1e-5),
        ["1e-5", "6.41042e-7", "6.41057e-7", "0.9999649996"],
        ["1", "6024.18", "5339.61", "533.046"],
    ),
    "DiffRec ml-1m_noisy": (
        (0.5, 0.001, 0.01, 5, 1e-5),
        ["1e-5", "0.00112556", "0.00112938", "0.9954877939"],
        ["1", "99119.4", "438.367", "73.6556"],
    ),
    "DiffRec amazon clean": (
        (0.0001, 0.0005, 0.005, 5, 1e-5),
        ["1e-5", "1.125e-7", "1.125e-7", "0.99998955"],
        ["1", "1112.47", "1087.99", "1041.4"],
    ),
    "L-DiffRec ml-1m_clean": (
        (0.005, 0.005, 0.02, 40, None),
        ["2.5e-5", "1.92313e-6", "1.92327e-6", "0.9999"],
        ["1", "2857.14", "2476.19", "196.078"],
    ),
    "L-DiffRec amazon clean": (
        (0.5, 0.001, 0.005, 5, None),
        ["5e-4", "5.0025e-4", "5.01002e-4", "0.9975"],
        ["1", "1000", "333.333", "100"],
    ),
}


def eq_4(s: float, a: float, b: float, first: float | None = None) -> LinearVariance:
    return LinearVariance(noise_scale=s, noise_min=a, noise_max=b, first_beta=first)


def assert_digits(value: float, said: str) -> None:
    """`value` rounds to the number as it is printed; a number printed short is taken as exact to 6 digits."""
    digits = max(len(said.partition("e")[0].replace(".", "").lstrip("0")), 6)
    assert f"{value:.{digits - 1}e}" == f"{float(said):.{digits - 1}e}"


@pytest.mark.parametrize("name", CHECK_VALUES)
def test_released_settings_give_the_check_values_of_betas_and_alpha_bar(name: str) -> None:
    (s, a, b, steps, first), said, _ = CHECK_VALUES[name]
    betas = eq_4(s, a, b, first).betas(steps)
    found = [*(float(betas[t]) for t in (0, 1, -1)), float(GaussianProcess(betas).alpha_bar[-1])]
    for value, expected in zip(found, said, strict=True):
        assert_digits(value, expected)


@pytest.mark.parametrize("name", CHECK_VALUES)
def test_released_settings_give_the_check_values_of_loss_weights(name: str) -> None:
    (s, a, b, steps, first), _, said = CHECK_VALUES[name]
    weights = GaussianProcess(eq_4(s, a, b, first).betas(steps)).x0_weights("snr")
    for t, expected in zip((0, 1, 2, -1), said, strict=True):
        assert_digits(float(weights[t]), expected)


# The effective noise of the first and the last step
@pytest.mark.parametrize(
    ("s", "a", "b", "steps", "first", "low", "high"),
    [
        (0.0001, 0.0005, 0.005, 5, None, 5e-8, 5e-7),
        (0.0001, 0.0005, 0.005, 5, 1e-5, 1.00e-5, 1.04e-5),
        (0.005, 0.005, 0.01, 40, None, 2.5e-5, 5e-5),
        (0.005, 0.005, 0.01, 40, 1e-5, 1e-5, 3.5e-5),
        (0.5, 0.001, 0.01, 5, None, 5e-4, 5e-3),
        (0.5, 0.001, 0.01, 5, 1e-5, 1e-5, 4.5e-3),
    ],
)
def test_effective_noise_spans_the_range_of_equation_4_or_of_the_released_program(
    s: float, a: float, b: float, steps: int, first: float | None, low: float, high: float
) -> None:
    noise = 1 - GaussianProcess(eq_4(s, a, b, first).betas(steps)).alpha_bar
    assert float(noise[0]) == pytest.approx(low, rel=1e-3)
    assert float(noise[-1]) == pytest.approx(high, rel=5e-3)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("first", [None, 1e-5, 1.0])
def test_every_schedule_equals_its_equation(steps: int, first: float | None) -> None:
    levels = (0.3, 0.01, 0.9)
    for schedule, truth in [
        (eq_4(*levels, first), reference.linear_variance(steps, *levels, first)),
        (Linear(noise_scale=0.3, noise_min=0.01, noise_max=0.9, first_beta=first), reference.linear(steps, *levels, first)),
        (Cosine(first_beta=first), reference.cosine(steps, first)),
        (Binomial(first_beta=first), reference.binomial(steps, first)),
    ]:
        ours = schedule.betas(steps)
        assert ours.dtype == torch.float64
        assert ours.shape == (steps,)
        np.testing.assert_allclose(ours.numpy(), truth, rtol=1e-12)


def test_linear_variance_without_a_first_beta_is_equation_4() -> None:
    noise = 1 - GaussianProcess(eq_4(0.5, 0.002, 0.01).betas(5)).alpha_bar
    np.testing.assert_allclose(noise.numpy(), [0.001, 0.002, 0.003, 0.004, 0.005], rtol=1e-12)


def test_a_first_beta_scales_every_alpha_bar() -> None:
    plain = GaussianProcess(eq_4(0.005, 0.005, 0.01).betas(40)).alpha_bar
    fixed = GaussianProcess(eq_4(0.005, 0.005, 0.01, 1e-5).betas(40)).alpha_bar
    np.testing.assert_allclose((fixed / plain).numpy(), np.full(40, (1 - 1e-5) / (1 - 2.5e-5)), rtol=1e-14)


def test_binomial_by_hand() -> None:
    np.testing.assert_allclose(Binomial().betas(4).numpy(), [1 / 5, 1 / 4, 1 / 3, 1 / 2], rtol=1e-15)


def test_cosine_is_capped_where_its_noise_would_be_complete() -> None:
    betas = Cosine().betas(10)
    assert float(betas[-1]) == 0.999
    assert bool((betas[:-1] < 0.999).all())


def test_one_step_is_legal_for_every_schedule() -> None:
    assert eq_4(0.5, 0.01, 0.02).betas(1).tolist() == eq_4(0.5, 0.01, 0.01).betas(1).tolist() == [0.005]
    assert Linear(noise_scale=0.5, noise_min=0.01, noise_max=0.02).betas(1).tolist() == [0.005]
    assert Binomial().betas(1).tolist() == [0.5]
    assert Cosine().betas(1).tolist() == [0.999]
    assert NoNoise().betas(1).tolist() == [0.0]


@pytest.mark.parametrize("kind", [LinearVariance, Linear])
@pytest.mark.parametrize(("setting", "value"), [("noise_scale", 0.0), ("noise_scale", -0.1), ("noise_max", 1.5)])
def test_a_level_outside_its_range_is_refused_with_its_value(kind: type[Linear], setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"mine: setting '{setting}' = {value}: "):
        check(kind, {setting: value}, where="mine")


@pytest.mark.parametrize("first", [0.0, -1e-5, 1.5, float("nan")])
def test_a_first_beta_outside_its_range_is_refused(first: float) -> None:
    with pytest.raises(ConfigError, match=f"setting 'first_beta' = {first}"):
        check(Cosine, {"first_beta": first}, where="mine")


@pytest.mark.parametrize("kind", ["linear_variance", "linear"])
def test_noise_that_falls_is_refused_where_the_model_is_built(kind: str) -> None:
    falling = {"kind": kind, "noise_min": 0.02, "noise_max": 0.01}
    for model, settings in (("diffrec", {"diffusion": {"schedule": falling}}), ("multidae++", {"noise": {"schedule": falling}})):
        with pytest.raises(ConfigError, match=r"schedule': noise_max = 0.01 is below noise_min = 0.02; exchange them"):
            build(model, settings)


def test_a_variance_that_does_not_rise_is_refused_where_the_model_is_built() -> None:
    level = {"kind": "linear_variance", "noise_min": 0.01, "noise_max": 0.01}
    for model, settings in (("diffrec", {"diffusion": {"schedule": level}}), ("multidae++", {"noise": {"schedule": level}})):
        with pytest.raises(ConfigError, match=r"beta at step 2 of 5 is 0, .*noise_min=0.01, noise_max=0.01.*change one"):
            build(model, settings)
    build("diffrec", {"diffusion": {"steps": 1, "schedule": level}})


@pytest.mark.parametrize("kind", ["linear_variance", "linear", "cosine", "binomial", "none"])
def test_every_kind_of_schedule_can_be_configured(kind: str) -> None:
    betas = DiffusionConfig.model_validate({"schedule": {"kind": kind}}).schedule.betas(4)
    bounds = (0.005, 0.005, 0.01)
    truth = {
        "linear_variance": lambda: reference.linear_variance(4, *bounds),
        "linear": lambda: reference.linear(4, *bounds),
        "cosine": lambda: reference.cosine(4),
        "binomial": lambda: reference.binomial(4),
        "none": lambda: np.zeros(4),
    }[kind]()
    np.testing.assert_allclose(betas.numpy(), truth, rtol=1e-9)
