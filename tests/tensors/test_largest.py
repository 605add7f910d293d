"""The k largest of many columns."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recodiff.tensors import largest


@given(st.integers(1, 70), st.integers(1, 6), st.booleans(), st.integers(0, 2**16))
def test_the_largest_of_many_columns_are_those_of_topk(items: int, k: int, tied: bool, seed: int) -> None:
    k = min(k, items)
    scores = torch.randn(5, items, generator=torch.Generator().manual_seed(seed))
    scores = scores.round() if tied else scores
    scores[0, ::2] = -torch.inf
    with mock.patch.multiple(largest, BLOCK=3, LEAST_BLOCKS=1):
        values, columns = largest.largest(scores, k)
    theirs = scores.topk(k)
    assert torch.equal(values, theirs.values)
    assert torch.equal(scores.gather(1, columns), values)
    assert all(len(set(row)) == k for row in columns.tolist())
    if not tied:
        assert torch.equal(columns[1:], theirs.indices[1:])


def test_a_score_that_is_no_number_is_seen_in_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest, "BLOCK", 2)
    monkeypatch.setattr(largest, "LEAST_BLOCKS", 1)
    scores = torch.arange(12.0)[None].clone()
    scores[0, 1] = torch.nan
    assert largest.largest(scores, 2)[0].isnan().any()
