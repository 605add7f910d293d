"""A folder beside an output for what does not fit in memory: tables that are read by pieces, and DuckDB, which sorts there.

It is removed when its command ends, and after a kill by the next command that writes the same output.
"""

from __future__ import annotations

import errno
import glob
import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.errors import ConfigError, DataError, MissingExtraError
from recodiff.runtime.folders import held
from recodiff.runtime.spill_folder import SPILLED, remove_spill, spill_of

SIZE_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", re.IGNORECASE)
LEAST_MEMORY = 512 * 10**6
"""A bound below this leaves nothing beside what the libraries themselves take."""
LIBRARIES = 250 * 10**6
"""Bytes that Python, polars and DuckDB take whatever the data."""
ROW_BYTES = 400
"""Bytes that a row of a piece may take while it is worked on."""
FEWEST_ROWS, MOST_ROWS = 1000, 2_000_000
"""Rows of a piece, at least and at most; more at once are not faster."""


def bytes_of(text: str | int) -> int:
    """The bytes that a size in words means.

    Args:
        text: such as `2GB` (10^9 bytes each), `500 MB` or `1.5GiB` (2^30 bytes each), or bytes.

    Raises:
        ConfigError: it is no size, or less than `LEAST_MEMORY`.
    """
    match = SIZE.fullmatch(str(text))
    if match is None:
        raise ConfigError(f"memory={text!r} is no size; write it as 2GB or 800MB")
    size = int(float(match[1]) * SIZE_UNITS[match[2].upper()])
    if size < LEAST_MEMORY:
        raise ConfigError(
            f"memory={text!r} is less than {LEAST_MEMORY // 10**6} MB, which the program itself needs; give at least that"
        )
    return size


@dataclass(frozen=True)
class Spill:
    """A folder for pieces of tables, and how much memory the work on them may take.

    Args:
        folder: which is there, and goes with the command.
        memory: bytes in all.
    """

    folder: Path
    memory: int
    _count: Iterator[int] = field(default_factory=itertools.count)

    @property
    def rows(self) -> int:
        """Rows of a piece."""
        return max(FEWEST_ROWS, min(MOST_ROWS, (self.memory - LIBRARIES) // ROW_BYTES))

    def file(self, ending: str) -> Path:
        """A new name in the folder.

        Args:
            ending: of the name.
        """
        return self.folder / f"{next(self._count)}{ending}"

    def keep(self, table: pl.LazyFrame) -> pl.LazyFrame:
        """A copy of a table, which streams.

        Args:
            table: read once, by pieces.

        Raises:
            PolarsError: it cannot be read or written.
        """
        path = self.file(".parquet")
        table.sink_parquet(path, compression="lz4", row_group_size=100_000)
        return pl.scan_parquet(path, glob=False)

    def keep_alone(self, table: pl.LazyFrame) -> pl.LazyFrame:
        """Keep a copy, after which all other files of the folder go; see `keep`.

        Args:
            table: as for `keep`.

        Raises:
            PolarsError: as for `keep`.
        """
        before = [path for path in self.folder.iterdir() if path.name != SPILLED]
        kept = self.keep(table)
        for path in before:
            path.unlink()
        return kept

    def batches(self, table: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        """The rows of a table by pieces, in their order.

        Args:
            table: one that streams.
        """
        yield from table.collect_batches(chunk_size=self.rows, maintain_order=True)

    def sort(self, files: list[Path], by: list[str], columns: list[str]) -> pl.LazyFrame:
        """The rows of Parquet files in another order, which DuckDB makes within the bound.

        Args:
            files: with the same columns.
            by: columns, the first deciding first; no two rows have equal values in all of them.
            columns: to keep.

        Raises:
            MissingExtraError: DuckDB is not installed.
            DataError: the disk is full, or the bound too small.
        """
        path, duckdb = self.file(".parquet"), _duckdb()
        listed = ", ".join(_quoted(glob.escape(str(file))) for file in files)  # DuckDB reads a path as a pattern
        statement = (
            f"COPY (SELECT {', '.join(columns)} FROM read_parquet([{listed}]) ORDER BY {', '.join(by)}) "
            f"TO {_quoted(path)} (FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE 100000)"
        )
        try:
            with duckdb.connect() as database:
                for name, value in self._limits().items():
                    database.execute(f"SET {name} = {value}")
                database.execute(statement)
        except duckdb.Error as error:
            raise self.failed(error) from None
        return pl.scan_parquet(path, glob=False)

    def _limits(self) -> dict[str, str]:
        own = self.folder / "duckdb"
        return {
            "memory_limit": f"'{(self.memory - LIBRARIES) // 10**6}MB'",
            "temp_directory": _quoted(own),
            "preserve_insertion_order": "true",
            "enable_progress_bar": "false",
        }

    def failed(self, error: Exception) -> DataError:
        """The sentence for what stopped the work.

        Args:
            error: of a library, or of the system.
        """
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        free = shutil.disk_usage(self.folder).free
        if is_full(error):
            return DataError(
                f"the disk of {self.folder.parent} is full ({free:,} bytes are free): the rows are kept there while they are "
                "prepared within a bound; make room, or choose an output on another disk"
            )
        if "memory" in said.lower():
            return DataError(f"memory={self.memory:,} bytes are too few for these rows ({said}); give more with memory= (--memory)")
        return DataError(f"cannot keep rows in {self.folder} ({said})")


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that a disk is full.

    Args:
        error: of any library, or of the system.
    """
    number = getattr(error, "errno", None)
    words = ("No space left", "disk quota", "os error 28", "max_temp_directory_size", "File too large")
    return number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(word.lower() in str(error).lower() for word in words)


@contextmanager
def spilling(out: Path, memory: str | int) -> Iterator[Spill]:
    """A folder to spill to, beside an output that is held meanwhile.

    Args:
        out: the folder that is written.
        memory: as for `bytes_of`.

    Raises:
        ConfigError: it is no size.
        DataError: the folder cannot be made, or the disk becomes full.
        CheckpointError: another command holds the output.
        MissingExtraError: DuckDB is not installed.
    """
    size, out = bytes_of(memory), Path(out).expanduser().resolve()
    _duckdb()
    try:
        with held(out):
            folder = spill_of(out)
            folder.mkdir(exist_ok=True)
            if any(folder.iterdir()):
                raise DataError(
                    f"'{folder}' is not of this program, and the rows are to be kept there; move it, or choose another folder"
                )
            (folder / SPILLED).touch()
            spill = Spill(folder, size)
            try:
                yield spill
            except (OSError, pl.exceptions.PolarsError) as error:
                raise spill.failed(error) from error
            except DataError as error:
                if is_full(error):
                    raise spill.failed(error) from error
                raise
            finally:
                remove_spill(folder)
    except OSError as error:
        raise DataError(f"cannot write beside {out} ({error.strerror or error}); choose another folder") from error


def _duckdb() -> Any:
    try:
        import duckdb
    except ModuleNotFoundError:
        raise MissingExtraError('preparing within a bound needs DuckDB; get it with pip install "recodiff[large]"') from None
    return duckdb


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"
