"""Presets, and settings read from TOML with dotted overrides."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from recodiff.config import Settings
from recodiff.errors import ConfigError
from recodiff.runtime import files


def presets() -> list[str]:
    """Names of the presets, the settings shipped with the package: one per model and data set."""
    folder = resources.files("recodiff") / "configs"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def description(preset: str) -> str:
    """The first line of a preset, which says what it is and where its settings come from.

    Args:
        preset: one of `presets()`.
    """
    text = (resources.files("recodiff") / "configs" / f"{preset}.toml").read_text("utf-8")
    return text.splitlines()[0].removeprefix("#").strip()


def read_settings(source: str | Path, overrides: Sequence[str] = (), *, models: Collection[str] = ()) -> tuple[str, Settings]:
    """Read settings from a TOML file or a preset, and apply overrides.

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
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where}: not a TOML file ({error}); see a preset for the form") from None
    for override in overrides:
        _apply(settings, override)
    model = settings.pop("model", None)
    if not isinstance(model, str):
        raise ConfigError(f'{where}: no model named; add a line such as model = "diffrec"')
    return model, settings


def _find(source: str, models: Collection[str]) -> tuple[str, str]:
    path = Path(source)
    if path.suffix == ".toml" or (path.exists() and not path.is_dir()):
        if not path.exists():
            raise ConfigError(f"no settings file '{source}'; presets are: {', '.join(presets())}")
        with files.reading(path, ConfigError, "give settings as TOML in UTF-8"):
            return path.read_text("utf-8"), source
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
    except (tomllib.TOMLDecodeError, RecursionError):
        group[last] = value.strip()
