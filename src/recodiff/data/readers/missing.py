"""What programs write where a value is missing."""

from __future__ import annotations

import polars as pl

from recodiff.data.readers.tables import LogTable, ask, every_so_often

MARKS = ("NA", "N/A", "n/a", "NULL", "Null", "null", "None", "none", r"\N", "<NA>", "NaN", "nan", "NaT")
"""Marks that a text loses where it is parsed."""
RARE_MARKS = ("#N/A", "#NULL!", "#VALUE!", "#REF!", "(null)")
"""The same, of Excel and of databases' consoles; looked for only where a text holds `#` or `(null)`, since each mark costs time."""
_OTHERS = (
    *("NONE", "NAN", "Nan", "nat", "NAT", "-nan", "-NaN", "-NAN", "<na>", "<null>", "<NULL>", "(NULL)", "#NA", "#n/a", "#N/A N/A"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "undefined", "Undefined", "UNDEFINED"),
)
"""Further ones, looked for in columns of ids."""
_BESIDE_NUMBERS = ("na", "n.a.", "nil", "missing", "unknown", "void", "?", "-", "--", ".")
"""In any case, marks where all else is numbers: among texts each may be an id."""
AMONG_TEXTS = (*MARKS, *RARE_MARKS, *_OTHERS)
AMONG_NUMBERS = (*AMONG_TEXTS, *dict.fromkeys(each for word in _BESIDE_NUMBERS for each in (word, word.upper(), word.title())))
_EVERY = frozenset(mark.lower() for mark in AMONG_NUMBERS)
_NUMBER = r"^\s*[+-]?\.?[0-9]"
_LOOK, _MOST = 100, 0.8


def is_mark(value: str) -> bool:
    """Tell whether a text may mark a missing value, or is empty.

    Args:
        value: of a cell.
    """
    bare = value.strip().lower()
    return bare == "" or bare in _EVERY


def marks_in(table: LogTable, name: str) -> tuple[str, ...]:
    """The marks that mean a missing value in a column of texts: more of them where all else is numbers.

    Args:
        table: of the log.
        name: of the column.
    """
    some, values = every_so_often(table, name, _LOOK), pl.col(name)
    if not len(some) or some.str.contains(_NUMBER).mean() < _MOST:  # type: ignore[operator]
        return AMONG_TEXTS
    known = values.str.contains(_NUMBER) | values.is_in(AMONG_NUMBERS)
    return AMONG_NUMBERS if ask(table, known.all())[0] else AMONG_TEXTS
