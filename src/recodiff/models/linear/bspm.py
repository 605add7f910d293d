"""BSPM: histories are blurred over the graph of items and sharpened again, both by an ordinary differential equation.

Shapes: `B` users in a batch, `I` items, `n_users` users trained on.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from recodiff.models.batch import Batch
from recodiff.models.linear.lowrank import GfCf, GfCfConfig

SOLVER_ORDER = {"euler": 1, "rk4": 4}
"""Of the polynomial that a step of a solver is: that of exp(-h P), as the equation is linear."""


class BspmConfig(GfCfConfig):
    """Settings of BSPM."""

    factors: int = Field(default=448, ge=1)
    """k, the singular vectors of the ideal low-pass filter; as many as there are, where those are fewer."""
    low_pass: float = Field(default=0.2, ge=0)
    """beta, the weight of that filter."""
    merge: Literal["early", "late"] = "early"
    """Whether the filter's answer is added before the sharpening (BSPM-EM), or after it (BSPM-LM)."""
    blur_time: float = Field(default=1.0, ge=0)
    """T_b, how long the history is blurred."""
    blur_steps: int = Field(default=1, ge=1)
    """K_b, Euler's steps of it."""
    sharpen_time: float = Field(default=2.5, ge=0)
    """T_s, how long the blurred history is sharpened; 0 leaves it blurred."""
    sharpen_steps: int = Field(default=1, ge=1)
    """K_s, steps of it."""
    solver: Literal["euler", "rk4"] = "rk4"
    """Of the sharpening: Euler's method, or the classical one of Runge and Kutta."""


class Bspm(GfCf):
    """Choi et al., *Blurring-Sharpening Process Models for Collaborative Filtering*, SIGIR 2023 (arXiv 2211.09324).

    With P = R'R, R = Du^(-1/2) X Di^(-1/2), and F the ideal low-pass filter of `GfCf`, nothing is learned but P and F:

        dB/dt = B (P - I), B(0) = x          blurring, the heat equation on the graph of items, up to T_b
        dS/dt = -S P, S(0) = B(T_b) + beta x F, scores are S(T_s)             sharpening, filter merged early
        dS/dt = -S P, S(0) = B(T_b),            scores are S(T_s) + beta x F  filter merged late

    With T_b = 1 in one step and T_s = 0 it is GF-CF. P is never formed: a product with it is two sparse ones.
    """

    Config = BspmConfig

    def score(self, batch: Batch) -> Tensor:
        """Scores S(T_s), with the filter's answer, [B, I]."""
        config: BspmConfig = self.config
        x = batch.history.dense().T.contiguous()  # items first, as sparse products take them
        filtered = config.low_pass * (self.decoder @ batch.history.matmul(self.encoder).T)
        for _ in range(config.blur_steps):
            x = x + config.blur_time / config.blur_steps * (self._spread(x) - x)
        x = self._sharpened(x + filtered) if config.merge == "early" else self._sharpened(x) + filtered
        return x.T.contiguous()

    def _spread(self, x: Tensor) -> Tensor:
        """P x, [I, B]."""
        return self._by_item.matmul(self.normalised.matmul(x.contiguous()))

    def _sharpened(self, x: Tensor) -> Tensor:
        config: BspmConfig = self.config
        step = config.sharpen_time / config.sharpen_steps
        for _ in range(config.sharpen_steps if step else 0):
            term = x
            for k in range(1, SOLVER_ORDER[config.solver] + 1):
                term = self._spread(term) * (-step / k)
                x = x + term
        return x
