"""The exact k best of inner products."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from near_ties import KINDS, near_ties
from recodiff.models.batch import ItemVectors
from recodiff.ranking import exact, kept, sixteen_bits
from recodiff.ranking.kept import Kept
from recodiff.tensors.rows import Rows


def rows_of(seen: Tensor) -> Rows:
    counts = seen.sum(1)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    columns = seen.nonzero()[:, 1]
    return Rows(offsets, columns, torch.ones(len(columns)), seen.shape[1])


def whole(users: Tensor, vectors: ItemVectors, seen: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The truth: all products of fixed order, sorted."""
    n = len(users)
    scores = exact.fixed_products(users, vectors.vectors, torch.arange(len(vectors.bias)).expand(n, -1)) + vectors.bias
    scores, order = scores.masked_fill(seen, -torch.inf).sort(dim=1, descending=True, stable=True)
    return scores[:, :k], order[:, :k]


SMALL = {"GROUP": 4, "GROUPS": 1, "BLOCKS": (4, 2), "BLOCK_BYTES": 64, "LEAST_BLOCK": 8, "FEW": 1, "MOST_CANDIDATES": 64}
"""Sizes at which few items take every turn."""


def items_of(vectors: ItemVectors, *, narrow: bool, banned: Tensor | None = None) -> exact.Items:
    """The items' side, with or without the copy of 16 bits, whatever this machine's products are worth."""
    known = Kept(vectors)
    with mock.patch.object(sixteen_bits, "pays", return_value=narrow):
        known.prepare(kept.LISTS_TO_PAY)
    return exact.Items(known, banned)


def nothing(users: int, items: int) -> Rows:
    return rows_of(torch.zeros(users, items, dtype=torch.bool))


def assert_lists_are(found: Sequence[Tensor], users: Tensor, vectors: ItemVectors, seen: Tensor, *, ordered: bool = True) -> None:
    k = found[0].shape[1]
    scores, items = whole(users, vectors, seen, k)
    assert torch.equal(found[0], scores)
    there = scores > -torch.inf
    assert not ordered or torch.equal(found[1][there], items[there])
    own = exact.fixed_products(users, vectors.vectors, found[1]) + vectors.bias[found[1]]
    assert torch.equal(own[there], scores[there])
    assert not seen.gather(1, found[1])[there].any()


@settings(deadline=None)
@given(
    st.sampled_from(KINDS),
    st.booleans(),
    st.integers(1, 150),
    st.integers(1, 40),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    st.integers(1, 6),
    st.integers(0, 2**16),
)
def test_lists_are_those_of_all_products_of_fixed_order(
    kind: str, narrow: bool, n_items: int, width: int, k: int, share: float, n_users: int, seed: int
) -> None:
    k = min(k, n_items)
    users, vectors = near_ties(kind, n_items, width, seed)
    users = users[:n_users]
    seen = torch.rand(n_users, n_items, generator=torch.Generator().manual_seed(seed + 1)) < share
    with mock.patch.multiple(exact, **SMALL), mock.patch.multiple(kept, LEAST_SPARE=2, MOST_LOOKED_AT=10):
        items = items_of(vectors, narrow=narrow)
        assert items.kept.copy is None or narrow
        found = exact.best_products(users, items, {"seen": rows_of(seen), "none": nothing(n_users, n_items)}, k)
    zero = bool((users == 0).all(1).any()) and bool((vectors.bias == 0).any())
    assert_lists_are(found["seen"], users, vectors, seen, ordered=kind != "equal" and not zero)
    assert_lists_are(found["none"], users, vectors, torch.zeros_like(seen), ordered=kind != "equal" and not zero)


@pytest.mark.parametrize("narrow", [False, True])
def test_near_ties_ask_for_more_candidates_and_are_counted(narrow: bool) -> None:
    users, vectors = near_ties("last bits", 4000, 32, 0)
    items = items_of(vectors, narrow=narrow)
    none = torch.zeros(6, 4000, dtype=torch.bool)
    found = exact.best_products(users, items, {"none": rows_of(none)}, 5)["none"]
    assert items.sent_back == 6
    assert items.kept.spare == 2 * kept.LEAST_SPARE
    assert_lists_are(found, users, vectors, none)


def test_the_copy_is_given_up_where_too_much_is_looked_at_again() -> None:
    users, vectors = near_ties("above 16 bits", 4000, 32, 0)
    items, none = items_of(vectors, narrow=True), torch.zeros(6, 4000, dtype=torch.bool)
    assert items.kept.copy is not None
    for copied in (False, False):  # once by 16 bits, once without
        found = exact.best_products(users, items, {"none": rows_of(none)}, 5)["none"]
        assert (items.kept.copy is not None) == copied
        assert_lists_are(found, users, vectors, none)


def test_random_vectors_seldom_ask_for_more() -> None:
    draw = torch.Generator().manual_seed(0)
    users, vectors = torch.randn(200, 64, generator=draw), torch.randn(40_000, 64, generator=draw)
    items, none = items_of(ItemVectors(vectors, torch.zeros(40_000)), narrow=True), nothing(200, 40_000)
    wide = items_of(ItemVectors(vectors, torch.zeros(40_000)), narrow=False)
    for _ in range(3):  # the room is learned
        items.sent_back = 0
        found, same = (exact.best_products(users, one, {"none": none}, 10)["none"] for one in (items, wide))
        assert torch.equal(found[0], same[0])
        assert torch.equal(found[1], same[1])
    assert items.sent_back <= 200 * kept.OFTEN
    assert items.kept.copy is not None
    assert wide.sent_back == 0


@pytest.mark.parametrize("narrow", [False, True])
def test_the_same_score_in_every_batch(narrow: bool) -> None:
    users, vectors = near_ties("random", 3000, 37, 1)
    items = items_of(vectors, narrow=narrow)
    together = exact.best_products(users, items, {"none": nothing(6, 3000)}, 7)["none"]
    for user in range(6):
        alone = exact.best_products(users[user : user + 1], items, {"none": nothing(1, 3000)}, 7)["none"]
        assert torch.equal(alone[0][0], together[0][user])
        assert torch.equal(alone[1][0], together[1][user])


@pytest.mark.parametrize("kind", ["unequal norms", "tiny"])
def test_a_score_is_within_its_bound_of_the_true_product(kind: str) -> None:
    users, vectors = near_ties(kind, 500, 200, 3)
    fixed = exact.fixed_products(users, vectors.vectors, torch.arange(500).expand(6, -1)) + vectors.bias
    fast = torch.addmm(vectors.bias, users, vectors.vectors.T)
    margins = Kept(vectors).margins(users)
    assert (margins >= 200 * 2.0**-126).all()  # where even the squares of the numbers are 0 in float32
    assert ((fixed.double() - fast.double()).abs() <= margins).all()
    truth = users.double() @ vectors.vectors.double().T + vectors.bias
    sizes = users.double().norm(dim=1)[:, None] * vectors.vectors.double().norm(dim=1) + vectors.bias.abs()
    assert ((fixed - truth).abs() <= 1e-6 * sizes + 200 * 2.0**-149).all()


@pytest.mark.parametrize("narrow", [False, True])
def test_items_that_no_list_may_hold_are_in_none(narrow: bool) -> None:
    users, vectors = near_ties("random", 60, 5, 4)
    banned = torch.ones(60, dtype=torch.bool)
    banned[[3, 50]] = False
    items = items_of(vectors, narrow=narrow, banned=banned)
    scores, listed = exact.best_products(users, items, {"none": nothing(6, 60)}, 4)["none"]
    assert (scores[:, 2:] == -torch.inf).all()
    assert np.array_equal(np.sort(listed[:, :2].numpy(), 1), np.tile([3, 50], (6, 1)))


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_product_that_is_no_number_shows(narrow: bool, value: float) -> None:
    users, vectors = near_ties("random", 40, 5, 5)
    vectors.vectors[7, 2] = value
    users[:, 2] = 0.0 if value == torch.inf else users[:, 2]
    scores, _ = exact.best_products(users, items_of(vectors, narrow=narrow), {"none": nothing(6, 40)}, 3)["none"]
    assert scores[:, 0].isnan().all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_users_beyond_16_bits_are_ranked_by_float32(value: float) -> None:
    users, vectors = near_ties("random", 400, 5, 6)
    users[2, 3] = value
    items = items_of(vectors, narrow=True)
    assert items.kept.copy is not None
    assert items.kept.copy.of_users(users) is None
    none = torch.zeros(6, 400, dtype=torch.bool)
    found = exact.best_products(users, items, {"none": rows_of(none)}, 3)["none"]
    finite = torch.tensor([0, 1, 3, 4, 5])
    assert_lists_are([part[finite] for part in found], users[finite], vectors, none[finite])


def test_groups_hold_every_item_once() -> None:
    for n, size, each in ((100, 4, 7), (28, 4, 7), (3, 1, 3), (29, 4, 7)):
        groups = exact.Groups(n, size, each)
        members = groups.members(torch.arange(groups.count)[None])[0]
        assert members[members < n].sort().values.tolist() == list(range(n))
        group, place = groups.of(torch.arange(n))
        assert (members.view(-1, size)[group, place] == torch.arange(n)).all()
