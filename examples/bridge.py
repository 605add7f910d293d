"""A forward process of your own: F-DiffRec with steps from the history to the future, and lists that are made in stages.

recodiff train my.toml --data DIR --out RUN        with the line  model = "bridge:Bridge"  in my.toml, and PYTHONPATH=examples

With T = 1, no condition and one stage it is F-DiffRec. What more of each is worth on ML-1M: docs/results.md.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

import recodiff
from recodiff.data import synthesise
from recodiff.diffusion.codecs import IdentityCodec
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.hidden import lay_out_by_item
from recodiff.diffusion.rows import Rows
from recodiff.diffusion.softmax import linear_multinomial
from recodiff.errors import ModelError
from recodiff.models.base import ItemVectors
from recodiff.models.diffrec import DiffRec, DiffRecConfig, DiffRecNet
from recodiff.pairs import Pair
from recodiff.training import Progress


class BridgeConfig(DiffRecConfig):
    """Settings; `diffusion.steps` is T, `diffusion.loss` should be multinomial and `diffusion.schedule.kind` none."""

    condition: bool = False
    """Whether the history is told at every step, beside x_t."""
    stages: int = Field(default=1, ge=1)
    """With T = 1: how many times the expected next items are appended to the history before the list is made, plus one."""
    appended: float = Field(default=1.0, gt=0)
    """Items that a stage appends."""
    half_life: float = Field(default=4.0, gt=0)
    """What they age the history by, in items; that of `weighting`."""


class BridgeNet(DiffRecNet):
    """x_t = (t/T) x + (1 - t/T) |x| y / |y|, from the future y at t = 0 to the history x at t = T; f(x_t, t) finds y.

    The first layer is linear, so x_t is mixed behind it: W x_t = (t/T) W x + (1 - t/T) |x| W y / |y|.
    """

    def __init__(self, diffusion: Diffusion, condition: bool) -> None:
        super().__init__(IdentityCodec(), diffusion)
        net = diffusion.denoiser
        self.told = nn.Parameter(torch.zeros_like(net.first.weight.T).contiguous()) if condition else None  # [I, h1]

    def given(self, x: Rows) -> Tensor:
        """What the condition adds to the first layer, [B, h1]."""
        return torch.zeros((), device=x.values.device) if self.told is None else x.matmul(self.told)

    def estimate(self, mixed: Tensor, given: Tensor, t: Tensor) -> Tensor:
        """g [B, hL] from W x_t [B, h1], at steps t [B] of 1..T."""
        net = self.diffusion.denoiser
        return net.hidden(mixed + given + net.first.bias + net.step_bias(t - 1))

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The negative log-likelihood of what follows, [B]; draws the steps, then dropout."""
        assert pair.target is not None
        net, steps = self.diffusion.denoiser, self.diffusion.steps
        t = self.diffusion.timesteps.sample(len(pair.source), generator)[0] + 1
        x, y = pair.source.drop(self.diffusion.dropout, generator), pair.target
        share = (t / steps)[:, None]
        mass = (x.sums() / y.sums().clamp(min=1e-9))[:, None]
        first = net.first.weight.T
        mixed = share * x.matmul(first)
        if steps > 1:
            mixed = mixed + (1 - share) * mass * y.matmul(first)
        g = self.estimate(mixed, self.given(x), t)
        return linear_multinomial(g, net.last.weight, net.last.bias, y, pair.seen)

    @torch.no_grad()
    def back(self, x: Rows, stages: int, appended: float, half_life: float) -> Tensor:
        """Scores [B, I] after all steps from x_T = x: at every step the future found so far stands in for y."""
        net, steps = self.diffusion.denoiser, self.diffusion.steps
        first, history, given, mass = net.first.weight.T, x.matmul(net.first.weight.T), self.given(x), x.sums()[:, None]
        mixed, scores = history, torch.zeros(())
        for t in reversed(range(1, steps + 1)):
            scores = net.last(self.estimate(mixed, given, torch.full_like(x.offsets[1:], t)))
            if t > 1:
                share = (t - 1) / steps
                mixed = share * history + (1 - share) * mass * (_expected(scores, x) @ first)
        for _ in range(stages - 1):
            mixed = 0.5 ** (appended / half_life) * mixed + appended * (_expected(scores, x) @ first)
            scores = net.last(self.estimate(mixed, given, torch.full_like(x.offsets[1:], steps)))
        return scores


def _expected(scores: Tensor, met: Rows) -> Tensor:
    """The law of the next item, among those not met, [B, I]."""
    return torch.softmax(scores.flatten().index_fill(0, met.flat(), float("-inf")).view_as(scores), 1)


class Bridge(DiffRec):
    """F-DiffRec whose forward process is a bridge from the future to the history."""

    Config = BridgeConfig
    item_vectors = False
    shares_items = False  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    module: BridgeNet  # pyright: ignore[reportIncompatibleVariableOverride]

    def build(self, n_items: int, generator: torch.Generator) -> BridgeNet:
        diffusion = self._diffusion(n_items, generator)
        lay_out_by_item(diffusion.denoiser)
        return BridgeNet(diffusion, self.config.condition)

    def vectors(self) -> ItemVectors:
        raise ModelError("a bridge of several steps has no item vectors; use f-diffrec")

    def score(self, batch: recodiff.Batch) -> Tensor:
        config: BridgeConfig = self.config
        return self.module.back(batch.history, config.stages, config.appended, config.half_life)


SETTINGS = {
    "pairs": {"kind": "forecast"},
    "weighting": {"kind": "half_life", "half_life": 4.0, "floor": 0.05},
    "diffusion": {"steps": 1, "schedule": {"kind": "none"}, "loss": "multinomial", "timesteps": "uniform"},
    "denoiser": {"hidden": [32], "activation": "silu", "dropout": 0.5},
    "training": {"epochs": 20, "batch_size": 50},
}

if __name__ == "__main__":
    data = recodiff.prepare(synthesise(users=300, items=150, interactions=9_000, seed=0))
    for steps in (1, 3):
        settings = SETTINGS | {"diffusion": SETTINGS["diffusion"] | {"steps": steps}}
        model = recodiff.build("bridge:Bridge", settings).fit(data.train)
        found = recodiff.evaluate(model, data.history("train"), data.part("test"), mask=data.history("train+valid"))
        print(f"T = {steps}: recall@20 {found.mean('recall@20'):.4f}")
