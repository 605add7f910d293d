"""What is learned from what: contrasted pairs draw from what a user has not met, and from all of it alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from recodiff.data.interactions import IdMap, Interactions
from recodiff.data.weighting import LinearRecency, Uniform
from recodiff.errors import DataError
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Contrast, Unmet
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
def test_unmet_items_are_counted_in_catalogue_order(x: Interactions) -> None:
    unmet = Unmet(Rows.from_csr(x.matrix))
    for user in range(x.n_users):
        truth = reference.unmet(met_by(x, user), x.n_items)
        assert int(unmet.count[user]) == len(truth)
        found = unmet.nth(torch.full((len(truth),), user), torch.arange(len(truth)))
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


def test_a_user_who_has_met_everything_is_refused_by_name() -> None:
    x = Interactions.from_arrays([0, 1, 1, 1], [0, 0, 1, 2], IdMap(["ann", "bob"]), IdMap.range(3))
    with pytest.raises(DataError, match="user 'bob' has met all 3 items, so there is none to compare them with; leave out the 1"):
        Contrast(1).bind(x, Uniform(), CPU)
