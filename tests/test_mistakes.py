"""Mistakes that are easily made from Python get a sentence with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import recodiff
from recodiff import RecodiffError
from toy import checkerboard

BOARD = checkerboard(20)
SETTINGS = {"denoiser": {"hidden": [4]}, "training": {"epochs": 1}}
ITEM = BOARD.items.ids[0]
R: Any = recodiff
"""Without types: a checker would find most of these mistakes before they run."""

CASES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "validate is data": (lambda _: R.build("diffrec", SETTINGS).fit(BOARD, validate=BOARD), "give validate=recodiff.Validation"),
    "train is nothing": (lambda _: R.build("ease").fit(None), "train is of type NoneType, .* such as data.train"),
    "history is ids": (lambda model: R.recommend(model, [ITEM], k=3), r"of type list, .*history_of\(model, item_ids\)"),
    "histories in a list": (lambda model: R.history_of(model, [[ITEM], [ITEM]]), "give each history as an argument of its own"),
    "truth is a name": (lambda model: R.evaluate(model, BOARD, "test"), r"the truth is of type str, .*data\.part"),
    "a metric nobody asked for": (
        lambda model: R.evaluate(model, BOARD, BOARD, ["recall@5"]).mean("recall@17"),
        "'recall@17' was not measured; .* recall@5",
    ),
    "a model as its folder": (
        lambda _: R.evaluate("runs/mine", BOARD, BOARD),
        r"'runs/mine' is a path.*recodiff\.load_model\('runs/mine'\)",
    ),
    "a model as its folder, measured": (lambda _: R.measure(Path("m"), {}), "'m' is a path"),
    "a model as its folder, asked": (lambda _: R.recommend("runs/mine", BOARD, k=3), "'runs/mine' is a path"),
    "a model as its folder, for a history": (lambda _: R.history_of("runs/mine", [ITEM]), "'runs/mine' is a path"),
    "a model as its folder, for vectors": (lambda _: R.item_vectors("runs/mine"), "'runs/mine' is a path"),
    "a model as its folder, for likeness": (lambda _: R.similar_items("runs/mine", [ITEM], k=3), "'runs/mine' is a path"),
    "no model": (lambda _: R.evaluate(None, BOARD, BOARD), "a model is wanted, not NoneType; .* recodiff.load_model"),
    "a misspelt metric": (
        lambda model: R.evaluate(model, BOARD, BOARD, ["recal@5"]),
        "no metric 'recal@5'; did you mean 'recall@5'",
    ),
    "a metric in capitals": (lambda model: R.evaluate(model, BOARD, BOARD, ["NDCG@10"]), "did you mean 'ndcg@10'"),
    "a metric without a length": (
        lambda model: R.evaluate(model, BOARD, BOARD, ["recall"]),
        "'recall' needs a length, .* recall@20",
    ),
    "a model without a fit": (lambda _: R.similar_items(R.build("diffrec"), [ITEM], k=3), "not fitted yet"),
    "one item as text": (lambda model: R.similar_items(model, "item-1", k=2), "give the items as a sequence"),
    "half a list": (lambda model: R.recommend(model, BOARD, k=2.5), r"k = 2\.5 lies outside"),
    "settings are a list": (lambda _: R.build("diffrec", [1]), "settings are of type list"),
    "a folder without a name": (lambda model: R.save_model(model, ""), "has no name"),
}


@pytest.fixture(scope="module")
def model() -> Any:
    return R.build("diffrec", SETTINGS).fit(BOARD, R.Run(device="cpu", progress=False))


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_in_a_sentence_with_its_remedy(
    model: Any, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call, told = CASES[case]
    with pytest.raises(RecodiffError, match=told) as caught:
        call(model)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
