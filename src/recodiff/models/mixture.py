"""Several models as one: each learns alone, their scores are added with shares.

Shapes: `B` users in a batch, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from recodiff.config import Added, BaseConfig, Settings, merge
from recodiff.data.interactions import Interactions
from recodiff.data.weighting import Weighting
from recodiff.errors import ConfigError, ModelError, RecodiffError
from recodiff.models.base import ModelConfig, Recommender, Validate, batches
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.moved import old_names
from recodiff.runtime import files, progress
from recodiff.runtime.run import OnEpoch, Run
from recodiff.training.metric_names import DecidingMetric, figure_of
from recodiff.training.traits import Traits

MEASURED_ON = 1000
"""Users, at most, over whom the spread of a component's scores is taken."""
SCALES = "scales"
SHARES = "shares"


class Component(BaseConfig):
    """One of the models, and how much it says."""

    model: str
    """Its name in MODELS, or `module:Class`."""
    share: float = Field(default=1.0, ge=0)
    """Of its scores, each component's brought to a mean standard deviation of 1 over the items; 0 leaves the component out."""
    settings: Settings = Field(default_factory=dict)
    """Of that model."""


SEQUENCE_PATH: Settings = {
    "length": 50,
    "horizon": 2,
    "loss_over": "unmet",
    "target": {"kind": "half_life", "half_life": 10.0, "floor": 0.0},
    "training": {"batch_size": 50, "check_every_epochs": 3, "patience_epochs": 9},
}
"""Of a sequence encoder: what comes at once, which is where it is ahead of rows."""

ITEM_PATH: Settings = {"weighting": {"kind": "half_life", "half_life": 5.0, "floor": 0.1, "on": "history"}}
"""Of an item-item path: EASE on histories weighted by age."""
COMPONENTS = {
    "rows": Component(model="f-diffrec"),
    "sequence": Component(model="sasrec", settings=SEQUENCE_PATH),
    "items": Component(model="ease", share=0.1, settings=ITEM_PATH),
}


class MixtureConfig(ModelConfig):
    """Settings of a mixture; its weighting is that of every component that has none of its own."""

    parts: dict[str, Component] = Field(default_factory=lambda: dict(COMPONENTS))
    """By a name of your own; the first is the one that the others are added to."""
    search: tuple[Annotated[float, Field(ge=0)], ...] = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
    """Shares to try on validation for each component but the one it begins with (`start`, of share 1), one after another; where
    there are none, or there is no validation, the given shares stand."""
    least_gain: float = Field(default=0.01, ge=0)
    """How much the validation figure must grow, as a share of itself, for a component to be let in: the best of several shares
    gains a little by chance."""
    metric: DecidingMetric = "recall@20"
    """The validation figure that decides between them."""
    start: Annotated[Literal["first", "best"], Added()] = "first"
    """What a search begins with: the first component, which then always stays, or the one that is best alone."""

    @field_validator("parts")
    @classmethod
    def _names_of_folders(cls, parts: dict[str, Component]) -> dict[str, Component]:
        if odd := [name for name in parts if not files.is_plain_name(name)]:
            raise ValueError(f"{odd[0]!r} cannot be the name of a folder, which a component has; take letters and digits")
        return parts

    @model_validator(mode="before")
    @classmethod
    def _name_the_parts(cls, given: Any) -> Any:
        for key in given if isinstance(given, Mapping) else ():
            meant = [] if key in cls.model_fields else _parts_with(key, given.get("parts"))
            if meant:
                raise ValueError(f"'{key}' is a setting of its components; write {' or '.join(meant)}")
        return given


class Mixture(Recommender):
    """A sum s = sum_k share_k s_k / scale_k (ours): scale_k is the standard deviation of component k's scores, mean over users.

    F-DiffRec's rows know everything that a user ever interacted with and little of its order. A sequence encoder knows the order
    of the newest items, a linear item-item path what occurs together. Their scores differ by a constant per user from
    log-probabilities, so the sum is a product of experts. Every component is fitted by its own loop and stops by its own
    validation figure; then the shares may be searched on validation.

    Raises:
        ConfigError: no component has a share above 0.
    """

    Config = MixtureConfig

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__(config)
        given: MixtureConfig = self.config
        self.parts: dict[str, Recommender] = {name: self._built(name, part) for name, part in given.parts.items() if part.share}
        if not self.parts:
            raise ConfigError("a mixture needs a component with a share above 0; give it some, for example parts.rows.share=1")
        spelt = {
            name: part.model_copy(update={"settings": self.parts[name].config.model_dump()}) if name in self.parts else part
            for name, part in given.parts.items()
        }
        self.config = given.model_copy(update={"parts": spelt})
        self.shares = torch.tensor([given.parts[name].share for name in self.parts])
        self.scales = torch.ones(len(self.parts))

    def _built(self, name: str, part: Component) -> Recommender:
        model = build(part.model, part.settings, where=f"parts.{name}.settings")
        if model.config.weighting.needs_order or not self.config.weighting.needs_order:
            return model
        weighted = merge(part.settings, {"weighting": self.config.weighting.model_dump()})
        return build(part.model, weighted, where=f"parts.{name}.settings")

    def _traits(self) -> Traits:
        parts = {name: part.traits for name, part in self.parts.items()}
        heard = [parts[name] for name in self._factors]
        return Traits(
            personalised=any(part.personalised for part in parts.values()),
            item_vectors=all(part.item_vectors for part in heard),
            remembers_users=any(part.remembers_users for part in parts.values()),
            order_aware=any(part.order_aware for part in parts.values()),
            reads_order=any(part.reads_order for part in heard),
            seeded=any(part.seeded for part in parts.values()),
        )

    @property
    def history_views(self) -> Mapping[str, Weighting]:
        """Each component's weighting, and the views of the components, of those whose share is not 0."""
        found: dict[str, Weighting] = {}
        for name in self._factors:
            part = self.parts[name]
            found[name] = part.config.weighting
            found |= {f"{name}.{inner}": view for inner, view in part.history_views.items()}
        return found

    @property
    def validation_metrics(self) -> tuple[str, ...]:
        """The mixture's metric and those of its components."""
        inner = (metric for part in self.parts.values() for metric in part.validation_metrics)
        return tuple(dict.fromkeys((self.config.metric, *inner)))

    def refit_settings(self) -> Settings:
        """See `Recommender`: the shares, and the epochs of each component that has one."""
        settings: Settings = {**super().refit_settings(), "search": ()}
        for (name, part), share in zip(self.parts.items(), self.shares.tolist(), strict=True):
            settings["parts"][name] |= {"settings": part.refit_settings(), "share": share} if share else {"share": share}
        return settings

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        self.shares = torch.tensor([self.config.parts[name].share for name in self.parts])
        for name, part in self.components().items():
            out = None if run.out is None else run.out / "parts" / name
            longest = None if run.longest is None else run.longest / len(self.parts)
            try:
                part.fit(train, replace(run, out=out, longest=longest, on_epoch=_named(name, run.on_epoch)), validate=validate)
            except ModelError as error:
                raise ModelError(f"component '{name}' (its settings: parts.{name}.settings): {error}") from error
            self.summary[name] = part.summary
        self.scales = self._spread(train)
        if self.config.search and validate is not None:
            self._search(validate, run)
            self._report_dropped(run)
        self.summary["shares"] = dict(zip(self.parts, self.shares.tolist(), strict=True))

    def components(self) -> dict[str, Recommender]:
        """The components by name, as they are fitted: closed forms first, which refuse in a second what cannot fit."""
        return dict(sorted(self.parts.items(), key=lambda named: _by_epochs(named[1])))

    @torch.inference_mode()
    def _spread(self, train: Interactions) -> Tensor:
        known = np.flatnonzero(train.lengths())
        some = train.take(np.sort(np.random.default_rng(0).permutation(known)[:MEASURED_ON]))
        totals, users = torch.zeros(len(self.parts)), 0
        for _, batch in batches(self, some, 200):
            totals += torch.stack([part.score(own).std(1).sum().cpu() for _, part, own in self._own(batch)])
            users += len(batch.history)
        return (totals / users).clamp(min=torch.finfo(torch.float32).tiny)

    def _search(self, validate: Validate, run: Run) -> None:
        names, metric = list(self.parts), self.config.metric
        first, best = self._alone(validate)
        with progress.bar("shares", (len(names) - 1) * len(self.config.search), show=run.progress) as advance:
            for k, name in enumerate(names):
                if k == first:
                    continue
                found: dict[float, float] = {}
                for share in self.config.search:
                    self.shares[k] = share
                    found[share] = figure_of(validate(self), metric)
                    advance(1, f"{name}: best {metric} {max(best, *found.values()):.4f}")
                chosen = max(found, key=found.__getitem__)
                earned = found[chosen] > best and found[chosen] >= best * (1 + self.config.least_gain)
                self.shares[k], best = (chosen, found[chosen]) if earned else (0.0, best)

    def _report_dropped(self, run: Run) -> None:
        dropped = [name for name, share in zip(self.parts, self.shares.tolist(), strict=True) if not share]
        if run.tell is not None and dropped:
            run.tell(
                f"validation left out {' and '.join(dropped)}: no share raised {self.config.metric} by "
                f"{self.config.least_gain:.2%}, so the model scores by {' and '.join(self._factors)} alone"
            )

    def _alone(self, validate: Validate) -> tuple[int, float]:
        """The place of the component that a search begins with, and its validation figure; the other shares are left at 0."""
        whole = self.shares[0].clone() if self.config.start == "first" else torch.tensor(1.0)
        candidates = range(1 if self.config.start == "first" else len(self.parts))
        figures = list[float]()
        for k in candidates:
            self.shares.zero_()
            self.shares[k] = whole
            figures.append(figure_of(validate(self), self.config.metric))
        first = max(candidates, key=figures.__getitem__)
        self.shares.zero_()
        self.shares[first] = whole
        return first, figures[first]

    def _own(self, batch: Batch) -> Iterator[tuple[str, Recommender, Batch]]:
        for name in self._factors:
            part = self.parts[name]
            views = {inner: batch.view(f"{name}.{inner}") for inner in part.history_views}
            yield name, part, Batch(batch.view(name), batch.users if part.traits.remembers_users else None, views)

    @property
    def _factors(self) -> dict[str, float]:
        """What the scores of the components are multiplied by whose share is not 0."""
        factors = (self.shares / self.scales).tolist()
        return {name: factor for name, factor in zip(self.parts, factors, strict=True) if factor}

    def score(self, batch: Batch) -> Tensor:
        """The sum, [B, I]; a component whose share came out as 0 is not asked."""
        total: Any = 0.0
        factors = self._factors
        for name, part, own in self._own(batch):
            total = part.score(own).mul_(factors[name]).add_(total)
        return total

    def state(self) -> dict[str, Tensor]:
        """The state of each component whose share is not 0, by its name, with scales and shares."""
        _ = self.items
        inner = {f"{name}.{key}": tensor for name in self._factors for key, tensor in self.parts[name].state().items()}
        return inner | {SCALES: self.scales, SHARES: self.shares}

    @property
    def parameters(self) -> int:
        """The number of learned numbers, of the components whose share is not 0."""
        heard = self._factors
        return sum(self.parts[name].parameters for name in heard) + len(heard)

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.scales, self.shares = state[SCALES].cpu(), state[SHARES].cpu()
        for name in self._factors:
            part = self.parts[name]
            inner = {key.removeprefix(f"{name}."): tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
            device = str(next(iter(inner.values())).device)
            part.restore(inner, self.items, device, users=self.users if part.traits.remembers_users else None)

    def lay_out(self) -> None:
        """Every component's weights."""
        for name in self._factors:
            self.parts[name].lay_out()

    def vectors(self) -> ItemVectors:
        """The components' vectors side by side.

        Raises:
            ModelError: a component has none.
        """
        if without := [name for name in self._factors if not self.parts[name].traits.item_vectors]:
            left = len(without) < len(self._factors)
            how = f"leaves them out (parts.{without[0]}.share=0)" if left else "has others"
            raise ModelError(
                f"this mixture has no item vectors, as it has components without: {', '.join(without)}; train one that {how}"
            )
        found = [(self.parts[name].vectors(), factor) for name, factor in self._factors.items()]
        vectors = torch.cat([one.vectors * factor for one, factor in found], 1)
        bias: Any = sum(one.bias * factor for one, factor in found)
        return ItemVectors(vectors, bias)

    def user_vectors(self, batch: Batch) -> Tensor:
        """The components' vectors side by side, [B, H]."""
        return torch.cat([part.user_vectors(own) for _, part, own in self._own(batch)], 1)


def _named(component: str, on_epoch: OnEpoch | None) -> OnEpoch | None:
    """Has lines of a component's log name it; the number of the epoch stays."""
    if on_epoch is None:
        return None
    return lambda entry: on_epoch({key if key == "epoch" else f"{component}/{key}": value for key, value in entry.items()})


def _parts_with(key: str, parts: Any) -> list[str]:
    """Where the models of components not yet checked have this setting, as a user writes it."""
    named = parts.items() if isinstance(parts, Mapping) else ()
    heard = {name: part for name, part in named if isinstance(part, Mapping) and part.get("share") != 0}
    return [f"parts.{name}.settings.{key}" for name, part in heard.items() if key in _fields_of(part.get("model"))]


def _fields_of(model: object) -> Collection[str]:
    try:
        return type(build(model).config).model_fields if isinstance(model, str) else ()
    except RecodiffError:  # reported where the component itself is checked
        return ()


def _by_epochs(model: Recommender) -> bool:
    """Whether it, or a component of it, is trained for many passes over the data."""
    return isinstance(model, TorchRecommender) or any(map(_by_epochs, model.components().values()))


__getattr__ = old_names(__name__)
