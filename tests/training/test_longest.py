"""A training that may take so long and no longer ends whole, with its best weights."""

from __future__ import annotations

from typing import Any

import recodiff

SMALL: dict[str, Any] = {"denoiser": {"hidden": [8]}, "training": {"epochs": 7, "check_every_epochs": 5}}


def fitted(model: str, settings: dict[str, Any], **run: Any) -> recodiff.Recommender:
    data = recodiff.prepare(recodiff.synthesise(40, 60, 900, seed=1))
    validate = recodiff.Validation(data)
    return recodiff.build(model, settings).fit(data.train, recodiff.Run(device="cpu", progress=False, **run), validate=validate)


def test_it_ends_with_the_epoch_under_way_and_validates_it() -> None:
    summary = fitted("diffrec", SMALL, longest=0.0).summary
    assert (summary["epochs"], summary["best_epoch"], summary["stopped_by"]) == (1, 1, "time")
    assert "recall@20" in summary["log"][0]


def test_time_that_suffices_changes_nothing() -> None:
    limited, free = (fitted("diffrec", SMALL, longest=longest).summary for longest in (1000.0, None))
    assert limited["stopped_by"] == free["stopped_by"] == "epochs"
    assert [entry["loss"] for entry in limited["log"]] == [entry["loss"] for entry in free["log"]]


def test_components_share_the_time() -> None:
    part = {"model": "diffrec", "settings": SMALL}
    parts = {"rows": part | {"share": 1.0}, "sequence": {"share": 0.0}, "items": {"share": 0.0}, "more": part | {"share": 1.0}}
    summary = fitted("fs-diffrec", {"parts": parts}, longest=0.0).summary
    assert summary["rows"]["stopped_by"] == summary["more"]["stopped_by"] == "time"
