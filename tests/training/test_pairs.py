"""What is learned from what: contrasted pairs draw from what a user has not met, and from all of it alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from recodiff.data.interactions import Events, IdMap, Interactions
from recodiff.data.weighting import HalfLife, LinearRecency, Uniform, Weighting
from recodiff.errors import DataError, ModelError
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Contrast, Forecast, Pair, Unseen, users_to_learn_from
from toy import random_interactions

CPU = torch.device("cpu")


@st.composite
def histories(draw: st.DrawFn) -> Interactions:
    """Histories of any length short of the whole catalogue, some of them empty."""
    n_items = draw(st.integers(2, 12))
    met = draw(st.lists(st.sets(st.integers(0, n_items - 1), max_size=n_items - 1), min_size=1, max_size=6))
    order = draw(st.randoms(use_true_random=False))
    pairs = [(user, item) for user, items in enumerate(met) for item in sorted(items, key=lambda _: order.random())]
    user, item = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    ids = IdMap.range(len(met)), IdMap.range(n_items)
    return Interactions.from_arrays(user, item, *ids, times=np.arange(len(pairs)), time_kind="order")


def met_by(x: Interactions, user: int) -> set[int]:
    return set(x.take([user]).matrix.indices.tolist())


@given(histories())
@settings(max_examples=60, deadline=None)
def test_unseen_items_are_counted_in_catalogue_order(x: Interactions) -> None:
    unseen = Unseen(Rows.from_csr(x.matrix))
    for user in range(x.n_users):
        truth = reference.unmet(met_by(x, user), x.n_items)
        assert int(unseen.count[user]) == len(truth)
        found = unseen.nth(torch.full((len(truth),), user), torch.arange(len(truth)))
        assert found.tolist() == truth


@given(histories(), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_negatives_are_never_in_the_history(x: Interactions, n: int, seed: int) -> None:
    users = torch.from_numpy(np.random.default_rng(seed).permutation(x.n_users))
    pair = Contrast(n).bind(x, Uniform(), CPU)(users, keyed_generator(seed))
    assert pair.negatives is not None
    assert pair.negatives.shape == (len(pair.source.columns), n)
    for row, items in zip(pair.source.row_of().tolist(), pair.negatives.tolist(), strict=True):
        assert not set(items) & met_by(x, int(users[row]))
        assert all(0 <= item < x.n_items for item in items)


def test_every_unmet_item_is_as_likely() -> None:
    x = Interactions.from_arrays([0, 0, 1], [1, 3, 0], IdMap.range(2), IdMap.range(6))
    pair = Contrast(30_000).bind(x, Uniform(), CPU)(torch.tensor([1, 0]), keyed_generator(0))
    assert pair.negatives is not None
    for row, open_items in zip(pair.source.row_of().tolist(), pair.negatives, strict=True):
        truth = reference.unmet(met_by(x, 1 - row), 6)
        share = torch.bincount(open_items, minlength=6)[truth] / 30_000
        np.testing.assert_allclose(share, 1 / len(truth), atol=0.012)  # four standard deviations


def test_a_pair_holds_the_weighted_rows_of_its_users() -> None:
    x = random_interactions(np.random.default_rng(1))
    weighting = LinearRecency(w_min=0.2)
    users = torch.tensor([4, 0, 11])
    pair = Contrast(2).bind(x, weighting, CPU)(users, keyed_generator(0))
    assert pair.users is users
    torch.testing.assert_close(pair.source.dense(), torch.from_numpy(weighting(x).matrix.toarray()[[4, 0, 11]]))
    again = Contrast(2).bind(x, weighting, CPU)(users, keyed_generator(0))
    assert pair.negatives is not None
    assert again.negatives is not None
    assert torch.equal(pair.negatives, again.negatives)


def test_a_user_who_has_every_item_is_refused_by_name() -> None:
    x = Interactions.from_arrays([0, 1, 1, 1], [0, 0, 1, 2], IdMap(["ann", "bob"]), IdMap.range(3))
    with pytest.raises(DataError, match="user 'bob' has all 3 items, so there is none to compare them with; leave out the 1"):
        Contrast(1).bind(x, Uniform(), CPU)


def baskets(events: Events, seed: int = 0, users: int = 40) -> Interactions:
    """Users of several events, each of up to four items."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, (users, 6))
    user, time = np.repeat(np.arange(users), sizes.sum(1)), np.concatenate([np.repeat(np.arange(6) * 10, row) for row in sizes])
    item = np.concatenate([rng.permutation(30)[:n] for n in sizes.sum(1)])
    return Interactions.from_arrays(user, item, IdMap.range(users), IdMap.range(30), times=time, time_kind="clock", events=events)


def forecast(x: Interactions, pairs: Forecast, weighting: Weighting, seed: int) -> Pair:
    return pairs.bind(x, weighting, CPU)(torch.arange(x.n_users), keyed_generator(seed))


def times_of(x: Interactions, user: int, items: set[int]) -> set[int]:
    assert x.times is not None
    entries = slice(x.matrix.indptr[user], x.matrix.indptr[user + 1])
    return {int(t) for t, i in zip(x.times[entries], x.matrix.indices[entries], strict=True) if int(i) in items}


def items_of(rows: Rows | None, user: int) -> set[int]:
    assert rows is not None
    return set(rows.columns[rows.offsets[user] : rows.offsets[user + 1]].tolist())


@pytest.mark.parametrize("events", ["whole", "ordered"])
@pytest.mark.parametrize("reach", [None, 0.5])
def test_a_forecast_cuts_no_event(events: Events, reach: float | None) -> None:
    x = baskets(events)
    cuts = set()
    for seed in range(4):
        pair = forecast(x, Forecast(reach=reach), Uniform(), seed)
        for user in range(x.n_users):
            before, after = (items_of(rows, user) for rows in (pair.source, pair.target))
            earlier, later = times_of(x, user, before), times_of(x, user, after)
            assert before
            assert after
            assert max(earlier) < min(later)
            c = len(earlier)
            assert len(later) == (6 - c if reach is None else min(6 - c, -(-c // 2)))
            whole = times_of(x, user, met_by(x, user) - before - after)
            assert not whole & (earlier | later)
            cuts.add(c)
    assert cuts == {1, 2, 3, 4, 5}


def test_a_forecast_of_split_events_may_cut_them() -> None:
    x = baskets("split")
    pair = forecast(x, Forecast(), Uniform(), 0)
    both = [times_of(x, user, items_of(pair.source, user)) & times_of(x, user, items_of(pair.target, user)) for user in range(40)]
    assert any(both)


@pytest.mark.parametrize("weighting", [HalfLife(half_life=2), LinearRecency(), HalfLife(unit="days")])
@pytest.mark.parametrize("events", ["whole", "ordered", "split"])
def test_the_source_weighs_as_the_history_it_is(events: Events, weighting: Weighting) -> None:
    x = baskets(events)
    pair = forecast(x, Forecast(target=LinearRecency()), weighting, 1)
    kept = np.concatenate([np.arange(n) < len(items_of(pair.source, u)) for u, n in enumerate(x.lengths())])
    np.testing.assert_allclose(pair.source.values, weighting(x.only(kept)).matrix.data, rtol=1e-6)


def test_targets_of_one_event_weigh_alike() -> None:
    x = baskets("whole")
    pair = forecast(x, Forecast(target=HalfLife(half_life=1, floor=0)), Uniform(), 2)
    assert pair.target is not None
    for user in range(x.n_users):
        row = slice(int(pair.target.offsets[user]), int(pair.target.offsets[user + 1]))
        times = [times_of(x, user, {i}).pop() for i in pair.target.columns[row].tolist()]
        first = min(times)
        assert pair.target.values[row].tolist() == pytest.approx([0.5 ** ((t - first) / 10) for t in times])


def test_equal_times_in_another_order_make_the_same_pairs() -> None:
    x = baskets("whole")
    assert x.times is not None
    order = np.random.default_rng(1).permutation(x.nnz)
    again = Interactions.from_arrays(
        x.rows()[order], x.matrix.indices[order], x.users, x.items, times=x.times[order], time_kind="clock", events="whole"
    )
    one, other = (forecast(given, Forecast(), HalfLife(), 3) for given in (x, again))
    assert torch.equal(one.source.dense(), other.source.dense())


def test_whom_a_model_learns_from_is_counted_in_events() -> None:
    x = Interactions.from_arrays(
        [0, 0, 1, 1], [0, 1, 0, 1], IdMap.range(2), IdMap.range(2), times=[5, 5, 5, 6], time_kind="clock", events="whole"
    )
    assert users_to_learn_from(x, Forecast()).tolist() == [1]
    assert users_to_learn_from(replace(x, events="split"), Forecast()).tolist() == [0, 1]
    with pytest.raises(ModelError, match=r"no user has the 2 events \(all that a user does at one time\)"):
        users_to_learn_from(x.take([0]), Forecast())
