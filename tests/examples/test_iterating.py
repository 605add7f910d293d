"""The examples of forward processes of one's own begin where F-DiffRec stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recodiff import Run, build
from recodiff.config import merge
from recodiff.models.base import Recommender
from recodiff.tensors.rows import Rows
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
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))


def fitted(name: str, **changes: Any) -> Recommender:
    return build(name, merge(BASE, changes)).fit(BOARD, Run(seed=0, progress=False, device="cpu"))


def test_of_one_step_both_are_f_diffrec() -> None:
    plain = scores_of(fitted("f-diffrec"), BOARD)
    torch.testing.assert_close(scores_of(fitted("iterating:Bridge"), BOARD), plain, rtol=1e-5, atol=1e-5)
    far = scores_of(fitted("iterating:Erasing", erased=1000.0), BOARD)  # as far as any future goes
    met = torch.from_numpy(BOARD.matrix.toarray()) > 0
    law = torch.softmax(plain.masked_fill(met, float("-inf")), 1)
    torch.testing.assert_close(far / far.sum(1, keepdim=True), law, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("Bridge", {"diffusion": {"steps": 3}}),
        ("Bridge", {"condition": True}),
        ("Bridge", {"condition": True, "own": True, "diffusion": {"steps": 2}}),
        ("Noising", {"diffusion": {"steps": 1}}),
        ("Noising", {"diffusion": {"steps": 3}}),
        ("Erasing", {"diffusion": {"steps": 3}}),
        ("Erasing", {"diffusion": {"steps": 3}, "stages": 1}),
        ("Erasing", {"diffusion": {"steps": 3}, "start": 2}),
        ("Erasing", {"stages": 2}),
    ],
)
def test_steps_condition_and_stages_are_models_of_their_own(name: str, changes: dict[str, Any]) -> None:
    scores = scores_of(fitted(f"iterating:{name}", **changes), BOARD)
    assert torch.isfinite(scores).all()
    assert not torch.allclose(scores.argsort(), scores_of(fitted("f-diffrec"), BOARD).argsort())


def test_noise_is_put_on_the_future_and_lists_begin_at_its_mean() -> None:
    model: Any = fitted("iterating:Noising", diffusion={"steps": 2}, noise=0.3)
    net = model.module
    w, told = net.diffusion.denoiser.first.weight.detach(), net.told.detach()
    x = Rows.from_csr(model.config.weighting(BOARD).matrix)
    y = torch.rand(len(x), x.width, generator=torch.Generator().manual_seed(1))
    share = torch.full((len(x), 1), 0.5)
    eps = torch.randn(len(x), x.width, generator=torch.Generator().manual_seed(2))
    found = net.mix(share, net.first(x), y @ w.T, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found, (0.5**0.5 * y + 0.5**0.5 * 0.3 * eps) @ w.T, rtol=1e-4, atol=1e-5)

    def scored(x_t: torch.Tensor, t: int) -> torch.Tensor:
        return net.diffusion.denoiser.last(net.hidden(x_t @ w.T + x.dense() @ told, net.all_at(t, x)))

    with torch.no_grad():
        law = torch.softmax(scored(torch.zeros_like(y), 2).masked_fill(x.dense() > 0, float("-inf")), 1)
        expected = scored(0.5**0.5 * x.sums()[:, None] * law, 1)
    torch.testing.assert_close(net.back(x), expected, rtol=1e-4, atol=1e-5)


def test_a_stage_ages_the_history_and_appends_what_is_expected() -> None:
    model = fitted("iterating:Erasing", stages=2, erased=0.5)
    assert isinstance(model, Recommender)
    net: Any = model.module  # pyright: ignore[reportAttributeAccessIssue]
    weighting: Any = model.config.weighting
    denoiser = net.diffusion.denoiser
    history = Rows.from_csr(weighting(BOARD).matrix)
    found = net.back(history, 1, 2, weighting)
    part = net.part(history, 1 / 2)

    def law(dense: torch.Tensor) -> torch.Tensor:
        scores = denoiser(dense, torch.zeros(len(dense), dtype=torch.int64))
        return torch.softmax(scores.masked_fill(history.dense() > 0, float("-inf")), 1)

    with torch.no_grad():
        first = law(history.dense())
        for user in range(3):
            n = int(part[user])
            aged = (history.dense()[user] * 0.5 ** (n / 4.0)).clip(0.05) * (history.dense()[user] > 0)
            weight = sum(max(0.05, 0.5 ** (age / 4.0)) for age in range(n))
            second = law((aged + weight * first[user])[None].expand(len(history), -1))[user]
            torch.testing.assert_close(found[user], n * (first[user] + second), rtol=1e-4, atol=1e-5)
