"""Forward processes of your own: F-DiffRec with steps from the history to the future, and lists that are made in stages.

recodiff train my.toml --data DIR --out RUN        with the line  model = "iterating:Erasing"  in my.toml, and PYTHONPATH=examples

Bridge: x_t = (t/T) x + (1 - t/T) y, from the future y to the history x. Erasing: x_t lacks the t newest parts of what there is at
t = 0. With T = 1 the first is F-DiffRec, the second too, but for how far it looks. Noising: x_t is the future under Gaussian
noise, and the history is an input of every step. What iterating is worth: benchmarks/notebook/iterating.md.
"""

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor, nn

import recodiff
from recodiff.data import synthesise
from recodiff.data.weighting import HalfLife
from recodiff.diffusion.codecs import IdentityCodec
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.hidden import lay_out_by_item
from recodiff.errors import ConfigError, ModelError
from recodiff.models.batch import ItemVectors
from recodiff.models.diffrec.diffrec import DiffRec, DiffRecConfig, DiffRecNet
from recodiff.tensors import gram
from recodiff.tensors.rows import Rows
from recodiff.tensors.softmax import linear_multinomial
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress


def expected(scores: Tensor, seen: Rows) -> Tensor:
    """The probabilities of the next item, among unseen items, [B, I]."""
    return torch.softmax(scores.float().flatten().index_fill(0, seen.flat(), float("-inf")).view_as(scores), 1)


class IteratedNet(DiffRecNet):
    """F-DiffRec's network, asked step by step; the first layer W is linear, so rows are mixed behind it."""

    def __init__(self, diffusion: Diffusion) -> None:
        super().__init__(IdentityCodec(), diffusion)

    def first(self, x: Rows) -> Tensor:
        """W x, [B, h1]."""
        return gram.rows_and_gram(self.diffusion.denoiser.first.weight.T, x, covariance=False)[0]

    def hidden(self, mixed: Tensor, t: Tensor) -> Tensor:
        """g [B, hL] from W x_t [B, h1], at steps t [B] of 1..T."""
        net = self.diffusion.denoiser
        return net.hidden(mixed + net.first.bias + net.step_bias(t - 1)).float()

    def step_of(self, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A step of 1..T for every row, and T times its probability."""
        t, p = self.diffusion.timesteps.sample(rows, generator)
        return t + 1, p

    def loss(self, mixed: Tensor, step: tuple[Tensor, Tensor], target: Rows, seen: Rows | None) -> Tensor:
        """The negative log-likelihood of the target over T times the probability of the step, [B]."""
        (t, p), last = step, self.diffusion.denoiser.last
        missed = linear_multinomial(self.hidden(mixed, t), last.weight, last.bias, target, seen)
        self.diffusion.timesteps.update(t - 1, missed.detach())
        return missed / p.to(missed)

    def all_at(self, t: int, x: Rows) -> Tensor:
        """The same step for every row, [B]."""
        return torch.full_like(x.offsets[1:], t)


class BridgeConfig(DiffRecConfig):
    """Settings; `diffusion.steps` is T, `diffusion.loss` should be multinomial and `diffusion.schedule.kind` none."""

    condition: bool = False
    """Whether the history is an input of every step, beside x_t."""
    own: bool = False
    """Whether training mixes in the network's own estimate of the future, which is what ranking has, in place of the future."""


class BridgeNet(IteratedNet):
    """x_t = (t/T) x + (1 - t/T) |x| y / |y|, from the future y at t = 0 to the history x at t = T; f(x_t, t) finds y."""

    def __init__(self, diffusion: Diffusion, condition: bool, own: bool) -> None:
        super().__init__(diffusion)
        first = diffusion.denoiser.first
        self.own = own
        self.told = nn.Parameter(torch.zeros_like(first.weight.T).contiguous()) if condition else None  # [I, h1]

    def given(self, x: Rows) -> Tensor:
        """What the condition adds to the first layer, [B, h1]."""
        return x.values.new_zeros(()) if self.told is None else gram.rows_and_gram(self.told, x, covariance=False)[0]

    def mix(self, share: Tensor, history: Tensor, future: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """W x_t [B, h1] from W x and |x| W y / |y|, at shares t/T [B, 1] of the way; without a generator nothing is drawn."""
        return share * history + (1 - share) * future

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """See `IteratedNet.loss`; draws the steps, then dropout."""
        assert pair.target is not None
        step = self.step_of(len(pair.source), generator)
        x, y = pair.source.drop(self.diffusion.dropout, generator), pair.target
        share, history, given = (step[0] / self.diffusion.steps)[:, None], self.first(x), self.given(x)
        future = torch.zeros_like(history)
        if self.diffusion.steps > 1:
            future = self._own(history, given, pair) if self.own else self.first(y) / y.sums().clamp(min=1e-9)[:, None]
        mixed = self.mix(share, history, x.sums()[:, None] * future, generator)
        return self.loss(mixed + given, step, y, pair.seen)

    @torch.no_grad()
    def _own(self, history: Tensor, given: Tensor, pair: Pair) -> Tensor:
        """W times the future as the first step back finds it."""
        net, start = self.diffusion.denoiser, self.all_at(self.diffusion.steps, pair.source)
        return expected(net.last(self.hidden(history + given, start)), pair.source) @ net.first.weight.T

    @torch.no_grad()
    def back(self, x: Rows) -> Tensor:
        """Scores [B, I] after all steps from x_T = x: at every step the future found so far stands in for y."""
        net, steps = self.diffusion.denoiser, self.diffusion.steps
        history, given, mass = self.first(x), self.given(x), x.sums()[:, None]
        future, scores = torch.zeros_like(history), history
        for t in reversed(range(1, steps + 1)):
            mixed = self.mix(mass.new_full(mass.shape, t / steps), history, future)
            scores = net.last(self.hidden(mixed + given, self.all_at(t, x)))
            if t > 1:
                future = mass * (expected(scores, x) @ net.first.weight.T)
        return scores


class NoisingConfig(DiffRecConfig):
    """Settings, as for the bridge."""

    noise: float = Field(default=0.05, gt=0)
    """sigma, the standard deviation of the noise at t = T, where nothing of the future is left."""


class NoisingNet(BridgeNet):
    """x_t = sqrt(1 - t/T) |x| y / |y| + sqrt(t/T) sigma eps: Gaussian diffusion of the future y, given the history x at every step.

    Lists begin at x_T = 0, the mean of the noise, and take none on the way back.
    """

    def __init__(self, diffusion: Diffusion, noise: float) -> None:
        super().__init__(diffusion, condition=True, own=False)
        self.noise = noise

    def mix(self, share: Tensor, history: Tensor, future: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See `BridgeNet`; the history has no part in x_t."""
        kept, first = (1 - share).sqrt() * future, self.diffusion.denoiser.first.weight
        if generator is None:
            return kept
        eps = torch.randn(len(share), first.shape[1], generator=generator, device=first.device)
        return kept + share.sqrt() * self.noise * (eps @ first.T)


class ErasingConfig(DiffRecConfig):
    """Settings, as for the bridge; `weighting` must be a half-life in items."""

    erased: float = Field(default=0.4, gt=0)
    """What is missing at t = T, as a share of what is there."""
    start: int | None = Field(default=None, ge=1)
    """The step at which the history is taken to stand when lists are made, 1..T: how far to look; T unless given."""
    stages: int | None = Field(default=None, ge=1)
    """In how many stages the way back from there is gone; one a step unless given."""


class ErasingNet(IteratedNet):
    """From x_T, the history of n items, to x_0, which has the `erased` n that follow too: every step erases the newest part.

    f(x_t, t) finds all that is missing at t, x_0 less x_t. A stage back appends a part's worth of it as expected.
    """

    def __init__(self, diffusion: Diffusion, erased: float) -> None:
        super().__init__(diffusion)
        self.erased = erased

    def part(self, x: Rows, steps: float) -> Tensor:
        """How many items are missing after so many steps, or a part of one, int64 [B]."""
        return (self.erased * x.offsets.diff() * (steps / self.diffusion.steps)).ceil().long().clamp(min=1)

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """See `IteratedNet.loss`; draws the steps, then dropout."""
        assert pair.target is not None
        y, step = pair.target, self.step_of(len(pair.source), generator)
        row = y.row_of()
        place = torch.arange(len(row), device=row.device) - y.offsets[row]
        missing = place < (step[0] * self.part(pair.source, 1))[row]
        x = pair.source.drop(self.diffusion.dropout, generator)
        return self.loss(self.first(x), step, replace(y, values=y.values * missing), pair.seen)

    @torch.no_grad()
    def back(self, x: Rows, start: int, stages: int, weighting: HalfLife) -> Tensor:
        """How often each item is expected among all that the stages append, [B, I]."""
        net, part = self.diffusion.denoiser, self.part(x, start / stages)
        ages = torch.arange(int(part.amax()) * stages, device=part.device)
        weights = (0.5 ** (ages / weighting.half_life)).clip(weighting.floor)
        newest = torch.cat([weights.new_zeros(1), weights.cumsum(0)])  # what so many of the newest items weigh together
        total, appended = x.values.new_zeros(len(x), x.width), list[Tensor]()
        for stage in range(stages):
            aged = x.values * 0.5 ** ((stage * part)[x.row_of()] / weighting.half_life)
            mixed = self.first(replace(x, values=aged.clip(weighting.floor)))
            for age, found in enumerate(reversed(appended)):
                mixed = mixed + (newest[(age + 1) * part] - newest[age * part])[:, None] * found
            t = -(-start * (stages - stage) // stages)
            law = expected(net.last(self.hidden(mixed, self.all_at(t, x))), x)
            total += part[:, None] * law
            appended.append(law @ net.first.weight.T)
        return total


class Iterated(DiffRec):
    """What they have in common."""

    def _traits(self) -> recodiff.Traits:
        return replace(super()._traits(), item_vectors=False, shares_items=False)

    def inner(self, n_items: int, generator: torch.Generator) -> Diffusion:
        """The diffusion, laid out for sparse rows."""
        diffusion = self._diffusion(n_items, generator)
        lay_out_by_item(diffusion.denoiser)
        return diffusion

    def vectors(self) -> ItemVectors:
        raise ModelError("a model of several steps has no item vectors; use f-diffrec")


class Bridge(Iterated):
    """F-DiffRec whose forward process is a bridge from the future to the history."""

    Config = BridgeConfig
    module: BridgeNet  # pyright: ignore[reportIncompatibleVariableOverride]

    def build(self, n_items: int, generator: torch.Generator) -> BridgeNet:
        config: BridgeConfig = self.config
        return BridgeNet(self.inner(n_items, generator), config.condition, config.own)

    def score(self, batch: recodiff.Batch) -> Tensor:
        return self.module.back(batch.history)


class Noising(Bridge):
    """F-DiffRec whose forward process puts Gaussian noise on the future."""

    Config = NoisingConfig

    def build(self, n_items: int, generator: torch.Generator) -> NoisingNet:
        config: NoisingConfig = self.config
        return NoisingNet(self.inner(n_items, generator), config.noise)


class Erasing(Iterated):
    """F-DiffRec whose forward process erases the newest items."""

    Config = ErasingConfig
    module: ErasingNet  # pyright: ignore[reportIncompatibleVariableOverride]

    def build(self, n_items: int, generator: torch.Generator) -> ErasingNet:
        config: ErasingConfig = self.config
        if not isinstance(config.weighting, HalfLife) or config.weighting.unit != "items":
            raise ConfigError("stages age the history; give weighting = { kind = 'half_life' } in items")
        if (config.start or 1) > config.diffusion.steps:
            raise ConfigError(
                f"start={config.start} lies outside 1..{config.diffusion.steps}, the number of steps (diffusion.steps)"
            )
        return ErasingNet(self.inner(n_items, generator), config.erased)

    def score(self, batch: recodiff.Batch) -> Tensor:
        config: ErasingConfig = self.config
        assert isinstance(config.weighting, HalfLife)
        start = config.start or config.diffusion.steps
        return self.module.back(batch.history, start, config.stages or start, config.weighting)


SETTINGS = {
    "pairs": {"kind": "forecast"},
    "weighting": {"kind": "half_life", "half_life": 4.0, "floor": 0.05},
    "diffusion": {"steps": 1, "schedule": {"kind": "none"}, "loss": "multinomial", "timesteps": "uniform"},
    "denoiser": {"hidden": [32], "activation": "silu", "dropout": 0.5},
    "training": {"epochs": 20, "batch_size": 50},
}

if __name__ == "__main__":
    data = recodiff.prepare(synthesise(users=300, items=150, interactions=9_000, seed=0))
    for name in ("iterating:Bridge", "iterating:Noising", "iterating:Erasing"):
        for steps in (1, 3):
            settings = SETTINGS | {"diffusion": SETTINGS["diffusion"] | {"steps": steps}}
            model = recodiff.build(name, settings).fit(data.train)
            found = recodiff.evaluate(model, data.history("train"), data.part("test"), mask=data.history("train+valid"))
            print(f"{name}, T = {steps}: recall@20 {found.mean('recall@20'):.4f}")
