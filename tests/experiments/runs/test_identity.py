from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from recodiff import build, presets, read_settings
from recodiff.config import Added, BaseConfig, merge, without_added
from recodiff.experiments.runs.identity import digest, naming
from recodiff.models.registry import MODELS, config_of
from toy import every_model

FIXTURE = Path(__file__).parents[2] / "fixtures" / "settings_0_1_0.json"
LATER: tuple[tuple[str, str, Any], ...] = (
    ("pairs", "reach", None),
    ("diffusion", "space", "auto"),
    ("diffusion", "sampled_items", None),
    ("diffusion", "sampled_by", "uniform"),
    ("codec", "likelihood", "multinomial"),
    ("codec", "target", "dropped"),
    ("training", "precision", "float32"),
    ("training", "ema", None),
)
"""What 0.1.0 left out of the names of runs, by group."""
SINCE: dict[str, Any] = {"block": "transformer", "widening": 4, "objective": {"kind": "softmax"}, "start": "first"}
"""What models have had since, beside their other settings."""


def as_0_1_named(settings: Any) -> Any:
    """Settings as 0.1.0 put them into names."""
    inner = {name: as_0_1_named(value) if isinstance(value, dict) else value for name, value in settings.items()}
    for group, key, neutral in LATER:
        held = inner.get(group)
        if isinstance(held, dict) and key in held and held[key] == neutral:
            inner[group] = {name: value for name, value in held.items() if name != key}
    return {name: value for name, value in inner.items() if name not in SINCE or value != SINCE[name]}


@pytest.mark.parametrize("name", every_model())
def test_a_model_of_today_names_its_runs_as_0_1_did(name: str) -> None:
    settings = build(name).config.model_dump(mode="json")
    assert digest(naming(name, settings)) == digest(as_0_1_named(settings))


@pytest.mark.parametrize("preset", presets())
def test_a_preset_names_its_runs_as_0_1_did(preset: str) -> None:
    name, settings = read_settings(preset)
    settings = build(name, settings).config.model_dump(mode="json")
    assert digest(naming(name, settings)) == digest(as_0_1_named(settings))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("diffrec", {"diffusion": {"space": "dense"}, "training": {"ema": 0.9}}),
        ("f-diffrec", {"pairs": {"reach": 0.5}, "diffusion": {"sampled_items": 7, "sampled_by": "popularity"}}),
        ("l-diffrec", {"codec": {"likelihood": "gaussian", "target": "whole"}}),
        ("fs-diffrec", {"parts": {"rows": {"settings": {"training": {"precision": "bfloat16"}}}}}),
    ],
)
def test_a_later_setting_away_from_its_default_names_another_run(name: str, changed: dict[str, Any]) -> None:
    plain = build(name).config.model_dump(mode="json")
    other = build(name, changed).config.model_dump(mode="json")
    assert digest(naming(name, other)) == digest(as_0_1_named(other)) != digest(naming(name, plain))


def test_settings_written_before_a_setting_came_name_the_same_run() -> None:
    old = {"diffusion": {"steps": 5}, "codec": {"kind": "identity"}}
    assert naming("diffrec", merge(old, {"diffusion": {"space": "auto", "sampled_items": None}})) == old
    assert naming("diffrec", merge(old, {"diffusion": {"space": "dense"}})) != old


class New(BaseConfig):
    """A group with a setting of 0.1.0 and a later one."""

    old: int = 1
    later: Annotated[int, Added()] = 2


def test_what_is_marked_is_left_out_at_its_default_alone() -> None:
    assert without_added([New], New().model_dump()) == {"old": 1}
    assert without_added([New], {"old": 1, "later": 3}) == {"old": 1, "later": 3}


def paths(config: type[BaseModel], path: str = "") -> Iterator[tuple[str, bool]]:
    """Every setting, `group:kind.name`, and whether it is marked as a later one."""
    for key, field in config.model_fields.items():
        later = any(isinstance(mark, Added) for mark in field.metadata)
        yield path + key, later
        for inner in [] if later else inside(field.annotation):
            kind = inner.model_fields.get("kind")
            yield from paths(inner, f"{path}{key}:{kind.default}." if kind else f"{path}{key}.")


def inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in inside(part)]


def test_a_setting_that_0_1_had_not_is_marked_as_added() -> None:
    known = {name: set(listed.split()) for name, listed in json.loads(FIXTURE.read_text("utf-8")).items()}
    for name in [param.values[0] for param in every_model() if not param.marks]:
        config, made_by = config_of(name), MODELS[name].path.rpartition(":")[2]
        unmarked = {path for path, later in paths(config) if not later} - known.get(made_by, {path for path, _ in paths(config)})
        assert not unmarked, f"{made_by}: mark what came after 0.1.0 as Added(), or old runs are repeated: {unmarked}"
