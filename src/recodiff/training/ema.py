"""The exponential moving average of the weights that training goes through, which a model may be judged by and left with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import torch
from torch import Tensor, nn

WARM_UP = 10
"""After t steps no decay is above (1 + t) / (WARM_UP + t): the first weights, drawn at random, are soon forgotten."""


class Averages:
    """Averages theta_bar <- beta theta_bar + (1 - beta) theta after steps t = 1, 2.., beta = min(decay, (1 + t) / (WARM_UP + t)).

    Diffusion models are commonly sampled from such averages (Ho et al., *Denoising Diffusion Probabilistic Models*, NeurIPS
    2020). A step learns from a few users, so that the weights wander about where they are going.

    Args:
        module: whose weights are averaged.
        decay: in (0, 1); with None there are no averages, and nothing is done.
        given: averages to go on from, by name; the weights as they stand where there are none.
    """

    @torch.no_grad()
    def __init__(self, module: nn.Module, decay: float | None, given: Mapping[str, Tensor] = MappingProxyType({})) -> None:
        self.decay = decay or 0.0
        self.live = {} if decay is None else dict(module.named_parameters())
        self.weights = {name: torch.empty_like(p).copy_(given.get(name, p)) for name, p in self.live.items()}
        """theta_bar, by name."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights as they stand after `step` steps, at least 1."""
        beta = min(self.decay, (1 + step) / (WARM_UP + step))
        for name, p in self.live.items():
            self.weights[name].lerp_(p, 1 - beta)

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """Meanwhile the averages are the module's weights; nothing is copied."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, p in self.live.items():
            p.data, self.weights[name] = self.weights[name], p.data
