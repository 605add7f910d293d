"""The exact k best of inner products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from near_ties import KINDS, near_ties
from recodiff.models.batch import ItemVectors
from recodiff.ranking import bounds, exact, kept, sixteen_bits
from recodiff.ranking.bounds import Items
from recodiff.ranking.kept import KeptVectors
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


BITS = [32, 16, 8]


@contextmanager
def few_at_once() -> Iterator[None]:
    """Sizes at which few items take every turn."""
    with (
        mock.patch.multiple(exact, COLUMNS_AT_ONCE=(4, 2), FEW=1, SPARE_TIES=1, MOST_SCORED=64),
        mock.patch.multiple(bounds, GROUP=4, GROUPS=1, BLOCK_BYTES=64, LEAST_BLOCK=8),
        mock.patch.multiple(kept, MOST_LOOKED_AT=10, FIRST_SPARE=(2, 2)),
    ):
        yield


def items_of(vectors: ItemVectors, bits: int, banned: Tensor | None = None) -> Items:
    """The items' side, with or without copies, whatever this machine's products are worth."""
    known = KeptVectors(vectors)
    with mock.patch.object(sixteen_bits, "is_faster", return_value=True):
        known.prepare(kept.LISTS_TO_PAY if bits == 16 else 0)
    for _ in range(kept.LISTS_TO_PAY if bits == 8 else 0):
        known.prepare(1)
    return Items(known, banned)


def best(users: Tensor, items: Items, seen: Mapping[str, Tensor], k: int, bits: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Best products of users together; with 8 bits of one after another, each alone."""
    if bits != 8:
        return exact.best_products(users, items, {name: rows_of(mask) for name, mask in seen.items()}, k)
    each = [
        exact.best_products(users[n : n + 1], items, {name: rows_of(mask[n : n + 1]) for name, mask in seen.items()}, k)
        for n in range(len(users))
    ]
    return {name: (torch.cat([one[name][0] for one in each]), torch.cat([one[name][1] for one in each])) for name in seen}


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
    st.sampled_from(BITS),
    st.integers(1, 150),
    st.integers(1, 40),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    st.integers(1, 6),
    st.integers(0, 2**16),
)
def test_lists_are_those_of_all_products_of_fixed_order(
    kind: str, bits: int, n_items: int, width: int, k: int, share: float, n_users: int, seed: int
) -> None:
    k = min(k, n_items)
    users, vectors = near_ties(kind, n_items, width, seed)
    users = users[:n_users]
    seen = torch.rand(n_users, n_items, generator=torch.Generator().manual_seed(seed + 1)) < share
    with few_at_once():
        found = best(users, items_of(vectors, bits), {"seen": seen, "none": torch.zeros_like(seen)}, k, bits)
    no_score = bool((users == 0).all(1).any()) and bool((vectors.bias == 0).any())
    for name, mask in (("seen", seen), ("none", torch.zeros_like(seen))):
        assert_lists_are(found[name], users, vectors, mask, ordered=kind != "equal" and not no_score)


@pytest.mark.parametrize("bits", BITS)
def test_near_ties_ask_for_more_candidates_and_are_counted(bits: int) -> None:
    users, vectors = near_ties("last bits", 4000, 32, 0)
    items, none = items_of(vectors, bits), torch.zeros(6, 4000, dtype=torch.bool)
    found = best(users, items, {"none": none}, 5, bits)["none"]
    assert items.sent_back == 6
    assert (items.kept.lone_items if bits == 8 else items.kept.groups).now > kept.FIRST_SPARE[bits == 8]
    assert_lists_are(found, users, vectors, none)


@pytest.mark.parametrize("bits", [32, 16])
def test_no_item_is_listed_twice_where_one_user_needs_more_than_another(bits: int) -> None:
    users, vectors = near_ties("last bits", 200, 32, 0)
    seen = torch.zeros(6, 200, dtype=torch.bool)
    seen[1:] = True
    seen[1:, ::23] = False
    with few_at_once(), mock.patch.object(exact, "MOST_SCORED", 10_000):
        items = items_of(vectors, bits)
        assert_lists_are(best(users, items, {"seen": seen}, 4, bits)["seen"], users, vectors, seen)
    assert items.sent_back == 6


@pytest.mark.parametrize("bits", [16, 8])
def test_a_copy_is_given_up_where_too_much_is_looked_at_again(bits: int) -> None:
    users, vectors = near_ties("above 16 bits", 4000, 32, 0)
    items, none = items_of(vectors, bits), torch.zeros(6, 4000, dtype=torch.bool)
    assert (items.kept.copy_16 is not None, items.kept.copy_8 is not None) == (bits == 16, bits == 8)
    for _ in range(2):  # once with the copy, once without
        assert_lists_are(best(users, items, {"none": none}, 5, bits)["none"], users, vectors, none)
        assert items.kept.copy_16 is None
        assert items.kept.copy_8 is None


@pytest.mark.parametrize("bits", [16, 8])
def test_random_vectors_seldom_ask_for_more(bits: int) -> None:
    draw = torch.Generator().manual_seed(0)
    n = 200 if bits == 16 else 60
    users, vectors = torch.randn(n, 64, generator=draw), torch.randn(20_000, 64, generator=draw)
    none = {"none": torch.zeros(n, 20_000, dtype=torch.bool)}
    items, wide = (items_of(ItemVectors(vectors, torch.zeros(20_000)), kind) for kind in (bits, 32))
    for _ in range(3):  # the room is learned
        items.sent_back = 0
        found, same = best(users, items, none, 10, bits)["none"], best(users, wide, none, 10, 32)["none"]
        assert torch.equal(found[0], same[0])
        assert torch.equal(found[1], same[1])
    assert items.sent_back <= n * 2 * kept.OFTEN
    assert items.kept.copy_16 is not None or items.kept.copy_8 is not None
    assert wide.sent_back == 0


@pytest.mark.parametrize("bits", [32, 16])
def test_the_same_score_in_every_batch(bits: int) -> None:
    users, vectors = near_ties("random", 3000, 37, 1)
    items, none = items_of(vectors, bits), torch.zeros(6, 3000, dtype=torch.bool)
    together, alone = (best(users, items, {"none": none}, 7, how)["none"] for how in (bits, 8))
    assert torch.equal(alone[0], together[0])
    assert torch.equal(alone[1], together[1])


@pytest.mark.parametrize("bits", BITS)
def test_items_that_no_list_may_hold_are_in_none(bits: int) -> None:
    users, vectors = near_ties("random", 60, 5, 4)
    banned = torch.ones(60, dtype=torch.bool)
    banned[[3, 50]] = False
    items = items_of(vectors, bits, banned)
    scores, listed = best(users, items, {"none": torch.zeros(6, 60, dtype=torch.bool)}, 4, bits)["none"]
    assert (scores[:, 2:] == -torch.inf).all()
    assert np.array_equal(np.sort(listed[:, :2].numpy(), 1), np.tile([3, 50], (6, 1)))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_product_that_is_no_number_shows(bits: int, value: float) -> None:
    users, vectors = near_ties("random", 40, 5, 5)
    vectors.vectors[7, 2] = value
    users[:, 2] = 0.0 if value == torch.inf else users[:, 2]
    scores, _ = best(users, items_of(vectors, bits), {"none": torch.zeros(6, 40, dtype=torch.bool)}, 3, bits)["none"]
    assert scores[:, 0].isnan().all()


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_users_who_have_no_bounds_are_ranked_by_float32(bits: int, value: float) -> None:
    users, vectors = near_ties("random", 400, 5, 6)
    users[2, 3] = value
    items, none = items_of(vectors, bits), torch.zeros(6, 400, dtype=torch.bool)
    found = best(users, items, {"none": none}, 3, bits)["none"]
    finite = torch.tensor([0, 1, 3, 4, 5])
    assert_lists_are([part[finite] for part in found], users[finite], vectors, none[finite])
    assert bool(found[0][2].isfinite().all()) == (value == 1e30)


@pytest.mark.parametrize("bits", [16, 8])
def test_lists_made_at_the_same_time_do_not_mix(bits: int) -> None:
    draw = torch.Generator().manual_seed(0)
    users, vectors = torch.randn(40, 32, generator=draw), torch.randn(20_000, 32, generator=draw)
    items, none = items_of(ItemVectors(vectors, torch.zeros(20_000)), bits), torch.zeros(40, 20_000, dtype=torch.bool)
    truth = whole(users, ItemVectors(vectors, torch.zeros(20_000)), none, 5)

    def ranked(start: int) -> bool:
        here = slice(start, start + 5)
        found = best(users[here], items, {"none": none[here]}, 5, bits)["none"]
        return torch.equal(found[0], truth[0][here]) and torch.equal(found[1], truth[1][here])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ranked, [*range(0, 40, 5)] * 4))
