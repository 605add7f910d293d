"""Which column has which role."""

from __future__ import annotations

import pytest

from recodiff.data.readers.columns import find_columns
from recodiff.errors import DataError

ROLES = {"user": None, "item": None, "weight": None, "time": None}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["userId", "movieId", "rating", "timestamp"], ["userId", "movieId", "rating", "timestamp"]),
        (["user_id:token", "item_id:token", "rating:float", "timestamp:float"], 4),
        (["customer_id", "stock_code", "invoice_date", "quantity"], ["customer_id", "stock_code", "quantity", "invoice_date"]),
        (["", "Item", "asin", "USER", "note"], ["USER", "Item"]),
    ],
)
def test_usual_names_are_known(columns: list[str], expected: list[str] | int) -> None:
    found = list(find_columns(columns, ROLES, "x").values())
    assert found == (columns if isinstance(expected, int) else expected)


def test_columns_can_be_given_by_name_position_or_not_at_all() -> None:
    found = find_columns(["a", "b", "date", "rating"], {"user": "b", "item": 0, "weight": "3", "time": False}, "x")
    assert found == {"user": "b", "item": "a", "weight": "rating"}


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        (["a", "item"], {}, "clearly the user: it has 'a', 'item'; name it with user="),
        (["user", "movie_id", "product_id"], {}, "'movie_id', 'product_id' could each be the item"),
        (["user", "item"], {"user": "who"}, "no column 'who' for the user; it has 'user', 'item'"),
        (["user", "item"], {"item": 2}, "no column at position 2 for the item; its 2 columns are 0 to 1"),
        (["user", "item"], {"user": 0, "item": 0}, "'user' was named for two"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(columns: list[str], given: dict[str, str | int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_columns(columns, ROLES | given, "x")
