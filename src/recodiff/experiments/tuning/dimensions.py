"""What a search draws settings from: ranges and choices, each under the dotted key of a setting."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from recodiff.config import BaseConfig, Settings, contradictions_tolerated, merge
from recodiff.errors import ConfigError
from recodiff.models.registry import build
from recodiff.moved import old_names

JUDGE = "training.metric"
"""What trials are judged by: no search may change it."""


class Dimension(BaseConfig):
    """Base of what one draw is made from."""

    when: dict[str, Any] = Field(default={})
    """Settings that must have this value, or one of these, for the draw to be made: `{"weighting.kind": "half_life"}`."""

    def active(self, settings: Mapping[str, Any]) -> bool:
        """Tell whether `settings` [dotted] fulfil `when`."""
        return all(key in settings and settings[key] in _listed(wanted) for key, wanted in self.when.items())

    @property
    def needs(self) -> list[str]:
        """Keys of the settings that the draw depends on."""
        return list(self.when)

    @abstractmethod
    def samples(self) -> Iterable[Any]:
        """A few values that stand for all when a space is checked."""

    @abstractmethod
    def find(self, key: str, settings: Mapping[str, Any]) -> list[Any]:
        """The draws that give what stands in `settings` [dotted] under `key`; none where it lies outside."""

    def value(self, drawn: Any, settings: Mapping[str, Any]) -> Any:
        """The value that a draw sets the setting to.

        Args:
            drawn: what `draw` gave.
            settings: dotted key -> value, of what was drawn before.
        """
        return drawn

    @abstractmethod
    def drawn_from(self) -> str:
        """A description of what is drawn from, in words."""

    def __str__(self) -> str:
        needs = [f"{key} is {' or '.join(map(str, _listed(wanted)))}" for key, wanted in self.when.items()]
        return f"{self.drawn_from()}{', where ' if needs else ''}{' and '.join(needs)}"


class Range(Dimension):
    """Numbers between two bounds, both included; whole numbers where both bounds are written whole."""

    low: int | float
    high: int | float
    log: bool = False
    """Whether it is the logarithm that is drawn evenly."""

    @property
    def whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low} has no logarithm; give more than 0, or leave log out")
        return self

    def samples(self) -> Iterable[Any]:
        """The bounds."""
        return self.low, self.high

    def find(self, key: str, settings: Mapping[str, Any]) -> list[Any]:
        """See `Dimension`."""
        value = settings.get(key)
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return []
        return [value] if self.low <= value <= self.high else []

    def drawn_from(self) -> str:
        """See `Dimension`."""
        return f"{self.low:g} to {self.high:g}{', by its logarithm' if self.log else ''}"


class Choices(Dimension):
    """One of several values. A choice that is a table sets several settings of the group at once."""

    choices: tuple[Any, ...] = Field(min_length=1)
    share_of: str | None = None
    """The choices are shares of this setting, rounded down to whole numbers."""

    @property
    def needs(self) -> list[str]:
        """See `Dimension`."""
        return [*super().needs, *([self.share_of] if self.share_of else [])]

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.share_of and not all(isinstance(share, int | float) for share in self.choices):
            raise ValueError(f"shares of {self.share_of} must be numbers, not {list(self.choices)}")
        return self

    def samples(self) -> Iterable[Any]:
        """All."""
        return self.choices

    def find(self, key: str, settings: Mapping[str, Any]) -> list[Any]:
        """See `Dimension`."""
        made = ((choice, flatten({key: self.value(choice, settings)})) for choice in self.choices)
        return [choice for choice, sets in made if all(k in settings and settings[k] == v for k, v in sets.items())]

    def value(self, drawn: Any, settings: Mapping[str, Any]) -> Any:
        """See `Dimension`."""
        return drawn if self.share_of is None else int(drawn * settings[self.share_of])

    def drawn_from(self) -> str:
        """See `Dimension`."""
        listed = " / ".join(json.dumps(choice) for choice in self.choices)
        return listed if self.share_of is None else f"{listed} of {self.share_of}"


Space = Mapping[str, Dimension]
"""Dotted key of a setting, or of a group for choices that are tables -> what it is drawn from, in the order of drawing."""
DrawOne = Callable[[str, Dimension], Any]


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted key -> value.

    Args:
        settings: nested.
        prefix: goes before each key.
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def nest(flat: Mapping[str, Any]) -> Settings:
    """The inverse of `flatten`.

    Args:
        flat: dotted key -> value.
    """
    nested: Settings = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        group = nested
        for part in path:
            group = group.setdefault(part, {})
        group[last] = value
    return nested


def draw_settings(space: Space, settings: Mapping[str, Any], one: DrawOne) -> dict[str, Any]:
    """Draw settings.

    Args:
        space: what they are drawn from.
        settings: [dotted], where the search begins; what is not drawn stays as it is there.
        one: makes the draw of one key.

    Returns:
        What was drawn, [dotted].
    """
    drawn: dict[str, Any] = {}
    for key, dimension in space.items():
        known = {**settings, **drawn}
        if dimension.active(known):
            drawn |= flatten({key: dimension.value(one(key, dimension), known)})
    return drawn


def standing(space: Space, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values in settings where a space draws.

    Args:
        space: what is drawn.
        settings: dotted key -> value.
    """
    leaves = [leaf for key, dimension in space.items() for leaf in leaves_of(key, dimension)]
    return {leaf: settings[leaf] for leaf in leaves if leaf in settings}


def without(space: Space, fixed: Collection[str]) -> Space:
    """A space less what sets any of the `fixed` keys, or anything in the groups among them.

    Args:
        space: what is drawn.
        fixed: dotted keys of settings or of groups.
    """

    def free(key: str, dimension: Dimension) -> bool:
        return not any(leaf == held or leaf.startswith(f"{held}.") for leaf in leaves_of(key, dimension) for held in fixed)

    return {key: dimension for key, dimension in space.items() if free(key, dimension)}


def reachable(space: Space, model: str, settings: Settings, *, where: str, strict: bool) -> Space:
    """The part of a space that can be drawn where a search begins at `settings`.

    Args:
        space: to check; every bound and choice is tried on the model's config.
        model: its name in MODELS, or `module:Class`.
        settings: complete, nested.
        where: names the space in messages.
        strict: whether to refuse a space of which something can never be drawn.

    Raises:
        ConfigError: a key is no setting of the model, a value is out of its bounds, or a condition cannot be judged.
    """
    start = flatten(settings)
    _refuse_unjudgeable(space, model, start, where)
    under: dict[str, dict[str, Any]] = {}  # what is drawn so far -> the settings that it is drawn with
    kept: dict[str, Dimension] = {}
    for key, dimension in space.items():
        never = [
            other for other, wanted in dimension.when.items() if other not in under and start.get(other) not in _listed(wanted)
        ]
        if never and strict:
            raise ConfigError(f"{where}: '{key}' is never drawn, since {never[0]} = {start.get(never[0])!r} and is not searched")
        if never or (not strict and _left_out(key, settings)):
            continue
        needed: dict[str, Any] = {}
        for other, wanted in dimension.when.items():
            needed |= {**under[other], other: _listed(wanted)[0]} if other in under else {}
        _try_all(key, dimension, model, settings, needed, where)
        under |= dict.fromkeys(leaves_of(key, dimension), needed)
        kept[key] = dimension
    return kept


def _left_out(key: str, settings: Settings) -> bool:
    """Whether a setting is one of a part of a sum whose share is 0."""
    group, name, *_ = (*key.split("."), "", "")
    part = settings.get(group, {}).get(name) if group == "parts" else None
    return isinstance(part, Mapping) and part.get("share") == 0


def _refuse_unjudgeable(space: Space, model: str, start: Mapping[str, Any], where: str) -> None:
    """Raises ConfigError where a condition names no setting, or one that is drawn later."""
    setters = _setters(space, where)
    for number, (key, dimension) in enumerate(space.items()):
        for other in dimension.needs:
            if other not in start and other not in setters:
                raise ConfigError(f"{where}: '{key}' depends on '{other}', which is no setting of {model} as it stands")
            if setters.get(other, -1) >= number:
                raise ConfigError(f"{where}: '{key}' depends on '{other}', which is drawn later; put it first")


def _try_all(key: str, dimension: Dimension, model: str, settings: Settings, needed: dict[str, Any], where: str) -> None:
    """Builds the config with every bound and choice, under the conditions that are `needed`."""
    known = {**flatten(settings), **needed}
    whole = dimension.share_of if isinstance(dimension, Choices) else None
    if whole and not isinstance(known.get(whole), int | float):
        raise ConfigError(f"{where}: '{key}' takes shares of '{whole}', which is {known.get(whole)!r}; name a number")
    for sample in dimension.samples():
        sets = flatten({key: dimension.value(sample, known)})
        with contradictions_tolerated(warn=False):  # with other settings that are drawn it may fit
            build(model, merge(settings, nest({**needed, **sets})), where=where)


def _setters(space: Space, where: str) -> dict[str, int]:
    """Which dimension, by its place, sets a setting."""
    setters: dict[str, int] = {}
    for number, (key, dimension) in enumerate(space.items()):
        for leaf in leaves_of(key, dimension):
            if leaf in setters:
                raise ConfigError(f"{where}: '{leaf}' would be drawn twice; leave one of the two out")
            setters[leaf] = number
    if JUDGE in setters:
        raise ConfigError(f"{where}: '{JUDGE}' is what trials are judged by and cannot be searched; set it in the settings")
    return setters


def leaves_of(key: str, dimension: Dimension) -> list[str]:
    """Dotted keys of the settings that a dimension sets: its own, or those of the tables it chooses from.

    Args:
        key: dotted, of the dimension.
        dimension: what is drawn there.
    """
    return list(dict.fromkeys(leaf for sample in dimension.samples() for leaf in flatten({key: sample})))


def _listed(wanted: Any) -> Any:
    return wanted if isinstance(wanted, list | tuple) else [wanted]


__getattr__ = old_names(__name__)
