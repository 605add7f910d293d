"""Lists of two commits side by side: what counts as a difference, and a run of a tiny shape."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks/ is not part of the source distribution")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("exact_lists")


@pytest.mark.parametrize(
    ("items", "scores", "expected"),
    [
        ([1, 2, 3], [3.0, 2.0, 1.0], 0),
        ([1, 2, 9], [3.0, 2.0, 1.0], 0),  # what is behind the list may equal the last
        ([2, 1, 3], [3.0, 2.0, 1.0], 1),
        ([1, 2, 3], [3.0, 2.0, 1.1], 1),
    ],
)
def test_lists_differ_where_no_neighbour_is_near(
    case: Any, items: list[int], scores: list[float], expected: int, tmp_path: Path
) -> None:
    np.savez(tmp_path / "one.npz", items=[[1, 2, 3]], scores=np.array([[3.0, 2.0, 1.0]], np.float32))
    np.savez(tmp_path / "other.npz", items=[items], scores=np.array([scores], np.float32))
    assert case._differing(tmp_path / "one.npz", tmp_path / "other.npz") == expected


def test_neighbours_as_near_as_rounding_may_change_places(case: Any, tmp_path: Path) -> None:
    scores = np.array([[3.0, 2.0, 2.0, 1.0]], np.float32)
    np.savez(tmp_path / "one.npz", items=[[1, 2, 3, 4]], scores=scores)
    np.savez(tmp_path / "other.npz", items=[[1, 3, 2, 4]], scores=scores)
    assert case._differing(tmp_path / "one.npz", tmp_path / "other.npz") == 0


def test_a_tiny_shape_runs(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case, "matrix_rate", lambda **_: 1e9)
    monkeypatch.setattr(case, "LONE_TURNS", 1)
    row = case.exact_lists(None, {"catalogue": (300, 8, 20)}, {"catalogue": 1})
    assert row["catalogue, ms a user"] > 0
    assert row["lone user by that"] > 0
