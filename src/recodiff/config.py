"""Settings: frozen, checked, unknown keys refused, read from TOML with dotted overrides."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from recodiff.errors import ConfigError

Settings = dict[str, Any]
C = TypeVar("C", bound="BaseConfig")


class BaseConfig(BaseModel):
    """Base of every group of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def check(config: type[C], settings: Mapping[str, Any], *, where: str) -> C:
    """Builds `config` from plain settings.

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
    # What is missing may stand there misspelt, so an unknown key is told first.
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


def presets() -> list[str]:
    """Names of the settings shipped with the package, one per model and data set."""
    folder = resources.files("recodiff") / "configs"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def told(preset: str) -> str:
    """What the first line of a preset says of it."""
    text = (resources.files("recodiff") / "configs" / f"{preset}.toml").read_text("utf-8")
    return text.splitlines()[0].removeprefix("#").strip()


def read_settings(source: str | Path, overrides: Sequence[str] = (), *, models: Collection[str] = ()) -> tuple[str, Settings]:
    """Reads a TOML file or a preset, and applies overrides.

    Args:
        source: the path of a TOML file, or the name of a preset (`presets()`), or one of `models`.
        overrides: `dotted.key=value`, the value in TOML; a bare word is taken as text.
        models: names that mean a model with its default settings.

    Returns:
        The model's name (the file's `model` key) and the other settings.

    Raises:
        ConfigError: there is no such file or preset, it is not TOML, or it names no model.
    """
    text, where = (f'model = "{source}"', str(source)) if source in models else _find(str(source), models)
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not a TOML file ({error}); see a preset for the form") from None
    for override in overrides:
        _apply(settings, override)
    model = settings.pop("model", None)
    if not isinstance(model, str):
        raise ConfigError(f'{where}: no model named; add a line such as model = "diffrec"')
    return model, settings


def _find(source: str, models: Collection[str]) -> tuple[str, str]:
    path = Path(source)
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text("utf-8"), source
        except FileNotFoundError:
            raise ConfigError(f"no settings file '{source}'; presets are: {', '.join(presets())}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"settings file '{source}' cannot be read ({error})") from None
    if source in presets():
        return (resources.files("recodiff") / "configs" / f"{source}.toml").read_text("utf-8"), source
    close = difflib.get_close_matches(source, [*presets(), *models], n=1)
    known = f"presets are: {', '.join(presets())}"
    known = f"models are: {', '.join(models)}; {known}" if models else known
    hint = f"did you mean '{close[0]}'?" if close else known
    raise ConfigError(f"no preset{' or model' if models else ''} '{source}' and no such file; {hint}")


def _apply(settings: Settings, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override '{override}' is not of the form key=value, for example training.lr=0.001")
    *path, last = key.strip().split(".")
    group: Any = settings
    for part in path:
        group = group.setdefault(part, {})
        if not isinstance(group, dict):
            raise ConfigError(f"override '{override}': '{part}' is a single value and holds no '{last}'")
    try:
        group[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        group[last] = value.strip()


def to_toml(settings: Mapping[str, Any]) -> str:
    """Settings as TOML. What is None is left out: TOML has no word for it, and it reads as the default."""
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
    """Settings of `over` laid upon `base`, group by group; a group whose `kind` (or `model`) changes is replaced whole."""
    merged: Settings = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        same = isinstance(old, Mapping) and isinstance(value, Mapping) and _same_kind(old, value)
        merged[key] = merge(old, value) if same and isinstance(old, Mapping) else value
    return merged


def _same_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(new.get(key, old.get(key)) == old.get(key) for key in ("kind", "model"))
