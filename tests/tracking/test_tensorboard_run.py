"""What TensorBoard itself reads of a tracked training, study and comparison."""

from __future__ import annotations

import errno
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from recodiff.errors import RecodiffWarning
from tracking.conftest import train_tracked, tune_and_compare

pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install 'recodiff[tensorboard]'")


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_a_training(clicks: Path, tmp_path: Path) -> None:
    train_tracked(clicks, tmp_path, "tensorboard")
    found = read(tmp_path / "tensorboard" / "diffrec-on-clicks-seed-0")
    assert [event.step for event in found.Scalars("loss")] == [1, 2, 3]
    assert [event.step for event in found.Scalars("recall@20")] == [1, 2, 3]
    assert {"result/valid/recall@20", "result/seconds", "result/parameters"} <= set(found.Tags()["scalars"])
    (card,) = found.Tensors("README.md/text_summary")
    assert card.tensor_proto.string_val[0].decode().startswith("# DiffRec on clicks")
    assert "_hparams_/experiment" in found.summary_metadata


def test_a_study_and_a_comparison(clicks: Path, tmp_path: Path) -> None:
    tune_and_compare(clicks, tmp_path, "tensorboard")
    study = tmp_path / "t" / "tensorboard" / "tune-ease-on-clicks"
    assert read(study / "trial-0").Scalars("result/recall@20")[0].value <= read(study).Scalars("result/recall@20")[0].value + 1e-6
    assert (study / "trial-1").is_dir()
    compared = tmp_path / "c" / "tensorboard" / "compare-on-clicks"
    assert {path.name for path in compared.iterdir() if path.is_dir()} == {"popularity-seed-1", "ease-seed-1"}
    assert "result/test/recall@20" in read(compared / "ease-seed-1").Tags()["scalars"]
    assert "compare.md/text_summary" in read(compared).Tags()["tensors"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # TensorBoard's writer is a thread
def test_a_disk_that_is_full_ends_the_tracking_and_not_the_training(
    clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    really, writes = RecordWriter.write, count()

    def full(writer: RecordWriter, data: bytes) -> None:
        if next(writes) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(writer, data)

    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.warns(RecodiffWarning, match="tensorboard takes nothing more of this run"):
        train_tracked(clicks, tmp_path, "tensorboard")
    assert (tmp_path / "config.json").exists()
