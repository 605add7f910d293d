"""A model as it is served knows ids as the library does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.serving.served import Served, load_served, plain_text

IDS = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.integers(95, 130),
    st.integers(95, 130).map(str),
    st.integers(0, 30).map(lambda n: f"item-{n}"),
    st.sampled_from(["007", "+104", "104.0", " 104", "1_04", "１０４", "-0", "0", "", "item-01", "1e2", "9" * 19, "9" * 30]),
    st.text(max_size=4),
)


@pytest.fixture(scope="module")
def both(runs: dict[str, Path]) -> list[Served]:
    return [load_served(name, runs[name]) for name in ("ease", "text")]


@given(ids=st.lists(IDS, max_size=6))
def test_positions_are_those_of_the_id_map(both: list[Served], ids: list[int | str]) -> None:
    for served in both:
        one_by_one = [int(served.model.items.positions([item], unknown="mark")[0]) for item in ids]
        assert served.positions(ids) == one_by_one


def test_text_is_compared_without_case_accents_and_punctuation() -> None:
    assert plain_text("  L'Été — à PARIS_(1998)!") == "l ete a paris 1998"
    assert plain_text("Straße") == "strasse"
    assert plain_text("千与千寻") == "千与千寻"
