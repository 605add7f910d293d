"""Rows that benchmarks keep in JSON files: what is there is not measured again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recodiff.runtime import files


class SavedRows:
    """The rows of a file, each told from the others by some of its values.

    Args:
        path: a JSON list; begun with the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[dict[str, Any]]:
        """As they stand in the file now, to which an earlier run may have added. Two at a time may lose a row."""
        return json.loads(self.path.read_text("utf-8")) if self.path.exists() else []

    def has(self, told: Mapping[str, Any]) -> bool:
        """Whether some row has these values."""
        return any(told.items() <= row.items() for row in self.rows())

    def put(self, row: Mapping[str, Any], instead_of: Mapping[str, Any], order: tuple[str, ...] = ()) -> None:
        """Writes a row in place of those that have certain values.

        Args:
            row: what was measured.
            instead_of: rows with these values go.
            order: keys by which all rows are sorted; as they came, unless given.
        """
        rows = [*(old for old in self.rows() if not instead_of.items() <= old.items()), dict(row)]
        if order:
            rows.sort(key=lambda one: tuple(one[key] for key in order))
        files.write_text(self.path, json.dumps(rows, indent=1) + "\n")
