"""GiffCF: diffusion by smoothing over the graph of items, undone in a few steps.

Shapes: `B` users in a batch, `I` items, `D` width of the low-rank part, `C` channels of its mixer, `T` steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from pydantic import Field
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional as F

from recodiff.data.interactions import Interactions
from recodiff.diffusion.timesteps import UniformTimesteps
from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch
from recodiff.models.linear.lowrank import right_singular_vectors
from recodiff.models.linear.sparse import counts_of, degrees, gram, power, scaled, state_of, table_of, through_users
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import title
from recodiff.moved import old_names
from recodiff.runtime.run import Run
from recodiff.tensors.losses import SquaredError
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair, Pairs, Reconstruct
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress

FILTER_TABLE_UP_TO = 12_000
"""Catalogues up to this size have the filter as a table [I, I], larger ones as the two sparse products that it is made of."""


DENSE_ARRAYS = 7
"""[B, I] alive at once in a step: the smoothed row, the estimate, the target, their distance, and gradients."""


class GiffCFConfig(ModelConfig):
    """Settings of GiffCF."""

    steps: int = Field(default=3, ge=1)
    """T; at 1 the row is made in a single pass."""
    smoothing: float = Field(default=1.5, ge=0)
    """alpha, how far the last step goes from a row towards its smoothed row, and beyond."""
    user_exponent: float = Field(default=0.25, ge=0)
    """The filter divides an interaction by the user's degree to this power."""
    item_exponent: float = Field(default=0.5, ge=0)
    """The same for the item's degree."""
    width: int = Field(default=200, ge=1)
    """D, of the low-rank part."""
    channels: int = Field(default=0, ge=0)
    """C, hidden channels of the low-rank part's mixer; without any it is linear, which learned better on ML-1M."""
    length_exponent: float = Field(default=0.0, ge=0)
    """The codes that are mixed are divided by the row's sum to this power: at 0 long rows count most in V."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of a row's entries that is taken away in training; the rest grow by 1 / (1 - dropout)."""
    training: TrainingConfig = TrainingConfig(batch_size=200)


class Filter(nn.Module):
    """A = R'R on rows of items, R the scaled interactions.

    Args:
        scaled: R, [n_users, I].
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor
    table: Tensor | None

    def __init__(self, scaled: Rows) -> None:
        super().__init__()
        by_item, self.n_users = scaled.transposed(), len(scaled)
        for name, tensor in state_of(by_item).items():
            self.register_buffer(name, tensor, persistent=False)
        table = None
        if scaled.width <= FILTER_TABLE_UP_TO:
            parts = (scaled.values.numpy(), scaled.columns.numpy(), scaled.offsets.numpy())
            table = gram(csr_array(parts, shape=(len(scaled), scaled.width)), torch.float32, torch.device("cpu"))
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Rows) -> Tensor:
        """The smoothed rows x A, [B, I].

        Args:
            x: rows [B, I].
        """
        return through_users(x, self._by_item()) if self.table is None else x.matmul(self.table)

    def of_items(self, v: Tensor) -> Tensor:
        """The product A v, [I, D].

        Args:
            v: [I, D].
        """
        if self.table is not None:
            return self.table @ v
        by_item = self._by_item()
        return by_item.matmul(by_item.transposed().matmul(v))

    def _by_item(self) -> Rows:
        return Rows(self.offsets, self.columns, self.values, self.n_users)


class Mixer(nn.Module):
    """Mixes two codes, number by number: p_t a + q_t b + sum_c o_c silu(u_c a + v_c b + e_tc).

    Args:
        steps: T.
        channels: C.
        generator: of the initial weights.
    """

    def __init__(self, steps: int, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.direct = nn.Parameter(torch.full((steps, 2), 0.5))  # p_t, q_t
        if channels:
            self.inner = nn.Parameter(torch.empty(2, channels).normal_(generator=generator))  # u, v
            self.step = nn.Parameter(torch.empty(steps, channels).normal_(generator=generator))  # e
            self.outer = nn.Parameter(torch.zeros(channels))  # o
        self.linear = not channels

    def forward(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """The mixture of two vectors at their steps, [B, D].

        Args:
            a: [B, D].
            b: [B, D].
            t: steps, int64 [B].
        """
        p, q = self.direct[t].split(1, 1)
        mixed = p * a + q * b
        if self.linear:
            return mixed
        inner = a[..., None] * self.inner[0] + b[..., None] * self.inner[1] + self.step[t][:, None]
        return mixed + F.silu(inner) @ self.outer


@dataclass(frozen=True)
class Tables:
    """Tables of the weights as they stand: they take rows of items, smoothed once more, into the low-rank part.

    Args:
        once: V'V and V'AV, [2, D, D].
        again: AV, [I, D].
        sums: the columns of V and of AV summed, [2, D].
    """

    once: Tensor
    again: Tensor
    sums: Tensor


class GiffCFNet(nn.Module):
    """Filter and denoiser; its forward is the training loss.

    Args:
        smoother: A.
        n_items: I.
        config: the model's settings.
        generator: of the initial weights.
    """

    def __init__(self, smoother: Filter, n_items: int, config: GiffCFConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.smoother, self.dropout, self.loss = smoother, config.dropout, SquaredError()
        self.length_exponent = config.length_exponent
        self.timesteps = UniformTimesteps(config.steps)
        self.shares = [config.smoothing * step / config.steps for step in range(config.steps + 1)]
        spread = math.sqrt(2 / (n_items + config.width))
        self.items = nn.Parameter(torch.empty(n_items, config.width).normal_(0, spread, generator=generator))  # V
        self.mixer = Mixer(config.steps, config.channels, generator)
        self.output = nn.Parameter(torch.tensor([1.0, 0.0, 1.0, 0.0]).repeat(config.steps, 1))
        self._tables: Tables | None = None

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; either way the weights may have changed, so the tables are made anew."""
        self._tables = None
        return super().train(mode)

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each row of the pair, [B]; draws dropout, then the steps."""
        row = pair.source.drop(self.dropout, generator) if self.dropout else pair.source
        t, _ = self.timesteps.sample(len(row), generator)
        smoothed = self.smoother(row)
        code, smoothed_code = row.matmul(self.items), smoothed @ self.items
        share = code.new_tensor(self.shares)[t + 1, None]
        size = self._size(row)
        mixed = self.mixer(torch.lerp(code, smoothed_code.to(code.dtype), share) / size, code / size, t)
        target = pair.source if pair.target is None else pair.target
        return self.loss(self._estimate(mixed, row, smoothed, t), target, pair.seen)

    def _size(self, row: Rows) -> Tensor:
        """What codes are divided by, [B, 1]."""
        return row.sums().clamp(min=1.0)[:, None] ** self.length_exponent

    def _estimate(self, mixed: Tensor, row: Rows, smoothed: Tensor, t: Tensor) -> Tensor:
        """x0_hat [B, I]: o_1 h V' + o_2 c + o_3 c A + o_4, the weights o those of the step."""
        low, own, near, bias = self.output[t].split(1, 1)
        estimate = torch.addcmul(bias, near, smoothed) + (low * mixed) @ self.items.T
        return estimate.flatten().index_add(0, row.flat(), own[row.row_of(), 0] * row.values).view_as(estimate)

    def tables(self) -> Tables:
        """Tables of the weights as they stand; call `eval()` after changing them."""
        if self._tables is None:
            again = self.smoother.of_items(self.items.detach())
            both = torch.stack([self.items.detach(), again])
            self._tables = Tables(self.items.detach().T @ both, again, both.sum(1))
        return self._tables

    @torch.no_grad()
    def denoise(self, row: Rows) -> Tensor:
        """The estimate x0_hat [B, I] after all steps from z_T, the smoothed row.

        z_t enters by z_t V alone and x0_hat is linear in h, c and c A. So the chain is carried in the low-rank part, and the
        catalogue is passed over once.

        Args:
            row: rows [B, I].
        """
        tables, smoothed = self.tables(), self.smoother(row)
        # c V, c A V, c A A V
        codes, size = torch.stack([row.matmul(self.items), smoothed @ self.items, smoothed @ tables.again]), self._size(row)
        z = torch.lerp(codes[0], codes[1], self.shares[-1])
        for step in reversed(range(len(self.shares) - 1)):
            t = torch.full_like(row.offsets[1:], step)
            mixed = self.mixer(z / size, codes[0] / size, t)
            if step == 0:
                return self._estimate(mixed, row, smoothed, t)
            low, own, near, bias = self.output[step]
            kept, passed = (
                low * (mixed @ tables.once[k]) + own * codes[k] + near * codes[k + 1] + bias * tables.sums[k] for k in (0, 1)
            )
            z = torch.lerp(kept, passed, self.shares[step])
        raise AssertionError("there is at least one step")


class GiffCF(TorchRecommender[GiffCFNet]):
    """Zhu et al., *Graph Signal Diffusion Model for Collaborative Filtering*, SIGIR 2024: GiffCF, with linear output mixing.

    A row x is smoothed over the graph of items in place of being noised, and no Gaussian noise is added:

        z_t = x + alpha t/T (x A - x),   A = R'R / |R|^2,   R = Du^(-1/4) X Di^(-1/2)

    with |R| the greatest singular value. The denoiser gives the row back from z_t and from the history c, with V [I, D] both
    into and out of a low-rank part,

        x0_hat = o_1 h V' + o_2 c + o_3 c A + o_4,   h = mixer(z_t V / s, c V / s, t)

    where s is the sum of c, at least 1, to the power `length_exponent`. It learns by the squared error to x, t uniform over the
    steps, c and z_t made of a row with dropout. Ranking begins at z_T of the history and goes z_(t-1) = x0_hat + alpha (t-1)/T
    (x0_hat A - x0_hat). The weights o are of the step alone and s is an addition of ours; the article's second mixer is a small
    network, and its filter may hold an ideal low-pass part, of weight zero on ML-1M.
    """

    Config = GiffCFConfig

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """R / |R|."""
        config: GiffCFConfig = self.config
        matrix = counts_of(config.weighting.for_fit(train), title(self.registered))
        user, item = degrees(matrix)
        matrix = scaled(matrix, power(user, -config.user_exponent), power(item, -config.item_exponent))
        for vector in right_singular_vectors(matrix, 1, run.seed).T:
            matrix = matrix / math.sqrt(((matrix @ vector) ** 2).sum())
        return state_of(Rows.from_csr(csr_array(matrix)))

    def build(self, n_items: int, generator: torch.Generator) -> GiffCFNet:
        """See `TorchRecommender`."""
        return GiffCFNet(Filter(table_of(self.derived, n_items)), n_items, self.config, generator)

    def working_bytes(self, module: GiffCFNet, batch: int) -> int:
        """Arrays [B, I], and the filter."""
        kept = sum(buffer.numel() * buffer.element_size() for buffer in module.buffers())
        return 4 * DENSE_ARRAYS * batch * len(module.items) + kept

    def pairs(self) -> Pairs:
        """A row is made from itself."""
        return Reconstruct()

    def score(self, batch: Batch) -> Tensor:
        """The estimate x0_hat, [B, I]."""
        return self.module.denoise(batch.history)


__getattr__ = old_names(__name__)
