"""Search spaces: every declared one fits its model, every mistake in one of a user's own is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from recodiff.config import merge
from recodiff.configs import presets, read_settings
from recodiff.errors import ConfigError
from recodiff.experiments.tuning.dimensions import (
    Choices,
    Dimension,
    Range,
    Space,
    draw_settings,
    flatten,
    nest,
    reachable,
    standing,
    without,
)
from recodiff.experiments.tuning.spaces import DENOISING, RECENCY, SPACES, read_space, space_of
from recodiff.models.registry import MODELS, build
from toy import every_model

HERE = [name for name in SPACES if name in MODELS]


def start_of(name: str, **settings: Any) -> dict[str, Any]:
    return build(name, settings).config.model_dump(mode="json")


def last(key: str, dimension: Dimension) -> Any:
    return list(dimension.samples())[-1]


@pytest.mark.parametrize("name", every_model(HERE))
@pytest.mark.parametrize("recency", [False, True])
def test_every_declared_space_fits_its_model_whole(name: str, recency: bool) -> None:
    space = {key: of for key, of in space_of(name, recency=recency).items() if key not in DENOISING}  # of losses that are not set
    assert reachable(space, name, start_of(name), where=name, strict=True) == space


@pytest.mark.parametrize("name", every_model(HERE))
def test_settings_drawn_from_a_declared_space_make_the_model(name: str) -> None:
    start = start_of(name)
    drawn = draw_settings(SPACES[name], flatten(start), last)
    config = flatten(build(name, merge(start, nest(drawn))).config.model_dump(mode="json"))
    assert {key: config[key] for key in drawn} == drawn


def test_a_bound_that_contradicts_the_start_alone_is_no_reason_to_refuse_a_space() -> None:
    """Together with the other settings that are drawn it fits."""
    steps = {key: of for key, of in SPACES["diffrec"].items() if key in ("diffusion.steps", "sampling.noise_steps")}
    start = start_of("diffrec", diffusion={"steps": 5}, sampling={"noise_steps": 5})
    assert reachable(steps, "diffrec", start, where="diffrec", strict=True) == steps
    schedule = start_of("diffrec", diffusion={"schedule": {"kind": "linear", "noise_min": 0.02, "noise_max": 0.04}})
    levels: Space = {f"diffusion.schedule.noise_{end}": Range(low=0.01, high=0.1) for end in ("min", "max")}
    assert reachable(levels, "diffrec", schedule, where="diffrec", strict=True) == levels


def test_a_misspelt_field_of_a_declared_space_would_be_found() -> None:
    wrong: Space = {"l22": Range(low=1.0, high=2.0)}
    with pytest.raises(ConfigError, match="unknown setting 'l22'; did you mean 'l2'"):
        reachable(wrong, "ease", start_of("ease"), where="ease", strict=False)


def test_the_papers_ranges_are_all_searched() -> None:
    space = SPACES["t-diffrec"]
    for key, published in {
        "diffusion.steps": (2, 5, 10, 40, 50, 100),
        "sampling.noise_steps": (0, 0.25, 0.5),
        "denoiser.hidden": ([300], [600, 200, 600], [1000]),
        "weighting.w_min": (0.1, 0.3, 0.5),
    }.items():
        found = space[key]
        assert isinstance(found, Choices)
        assert all(choice in found.choices for choice in published)
    scale = space["diffusion.schedule.noise_scale"]
    assert isinstance(scale, Choices)
    assert {1e-5, 1e-4, 5e-3, 1e-2, 1e-1} <= set(scale.choices), "the paper's; its 0 is a schedule without noise"
    assert {0.5, 0.7, 1e-3, 5e-4} <= set(scale.choices), "the released ones beyond the paper's range"
    ends = space["diffusion.schedule"]
    assert isinstance(ends, Choices)
    assert all(pair["noise_min"] < pair["noise_max"] for pair in ends.choices)


def test_steps_of_noise_are_a_share_of_the_steps_that_were_drawn() -> None:
    start = flatten(start_of("diffrec"))
    some: Space = {key: SPACES["diffrec"][key] for key in ("diffusion.steps", "sampling.noise_steps")}
    for steps, half in ((2, 1), (5, 2), (100, 50)):
        drawn = draw_settings(some, start, lambda key, of, steps=steps: steps if key == "diffusion.steps" else 0.5)
        assert drawn == {"diffusion.steps": steps, "sampling.noise_steps": half}


def test_what_depends_on_a_kind_is_drawn_only_with_it() -> None:
    start = flatten(start_of("ease"))
    for kind, own in (("half_life", "weighting.half_life"), ("power_law", "weighting.exponent")):
        drawn = draw_settings(RECENCY, start, lambda key, of, kind=kind: kind if key == "weighting.kind" else last(key, of))
        assert set(drawn) == {"weighting.kind", own, "weighting.floor", "weighting.on"}


def test_what_is_held_leaves_the_space_with_all_below_it() -> None:
    space = SPACES["diffrec"]
    assert "training.lr" not in without(space, ["training.lr"])
    assert set(space) - set(without(space, ["diffusion.schedule"])) == {
        "diffusion.schedule.kind",
        "diffusion.schedule.noise_scale",
        "diffusion.schedule",
    }
    assert set(space) - set(without(space, ["diffusion.schedule.noise_min"])) == {"diffusion.schedule"}, "a table goes whole"


def test_a_declared_space_gives_up_what_the_settings_rule_out() -> None:
    start = merge(start_of("t-diffrec"), {"weighting": {"kind": "uniform"}})
    assert "weighting.w_min" not in reachable(SPACES["t-diffrec"], "t-diffrec", start, where="", strict=False)


def test_recency_takes_the_place_of_a_models_own_weighting() -> None:
    space = space_of("t-diffrec", recency=True)
    assert "weighting.w_min" not in space
    assert set(RECENCY) <= set(space)


def test_what_stands_at_the_start_is_found_inside_and_outside_a_space() -> None:
    start = flatten(start_of("diffrec"))
    space = SPACES["diffrec"]
    assert space["diffusion.schedule"].find("diffusion.schedule", start) == [{"noise_min": 0.005, "noise_max": 0.01}]
    assert space["sampling.noise_steps"].find("sampling.noise_steps", start) == [0.0]
    outside = start | {"training.lr": 0.5, "denoiser.hidden": [7]}
    assert space["training.lr"].find("training.lr", outside) == []
    assert space["denoiser.hidden"].find("denoiser.hidden", outside) == []
    assert standing(space, outside)["denoiser.hidden"] == [7]


def test_flatten_and_nest_are_inverse() -> None:
    nested = start_of("lt-diffrec")
    assert nest(flatten(nested)) == nested


# A space of one's own.


def own(tmp_path: Path, text: str) -> Space:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return read_space(path)


def test_a_space_of_ones_own(tmp_path: Path) -> None:
    space = own(
        tmp_path,
        """
        "training.lr" = { low = 1e-4, high = 1e-2, log = true }
        denoiser.hidden = { choices = [[300], [200, 600]] }
        training.batch_size = { low = 100, high = 400 }
        "sampling.noise_steps" = { choices = [0, 0.5], share_of = "diffusion.steps" }
        """,
    )
    assert space == {
        "training.lr": Range(low=1e-4, high=1e-2, log=True),
        "denoiser.hidden": Choices(choices=([300], [200, 600])),
        "training.batch_size": Range(low=100, high=400),
        "sampling.noise_steps": Choices(choices=(0, 0.5), share_of="diffusion.steps"),
    }
    batch = space["training.batch_size"]
    assert isinstance(batch, Range)
    assert batch.whole
    assert reachable(space, "diffrec", start_of("diffrec"), where="", strict=True) == space


def test_the_space_that_the_documentation_shows_fits_diffrec(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "tune.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, flags=re.S)
    space = own(tmp_path, block)
    assert reachable(space, "diffrec", start_of("diffrec"), where="", strict=True) == space


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("l2 = 3", ("own.toml", "'l2' = 3", "{ low, high }")),
        ("l2 = { low = 3 }", ("'l2'", "'high'", "missing")),
        ("l2 = { low = 3, high = 1 }", ("'l2'", "low = 3 must lie below high = 1")),
        ("l2 = { low = 0.0, high = 1.0, log = true }", ("'l2'", "no logarithm")),
        ("l2 = { low = 1, hihg = 2 }", ("'l2'", "hihg")),
        ("l2 = { choices = [] }", ("'l2'", "at least 1")),
        ('l2 = { choices = ["a"], share_of = "x" }', ("'l2'", "must be numbers")),
        ("l2 = {", ("own.toml", "not a TOML file")),
    ],
)
def test_a_space_that_cannot_be_read(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        own(tmp_path, text)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_space_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml.* is missing"):
        read_space(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"l2": Range(low=-1.0, high=1.0)}, "setting 'l2' = -1.0"),
        ({"l2": Choices(choices=(1.0, "much"))}, "setting 'l2' = 'much'"),
        ({"training.lr": Range(low=1.0, high=2.0)}, "unknown setting 'training'"),
        ({"weighting.half_life": Range(low=1.0, high=2.0, when={"weighting.kind": "half_life"})}, "is never drawn"),
        ({"l2": Range(low=1.0, high=2.0, when={"l3": 1})}, "depends on 'l3', which is no setting"),
        ({"l2": Range(low=1.0, high=2.0, when={"weighting.kind": "x"}), **RECENCY}, "drawn later; put it first"),
        ({**RECENCY, "weighting": Choices(choices=({"floor": 0.1},))}, "'weighting.floor' would be drawn twice"),
        ({"l2": Choices(choices=(1, 2), share_of="weighting.kind")}, "takes shares of 'weighting.kind', which is 'uniform'"),
        ({"training.metric": Choices(choices=("recall@10",))}, "cannot be searched"),
    ],
)
def test_a_space_that_does_not_fit_the_model(space: Space, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        reachable(space, "ease", start_of("ease"), where="own.toml", strict=True)


def test_a_model_without_a_declared_space_needs_one() -> None:
    with pytest.raises(ConfigError, match="'popularity' has no settings to search but its weighting; search that with --recency"):
        space_of("popularity")
    own = "recodiff.models.mixture:Mixture"  # by its address it is none of ours
    with pytest.raises(ConfigError, match=rf"for '{own}', whose settings are parts, search, .*; give one with --space"):
        space_of(own)
    assert space_of("popularity", recency=True) == RECENCY


@pytest.mark.parametrize("model", ["mf", "cdae"])
def test_a_denoising_loss_is_searched_where_it_is_set(model: str) -> None:
    def keys(**settings: Any) -> set[str]:
        return {
            key for key in reachable(space_of(model), model, start_of(model, **settings), where="", strict=False) if "loss" in key
        }

    assert keys() == set()
    assert keys(loss={"kind": "truncated"}) == {"loss.drop_rate", "loss.drop_anneal_steps"}
    assert keys(loss={"kind": "reweighted"}) == {"loss.exponent"}


def presets_of(model: str) -> list[str]:
    """On ml-1m_clean, whose settings were chosen here or released."""
    return [name for name in presets() if "ml-1m_clean" in name and read_settings(name)[0] == model]


@pytest.mark.parametrize("model", every_model(name for name in HERE))
def test_where_a_search_begins_lies_within_its_space(model: str) -> None:
    """Else the start is one trial against many, and what is found near it cannot be bettered."""
    starts = {model: start_of(model)} | {name: start_of(model, **read_settings(name)[1]) for name in presets_of(model)}
    for name, start in starts.items():
        flat = flatten(start)
        space = reachable(space_of(model), model, start, where=name, strict=False)
        for part, described in start.get("parts", {}).items():
            assert described["share"] or not any(key.startswith(f"parts.{part}.") for key in space), "a part that is left out"
        outside = [key for key, of in space.items() if of.active(flat) and not of.find(key, flat)]
        assert not outside, f"{name}: {outside}: {[flat.get(key) for key in outside]}"
