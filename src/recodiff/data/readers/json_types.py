"""Types of JSON values that text does not show: every line counts, not the first ones alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.readers.lines import read_lines
from recodiff.errors import DataError

_DIGITS = 16
_BEYOND = rf"^-?[0-9]{{{_DIGITS},}}$"
_ODD = r"^(?:\[.*\]|\{.*\}|true|false)$"


def check_types(frame: pl.DataFrame, names: Mapping[str, str], source: str, content: Path | bytes) -> None:
    """Refuse a list, an object or a boolean among ids and times that are none, and ids that were merged as floats.

    Args:
        frame: columns by role, as text.
        names: role -> field, `outer.inner` where it lies deeper.
        source: what messages call the file.
        content: its JSON lines.

    Raises:
        DataError: such a value; its line is named.
    """
    lines: pl.Series | None = None
    for role in ("user", "item", "time"):
        if role not in frame.columns:
            continue
        cells = frame[role].explode() if isinstance(frame[role].dtype, pl.List) else frame[role]
        for form in _forms(cells, role):
            if cells.str.contains(form).any():
                lines = read_lines(content, source).drop_nulls() if lines is None else lines
                for row in _suspects(frame[role], lines, form, names[role]):
                    _check(json.loads(lines[row]), names[role], frame[role].dtype, lambda row=row: _place(content, source, row))


def _forms(cells: pl.Series, role: str) -> tuple[str, ...]:
    """The forms that some cells may have; those of most logs have none, and are not searched."""
    numbers = cells.cast(pl.Int64, strict=False)
    if numbers.null_count() > cells.null_count():
        odd = cells.str.starts_with("[") | cells.str.starts_with("{") | cells.is_in(("true", "false"))
        beyond = (cells.str.len_bytes() >= _DIGITS).any()
    else:
        odd, beyond = pl.Series([False]), numbers.abs().max() >= 2**53 if numbers.count() else False  # type: ignore[operator]
    return (*((_ODD,) if odd.any() else ()), *((_BEYOND,) if beyond and role != "time" else ()))


def _check(found: Mapping[str, Any], name: str, kind: pl.DataType, place: Callable[[], str]) -> None:
    """Refuse the object of a line whose field is not what its text seems to be."""
    value = _value(found, name)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool):
            raise DataError(f"{place()}: {name} is {_short(value)}, neither a number nor text; leave the line out, or give an id")
        if isinstance(one, dict):
            raise DataError(f"{place()}: {name} is {_short(value)}, an object, and no number or text; name a field in it")
        if isinstance(one, float) and abs(one) >= 2**53:
            raise DataError(
                f"{place()}: {name} is {_short(value)}, a float from 2^53 on, and different ids may be equal as such; "
                "write whole numbers or text"
            )
    if isinstance(value, list):
        refuse_other_kinds(found, {name: kind}, place())


def refuse_other_kinds(found: Mapping[str, Any], kinds: Mapping[str, Any], place: str) -> None:
    """Refuse an object in which a field is a list and not a value, or the other way round.

    Args:
        found: the object of a line.
        kinds: field -> its type in the first lines, as polars has it.
        place: file and line, for the message.

    Raises:
        DataError: it is of another kind.
    """
    for name, kind in kinds.items():
        value = _value(found, name)
        if value is not None and isinstance(value, list) != isinstance(kind, pl.List):
            usual = "a list" if isinstance(kind, pl.List) else "one value"
            raise DataError(f"{place}: {name} is {_short(value)}, and {usual} in the first lines; give the field one type")


def _suspects(column: pl.Series, lines: pl.Series, form: str, name: str) -> list[int]:
    """Rows whose text may be what a form says; floats are looked for where the line may hold one."""
    texts = column.list.join(" ").str.contains(form.strip("^$")) if column.dtype != pl.String else column.str.contains(form)
    if form == _BEYOND:
        inner = re.escape(json.dumps(name.rsplit(".", 1)[-1]))
        texts &= lines.str.contains(rf"{inner}\s*:\s*\[?[^\]]*?[0-9](?:\.[0-9]|[eE])") if len(lines) == len(column) else True
    return texts.fill_null(False).arg_true().to_list()


def _value(found: Mapping[str, Any], name: str) -> Any:
    if name in found:
        return found[name]
    outer, _, inner = name.partition(".")
    deep = found.get(outer)
    return deep.get(inner) if isinstance(deep, dict) else None


def _short(value: Any) -> str:
    return json.dumps(value)[:60]


def _place(content: Path | bytes, source: str, row: int) -> str:
    return f"{source}, line {int(read_lines(content, source).is_not_null().arg_true()[row]) + 1}"
