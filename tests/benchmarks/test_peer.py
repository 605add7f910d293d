"""What the benchmark hands to its peer: the same interactions, and the same settings in the peer's words."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodiff import build, read_settings, recommend
from recodiff.data import Dataset, IdMap, Interactions

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Any:
    return _benchmark("peer_sides", monkeypatch)


@pytest.fixture
def sasrec(monkeypatch: pytest.MonkeyPatch) -> Any:
    return _benchmark("peer_sasrec", monkeypatch)


def _benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks/ is not part of the source distribution")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module(name)


def interactions(*pairs: tuple[int, int]) -> Interactions:
    return Interactions.from_arrays([u for u, _ in pairs], [i for _, i in pairs], IdMap.range(3), IdMap.range(4))


def test_each_part_is_written_pair_by_pair_and_every_item_is_listed(sides: Any, tmp_path: Path) -> None:
    data = Dataset(interactions((0, 2), (0, 0), (2, 1)), interactions((2, 0)), interactions((0, 1), (2, 2)), None, None, {})
    sides.write_atomic(data, tmp_path / "bench", "bench")
    parts = {name: _lines(tmp_path, f"{name}.inter") for name in ("train", "valid", "test")}
    assert all(lines[0] == "user_id:token\titem_id:token" for lines in parts.values())
    assert {name: sorted(lines[1:]) for name, lines in parts.items()} == {
        "train": ["0\t0", "0\t2", "2\t1"],
        "valid": ["2\t0"],
        "test": ["0\t1", "2\t2"],
    }
    assert _lines(tmp_path, "item") == ["item_id:token", "0", "1", "2", "3"]


def test_a_part_that_is_absent_or_empty_holds_one_known_interaction(sides: Any, tmp_path: Path) -> None:
    data = Dataset(interactions((1, 3), (2, 1)), interactions(), None, None, None, {})
    sides.write_atomic(data, tmp_path / "bench", "bench")
    assert _lines(tmp_path, "valid.inter")[1:] == _lines(tmp_path, "test.inter")[1:] == ["1\t3"]


def test_the_released_settings_in_recboles_words(sides: Any) -> None:
    found = sides.recbole_settings(build(*read_settings("diffrec-ml-1m_clean")).config)
    assert found == {
        "noise_schedule": "linear-var",
        "noise_scale": 0.005,
        "noise_min": 0.005,
        "noise_max": 0.01,
        "beta_fixed": True,
        "steps": 40,
        "sampling_steps": 0,
        "dims_dnn": [600, 200, 600],
        "embedding_size": 10,
        "mlp_act_func": "tanh",
        "norm": False,
        "learner": "adamw",
        "learning_rate": 0.001,
        "weight_decay": 0.0,
        "train_batch_size": 400,
    }


def test_settings_that_recbole_cannot_have_are_refused(sides: Any) -> None:
    with pytest.raises(ValueError, match=r"denoiser.dropout = 0\.1"):
        sides.recbole_settings(build("diffrec", {"denoiser": {"dropout": 0.1}}).config)


def test_the_newest_of_each_history_and_histories_in_pieces_whose_newest_is_whole(sasrec: Any) -> None:
    who, what = [0, 0, 0, 2, 2, 0, 2], [3, 0, 2, 1, 3, 1, 0]
    train = Interactions.from_arrays(who, what, IdMap.range(3), IdMap.range(4), times=range(7), time_kind="order")
    assert sasrec.newest(train, 2).matrix.indices.tolist() == [2, 1, 3, 0]
    found = sasrec.pieces(train, 2)
    assert found[:, 1].tolist() == [3, 0, 2, 1, 1, 3, 0]
    assert [found[found[:, 0] == who, 1].tolist() for who in dict.fromkeys(found[:, 0])] == [[3, 0], [2, 1], [1], [3, 0]]
    assert sasrec.pieces(train, 4)[:, 0].tolist() == train.rows().tolist()


def test_a_peers_vectors_are_ranked_by_our_evaluation_and_items_it_never_saw_come_last(sasrec: Any, tmp_path: Path) -> None:
    data = Dataset(interactions((0, 2), (2, 1)), interactions((0, 0), (2, 3)), interactions((0, 1), (2, 2)), None, None, {})
    users, items = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[-1.0, 0.0], [3.0, 0.0], [-2.0, 0.0]])
    for name, vectors, ids in (("users", users, [0, 2]), ("items", items, [0, 1, 2])):
        np.save(tmp_path / f"{name}.npy", vectors.astype(np.float32))
        np.save(tmp_path / f"{name}_ids.npy", np.array(ids))
    model = sasrec.read_vectors(tmp_path, data)
    lists = recommend(model, data.history("train"), k=3).items
    assert [lists[0].tolist(), lists[2].tolist()] == [[1, 0, 3], [2, 0, 3]]


def _lines(folder: Path, ending: str) -> list[str]:
    return (folder / "bench" / f"bench.{ending}").read_text().splitlines()
