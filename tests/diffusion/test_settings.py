"""Settings that contradict each other are refused where the model is built, before anything trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodiff import Run, build, load_model, save_model
from recodiff.diffusion.schedules import Linear
from recodiff.errors import ConfigError, RecodiffWarning
from toy import checkerboard

NO_NOISE = {"kind": "none"}
CONTRADICTIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "more noise steps than steps": (
        "diffrec",
        {"diffusion": {"steps": 3}, "sampling": {"noise_steps": 4}},
        r"sampling.noise_steps=4 lies outside 0..3",
    ),
    "noise to be estimated and none": (
        "diffrec",
        {"diffusion": {"prediction": "eps", "schedule": NO_NOISE}},
        r"in 'diffusion': prediction='eps' .*schedule.kind='none'.*use prediction='x0'",
    ),
    "noise to be estimated by a multinomial": (
        "diffrec",
        {"diffusion": {"prediction": "eps", "loss": "multinomial"}},
        r"prediction='eps' needs loss='squared'",
    ),
    "noise to be estimated between hidden layers": (
        "diffrec",
        {"diffusion": {"prediction": "eps", "space": "hidden"}},
        r"space='hidden' needs prediction='x0'",
    ),
    "sampled items of no softmax": ("diffrec", {"diffusion": {"sampled_items": 4}}, r"sampled_items is for loss='multinomial'"),
    "sampled items in the dense space": (
        "f-diffrec",
        {"diffusion": {"sampled_items": 4, "space": "dense"}},
        r"sampled_items needs the hidden space",
    ),
    "a way to sample no items": ("f-diffrec", {"diffusion": {"sampled_by": "popularity"}}, r"give their number"),
    "a normalised row between hidden layers": (
        "diffrec",
        {"diffusion": {"space": "hidden"}, "denoiser": {"normalise": True}},
        r"space='hidden' needs the hidden space, and that needs denoiser.normalise=false",
    ),
    "codes by a multinomial": ("l-diffrec", {"diffusion": {"loss": "multinomial"}}, r"diffusion.loss='multinomial' is for rows"),
    "codes between hidden layers": ("l-diffrec", {"diffusion": {"space": "hidden"}}, r"diffusion.space='hidden' is for rows"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_refused_where_the_model_is_built(name: str) -> None:
    model, settings, sentence = CONTRADICTIONS[name]
    with pytest.raises(ConfigError, match=sentence):
        build(model, settings)


def test_a_model_folder_of_before_loads_with_a_warning(tmp_path: Path) -> None:
    """Betas that fall were allowed once; the folder is what such a build wrote."""
    board = checkerboard()
    schedule = {"kind": "linear", "noise_scale": 0.5, "noise_min": 0.1, "noise_max": 0.2}
    settings = {
        "diffusion": {"steps": 3, "schedule": schedule},
        "denoiser": {"hidden": [8]},
        "training": {"epochs": 1, "batch_size": 10},
    }
    save_model(build("diffrec", settings).fit(board, Run(progress=False, device="cpu")), tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    described = json.loads(path.read_text("utf-8"))
    described["config"]["diffusion"]["schedule"] |= {"noise_min": 0.2, "noise_max": 0.1}
    described.pop("seal")  # such a build wrote none
    path.write_text(json.dumps(described), "utf-8")
    with pytest.warns(RecodiffWarning, match=r"noise_max = 0.1 is below noise_min = 0.2"):
        model = load_model(tmp_path / "m")
    assert isinstance(model.config.diffusion.schedule, Linear)
    np.testing.assert_allclose(model.config.diffusion.schedule.betas(3).numpy(), [0.1, 0.075, 0.05], rtol=1e-12)
    with pytest.raises(ConfigError, match="noise_max"):  # of new settings it is refused, loading or not
        build("diffrec", described["config"])
