"""Lines of text files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recodiff.data.readers.contents import WHOLE, refuse_other_than_text, start_of, unzipped
from recodiff.data.readers.tables import in_memory
from recodiff.errors import ConfigError, DataError
from recodiff.runtime import files

# A control character that no sane text holds makes a line one field.
_LINE = "\x1e"
_SAMPLE_BYTES, _SAMPLE_LINES = 1 << 16, 200
NOT_UTF8 = "{} is not UTF-8; give its encoding, for example encoding='latin-1', or convert the file"


def lines_of(content: Path | bytes, name: str, *, strip: bool = True) -> pl.LazyFrame:
    """The lines of a text in a column `line`, lazily; null where empty.

    Args:
        content: a file, or its bytes.
        name: what messages call the text.
        strip: whether white space at both ends goes.

    Raises:
        DataError: the text is not UTF-8, or damaged.
    """
    if isinstance(content, Path):
        content = unzipped(content)
    scan = pl.scan_csv(content, has_header=False, separator=_LINE, quote_char=None, infer_schema=False, glob=False)
    try:
        first = scan.collect_schema().names()[0]
    except pl.exceptions.NoDataError:
        return pl.LazyFrame({"line": []}, schema={"line": pl.String})
    except pl.exceptions.ComputeError:
        raise DataError(NOT_UTF8.format(name)) from None
    return scan.select((pl.col(first).str.strip_chars() if strip else pl.col(first)).alias("line"))


def read_lines(content: Path | bytes, name: str, *, strip: bool = True) -> pl.Series:
    """The lines of a text; null where empty.

    Args:
        content: as for `lines_of`.
        name: as for `lines_of`.
        strip: as for `lines_of`.

    Raises:
        DataError: the text is not UTF-8, or damaged.
    """
    try:
        return in_memory(lines_of(content, name, strip=strip)).to_series()
    except pl.exceptions.ComputeError:
        raise DataError(NOT_UTF8.format(name)) from None


def first_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The first lines of a text that are not blank.

    Args:
        path: of the file.
        encoding: its name.

    Raises:
        DataError: the file is empty, damaged, no text, or no file (a pipe, a folder).
        ConfigError: the encoding is unknown.
    """
    with files.reading(path, DataError, WHOLE):
        start = start_of(path, _SAMPLE_BYTES)
    if not encoding.lower().startswith(("utf-16", "utf_16", "utf16", "utf-32")):
        refuse_other_than_text(path, start)
    try:
        lines = start.decode(encoding, errors="ignore").removeprefix("\ufeff").splitlines()
    except LookupError:
        raise ConfigError(f"encoding {encoding!r} is unknown; utf-8 and latin-1 are the usual ones") from None
    lines = lines[:-1] if len(start) == _SAMPLE_BYTES and len(lines) > 1 else lines  # the last one may be cut
    lines = [line for line in lines if line.strip()][:_SAMPLE_LINES]
    if not lines:
        raise DataError(f"{path.name} is empty; give a file with one interaction a line")
    return lines
