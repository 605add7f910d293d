"""JSON: one object a line, or one array of objects; fields may lie one level deep."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.readers.columns import KNOWN, Raw, find_columns, labels_of, plain
from recodiff.data.readers.contents import WHOLE, start_of, unzipped
from recodiff.data.readers.json_types import check_types, refuse_other_kinds
from recodiff.data.readers.lines import first_lines, read_lines
from recodiff.data.readers.parts import Piece, ending, pieces_in
from recodiff.data.readers.places import columns_of
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.titles import renamed
from recodiff.errors import DataError
from recodiff.runtime import files

BOM = b"\xef\xbb\xbf"
ENDINGS = (".jsonl", ".ndjson", ".json")
TEXT_ENDINGS = (".txt", ".csv", ".tsv", ".dat", ".log", ".data", "")
_OBJECT = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[?\s*\{\s*"(?:[^"\\]|\\.)*"\s*:')
_START = 4096
_PIECE, _PIECES = 1 << 12, 32
"""Bytes that are looked at in so many places of a file for fields that its first lines have not."""
REVIEWS = {"yelp_academic_dataset_review.json": "yelp_academic_dataset_business.json"}
"""File of interactions -> file of titles, of data sets that have several files."""


class JsonLines(Reader):
    """Objects whose fields are columns; `{"user": {"id": 1}}` has a column `user.id`."""

    name = "json"

    def recognise(self, path: Path) -> Sequence[Piece]:
        """A file with one of the endings, or a text of objects; of a folder the one, the pieces, the parts, or a known name."""
        if not path.is_dir():
            return (
                [Piece(path)] if ending(path) in ENDINGS or (ending(path) in TEXT_ENDINGS and _begins_with_an_object(path)) else []
            )
        return [Piece(path / name) for name in REVIEWS if (path / name).exists()][:1] or pieces_in(path, ENDINGS)

    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """The fields that have a role, all values as text (lists of items as lists of texts)."""
        read = []
        for piece in pieces:
            with files.reading(piece.path, DataError, WHOLE):
                read.append(_read(piece.path, options))
        return Raw.joined(read, [piece.part for piece in pieces], pieces[0].path.name)

    def title_files(self, file: Path) -> Sequence[str]:
        """The titles of a known data set."""
        return [REVIEWS[file.name]] if file.name in REVIEWS else []

    def has_titles(self, path: Path) -> bool:
        """A file with one of the endings, or a text that begins with an object."""
        return bool(self.recognise(path))

    def titles(self, path: Path, *, drop_long: bool = False) -> pl.DataFrame:
        """The fields of the objects that are no objects or lists themselves."""
        content, sample = _opened(path)
        flat = _flat(sample)
        columns = [name for name in flat if not any(isinstance(value, list) for value in flat[name])]
        return _collected(path, content, renamed(columns, path.name), sample)


def _read(path: Path, options: Options) -> Raw:
    content, sample = _opened(path)
    values = _flat(sample)
    if options.given.get("time") is None and not any(plain(name) in KNOWN["time"] for name in values):
        there = {name for name, found in values.items() if any(value is not None for value in found)}
        sample = [*sample, *_later(content, there)]
        values = _flat(sample)
    columns = list(values)
    roles = find_columns(columns, options.given, path.name)
    frame = _collected(path, content, roles, sample)
    check_types(frame, roles, path.name, content)
    unread = [name for name in columns if name not in roles.values()]
    texts = {name: [[str(value)] for value in values[name] if isinstance(value, str | int | float)] for name in unread}
    times = [name for name, rows in texts.items() if rows and columns_of(rows)[0].kind == "time"]
    silent = options.given.get("time") is not None
    return Raw(
        frame,
        path.name,
        roles,
        lambda row: _place(content, path.name, row),
        is_text=True,
        labels=labels_of(columns, roles),
        unread=tuple(unread),
        lines=frame.height,
        moments=() if silent else tuple(times),
    )


def _begins_with_an_object(path: Path) -> bool:
    try:
        return _OBJECT.match(start_of(path, _START)) is not None
    except (DataError, OSError):  # said better by the reader of texts
        return False


def _opened(path: Path) -> tuple[Path | bytes, list[dict[str, Any]]]:
    """The content as JSON lines, and the first objects.

    Raises:
        DataError: the first lines are no JSON objects.
    """
    lines = first_lines(path)
    if lines[0].lstrip().startswith("["):
        return _from_array(path)
    if len(lines) > 1 and lines[0].strip() == "{":
        raise DataError(f"{path.name} holds one JSON value over many lines; write one object a line (JSON lines)")
    sample = [_object(line, number, path.name) for number, line in enumerate(lines, 1)]
    content = unzipped(path)
    start = content[: len(BOM)] if isinstance(content, bytes) else start_of(path, len(BOM))
    if start == BOM:  # polars takes it for a letter
        content = (content if isinstance(content, bytes) else content.read_bytes()).removeprefix(BOM)
    return content, sample


def _from_array(path: Path) -> tuple[bytes, list[dict[str, Any]]]:
    content = unzipped(path)
    try:
        objects = json.loads(content if isinstance(content, bytes) else content.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name} is no JSON ({error}); write one object a line (JSON lines)") from None
    if not objects or not all(isinstance(one, dict) for one in objects):
        raise DataError(f"{path.name} holds no objects in its array; give objects such as {{'user': 1, 'item': 2}}")
    return "\n".join(json.dumps(one) for one in objects).encode(), objects[:200]


def _object(line: str, number: int, name: str) -> dict[str, Any]:
    value = _object_of(line)
    if not isinstance(value, dict):
        raise DataError(f"{name}, line {number}: {line[:60]!r} is no JSON object; write one object a line, with double quotes")
    return value


def _flat(objects: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Field -> its values, nested ones under `outer.inner`."""
    found: dict[str, list[Any]] = {}
    for one in objects:
        for name, value in one.items():
            inner = {f"{name}.{key}": deep for key, deep in value.items()} if isinstance(value, dict) else {name: value}
            for key, deep in inner.items():
                found.setdefault(key, []).append(deep)
    return found


def _later(content: Path | bytes, known: Set[str]) -> list[dict[str, Any]]:
    """Fields of objects from all over the lines that are not known yet: a time may begin late."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    found = []
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        for place in range(0, size, max(_PIECE, size // _PIECES)):
            file.seek(max(0, min(place, size - _PIECE)))
            lines = file.read(_PIECE).decode("utf-8", errors="ignore").splitlines()
            found += [_object_of(line) for line in lines[1:-1]]  # the first and the last may be cut
        file.seek(max(0, size - _PIECE))
        found += [_object_of(line) for line in file.read().decode("utf-8", errors="ignore").splitlines()[1:]]
    objects = [one for one in found if isinstance(one, dict)]
    return [{name: value for name, value in one.items() if _flat([{name: value}]).keys() - known} for one in objects]


def _object_of(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _collected(path: Path, content: Path | bytes, names: Mapping[str, str], sample: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Some fields (new name -> name), as text."""
    values = _flat(sample)
    kinds = {
        name: pl.List(pl.String) if any(isinstance(one, list) for one in values[name]) else pl.String for name in names.values()
    }
    deep = {f"{outer}.{inner}" for one in sample for outer, value in one.items() if isinstance(value, dict) for inner in value}
    nested = deep & kinds.keys()  # a field may have a point in its own name
    schema: dict[str, Any] = {name: kind for name, kind in kinds.items() if name not in nested}
    for outer in dict.fromkeys(name.split(".", 1)[0] for name in names.values() if name in nested):
        schema[outer] = pl.Struct({name.split(".", 1)[1]: kinds[name] for name in nested if name.split(".", 1)[0] == outer})
    columns = {
        new: pl.col(name.split(".", 1)[0]).struct.field(name.split(".", 1)[1]) if name in nested else pl.col(name)
        for new, name in names.items()
    }
    try:
        return pl.scan_ndjson(content, schema=schema).select(column.alias(new) for new, column in columns.items()).collect()
    except pl.exceptions.PolarsError as error:
        lines = read_lines(content, path.name)
        for row, line in enumerate(lines.to_list()):
            if line:
                refuse_other_kinds(_object(line, row + 1, path.name), kinds, f"{path.name}, line {row + 1}")
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path.name} cannot be read as JSON lines ({reason}); give each field one type") from None


def _place(content: Path | bytes, name: str, row: int) -> str:
    """The line of a row; blank lines are no rows."""
    return f"line {int(read_lines(content, name).is_not_null().arg_true()[row]) + 1}"
