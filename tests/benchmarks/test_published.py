"""The benchmark of the LightGCN data sets as published: settings come from a comparison, the whole train part is fitted."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from recodiff import Run, build, evaluate, load_dataset, prepare
from recodiff.data.split import Random

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NETWORK = {"denoiser": {"hidden": [4]}, "training": {"epochs": 9}}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks/ is not part of the source distribution")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("published")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = ["user,item"] + [f"u{u},i{i}" for u in range(12) for i in range(9) if (u + i) % 2]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    prepare(tmp_path / "log.csv", tmp_path / "whole", split=Random(valid=0, test=0.3))
    return tmp_path / "whole"


@pytest.fixture
def compared(tmp_path: Path) -> Path:
    runs = [{"settings": NETWORK, "best_epoch": epoch} for epoch in (2, 3)]
    rows = [
        {"label": "net", "model": "diffrec", "runs": runs},
        {"label": "late", "model": "mf", "runs": []},  # its time was over
        {"label": "popular", "model": "popularity", "runs": [{"settings": {}, "best_epoch": None}]},
    ]
    (found := tmp_path / "toy").mkdir()
    (found / "compare.json").write_text(json.dumps({"rows": rows}))
    (found / "own.toml").write_text('model = "ease"\nl2 = 3.0\n')
    return found


def test_each_seed_is_fitted_to_all_of_train_for_the_epochs_that_were_chosen(published: Any, data: Path, compared: Path) -> None:
    published.main([str(data), str(compared), str(compared / "own.toml"), "--seeds", "1", "2", "3"])
    rows = json.loads((compared / "published.json").read_text())
    told = [(row["label"], row["seed"], row["settings"].get("training", {}).get("epochs")) for row in rows]
    assert told == [("net", 1, 2), ("net", 2, 3), ("popular", 1, None), ("own", 1, None)]
    whole = load_dataset(data)
    ease = build("ease", {"l2": 3.0}).fit(whole.train, Run(progress=False))
    truth = evaluate(ease, whole.train, whole.part("test"), mask=whole.train).mean("recall@20")
    assert rows[-1]["test"]["recall@20"] == pytest.approx(truth)
    text = (compared / "published.md").read_text()
    assert text.startswith("# toy as published")
    assert "| net | 2 |" in text


def test_rows_that_are_there_are_kept(published: Any, data: Path, compared: Path) -> None:
    for only in ("popular", "own"):
        published.main([str(data), str(compared), str(compared / "own.toml"), "--only", only])
    assert [row["label"] for row in json.loads((compared / "published.json").read_text())] == ["popular", "own"]


def test_a_row_of_settings_that_are_no_longer_chosen_is_measured_again(published: Any, data: Path, compared: Path) -> None:
    own = compared / "own.toml"
    call = [str(data), str(compared), str(own), "--only", "own"]
    published.main(call)
    own.write_text('model = "ease"\nl2 = 5.0\n')
    published.main(call)
    rows = json.loads((compared / "published.json").read_text())
    assert [row["settings"]["l2"] for row in rows] == [5.0]
