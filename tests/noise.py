"""Noise schedules that the tests of the diffusion go through: one of every kind, and one with the released first step."""

from __future__ import annotations

from typing import get_args

from recodiff.diffusion.schedules import AnySchedule, Linear, LinearVariance, Schedule

SCHEDULES: dict[str, Schedule] = {kind.model_fields["kind"].default: kind() for kind in get_args(get_args(AnySchedule)[0])} | {
    "linear_variance": LinearVariance(noise_scale=0.5, noise_min=0.01, noise_max=0.9),
    "released": LinearVariance(noise_scale=0.005, noise_min=0.005, noise_max=0.01, first_beta=1e-5),
    "linear": Linear(noise_scale=0.5, noise_min=0.01, noise_max=0.9),
}
NOISY = {name: schedule for name, schedule in SCHEDULES.items() if name != "none"}
