"""BSPM against its two equations, solved stage by stage in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from recodiff import build
from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError
from recodiff.runtime.run import Run
from reference import closed_form as reference
from toy import fitted_and_ranked_from, random_interactions, scores_of, with_gaps

RUN = Run(device="cpu", progress=False)
DATA = pytest.mark.parametrize("x", [random_interactions(np.random.default_rng(4)), with_gaps()], ids=["random", "gaps"])
SETTINGS: list[dict[str, Any]] = [
    {},
    {"merge": "late", "factors": 3},
    {"solver": "euler", "sharpen_time": 1.2, "factors": 2, "low_pass": 1.0},
    {"blur_time": 1.5, "blur_steps": 3, "sharpen_time": 2.2, "sharpen_steps": 2, "factors": 4},
    {"merge": "late", "solver": "euler", "sharpen_steps": 3, "weighting": {"kind": "linear", "w_min": 0.2}},
]


@DATA
@pytest.mark.parametrize("settings", SETTINGS)
def test_bspm_is_its_equations(x: Interactions, settings: dict[str, Any]) -> None:
    model = build("bspm", settings).fit(x, RUN)
    matrix, history = fitted_and_ranked_from(model, x)
    c = model.config
    wanted = reference.bspm(
        matrix,
        history,
        c.factors,
        c.low_pass,
        early=c.merge == "early",
        blur=(c.blur_time, c.blur_steps),
        sharpen=(c.sharpen_time, c.sharpen_steps),
        euler=c.solver == "euler",
    )
    np.testing.assert_allclose(scores_of(model, x), wanted, rtol=1e-4, atol=1e-5)


def test_without_sharpening_it_is_gf_cf() -> None:
    x = random_interactions(np.random.default_rng(5))
    graph = {"factors": 3, "low_pass": 0.4}
    blurred, filtered = (
        scores_of(build(name, graph | more).fit(x, RUN), x) for name, more in (("bspm", {"sharpen_time": 0.0}), ("gf-cf", {}))
    )
    np.testing.assert_allclose(blurred, filtered, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_many_steps_are_the_solution_of_the_equation(solver: str) -> None:
    x = random_interactions(np.random.default_rng(6))
    model = build("bspm", {"solver": solver, "sharpen_steps": 3000 if solver == "euler" else 20, "low_pass": 0.0}).fit(x, RUN)
    matrix, history = fitted_and_ranked_from(model, x)
    p = reference.gf_cf(matrix, 1, 0.0)
    np.testing.assert_allclose(scores_of(model, x), history @ p @ expm(-2.5 * p), rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("setting", [{"sharpen_time": -1}, {"sharpen_steps": 0}, {"merge": "both"}])
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        build("bspm", setting)
