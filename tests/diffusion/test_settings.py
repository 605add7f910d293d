"""Settings of the diffusion that an older build allowed; those that no build allows are in `contradictions`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recodiff import Run, build, load_model, save_model
from recodiff.diffusion.schedules import Linear
from recodiff.errors import ConfigError, RecodiffWarning
from toy import checkerboard


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
