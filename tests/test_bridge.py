"""The example of a forward process of one's own begins where F-DiffRec stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recodiff import Run, build
from recodiff.config import merge
from recodiff.models.base import Recommender
from toy import checkerboard, scores_of

BOARD = checkerboard(shuffled=True)
BASE: dict[str, Any] = {
    "pairs": {"kind": "forecast"},
    "weighting": {"kind": "half_life", "half_life": 4.0, "floor": 0.05},
    "diffusion": {"steps": 1, "schedule": {"kind": "none"}, "loss": "multinomial", "timesteps": "uniform"},
    "denoiser": {"hidden": [16], "activation": "silu", "dropout": 0.5},
    "training": {"epochs": 5, "batch_size": 10, "lr": 1e-2},
}


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples"))


def fitted(name: str, **changes: Any) -> Recommender:
    return build(name, merge(BASE, changes)).fit(BOARD, Run(seed=0, progress=False, device="cpu"))


def test_of_one_step_without_a_condition_it_is_f_diffrec() -> None:
    torch.testing.assert_close(
        scores_of(fitted("bridge:Bridge"), BOARD), scores_of(fitted("f-diffrec"), BOARD), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("changes", [{"diffusion": {"steps": 3}}, {"condition": True}, {"stages": 3}])
def test_steps_condition_and_stages_are_models_of_their_own(changes: dict[str, Any]) -> None:
    scores = scores_of(fitted("bridge:Bridge", **changes), BOARD)
    assert torch.isfinite(scores).all()
    assert not torch.allclose(scores, scores_of(fitted("f-diffrec"), BOARD))
