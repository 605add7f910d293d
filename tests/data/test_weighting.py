from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import reference
from recodiff import build, recommend
from recodiff.data.interactions import Events, IdMap, Interactions
from recodiff.data.weighting import HalfLife, LinearRecency, PowerLaw, Uniform, Weighting
from recodiff.errors import DataError
from recodiff.runtime.run import Run
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Reconstruct

DAY = 86_400


def histories(*times: Sequence[int], kind: Any = "clock") -> Interactions:
    """One user per list of times; each user's items are 0, 1, .. in the order the times are given."""
    user = np.repeat(np.arange(len(times)), [len(row) for row in times])
    item = [i for row in times for i in range(len(row))]
    n_items = max(len(row) for row in times)
    when = [t for row in times for t in row] if kind else None
    return Interactions.from_arrays(user, item, IdMap.range(len(times)), IdMap.range(n_items), times=when, time_kind=kind)


def weights(weighting: Weighting, x: Interactions) -> list[list[float]]:
    """Per user, oldest first."""
    matrix = weighting(x).matrix
    return [matrix.data[a:b].tolist() for a, b in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)]


def by_item(weighting: Weighting, x: Interactions) -> list[list[float]]:
    return weighting(x).matrix.toarray().tolist()


EVERY = [Uniform(), LinearRecency(), LinearRecency(w_min=0), HalfLife(), PowerLaw(), HalfLife(unit="days"), PowerLaw(unit="days")]


# The paper's


def test_linear_recency_by_hand() -> None:
    x = histories([5, 6, 7, 8], [1, 2], [3])
    assert weights(LinearRecency(w_min=0.1, w_max=1), x) == [
        pytest.approx([0.1, 0.4, 0.7, 1.0]),
        pytest.approx([0.1, 1.0]),
        pytest.approx([0.1]),
    ]


def test_linear_recency_follows_time_and_not_the_order_of_the_log() -> None:
    """The item's own time decides: the item written down first may be the newest."""
    assert by_item(LinearRecency(w_min=0.1, w_max=1), histories([30, 10, 20])) == [pytest.approx([1.0, 0.1, 0.55])]


def test_equal_times_keep_the_order_of_the_log() -> None:
    assert by_item(LinearRecency(w_min=0, w_max=1), histories([7, 7, 7])) == [pytest.approx([0, 0.5, 1])]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=5),
    st.floats(0, 1).map(lambda x: round(x, 3)),
    st.floats(0.01, 2).map(lambda x: round(x, 3)),
)
def test_linear_recency_is_its_equation_for_every_user(lengths: list[int], w_min: float, w_max: float) -> None:
    x = histories(*[list(range(n)) for n in lengths], [0])
    truth = [reference.linear_recency(n, w_min, w_max) if n else [] for n in [*lengths, 1]]
    assert weights(LinearRecency(w_min=w_min, w_max=w_max), x) == [pytest.approx(row, rel=1e-6, abs=1e-7) for row in truth]


def test_linear_recency_accepts_order_without_a_clock() -> None:
    assert weights(LinearRecency(w_min=0), histories([0, 1, 2], kind="order")) == [pytest.approx([0, 0.5, 1])]


# By age


def test_half_life_by_hand() -> None:
    x = histories([1, 2, 3, 4])
    assert weights(HalfLife(half_life=1, floor=0), x) == [[1 / 8, 1 / 4, 1 / 2, 1]]
    assert weights(HalfLife(half_life=2, floor=0.5), x) == [pytest.approx([0.5, 0.5, 2**-0.5, 1])]


def test_power_law_by_hand() -> None:
    x = histories([1, 2, 3, 4])
    assert weights(PowerLaw(exponent=1, floor=0), x) == [pytest.approx([1 / 4, 1 / 3, 1 / 2, 1])]
    assert weights(PowerLaw(exponent=2, floor=0.2), x) == [pytest.approx([0.2, 0.2, 1 / 4, 1])]


def test_a_users_only_interaction_is_the_newest() -> None:
    assert weights(HalfLife(), histories([9])) == weights(PowerLaw(), histories([9])) == [[1.0]]


def test_ages_in_days_are_counted_from_each_users_own_newest() -> None:
    x = histories([0, 2 * DAY, 2 * DAY + DAY // 2], [1000 * DAY, 1001 * DAY])
    assert weights(HalfLife(half_life=1, floor=0, unit="days"), x) == [
        pytest.approx([2**-2.5, 2**-0.5, 1]),
        pytest.approx([0.5, 1]),
    ]
    assert weights(PowerLaw(exponent=1, floor=0, unit="days"), x) == [
        pytest.approx([1 / 3.5, 1 / 1.5, 1]),
        pytest.approx([1 / 2, 1]),
    ]


def test_ages_in_items_ignore_how_long_ago_it_was() -> None:
    near, far = histories([1, 2, 3]), histories([1, 1000 * DAY, 9000 * DAY])
    assert weights(HalfLife(), near) == weights(HalfLife(), far)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 400 * DAY), min_size=1, max_size=8), min_size=1, max_size=4),
    st.floats(0.5, 50),
    st.floats(0, 1),
    st.sampled_from(["items", "days"]),
)
def test_decays_are_their_equations(times: list[list[int]], h: float, floor: float, unit: Any) -> None:
    x = histories(*times)
    ages = []
    for row in times:
        old = sorted(row)
        ages.append([(old[-1] - t) / DAY for t in old] if unit == "days" else list(range(len(old) - 1, -1, -1)))
    for weighting, truth in [
        (HalfLife(half_life=h, floor=floor, unit=unit), [reference.half_life(row, h, floor) for row in ages]),
        (PowerLaw(exponent=h / 10, floor=floor, unit=unit), [reference.power_law(row, h / 10, floor) for row in ages]),
    ]:
        assert weights(weighting, x) == [pytest.approx(row, rel=1e-5, abs=1e-7) for row in truth]


@pytest.mark.parametrize("weighting", [HalfLife(unit="days"), PowerLaw(unit="days")])
def test_days_need_a_clock(weighting: Weighting) -> None:
    with pytest.raises(DataError, match="need clock time"):
        weighting(histories([0, 1], kind="order"))


# What all share


@pytest.mark.parametrize("weighting", [w for w in EVERY if w.kind != "uniform"], ids=repr)  # pyright: ignore[reportAttributeAccessIssue]
def test_data_without_time_is_refused(weighting: Weighting) -> None:
    with pytest.raises(DataError, match="has no time"):
        weighting(histories([0, 1], kind=None))


def test_uniform_takes_data_without_time_and_changes_nothing() -> None:
    x = histories([0, 1], kind=None)
    assert Uniform()(x) is x


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_pattern_times_and_ids_stay(weighting: Weighting) -> None:
    x = histories([3, 1, 2], [5], [2, 8])
    y = weighting(x)
    for part in ("indices", "indptr"):
        np.testing.assert_array_equal(getattr(y.matrix, part), getattr(x.matrix, part))
    assert y.nnz == x.nnz
    assert y.times is not None
    np.testing.assert_array_equal(y.times, x.times)  # pyright: ignore[reportArgumentType]
    assert (y.users, y.items, y.time_kind) == (x.users, x.items, x.time_kind)
    assert x.matrix.data.tolist() == [1.0] * 6  # a pure function


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_weights_that_are_there_are_multiplied(weighting: Weighting) -> None:
    x = histories([1, 2, 3], [4, 5])
    rated = x.with_values(np.array([2.0, 0.0, 4.0, -1.0, 3.0]))
    np.testing.assert_allclose(weighting(rated).matrix.data, weighting(x).matrix.data * rated.matrix.data, rtol=1e-6)


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_users_are_weighted_independently_of_each_other(weighting: Weighting) -> None:
    together = weights(weighting, histories([1, 5 * DAY, 9 * DAY], [4], [2, 8 * DAY]))
    alone = [weights(weighting, histories(row))[0] for row in ([1, 5 * DAY, 9 * DAY], [4], [2, 8 * DAY])]
    assert together == alone


@pytest.mark.parametrize("weighting", EVERY, ids=repr)
def test_users_without_history_are_no_trouble(weighting: Weighting) -> None:
    x = histories([], [1, 2], [])
    assert weights(weighting, x)[0] == weights(weighting, x)[2] == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearRecency(w_min=-0.1),
        lambda: LinearRecency(w_max=0),
        lambda: HalfLife(half_life=0),
        lambda: HalfLife(floor=1.5),
        lambda: PowerLaw(exponent=0),
    ],
)
def test_settings_out_of_range_are_refused(make) -> None:
    with pytest.raises(ValidationError):
        make()


# In models


def test_a_weight_of_zero_is_still_seen() -> None:
    """The released program's trap: with w_min = 0 its oldest item is no longer masked, and can be recommended."""
    x = histories([1, 2, 3, 4], [4, 3, 2, 1], [1, 2])
    weighted = LinearRecency(w_min=0)(x)
    assert weighted.nnz == x.nnz
    assert (weighted.matrix.data == 0).sum() == 3
    assert len(Rows.from_csr(weighted.matrix).columns) == x.nnz
    model = build("popularity", {"weighting": {"kind": "linear", "w_min": 0}}).fit(x)
    lists = recommend(model, x, 4).items
    seen = x.matrix.toarray() != 0
    assert all(not seen[u, i] for u in range(3) for i in lists[u] if i >= 0)
    assert [sorted(row[row >= 0].tolist()) for row in lists] == [[], [], [2, 3]]


def test_a_weighted_history_is_masked_like_an_unweighted_one() -> None:
    x = histories([1, 2, 3, 4], [1, 2])
    model = build("popularity").fit(x)
    np.testing.assert_array_equal(recommend(model, LinearRecency(w_min=0)(x), 4).items, recommend(model, x, 4).items)


@pytest.mark.parametrize("weighting", [w for w in EVERY if w.kind != "uniform"], ids=repr)  # pyright: ignore[reportAttributeAccessIssue]
def test_on_history_leaves_the_fit_alone(weighting: Weighting) -> None:
    x = histories([1, 2, 3], [4, 5])
    there = weighting.model_copy(update={"on": "history"})
    assert there.for_fit(x) is x
    np.testing.assert_array_equal(there(x).matrix.data, weighting(x).matrix.data)
    np.testing.assert_array_equal(weighting.for_fit(x).matrix.data, weighting(x).matrix.data)


def test_the_place_decides_what_a_model_learns_from() -> None:
    x = histories([1, 2, 3], [2, 1], kind="clock")
    plain, both, history = (
        build("popularity", {"weighting": settings}).fit(x).state()["counts"].tolist()
        for settings in ({"kind": "uniform"}, {"kind": "linear"}, {"kind": "linear", "on": "history"})
    )
    assert plain == history == [2, 2, 1]
    assert both == pytest.approx([0.1 + 1, 0.55 + 0.1, 1])


def test_the_place_decides_what_is_reconstructed_and_never_what_is_ranked_from() -> None:
    x = histories([1, 2, 3])
    device = Run(device="cpu").torch_device
    users = Rows.from_csr(x.matrix).offsets[:1]
    for on, expected in [("fit+history", [0.1, 0.55, 1]), ("history", [1, 1, 1])]:
        weighting = LinearRecency(on=on)  # pyright: ignore[reportArgumentType]
        pair = Reconstruct().bind(x, weighting, device)(users, None)  # pyright: ignore[reportArgumentType]
        assert pair.source.values.tolist() == pytest.approx(expected)
        assert pair.target is None
        assert pair.seen is None
    model = build("ease", {"weighting": {"kind": "linear", "on": "history"}, "l2": 1.0}).fit(x.take([0]))
    plain = build("ease", {"l2": 1.0}).fit(x)
    np.testing.assert_allclose(model.state()["weights"], plain.state()["weights"])
    weighted = recommend(model, x, 3, exclude_seen=False).scores
    by_hand = recommend(plain, LinearRecency()(x), 3, exclude_seen=False).scores
    np.testing.assert_allclose(weighted, by_hand, rtol=1e-6)
    assert not np.allclose(weighted, recommend(plain, x, 3, exclude_seen=False).scores)


def test_t_diffrec_is_diffrec_on_weighted_rows() -> None:
    """Eq. (16): the weighted row is input and target, in training and when ranking."""
    x = histories([1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 2])
    small = {"denoiser": {"hidden": [4]}, "training": {"epochs": 2}}
    temporal = build("t-diffrec", small).fit(x, Run(device="cpu", progress=False))
    weighted = LinearRecency()(x)
    plain = build("diffrec", small).fit(weighted, Run(device="cpu", progress=False))
    ours = recommend(temporal, x, 4, exclude_seen=False)
    theirs = recommend(plain, weighted, 4, exclude_seen=False)
    np.testing.assert_array_equal(ours.items, theirs.items)
    np.testing.assert_array_equal(ours.scores, theirs.scores)


# Events


def basket(*times: int, events: Events) -> Interactions:
    ids = IdMap.range(1), IdMap.range(len(times))
    return Interactions.from_arrays([0] * len(times), range(len(times)), *ids, times=times, time_kind="clock", events=events)


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        (LinearRecency(w_min=0.1, w_max=1), [0.1, 0.55, 0.55, 0.55, 1, 1]),
        (HalfLife(half_life=1, floor=0), [0.25, 0.5, 0.5, 0.5, 1, 1]),
        (PowerLaw(floor=0), [1 / 3, 1 / 2, 1 / 2, 1 / 2, 1, 1]),
        (HalfLife(half_life=1, floor=0, unit="days"), [0.25, 0.5, 0.5, 0.5, 1, 1]),
    ],
)
def test_the_items_of_a_whole_event_are_of_one_age(weighting: Weighting, expected: list[float]) -> None:
    x = basket(0, DAY, DAY, DAY, 2 * DAY, 2 * DAY, events="whole")
    assert weights(weighting, x) == [pytest.approx(expected)]


@pytest.mark.parametrize("events", ["ordered", "split"])
def test_of_other_events_each_item_has_its_own_age(events: Events) -> None:
    x = basket(0, DAY, DAY, DAY, events=events)
    assert weights(HalfLife(half_life=1, floor=0), x) == [pytest.approx([1 / 8, 1 / 4, 1 / 2, 1])]


def test_a_user_of_one_event_weighs_as_a_user_of_one_interaction() -> None:
    assert weights(LinearRecency(w_min=0.1, w_max=1), basket(5, 5, 5, events="whole")) == [pytest.approx([0.1, 0.1, 0.1])]


@pytest.mark.parametrize("weighting", [Uniform(), LinearRecency(), HalfLife(), HalfLife(unit="days"), PowerLaw(unit="days")])
def test_a_weighting_says_what_data_it_refuses(weighting: Weighting) -> None:
    for kind, refused in ((None, weighting.needs_order), ("order", weighting.needs_clock), ("clock", False)):
        if refused:
            with pytest.raises(DataError):
                weighting.check(histories([1, 2, 3], kind=kind))
        else:
            weighting.check(histories([1, 2, 3], kind=kind))
