"""Delimited text: CSV, TSV and the like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.tables import open_table, read_delimited

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".data")


class DelimitedText(Reader):
    """One interaction a line, fields between separators."""

    name = "table"
    quoted: ClassVar[bool] = True

    def recognise(self, path: Path) -> Sequence[Path]:
        """Any file; of a folder its one text file."""
        if not path.is_dir():
            return [path]
        aside = ("items", "users", "readme")
        texts = [file for file in sorted(path.iterdir()) if file.suffix in ENDINGS and file.stem.lower() not in aside]
        return texts if len(texts) == 1 else []

    def read(self, files: Sequence[Path], options: Options) -> Raw:
        """The columns that have a role, all values still text."""
        text = open_table(
            files[0], separator=options.separator, header=options.header, encoding=options.encoding, quoted=self.quoted
        )
        return read_delimited(files[0], options.given, text, drop_long=options.on_bad_rows == "drop")
