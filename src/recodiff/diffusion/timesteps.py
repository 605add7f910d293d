"""Samplers of the step t of each row in training.

Shapes: `B` rows in a batch, `T` steps, `N` = 10 losses kept per step.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from recodiff.tensors.random import by_row


class TimestepSampler(Protocol):
    """A law of the steps, which may learn from the losses."""

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a step for each row.

        Args:
            batch: B.
            generator: on the sampler's device.

        Returns:
            The steps t, int64 [B], 0-based, and T times the probability of each, float64 [B].
        """
        ...

    def update(self, t: Tensor, losses: Tensor) -> None:
        """Record losses for later draws.

        Args:
            t: steps, int64 [B], in batch order.
            losses: of the rows at those steps, [B].
        """
        ...


class UniformTimesteps(nn.Module):
    """Steps t ~ U{0..T-1}, Eq. (13)."""

    anchor: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("anchor", torch.zeros((), dtype=torch.float64), persistent=False)  # knows the device

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `TimestepSampler`."""
        device = self.anchor.device
        t = by_row((batch,), generator, lambda shape: torch.randint(self.steps, shape, device=device, generator=generator))
        return t, self.anchor.new_ones(batch)

    def update(self, t: Tensor, losses: Tensor) -> None:
        """See `TimestepSampler`; uniform steps learn nothing."""


class LossAwareTimesteps(nn.Module):
    """Importance sampling of t, Eq. (14): p_t proportional to sqrt(E[L_t^2]) over the last 10 losses of each step.

    As in the released program (and Improved DDPM, ICML 2021): uniform until every step has 10 losses, then mixed with
    a thousandth of the uniform law; the losses kept are weighted by the SNR but not divided by p_t. The state lives in
    buffers, so it is saved, moved and resumed with the model, and neither method loops over rows or waits for the device.

    Args:
        steps: T.
        keep: losses kept per step.
        uniform_share: the share of the uniform law in the mixture.
    """

    history: Tensor
    count: Tensor

    def __init__(self, steps: int, *, keep: int = 10, uniform_share: float = 0.001) -> None:
        super().__init__()
        self.steps, self.keep, self.uniform_share = steps, keep, uniform_share
        self.register_buffer("history", torch.zeros(steps, keep, dtype=torch.float64))
        self.register_buffer("count", torch.zeros(steps, dtype=torch.int64))

    def probabilities(self) -> Tensor:
        """The law of t, float64 [T]."""
        root = self.history.square().mean(1).sqrt()
        uniform = torch.full_like(root, 1 / self.steps)
        learned = root / root.sum() * (1 - self.uniform_share) + self.uniform_share * uniform
        warm = (self.count >= self.keep).all() & (root.sum() > 0)
        return torch.where(warm, learned, uniform)

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `TimestepSampler`."""
        law = self.probabilities()
        t = by_row((batch,), generator, lambda shape: torch.multinomial(law, shape[0], replacement=True, generator=generator))
        return t, self.steps * law[t]

    @torch.no_grad()
    def update(self, t: Tensor, losses: Tensor) -> None:
        """Record the losses; the last `keep` of each step stay, the batch's rows taken in order.

        Args:
            t: steps, int64 [B].
            losses: of the rows at those steps, [B].
        """
        by_step = torch.argsort(t, stable=True)
        t, losses = t[by_step], losses[by_step].to(torch.float64)
        new = torch.zeros_like(self.count).scatter_add_(0, t, torch.ones_like(t))
        rank = torch.arange(len(t), device=t.device) - (new.cumsum(0) - new)[t]
        # A ring buffer: of more than `keep` losses at one step only the last find a place. The others are sent to a
        # spare column, so that every place is written once and the result is the same on every device.
        place = torch.where(rank >= new[t] - self.keep, (self.count[t] + rank) % self.keep, self.keep)
        spare = torch.cat([self.history, self.history.new_zeros(self.steps, 1)], 1)
        spare[t, place] = losses
        self.history.copy_(spare[:, : self.keep])
        self.count.add_(new)
