from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from recodiff.models.linear import sparse
from recodiff.models.linear.sparse import degrees, item_table, power, scaled, state_of, table_of
from recodiff.tensors.rows import Rows
from reference import closed_form as reference

numbers = st.integers(0, 4).map(float)  # few values, hence many ties


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=6)), st.data())
@settings(max_examples=60, deadline=None)
def test_an_item_table_is_the_product_without_diagonal_its_columns_cut(table: list[list[float]], data: st.DataObject) -> None:
    matrix = np.array(table)
    k = data.draw(st.integers(1, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse, "ENTRIES_IN_BLOCK", data.draw(st.integers(1, 60)))
        found = item_table(csr_array(matrix.T), csr_array(matrix), k, show=False)
    product = matrix.T @ matrix
    np.fill_diagonal(product, 0)
    np.testing.assert_array_equal(found.toarray(), reference.keep_largest_of_columns(product, k))
    assert found.dtype == np.float32


def test_the_table_of_a_lopsided_product_has_rows_for_sources_and_columns_for_the_scored() -> None:
    left, right = np.array([[1.0, 0], [2, 0], [0, 3]]), np.array([[1.0, 5, 0], [0, 0, 7]])
    found = item_table(csr_array(left), csr_array(right), 9, show=False)
    np.testing.assert_array_equal(found.toarray(), [[0, 5, 0], [2, 0, 0], [0, 0, 0]])


def test_what_has_no_degree_takes_no_part(recwarn: pytest.WarningsRecorder) -> None:
    matrix = csr_array(np.array([[4.0, 0, 5], [0, 0, 0]]))
    user, item = degrees(matrix)
    assert user.tolist() == [9, 0]
    assert item.tolist() == [4, 0, 5]
    assert power(item, -0.5).tolist() == pytest.approx([0.5, 0, 5**-0.5])
    assert power(item, 0.0).tolist() == [1, 0, 1]
    np.testing.assert_allclose(scaled(matrix, power(user, -1), power(item, -1)).toarray(), [[1 / 9, 0, 1 / 9], [0, 0, 0]])
    assert not recwarn.list


def test_a_table_comes_back_from_its_state(rng: np.random.Generator) -> None:
    matrix = (rng.random((5, 7)) < 0.4) * rng.random((5, 7))
    rows = Rows.from_csr(csr_array(matrix))
    again = table_of(state_of(rows), 7)
    np.testing.assert_allclose(again.dense(), matrix, rtol=1e-6)
