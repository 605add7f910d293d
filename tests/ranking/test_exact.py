"""The exact k best of inner products."""

from __future__ import annotations

from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recodiff.models.batch import ItemVectors
from recodiff.ranking import exact
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


def near_ties(kind: str, n_items: int, width: int, seed: int) -> tuple[Tensor, ItemVectors]:
    """Users and items whose scores differ in their last bits."""
    draw = torch.Generator().manual_seed(seed)
    users, vectors, bias = (torch.randn(shape, generator=draw) for shape in ((6, width), (n_items, width), (n_items,)))
    if kind == "last bits":
        order = torch.stack([torch.randperm(width, generator=draw) for _ in range(n_items)])
        users = users[:, :1].expand(-1, width).contiguous()  # the same terms, added in other orders
        vectors, bias = vectors[0][order], torch.zeros(n_items)
    elif kind == "unequal norms":
        vectors = vectors * torch.logspace(-4, 4, n_items)[torch.randperm(n_items, generator=draw), None]
    elif kind == "biases dominate":
        bias = 1e4 + bias.round()
    elif kind == "equal":
        vectors, bias = vectors.round(), torch.zeros(n_items)
        users = users.round()
    return users, ItemVectors(vectors, bias)


@settings(deadline=None)
@given(
    st.sampled_from(["random", "last bits", "unequal norms", "biases dominate", "equal"]),
    st.integers(1, 150),
    st.integers(1, 40),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    st.integers(1, 6),
    st.integers(0, 2**16),
)
def test_lists_are_those_of_all_products_of_fixed_order(
    kind: str, n_items: int, width: int, k: int, share: float, n_users: int, seed: int
) -> None:
    k = min(k, n_items)
    users, vectors = near_ties(kind, n_items, width, seed)
    users = users[:n_users]
    seen = torch.rand(n_users, n_items, generator=torch.Generator().manual_seed(seed + 1)) < share
    with mock.patch.multiple(exact, GROUP=4, MANY_ITEMS=4, SPARE_CANDIDATES=2, BLOCK_BYTES=64, LEAST_BLOCK=8, FEW=1):
        found = exact.best_products(
            users, exact.Items(vectors), {"seen": rows_of(seen), "none": rows_of(torch.zeros_like(seen))}, k
        )
    for name, mask in (("seen", seen), ("none", torch.zeros_like(seen))):
        scores, items = whole(users, vectors, mask, k)
        assert torch.equal(found[name][0], scores)
        there = scores > -torch.inf
        assert kind == "equal" or torch.equal(found[name][1][there], items[there])
        own = exact.fixed_products(users, vectors.vectors, found[name][1]) + vectors.bias[found[name][1]]
        assert torch.equal(own[there], scores[there])
        assert not mask.gather(1, found[name][1])[there].any()


def test_near_ties_ask_for_more_candidates_and_are_counted() -> None:
    users, vectors = near_ties("last bits", 4000, 32, 0)
    items = exact.Items(vectors)
    scores, listed = exact.best_products(users, items, {"none": rows_of(torch.zeros(6, 4000, dtype=torch.bool))}, 5)["none"]
    truth = whole(users, vectors, torch.zeros(6, 4000, dtype=torch.bool), 5)
    assert items.sent_back == 6
    assert torch.equal(scores, truth[0])
    assert torch.equal(listed, truth[1])


def test_the_same_score_in_every_batch() -> None:
    users, vectors = near_ties("random", 3000, 37, 1)
    none = torch.zeros(6, 3000, dtype=torch.bool)
    together = exact.best_products(users, exact.Items(vectors), {"none": rows_of(none)}, 7)["none"]
    for user in range(6):
        alone = exact.best_products(users[user : user + 1], exact.Items(vectors), {"none": rows_of(none[:1])}, 7)["none"]
        assert torch.equal(alone[0][0], together[0][user])
        assert torch.equal(alone[1][0], together[1][user])


def test_a_score_is_within_its_bound_of_the_true_product() -> None:
    users, vectors = near_ties("unequal norms", 500, 200, 3)
    fixed = exact.fixed_products(users, vectors.vectors, torch.arange(500).expand(6, -1)) + vectors.bias
    fast = torch.addmm(vectors.bias, users, vectors.vectors.T)
    margins = exact.Items(vectors).margins(users)
    assert ((fixed.double() - fast.double()).abs() <= margins).all()
    truth = users.double() @ vectors.vectors.double().T + vectors.bias
    sizes = users.norm(dim=1)[:, None].double() * vectors.vectors.norm(dim=1).double() + vectors.bias.abs()
    assert ((fixed - truth).abs() <= 1e-6 * sizes).all()


def test_items_that_no_list_may_hold_are_in_none() -> None:
    users, vectors = near_ties("random", 60, 5, 4)
    banned = torch.ones(60, dtype=torch.bool)
    banned[[3, 50]] = False
    none = rows_of(torch.zeros(6, 60, dtype=torch.bool))
    scores, listed = exact.best_products(users, exact.Items(vectors, banned), {"none": none}, 4)["none"]
    assert (scores[:, 2:] == -torch.inf).all()
    assert np.array_equal(np.sort(listed[:, :2].numpy(), 1), np.tile([3, 50], (6, 1)))


def test_a_product_that_is_no_number_shows() -> None:
    users, vectors = near_ties("random", 40, 5, 5)
    vectors.vectors[7, 2] = torch.nan
    scores, _ = exact.best_products(users, exact.Items(vectors), {"none": rows_of(torch.zeros(6, 40, dtype=torch.bool))}, 3)["none"]
    assert scores[:, 0].isnan().all()
