"""Settings: found, merged, checked, refused with a hint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from recodiff.config import merge, with_added
from recodiff.configs import presets, read_settings
from recodiff.errors import ConfigError
from recodiff.models.registry import MODELS, build, title


@pytest.mark.parametrize("name", presets())
def test_every_preset_builds_and_names_its_source(name: str) -> None:
    model, settings = read_settings(name)
    assert build(model, settings, where=name).registered == model
    assert name.startswith(model)
    import recodiff

    first = (Path(recodiff.__file__).parent / "configs" / f"{name}.toml").read_text("utf-8").splitlines()[0]
    assert first.startswith("# ")


def test_released_settings_are_the_released_ones() -> None:
    config = build(*read_settings("diffrec-ml-1m_noisy")).config
    assert (config.diffusion.steps, config.diffusion.schedule.noise_scale) == (5, 0.5)
    assert config.denoiser.hidden == (600, 200, 600)
    assert config.diffusion.schedule.first_beta == 1e-5
    t = build(*read_settings("t-diffrec-yelp_clean")).config
    assert (t.weighting.kind, t.weighting.w_min, t.training.lr) == ("linear", 0.5, 1e-5)


def test_a_preset_is_found_by_name_and_overridden() -> None:
    model, settings = read_settings(
        "diffrec-ml-1m_clean", ["training.lr=0.5", "diffusion.schedule.kind=cosine", "denoiser.hidden=[7]"]
    )
    del settings["diffusion"]["schedule"]["noise_scale"], settings["diffusion"]["schedule"]["noise_min"]
    del settings["diffusion"]["schedule"]["noise_max"]
    config = build(model, settings).config
    assert (config.training.lr, config.diffusion.schedule.kind, config.denoiser.hidden) == (0.5, "cosine", (7,))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"training": {"learning_rate": 1}}, r"unknown setting 'training.learning_rate'; .*lr"),
        ({"trainin": {}}, "did you mean 'training'"),
        ({"training": {"lr": -1}}, r"'training.lr' = -1: Input should be greater than 0"),
        ({"training": {"lr": float("nan")}}, "finite"),
        ({"training": {"epochs": "many"}}, "'training.epochs' = 'many'"),
        ({"diffusion": {"schedule": {"kind": "linear", "noise_scal": 1}}}, "did you mean 'noise_scale'"),
        ({"diffusion": {"schedule": {"kind": "sideways"}}}, "sideways"),
        ({"weighting": {"kind": "half_life", "halflife": 3}}, "did you mean 'half_life'"),
        ({"denoiser": {"hidden": []}}, "denoiser.hidden"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(settings: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        build("diffrec", settings)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_model_or_file_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'diffrec-ml-1m_clean'"):
        read_settings("diffrec-ml-1m_clea")
    with pytest.raises(ConfigError, match=r"no settings file 'nowhere\.toml'"):
        read_settings("nowhere.toml")
    with pytest.raises(ConfigError, match="did you mean 'diffrec'"):
        build("difrec")
    with pytest.raises(ConfigError, match="cannot be imported"):
        build("no_such_module:Model")
    with pytest.raises(ConfigError, match="is not a Recommender"):
        build("pathlib:Path")


def test_a_broken_file_or_override_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("model = ")
    with pytest.raises(ConfigError, match="not a TOML file"):
        read_settings(broken)
    nameless = tmp_path / "nameless.toml"
    nameless.write_text("x = 1")
    with pytest.raises(ConfigError, match="no model named"):
        read_settings(nameless)
    with pytest.raises(ConfigError, match="not of the form key=value"):
        read_settings("diffrec-ml-1m_clean", ["training.lr"])
    with pytest.raises(ConfigError, match="'lr' is a single value"):
        read_settings("diffrec-ml-1m_clean", ["training.lr.x=1"])


def test_merging_keeps_groups_of_one_kind_and_replaces_those_of_another() -> None:
    base = {"a": {"kind": "x", "b": 1, "c": 2}, "d": 3}
    assert merge(base, {"a": {"b": 5}}) == {"a": {"kind": "x", "b": 5, "c": 2}, "d": 3}
    assert merge(base, {"a": {"kind": "y", "e": 1}}) == {"a": {"kind": "y", "e": 1}, "d": 3}


def test_t_diffrec_is_diffrec_with_a_weighting() -> None:
    assert type(build("t-diffrec")) is type(build("diffrec"))
    assert build("t-diffrec").config.weighting.kind == "linear"
    assert {title(name) for name in MODELS} >= {"DiffRec", "T-DiffRec", "EASE", "Popularity"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pairs": {"kind": "forecast", "reach": 0}}, "setting 'pairs.reach' = 0"),
        ({"pairs": {"kind": "forecast", "forecast": 1}}, "unknown setting 'pairs.forecast'"),
        ({"weighting": {"kind": "half_life", "half_live": 1}}, "unknown setting 'weighting.half_live'; did you mean 'half_life'"),
    ],
)
def test_settings_of_one_kind_among_several_are_named_as_they_are_written(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        build("f-diffrec", settings)


def test_what_an_older_build_wrote_is_filled_with_what_came_since_at_its_default_alone() -> None:
    ours = {"width": 4, "new": 1, "inner": {"kind": "a", "later": None}, "parts": {"rows": {"settings": {"late": 2}}}}
    named = {"width": 4, "inner": {"kind": "a"}, "parts": {"rows": {"settings": {}}}}
    theirs = {"width": 4, "inner": {"kind": "a"}, "parts": {"rows": {"settings": {}}}}
    assert with_added(theirs, ours, named) == ours
    assert with_added(theirs, ours, ours) == theirs  # what is not at its default was not meant
    assert with_added({**theirs, "width": 8}, ours, named) != ours
    assert with_added({**theirs, "new": 5}, ours, named) != ours
