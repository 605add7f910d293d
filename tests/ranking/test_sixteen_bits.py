"""Bounds by products of 16 bits."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from near_ties import KINDS, near_ties
from recodiff.models.batch import ItemVectors
from recodiff.ranking import sixteen_bits
from recodiff.ranking.exact import fixed_products
from recodiff.ranking.kept import greatest_norm
from recodiff.runtime import memory


def copied(vectors: torch.Tensor, bias: torch.Tensor) -> sixteen_bits.Copy16 | None:
    with mock.patch.object(sixteen_bits, "is_faster", return_value=True):
        return sixteen_bits.copied_to_16(vectors, bias, greatest_norm(vectors))


def bounds(users: torch.Tensor, vectors: ItemVectors) -> torch.Tensor | None:
    """Of all scores, [B, I]; None where there is no copy."""
    copy = copied(vectors.vectors, vectors.bias)
    narrow = None if copy is None else copy.of_users(users)
    if copy is None or narrow is None:
        return None
    out = torch.empty(len(vectors.bias), len(users), dtype=torch.bfloat16)
    copy.products(narrow, 0, len(out), out)
    return sixteen_bits.raised(out).T


@settings(deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 60), st.integers(1, 300), st.integers(0, 2**16))
def test_no_score_is_above_its_bound(kind: str, n_items: int, width: int, seed: int) -> None:
    users, vectors = near_ties(kind, n_items, width, seed)
    found = bounds(users, vectors)
    scores = fixed_products(users, vectors.vectors, torch.arange(n_items).expand(len(users), -1)) + vectors.bias
    truth = users.double() @ vectors.vectors.double().T + vectors.bias.double()
    if found is not None:
        assert (found >= scores).all()
        assert (found >= truth).all()


def test_few_users_have_the_bounds_that_they_have_among_many() -> None:
    users, vectors = near_ties("random", 300, 24, 0)
    with mock.patch.object(sixteen_bits, "FEW_COLUMNS", 2):
        many = bounds(users, vectors)
    few = bounds(users, vectors)
    assert many is not None
    assert few is not None
    torch.testing.assert_close(few, many, rtol=2.0**-6, atol=0.0)


def test_bounds_are_near_the_scores() -> None:
    users, vectors = near_ties("random", 500, 200, 0)
    found = bounds(users, vectors)
    truth = users.double() @ vectors.vectors.double().T + vectors.bias
    sizes = users.norm(dim=1)[:, None] * vectors.vectors.norm(dim=1)
    assert found is not None
    assert ((found - truth) <= 0.006 * sizes + 0.01 * truth.abs()).all()


@pytest.mark.parametrize(
    ("scale", "bias"),
    [(0.0, 1.0), (1e-20, 1.0), (1e30, 1.0), (1.0, float("nan")), (1.0, float("-inf")), (1.0, 1e-38), (float("nan"), 1.0)],
)
def test_numbers_that_have_no_bounds_have_no_copy(scale: float, bias: float) -> None:
    _, vectors = near_ties("random", 30, 5, 0)
    assert copied(vectors.vectors * scale, torch.full((30,), bias)) is None
    assert copied(vectors.vectors, torch.zeros(30)) is not None


def test_no_copy_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = torch.ones(1000, 100)
    monkeypatch.setattr(memory, "available_memory", lambda: 400_000)
    assert copied(vectors, torch.zeros(1000)) is None
    monkeypatch.setattr(memory, "available_memory", lambda: 500_000)
    copy = copied(vectors, torch.zeros(1000))
    assert copy is not None
    assert copy.nbytes == 2 * 1000 * 112


def test_sums_of_16_bits_are_noticed() -> None:
    def poor(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        total = a.new_zeros(len(a))
        for column in (a * b[:, 0]).T:
            total += column
        return total[:, None].expand(-1, b.shape[1])

    assert sixteen_bits.adds_in_float32(4)
    with mock.patch.object(torch.Tensor, "__matmul__", poor):
        assert not sixteen_bits.adds_in_float32(4)


@pytest.mark.parametrize(
    ("wide", "narrow", "exact", "expected"),
    [(13, 9, True, True), (13, 11, True, False), (13, 9, False, False), (13, 900, True, False)],
)
def test_16_bits_must_be_faster_and_exact(
    wide: float, narrow: float, exact: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def seconds(a: torch.Tensor, b: torch.Tensor, repeats: int) -> float:
        tried.append(repeats)
        return wide if a.dtype == torch.float32 else narrow

    monkeypatch.setattr(sixteen_bits, "_seconds", seconds)
    monkeypatch.setattr(sixteen_bits, "adds_in_float32", lambda users: exact)
    sixteen_bits.is_faster.cache_clear()
    assert sixteen_bits.is_faster() == expected
    assert tried == ([5, 1] if narrow == 900 else [5, 1, 5])
    sixteen_bits.is_faster.cache_clear()
