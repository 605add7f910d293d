"""Copies of served models that several workers map."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recodiff.serving.copies import Copies


def test_what_two_threads_note_is_kept(tmp_path: Path) -> None:
    """One counts the starts of workers while another says which newer models are refused."""
    copies = Copies(tmp_path)

    def note(key: str) -> list[int]:
        seen = []
        for count in range(200):
            copies.note(**{key: count})
            seen.append(copies.noted()[key])
        return seen

    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(note, ("starts", "refused"))] == [[*range(200)]] * 2
