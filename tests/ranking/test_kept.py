"""What is kept of item vectors."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

from near_ties import near_ties
from recodiff.models.batch import ItemVectors
from recodiff.ranking import sixteen_bits
from recodiff.ranking.exact import fixed_products
from recodiff.ranking.kept import LISTS_TO_PAY, KeptVectors, Spare, greatest_norm


@pytest.mark.parametrize("kind", ["unequal norms", "tiny"])
def test_a_score_is_within_its_bound_of_the_true_product(kind: str) -> None:
    users, vectors = near_ties(kind, 500, 200, 3)
    fixed = fixed_products(users, vectors.vectors, torch.arange(500).expand(6, -1)) + vectors.bias
    fast = torch.addmm(vectors.bias, users, vectors.vectors.T)
    margins = KeptVectors(vectors).margins(users)
    assert (margins >= 200 * 2.0**-126).all()  # where even the squares of the numbers are 0 in float32
    assert ((fixed.double() - fast.double()).abs() <= margins).all()
    truth = users.double() @ vectors.vectors.double().T + vectors.bias
    sizes = users.double().norm(dim=1)[:, None] * vectors.vectors.double().norm(dim=1) + vectors.bias.abs()
    assert ((fixed - truth).abs() <= 1e-6 * sizes + 200 * 2.0**-149).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e25])
def test_the_greatest_norm_is_found_where_squares_leave_float32(scale: float) -> None:
    vectors = torch.ones(5000, 4) * scale
    vectors[4500] *= 3
    assert greatest_norm(vectors) == pytest.approx(6 * scale, rel=1e-5)


def test_copies_are_made_once_they_pay() -> None:
    with mock.patch.object(sixteen_bits, "is_faster", return_value=True):
        kept = KeptVectors(ItemVectors(torch.ones(100, 8), torch.zeros(100)))
        for _ in range(LISTS_TO_PAY - 1):
            kept.prepare(1)
        kept.prepare(LISTS_TO_PAY - 1)
        assert (kept.copy_16, kept.copy_8) == (None, None)
        kept.prepare(2)
        assert kept.copy_16 is not None
        assert kept.copy_8 is None
        kept.prepare(1)
        assert kept.copy_8 is not None


def test_processes_that_share_the_vectors_make_no_copies() -> None:
    with mock.patch.object(sixteen_bits, "is_faster", return_value=True):
        kept = KeptVectors(ItemVectors(torch.ones(100, 8), torch.zeros(100)), copies=False)
        kept.prepare(1000)
        for _ in range(LISTS_TO_PAY):
            kept.prepare(1)
    assert (kept.copy_16, kept.copy_8) == (None, None)


def test_no_copy_of_16_bits_where_their_products_are_slow() -> None:
    with mock.patch.object(sixteen_bits, "is_faster", return_value=False):
        kept = KeptVectors(ItemVectors(torch.ones(100, 8), torch.zeros(100)))
        kept.prepare(1000)
    assert kept.copy_16 is None


def test_room_grows_only_where_it_is_often_too_little() -> None:
    spare = Spare(8, 30)
    spare.note(100, 5, 0)
    assert spare.now == 8
    for expected in (16, 30, 30):
        spare.note(100, 50, 0)
        assert spare.now == expected


def test_looking_at_much_again_costs_too_much() -> None:
    spare = Spare(8, 64)
    spare.note(100, 100, 100 * 199)
    assert not spare.costs_too_much(10_000)
    spare.note(100, 100, 100 * 202)
    assert spare.costs_too_much(10_000)
