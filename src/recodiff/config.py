"""Settings: frozen, checked, unknown keys refused, merged, written as TOML."""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from recodiff.errors import ConfigError, RecodiffWarning
from recodiff.moved import old_names

Settings = dict[str, Any]
C = TypeVar("C", bound="BaseConfig")


class BaseConfig(BaseModel):
    """Base of every group of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Added:
    """Mark a setting that came after runs had been named, as in `ema: Annotated[float | None, Added()] = None`.

    At its default a model is what it was without the setting, so what names runs leaves it out there and no old run is repeated.
    """


def without_added(configs: Iterable[type[BaseModel]], settings: Mapping[str, Any]) -> Settings:
    """Settings less those that are marked `Added` and have their default.

    Args:
        configs: the classes that the settings may be of; their `kind` tells which.
        settings: plain, nested.
    """
    kinds = [config for config in configs if settings.get("kind", _default_kind(config)) == _default_kind(config)]
    kept: Settings = {}
    for key, value in settings.items():
        fields = [config.model_fields[key] for config in kinds if key in config.model_fields]
        if any(isinstance(mark, Added) and value == _plain(field.default) for field in fields for mark in field.metadata):
            continue
        inner = [model for field in fields for model in _models_in(field.annotation)]
        if isinstance(value, Mapping) and any(get_origin(field.annotation) is dict for field in fields):
            kept[key] = {name: without_added(inner, one) if isinstance(one, Mapping) else one for name, one in value.items()}
        else:
            kept[key] = without_added(inner, value) if isinstance(value, Mapping) and inner else value
    return kept


def with_added(theirs: Mapping[str, Any], ours: Mapping[str, Any], named: Mapping[str, Any]) -> Settings:
    """Settings that an older build wrote, with what was added since, at its default.

    Args:
        theirs: what that build wrote, plain, nested.
        ours: settings of today that may be the same.
        named: `ours` as `without_added` leaves them.
    """
    filled: Settings = dict(theirs)
    for key, value in ours.items():
        if key not in theirs and key not in named:
            filled[key] = value
        elif all(isinstance(one.get(key), Mapping) for one in (theirs, ours, named)):
            filled[key] = with_added(theirs[key], value, named[key])
    return filled


def _plain(default: Any) -> Any:
    """A default as plain settings hold it."""
    return default.model_dump(mode="json") if isinstance(default, BaseModel) else default


_contradictions: ContextVar[Literal["refused", "warned", "ignored"]] = ContextVar("contradictions", default="refused")


@contextmanager
def contradictions_tolerated(*, warn: bool = True) -> Iterator[None]:
    """A context in which settings that contradict each other are not refused: those of a model that exists, or of half a draw.

    Args:
        warn: whether each contradiction is a warning.
    """
    token = _contradictions.set("warned" if warn else "ignored")
    try:
        yield
    finally:
        _contradictions.reset(token)


def refuse(sentence: str) -> None:
    """Refuse settings that contradict each other, from a pydantic validator of the group that holds them.

    Args:
        sentence: names the settings, their values and the remedy.

    Raises:
        ValueError: outside `contradictions_tolerated`; `check` makes a ConfigError of it.
    """
    what = _contradictions.get()
    if what == "refused":
        raise ValueError(sentence)
    if what == "warned":
        warnings.warn(sentence, RecodiffWarning, stacklevel=2)


def check(config: type[C], settings: Mapping[str, Any], *, where: str) -> C:
    """Build `config` from plain settings.

    Args:
        config: the class.
        settings: what a TOML file or a JSON object holds.
        where: named in the error message: a file, a preset, a model.

    Raises:
        ConfigError: a key is unknown or a value out of range; the message names the first such key, and a likely spelling.
    """
    try:
        return config.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(_sentence(config, error, where)) from None


def _sentence(config: type[BaseConfig], error: ValidationError, where: str) -> str:
    problems = error.errors()
    # What is missing may stand there misspelt, so an unknown key is reported first.
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(part) for part in _walk(config, first["loc"])[0])
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(config, first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
        return f"{where}: unknown setting '{path}'; {hint}{more}"
    if first["type"] == "missing":
        return f"{where}: setting '{path}' is missing; give it a value{more}"
    said = first["msg"].removeprefix("Value error, ")
    if (
        path and first["type"] == "value_error" and isinstance(first["input"], Mapping)
    ):  # a group whose settings contradict each other, which the sentence names
        return f"{where}: in '{path}': {said}{more}"
    return f"{where}: setting '{path}' = {first['input']!r}: {said}{more}" if path else f"{where}: {said}{more}"


def _known_keys(config: type[BaseConfig], path: Sequence[int | str]) -> list[str]:
    return sorted({key for kind in _walk(config, path)[1] for key in kind.model_fields})


def _walk(config: type[BaseConfig], path: Sequence[int | str]) -> tuple[list[int | str], list[Any]]:
    """The path as a user writes it, without pydantic's names of the kinds passed, and the configs that it may end in."""
    kinds, shown, just_named = [config], list[int | str](), False
    for part in path:
        if just_named and (chosen := [kind for kind in kinds if _default_kind(kind) == part]):
            kinds, just_named = chosen, False
            continue
        shown.append(part)
        fields = [kind.model_fields[str(part)] for kind in kinds if str(part) in kind.model_fields]
        kinds = [kind for field in fields for kind in _models_in(field.annotation)] or kinds
        just_named = bool(fields)
    return shown, kinds


def _default_kind(kind: type[BaseModel]) -> Any:
    return kind.model_fields["kind"].default if "kind" in kind.model_fields else None


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def to_toml(settings: Mapping[str, Any]) -> str:
    """Settings as the text of a TOML file.

    Args:
        settings: numbers, words, truth values, lists of these, and groups. What is None is left out: TOML has no word for it, and
            it reads as the default.
    """
    return "\n".join(_toml_lines(settings, ())).strip() + "\n"


def _toml_lines(group: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    values = {key: value for key, value in group.items() if value is not None and not isinstance(value, Mapping)}
    lines = ["", f"[{'.'.join(path)}]"] if path and values else []
    lines += [f"{key} = {_toml_value(value)}" for key, value in values.items()]
    for key, value in group.items():
        lines += _toml_lines(value, (*path, key)) if isinstance(value, Mapping) else []
    return lines


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)  # numbers, words and truth are written alike in both


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Settings:
    """New settings: those of `over` laid upon `base`, group by group.

    Args:
        base: stays as it is.
        over: a group whose `kind` (or `model`) differs from the base's replaces it whole.
    """
    merged: Settings = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        same = isinstance(old, Mapping) and isinstance(value, Mapping) and _same_kind(old, value)
        merged[key] = merge(old, value) if same and isinstance(old, Mapping) else value
    return merged


def _same_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(new.get(key, old.get(key)) == old.get(key) for key in ("kind", "model"))


__getattr__ = old_names(__name__)
