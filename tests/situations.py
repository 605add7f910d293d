"""Situations of logs: files as people have them, what is asked for, and what is right."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recodiff.data import read_log
from recodiff.errors import DataError

T = 1_387_670_400


@dataclass(frozen=True)
class Case:
    """A situation: what lies there, what is asked for, and what is right.

    Args:
        name: kind and situation.
        files: name -> content; of several files the folder is read.
        right: rows of `columns`, or a regular expression that the refusal matches.
        options: of `read_log`.
        columns: which to compare.
        told: a regular expression that a warning matches; no warning may be there unless given.
    """

    name: str
    files: Mapping[str, str | bytes]
    right: list[tuple] | str
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: str = "user item"
    told: str | None = None

    def check(self, folder: Path) -> None:
        """Read the log, and compare it with what is right."""
        source = self.source(folder)
        if isinstance(self.right, str):
            with pytest.raises(DataError, match=self.right) as caught:
                read_log(source, **self.options)
            assert "\n" not in str(caught.value)
            return
        log = read_log(source, **self.options)
        assert log.frame.select(self.columns.split()).rows() == self.right
        assert log.reading is not None
        if self.told is None:
            assert not log.reading.warnings
        else:
            assert any(re.search(self.told, warning) for warning in log.reading.warnings)

    def source(self, folder: Path) -> Path:
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder if len(self.files) > 1 else folder / next(iter(self.files))


def parquet(**columns: Any) -> bytes:
    pl.DataFrame(columns).write_parquet(file := BytesIO())
    return file.getvalue()


def array(*pairs: tuple[int, int]) -> bytes:
    np.save(file := BytesIO(), np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return file.getvalue()


def lines(*objects: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in objects)


UIWT, UIT, UIP = "user item weight time", "user item time", "user item part"
