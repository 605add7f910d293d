"""IdMap and Interactions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from recodiff.data import IdMap, Interactions
from recodiff.errors import DataError


def tiny(**changes: object) -> Interactions:
    given = {"user": [1, 0, 1, 1], "item": [2, 0, 0, 1], "times": [30, 5, 10, 30], "time_kind": "clock"} | changes
    return Interactions.from_arrays(users=IdMap(["a", "b", "c"]), items=IdMap.range(3), **given)  # type: ignore[arg-type]


@given(st.lists(st.text(), unique=True), st.data())
def test_ids_go_in_and_come_out(ids: list[str], data: st.DataObject) -> None:
    known = IdMap(ids)
    assert len(known) == len(ids)
    if ids:
        asked = data.draw(st.lists(st.sampled_from(ids)))
        assert known.externals(known.positions(asked)).to_list() == asked


def test_text_that_looks_like_numbers_stays_text() -> None:
    assert IdMap(["007", "7"]).positions(["7", "007"]).tolist() == [1, 0]


def test_numbers_may_be_asked_for_as_text() -> None:
    assert IdMap([30, 10, 20]).positions(["10", "20", "30"]).tolist() == [1, 2, 0]


def test_unknown_ids_are_refused_or_marked() -> None:
    known = IdMap(["a", "b"])
    with pytest.raises(DataError, match=r"unknown item 'x', 'y': give ids of the 2"):
        known.positions(["a", "x", "y"], what="item")
    assert known.positions(["a", "x", None], unknown="mark").tolist() == [0, -1, -1]
    assert IdMap([]).positions(["x"], unknown="mark").tolist() == [-1]


def test_ids_missing_or_twice_are_refused() -> None:
    with pytest.raises(DataError, match=r"1 ids are missing"):
        IdMap(pl.Series(["a", None]))
    with pytest.raises(DataError, match=r"'a' stands twice"):
        IdMap(["a", "b", "a"])


def test_maps_compare_by_ids_and_type() -> None:
    assert IdMap([1, 2]) == IdMap([1, 2]) != IdMap(["1", "2"])
    assert IdMap([1, 2]).take([1]) == IdMap([2])
    assert IdMap([1, 2]) != [1, 2]


def test_none_of_some_ids_are_of_their_type() -> None:
    for ids in (IdMap([1, 2]), IdMap(["1", "2"])):
        assert ids.take([]).ids.dtype == ids.externals([]).dtype == ids.ids.dtype


def test_ids_are_found_within_another_map() -> None:
    assert IdMap([7, 3, 5]).within(IdMap([3, 7])).tolist() == [1, 0, -1]
    assert IdMap(["7", "x"]).within(IdMap([3, 7])).tolist() == [1, -1]
    assert IdMap(["a"]).within(IdMap([])).tolist() == [-1]


def test_the_unnamed_are_within_no_map() -> None:
    nobody = IdMap.unnamed(3)
    assert nobody.ids.to_list() == [0, 1, 2]
    for ids in (nobody, nobody.take([2, 0])):
        assert ids.within(IdMap.range(3)).tolist() == [-1] * len(ids)
    assert IdMap.range(3).within(IdMap.range(3)).tolist() == [0, 1, 2]


def test_entries_stand_oldest_first_and_ties_keep_the_order_of_the_log() -> None:
    x = tiny()
    assert x.matrix.indptr.tolist() == [0, 1, 4, 4]
    assert x.matrix.indices.tolist() == [0, 0, 2, 1]
    assert x.times is not None
    assert x.times.tolist() == [5, 10, 30, 30]
    assert x.positions().tolist() == [0, 0, 1, 2]
    assert (x.n_users, x.n_items, x.nnz, x.lengths().tolist()) == (3, 3, 4, [1, 3, 0])


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError, match=r"read-only"):
        tiny().matrix.data[0] = 2


def test_a_weight_of_zero_is_still_seen() -> None:
    assert tiny(weights=[0, 0, 0, 1]).nnz == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": [2, 0, 2, 1]}, "user 'b' and item 2 stand together twice"),
        ({"weights": [1, 1, float("nan"), 1]}, "NaN, infinite or beyond"),
        ({"item": [3, 0, 0, 1]}, "outside the 3 users and 3 items"),
        ({"user": [-1, 0, 1, 1]}, "outside"),
        ({"time_kind": None}, "go together"),
        ({"times": None}, "go together"),
    ],
)
def test_bad_arrays_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tiny(**changes)


def test_a_bad_matrix_is_refused() -> None:
    users, items = IdMap.range(1), IdMap.range(2)
    matrix = csr_array(np.ones((1, 2), np.float32))
    with pytest.raises(DataError, match=r"run backwards"):
        Interactions(matrix, np.array([2, 1]), "clock", users, items)
    with pytest.raises(DataError, match=r"3 times for 2"):
        Interactions(matrix, np.array([1, 2, 3]), "clock", users, items)
    with pytest.raises(DataError, match=r"float64"):
        Interactions(csr_array(np.ones((1, 2))), None, None, users, items)
    with pytest.raises(DataError, match=r"id maps say"):
        Interactions(matrix, None, None, IdMap.range(2), items)


def test_users_can_be_taken_in_any_order() -> None:
    taken = tiny().take([2, 1])
    assert taken.users.ids.to_list() == ["c", "b"]
    assert taken.matrix.indices.tolist() == [0, 2, 1]
    assert taken.lengths().tolist() == [0, 3]


def test_a_union_is_in_time_order_and_keeps_the_first_of_a_pair() -> None:
    later = tiny(user=[1, 0, 0], item=[0, 2, 1], times=[99, 1, 9], weights=[7, 1, 1])
    both = tiny().union(later)
    assert both.nnz == 6
    assert both.matrix.indices.tolist() == [2, 0, 1, 0, 2, 1]
    assert both.matrix.data.max() == 1
    with pytest.raises(DataError, match=r"kind of time"):
        tiny().union(tiny(times=None, time_kind=None))


def test_the_fingerprint_sees_every_difference() -> None:
    prints = {
        tiny().fingerprint(),
        tiny(weights=[1, 1, 1, 2]).fingerprint(),
        tiny(times=[31, 5, 10, 31]).fingerprint(),
        tiny(times=None, time_kind=None).fingerprint(),
        tiny(item=[2, 1, 0, 1]).fingerprint(),
    }
    assert len(prints) == 5
    assert tiny().fingerprint() in prints


def test_data_without_time_refuses_questions_of_order() -> None:
    with pytest.raises(DataError, match=r"recency weighting needs to know what came first"):
        tiny(times=None, time_kind=None).need_order("recency weighting")


def test_a_number_that_is_not_whole_is_no_id() -> None:
    ids = IdMap([1, 2, 3])
    assert ids.positions([1.0, 3.0]).tolist() == [0, 2]
    assert ids.positions([1.5, 2.0, float("nan")], unknown="mark").tolist() == [-1, 1, -1]
    with pytest.raises(DataError, match="unknown id"):
        ids.positions([1.5])


def test_text_is_a_number_only_where_it_is_written_as_one() -> None:
    ids = IdMap([1, 12])
    assert ids.positions(["1", "01", "00012", "12"], unknown="mark").tolist() == [0, -1, -1, 1]
