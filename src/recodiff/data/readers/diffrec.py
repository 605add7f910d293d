"""The release of DiffRec: `train_list.npy`, `valid_list.npy` and `test_list.npy`, pairs of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.reader import Options, Reader
from recodiff.errors import DataError
from recodiff.runtime import files

RELEASE_FILES = {part: f"{part}_list.npy" for part in ("train", "test", "valid")}  # in the order of time


class DiffRec(Reader):
    """A folder with three arrays of (user, item)."""

    name = "diffrec"

    def recognise(self, path: Path) -> Sequence[Path]:
        """The folder itself."""
        return [path] if (path / RELEASE_FILES["train"]).exists() else []

    def read(self, files: Sequence[Path], options: Options) -> Raw:
        """See `read_release`."""
        return Raw.clean(read_release(files[0]), files[0].name, "order")


def read_release(folder: Path) -> pl.DataFrame:
    """A DiffRec release folder: columns `user`, `item`, `part` and `time`, a rank within the user.

    The order of a user's rows is the order in time, and the part called test lies **between** train and valid. Both are
    verified for the two ML-1M sets and assumed for the others.

    Raises:
        DataError: a file is missing or damaged, or holds anything but pairs of whole numbers from 0 on.
    """
    pieces = []
    for part, name in RELEASE_FILES.items():
        pairs = _pairs(folder / name)
        pieces.append(pl.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1]}).with_columns(part=pl.lit(part)))
    return pl.concat(pieces).with_columns(time=pl.int_range(pl.len(), dtype=pl.Int64).over("user"))


def _pairs(path: Path) -> np.ndarray:
    try:
        pairs = files.read_array(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; a release folder holds {', '.join(RELEASE_FILES.values())}") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} is no whole array of numbers ({str(error).splitlines()[0]}); fetch it again") from None
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise DataError(f"{path} holds {pairs.dtype} {list(pairs.shape)}, not whole numbers [n, 2] = (user, item); fetch it again")
    negative = np.flatnonzero((pairs < 0).any(axis=1))
    if len(negative):
        raise DataError(
            f"{path}, row {negative[0]}: {pairs[negative[0]].tolist()} holds a negative number; users and items count from 0"
        )
    if len(pairs) and pairs.max() >= 2**31:
        raise DataError(f"{path} holds the number {pairs.max()}, too high for a position; users and items count from 0")
    return pairs.astype(np.int64)
