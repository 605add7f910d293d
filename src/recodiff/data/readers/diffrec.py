"""The release of DiffRec: `train_list.npy`, `valid_list.npy` and `test_list.npy`, pairs of whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.parts import Piece
from recodiff.data.readers.reader import Options, PartOrder, Reader
from recodiff.errors import ConfigError, DataError
from recodiff.runtime import files

RELEASE_FILES = {part: f"{part}_list.npy" for part in ("train", "valid", "test")}
RELEASED = {
    (5_949, 2_810, 571_531): "ml-1m_clean",
    (5_949, 3_494, 618_297): "ml-1m_noisy",
    (54_574, 34_395, 1_402_736): "yelp_clean",
    (108_822, 94_949, 3_146_256): "amazon-book_clean",
}
"""Users, items and interactions of a release in which the part called test lies **between** train and valid in time.

Verified for the two ML-1M sets and assumed for the others.
"""
_LABELS = {"user": "the first number of each pair", "item": "the second number of each pair", "part": "the names of the files"}
_IN_TIME = {"valid-test": ("train", "valid", "test"), "test-valid": ("train", "test", "valid")}


class DiffRecRelease(Reader):
    """A folder with three arrays of (user, item)."""

    name = "diffrec"

    def recognise(self, path: Path) -> Sequence[Piece]:
        """The folder itself."""
        return [Piece(path)] if (path / RELEASE_FILES["train"]).exists() else []

    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """See `read_release`."""
        frame, order = read_release(pieces[0].path, options.part_order)
        labels = _LABELS | {"time": f"the order of rows, in {', then '.join(order)}"}
        return Raw.clean(frame, pieces[0].path.name, labels, time_kind="order")


def read_release(folder: Path, part_order: PartOrder = "auto") -> tuple[pl.DataFrame, Sequence[str]]:
    """A DiffRec release folder: columns `user`, `item`, `part` and `time`, a rank within the user; and the parts in time.

    The order of a user's rows is the order in time.

    Args:
        folder: the three arrays.
        part_order: which of valid and test is the later; `auto` takes test for the later, but for the known releases.

    Raises:
        DataError: a file is missing or damaged, or holds anything but pairs of whole numbers from 0 on.
        ConfigError: the order is unknown.
    """
    if part_order not in ("auto", *_IN_TIME):
        raise ConfigError(f"part_order={part_order!r} is unknown; choose one of auto, {', '.join(_IN_TIME)}")
    arrays = {part: _pairs(folder / name) for part, name in RELEASE_FILES.items()}
    order = _IN_TIME["test-valid" if part_order == "auto" and _is_released(arrays) else part_order.replace("auto", "valid-test")]
    pieces = [
        pl.DataFrame({"user": arrays[part][:, 0], "item": arrays[part][:, 1]}).with_columns(part=pl.lit(part)) for part in order
    ]
    return pl.concat(pieces).with_columns(time=pl.int_range(pl.len(), dtype=pl.Int64).over("user")), order


def _is_released(arrays: Mapping[str, np.ndarray]) -> bool:
    rows = [array for array in arrays.values() if len(array)]
    users, items = (1 + max((int(array[:, column].max()) for array in rows), default=0) for column in (0, 1))
    return (users, items, sum(len(array) for array in rows)) in RELEASED


def _pairs(path: Path) -> np.ndarray:
    if not path.exists():
        raise DataError(f"{path} is missing; a release folder holds {', '.join(RELEASE_FILES.values())}")
    with files.reading(path, DataError, "fetch it again"):
        pairs = files.read_array(path)
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
