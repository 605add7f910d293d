"""A mixture is the sum of its parts, whatever they are, and one model to save, serve and refit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import vstack

from recodiff import evaluate
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError, ModelError
from recodiff.models.registry import build
from recodiff.models.saving import load_model, save_model
from recodiff.runtime.run import Run
from toy import checkerboard, scores_of

BOARD = checkerboard(shuffled=True)
RUN = Run(seed=0, progress=False, device="cpu")
EASE = {"model": "ease", "settings": {"l2": 3.0, "weighting": {"kind": "half_life", "half_life": 2.0, "on": "history"}}}


def mixed(**parts: Any) -> Any:
    nothing = {name: {"share": 0.0} for name in ("rows", "sequence", "items") if name not in parts}
    return build("fs-diffrec", {"parts": nothing | parts, "search": []})


def unit(scores: torch.Tensor) -> torch.Tensor:
    return scores / scores.std(1).mean()


@pytest.mark.parametrize("name", ["../../victim", "/tmp/victim", "a/b", "..", ".", "", ".lock", "a\0b", "x" * 300])
def test_a_component_is_called_as_a_folder_may_be(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a folder"):
        mixed(**{name: EASE})


def test_scores_are_the_shared_sum_of_the_parts_each_with_its_own_weighting() -> None:
    model = mixed(a=EASE, b={"model": "itemknn", "share": 0.25}).fit(BOARD, RUN)
    one = build("ease", EASE["settings"]).fit(BOARD, RUN)  # type: ignore[arg-type]
    other = build("itemknn").fit(BOARD, RUN)
    torch.testing.assert_close(scores_of(model, BOARD), unit(scores_of(one, BOARD)) + 0.25 * unit(scores_of(other, BOARD)))


def test_the_weighting_of_the_mixture_is_that_of_parts_without_one() -> None:
    linear = {"kind": "linear", "w_min": 0.2, "w_max": 1.0, "on": "history"}
    model = build(
        "fs-diffrec",
        {
            "weighting": linear,
            "parts": {name: {"share": 0.0} for name in ("rows", "sequence", "items")} | {"a": EASE, "b": {"model": "ease"}},
        },
    )
    assert model.history_views["a"].model_dump()["kind"] == "half_life"
    assert model.history_views["b"].model_dump() == linear


def test_another_model_in_a_part_leaves_the_settings_of_the_first_behind() -> None:
    model = mixed(sequence={"model": "ease", "settings": {"l2": 2.0}})
    assert model.parts["sequence"].config.l2 == 2.0


def test_parts_without_a_share_are_not_fitted_and_none_at_all_is_refused() -> None:
    assert list(mixed(a=EASE).parts) == ["a"]
    with pytest.raises(ConfigError, match="share above 0"):
        mixed()


def test_what_is_refused_in_a_second_is_refused_before_anything_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Any] = []
    monkeypatch.setattr("recodiff.training.loop.train_network", lambda model, *_: trained.append(model))
    monkeypatch.setattr("recodiff.models.linear.ease.available_memory", lambda: 1)
    with pytest.raises(ModelError, match="EASE on 50 items needs"):
        mixed(rows={"share": 1.0}, items={"share": 0.1}).fit(BOARD, RUN)
    assert not trained


def test_a_wrong_setting_of_a_part_is_named() -> None:
    with pytest.raises(ConfigError, match=r"parts\.a\.settings.*l3"):
        mixed(a={"model": "ease", "settings": {"l3": 1.0}})


def test_a_setting_of_the_parts_is_told_where_it_belongs() -> None:
    with pytest.raises(ConfigError, match=r"write parts\.rows\.settings\.training or parts\.sequence\.settings\.training$"):
        build("fs-diffrec", {"training": {"epochs": 20}})
    with pytest.raises(ConfigError, match="unknown setting 'trainig'; known here: least_gain"):
        build("fs-diffrec", {"trainig": {"epochs": 20}})


def test_a_part_without_a_model_is_told_that_it_lacks_one() -> None:
    with pytest.raises(ConfigError, match=r"^fs-diffrec: setting 'parts\.mine\.model' is missing; give it a value$"):
        build("fs-diffrec", {"parts": {"mine": {"share": 2.0}}})


def test_what_validation_left_out_is_told() -> None:
    said: list[str] = []
    run = replace(RUN, tell=said.append)
    settings = {
        "parts": {name: {"share": 0.0} for name in ("rows", "sequence", "items")} | {"a": EASE, "b": {"model": "popularity"}}
    }
    build("fs-diffrec", settings).fit(BOARD, run, validate=lambda _: {"recall@20": 0.5})
    assert said == ["validation left out b: no share raised recall@20 by 1.00%, so the model scores by a alone"]
    said.clear()
    build("fs-diffrec", settings).fit(BOARD, run, validate=lambda model: {"recall@20": float(model.shares.sum())})
    assert said == [], "both are in"


def test_a_part_is_let_in_where_it_earns_its_place_and_with_the_share_that_earns_most() -> None:
    other = {"model": "popularity", "share": 0.5}
    settings = {"parts": {name: {"share": 0.0} for name in ("rows", "sequence", "items")} | {"a": EASE, "b": other, "c": other}}

    def validated(worth: tuple[float, float]) -> Any:
        def validate(model: Any) -> dict[str, float]:  # at its best at a share of 1, for either part
            gains = (worth[k] * (1 - (float(model.shares[k + 1]) - 1) ** 2) for k in (0, 1) if model.shares[k + 1])
            return {"recall@20": 0.2 + sum(gains)}

        return build("fs-diffrec", settings | {"search": [0.5, 1.0, 2.0]}).fit(BOARD, RUN, validate=validate).summary["shares"]

    assert validated((0.1, 0.01)) == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert validated((0.0019, 0.1)) == {"a": 1.0, "b": 0.0, "c": 1.0}, "a hundredth of .2 is what it takes"
    nothing = build("fs-diffrec", settings).fit(BOARD, RUN, validate=lambda _: {"recall@20": 0.0})
    assert nothing.summary["shares"] == {"a": 1.0, "b": 0.0, "c": 0.0}, "what gains nothing is not let in"
    assert validated((-0.1, -0.1)) == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert build("fs-diffrec", settings).fit(BOARD, RUN).summary["shares"] == {"a": 1.0, "b": 0.5, "c": 0.5}


def test_a_search_may_begin_with_the_part_that_is_best_alone() -> None:
    other = {"model": "popularity", "share": 0.5}
    settings = {"parts": {name: {"share": 0.0} for name in ("rows", "sequence", "items")} | {"a": EASE, "b": other, "c": other}}

    def validate(model: Any) -> dict[str, float]:
        """b is best alone; a small share of a adds to it, and c never does."""
        a, b, c = model.shares.tolist()
        return {"recall@20": 0.1 * bool(a) + 0.3 * bool(b) + (0.1 * (a == 0.5) if b else 0.0) - 0.05 * bool(c)}

    def shares(start: str) -> dict[str, float]:
        model = build("fs-diffrec", settings | {"search": [0.5, 2.0], "start": start})
        return model.fit(BOARD, RUN, validate=validate).summary["shares"]

    assert shares("first") == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert shares("best") == {"a": 0.5, "b": 1.0, "c": 0.0}


def test_a_part_that_was_not_let_in_is_neither_counted_nor_saved(tmp_path: Path) -> None:
    mf = {"model": "mf", "share": 0.5, "settings": {"width": 4, "training": {"epochs": 1, "check_every_epochs": 1}}}
    parts = {name: {"share": 0.0} for name in ("rows", "sequence", "items")} | {"a": EASE, "b": mf}
    model: Any = build("fs-diffrec", {"parts": parts}).fit(BOARD, RUN, validate=lambda _: {"recall@20": 0.1})
    assert model.summary["shares"] == {"a": 1.0, "b": 0.0}
    assert model.parameters == model.parts["a"].parameters + 1
    assert build("fs-diffrec", model.refit_settings()).fit(BOARD, RUN).state().keys() == model.state().keys()
    save_model(model, tmp_path / "m")
    again: Any = load_model(tmp_path / "m")
    assert {key.split(".")[0] for key in again.state()} == {"a", "scales", "shares"}
    assert again.parameters == model.parameters
    torch.testing.assert_close(scores_of(again, BOARD), scores_of(model, BOARD))
    model.fit(BOARD, RUN)
    assert model.summary["shares"] == {"a": 1.0, "b": 0.5}, "a second fit forgets what the first let out"


def test_a_part_that_was_not_let_in_asks_nothing_of_histories() -> None:
    sequence = {"width": 8, "layers": 1, "training": {"epochs": 1, "batch_size": 10, "check_every_epochs": 1}}
    parts = {name: {"share": 0.0} for name in ("rows", "sequence", "items")}
    parts |= {"a": {"model": "ease"}, "b": {"model": "sasrec", "share": 0.5, "settings": sequence}, "c": {**EASE, "share": 0.5}}
    model: Any = build("fs-diffrec", {"parts": parts}).fit(BOARD, RUN, validate=lambda _: {"recall@20": 0.1})
    timeless = replace(BOARD, times=None, time_kind=None)
    assert torch.equal(scores_of(model, timeless), scores_of(model, BOARD))
    with pytest.raises(DataError, match="no time"):
        scores_of(build("fs-diffrec", {"parts": parts, "search": []}).fit(BOARD, RUN), timeless)


def test_what_validation_chose_is_a_model_of_its_own() -> None:
    sequence = {"width": 8, "layers": 1, "training": {"epochs": 3, "batch_size": 10, "check_every_epochs": 1}}
    model = mixed(a=EASE, b={"model": "sasrec", "settings": sequence})
    figures = iter([0.1, 0.3, 0.2])
    model.fit(BOARD, RUN, validate=lambda _: {"recall@20": next(figures)})
    again: Any = build("fs-diffrec", model.refit_settings())
    assert again.parts["b"].config.training.epochs == 2
    assert again.fit(BOARD, RUN).summary["b"]["epochs"] == 2


def test_users_that_a_part_remembers_come_back_with_the_folder(tmp_path: Path) -> None:
    mf = {"model": "mf", "settings": {"width": 4, "training": {"epochs": 1}}}
    model = mixed(a=EASE, b=mf).fit(BOARD, RUN)
    assert model.traits.remembers_users
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m")
    torch.testing.assert_close(scores_of(again, BOARD), scores_of(model, BOARD))
    assert evaluate(again, BOARD, BOARD, ("recall@5",)).mean("recall@5") >= 0


def test_a_part_that_is_misspelt_gets_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'parts\.sequence\.setings'; did you mean 'settings'"):
        build("fs-diffrec", {"parts": {"sequence": {"setings": {"length": 3}}}})


def test_a_part_that_diverges_is_named_with_the_place_of_its_settings() -> None:
    deep = {"model": "diffrec", "settings": {"denoiser": {"hidden": [4]}, "training": {"lr": 1e30, "epochs": 2}}}
    with pytest.raises(ModelError, match=r"component 'deep' \(its settings: parts\.deep\.settings\): .* lower training\.lr"):
        mixed(a=EASE, deep=deep).fit(BOARD, RUN)


def test_a_part_without_item_vectors_is_named() -> None:
    model = mixed(a=EASE, b={"model": "puresvd", "settings": {"factors": 2}}).fit(BOARD, RUN)
    assert not model.traits.item_vectors
    with pytest.raises(ModelError, match=r"components without: a; .*parts\.a\.share=0"):
        model.vectors()


def test_users_without_a_history_do_not_tell_how_widely_scores_are_spread() -> None:
    nobody = Interactions.from_arrays([], [], IdMap.range(1500), BOARD.items, times=[], time_kind="order")
    matrix: Any = vstack([nobody.matrix, BOARD.matrix], format="csr")
    rows, columns = matrix.nonzero()
    late = Interactions.from_arrays(
        rows, columns, IdMap.range(matrix.shape[0]), BOARD.items, times=np.arange(len(rows)), time_kind="order"
    )
    assert float(mixed(a=EASE).fit(late, RUN).scales[0]) > 1e-3
