"""Sparse rows act as their dense selves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import DataError
from recodiff.tensors import rows as rows_module
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows, as_dense


def make_rows(table: list[list[tuple[int, float]]], width: int) -> Rows:
    """One list of (column, value) per row, in order."""
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in table], dtype=int)])
    entries = [entry for row in table for entry in row]
    columns = torch.tensor([column for column, _ in entries], dtype=torch.int64)
    return Rows(offsets, columns, torch.tensor([value for _, value in entries], dtype=torch.float32), width)


EXAMPLE = make_rows([[(3, 1.0), (0, 2.0)], [], [(1, 0.0)], [(2, -1.0), (1, 5.0), (0, 0.5)]], 4)
DENSE = torch.tensor([[2.0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0.5, 5, -1, 0]])

tables = st.integers(1, 6).flatmap(
    lambda width: st.tuples(
        st.just(width),
        st.lists(
            st.lists(
                st.tuples(st.integers(0, width - 1), st.floats(-4, 4, width=32)), max_size=width, unique_by=lambda pair: pair[0]
            ),
            min_size=1,
            max_size=5,
        ),
    )
)


def test_dense_by_hand() -> None:
    assert len(EXAMPLE) == 4
    torch.testing.assert_close(EXAMPLE.dense(), DENSE, rtol=0, atol=0)
    assert as_dense(DENSE) is DENSE
    torch.testing.assert_close(as_dense(EXAMPLE), DENSE, rtol=0, atol=0)


def test_a_row_and_a_place_for_each_entry() -> None:
    assert EXAMPLE.row_of().tolist() == [0, 0, 2, 3, 3, 3]
    assert EXAMPLE.flat().tolist() == [3, 0, 9, 14, 13, 12]


@given(tables, st.integers(1, 5), st.integers(1, 9), st.data())
@settings(max_examples=60, deadline=None)
def test_a_product_with_sparse_rows_is_the_dense_product(
    case: tuple[int, list[list[tuple[int, float]]]], width: int, at_once: int, data: st.DataObject
) -> None:
    left = make_rows(case[1], case[0])
    entry = st.tuples(st.integers(0, width - 1), st.floats(-4, 4, width=32))
    row = st.lists(entry, max_size=width, unique_by=lambda pair: pair[0])
    right = make_rows(data.draw(st.lists(row, min_size=case[0], max_size=case[0])), width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "TERMS_AT_ONCE", at_once)
        found = left.matmul(right)
    torch.testing.assert_close(found, left.dense() @ right.dense(), rtol=1e-5, atol=1e-5)


@given(tables)
@settings(max_examples=40, deadline=None)
def test_transposed_rows_are_the_columns(case: tuple[int, list[list[tuple[int, float]]]]) -> None:
    rows = make_rows(case[1], case[0])
    turned = rows.transposed()
    assert len(turned) == rows.width
    torch.testing.assert_close(turned.dense(), rows.dense().T, rtol=0, atol=0)
    torch.testing.assert_close(turned.transposed().dense(), rows.dense(), rtol=0, atol=0)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_split_rows_are_those_that_would_be_taken(size: int) -> None:
    parts = list(EXAMPLE.split(size))
    for part, rows in zip(parts, torch.arange(len(EXAMPLE)).split(size), strict=True):
        for ours, theirs in zip(vars(part).values(), vars(EXAMPLE.take(rows)).values(), strict=True):
            assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def test_taken_rows_keep_the_order_of_their_entries_and_their_zeros() -> None:
    taken = EXAMPLE.take(torch.tensor([3, 1, 0, 2, 3]))
    assert taken.offsets.tolist() == [0, 3, 3, 5, 6, 9]
    assert taken.columns.tolist() == [2, 1, 0, 3, 0, 1, 2, 1, 0]
    assert taken.values.tolist() == [-1, 5, 0.5, 1, 2, 0, -1, 5, 0.5]


@settings(deadline=None, max_examples=100)
@given(tables, st.data())
def test_sparse_rows_act_as_their_dense_selves(case: tuple[int, list[list[tuple[int, float]]]], data: st.DataObject) -> None:
    width, table = case
    rows = make_rows(table, width)
    truth = np.zeros((len(table), width))
    for i, row in enumerate(table):
        for column, value in row:
            truth[i, column] = value
    np.testing.assert_array_equal(rows.dense().numpy(), truth)
    chosen = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=7))
    np.testing.assert_array_equal(rows.take(torch.tensor(chosen, dtype=torch.int64)).dense().numpy(), truth[chosen])
    weights = torch.randn(width, 3, generator=keyed_generator(1))
    np.testing.assert_allclose(rows.matmul(weights).numpy(), truth @ weights.double().numpy(), atol=1e-4)


def test_products_carry_gradients_to_the_table() -> None:
    table = torch.randn(4, 3, requires_grad=True)
    (sparse,) = torch.autograd.grad(EXAMPLE.matmul(table).square().sum(), table)
    (dense,) = torch.autograd.grad((DENSE @ table).square().sum(), table)
    torch.testing.assert_close(sparse, dense)


def test_an_entry_of_weight_zero_stays_an_entry() -> None:
    """The released program loses it: SciPy's nonzero() drops explicit zeros."""
    users, items = IdMap.range(1), IdMap.range(4)
    x = Interactions.from_arrays([0, 0], [2, 1], users, items, weights=[0.0, 1.0], times=[5, 6], time_kind="order")
    rows = Rows.from_csr(x.matrix)
    assert rows.columns.tolist() == [2, 1]
    assert rows.values.tolist() == [0, 1]


def test_a_pair_that_stands_twice_is_refused_and_never_sums_to_two() -> None:
    with pytest.raises(DataError, match="stand together twice"):
        Interactions.from_arrays([0, 0], [1, 1], IdMap.range(1), IdMap.range(2))
