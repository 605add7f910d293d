"""Bounds of a lone user's scores by products of 8 bits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from near_ties import KINDS, near_ties
from recodiff.models.batch import ItemVectors
from recodiff.ranking import eight_bits
from recodiff.ranking.exact import fixed_products
from recodiff.ranking.kept import greatest_norm
from recodiff.runtime import memory

pytest.importorskip("numkong")


def bounds(users: torch.Tensor, vectors: ItemVectors) -> torch.Tensor | None:
    """Of all scores, [B, I]; None where there is no copy, or a user has none."""
    copy = eight_bits.copied_to_8(vectors.vectors, vectors.bias, greatest_norm(vectors.vectors))
    found = [] if copy is None else [copy.bounds(user[None]) for user in users]
    rows = [row for row in found if row is not None]
    return torch.cat(rows) if rows and len(rows) == len(users) else None


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


def test_bounds_hold_where_all_that_rounding_loses_adds_up() -> None:
    users, _ = near_ties("random", 1, 200, 0)
    scale = users.abs().amax(1, keepdim=True) / 127
    lost = users - (users / scale).round() * scale
    vectors = ItemVectors(lost.sign() * 127, torch.zeros(len(users)))  # of these nothing is lost
    found, truth = bounds(users, vectors), (users.double() @ vectors.vectors.double().T)
    assert found is not None
    assert (found >= truth).all()
    assert (users.double() @ vectors.vectors.double().T - (users - lost).double() @ vectors.vectors.double().T).diagonal().min() > 1


def test_bounds_are_near_the_scores() -> None:
    users, vectors = near_ties("random", 500, 200, 0)
    found = bounds(users, vectors)
    truth = users.double() @ vectors.vectors.double().T + vectors.bias
    sizes = users.norm(dim=1)[:, None] * vectors.vectors.norm(dim=1)
    assert found is not None
    assert ((found - truth) <= 0.025 * sizes).all()


@pytest.mark.parametrize(("scale", "bias"), [(0.0, 1.0), (1e-20, 1.0), (1e30, 1.0), (1.0, float("nan")), (float("nan"), 1.0)])
def test_numbers_that_have_no_bounds_have_no_copy(scale: float, bias: float) -> None:
    _, vectors = near_ties("random", 30, 5, 0)
    scaled = vectors.vectors * scale
    assert eight_bits.copied_to_8(scaled, torch.full((30,), bias), greatest_norm(scaled)) is None
    assert eight_bits.copied_to_8(vectors.vectors, torch.zeros(30), 1.0) is not None


def test_no_copy_where_memory_is_short_or_the_library_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, bias = torch.ones(1000, 100), torch.zeros(1000)
    monkeypatch.setattr(memory, "available_memory", lambda: 200_000)
    assert eight_bits.copied_to_8(vectors, bias, 10.0) is None
    monkeypatch.setattr(memory, "available_memory", lambda: 240_000)
    copy = eight_bits.copied_to_8(vectors, bias, 10.0)
    assert copy is not None
    assert copy.nbytes == 1000 * 116
    for ails in (None, SimpleNamespace(), SimpleNamespace(dot=lambda a, b, out: np.copyto(out, 0))):
        monkeypatch.setitem(__import__("sys").modules, "numkong", ails)
        eight_bits.library.cache_clear()
        assert eight_bits.copied_to_8(vectors, bias, 10.0) is None
    monkeypatch.undo()
    eight_bits.library.cache_clear()
    assert eight_bits.copied_to_8(vectors, bias, 10.0) is not None
