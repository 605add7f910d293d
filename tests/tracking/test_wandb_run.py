"""What W&B writes offline of a training, a study and a comparison: its own files, looked through for names and figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracking.conftest import train_tracked, tune_and_compare

pytest.importorskip("wandb", reason="wandb is not installed: pip install 'recodiff[wandb]'")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    return tmp_path / "wandb"


def written(folder: Path) -> list[bytes]:
    """What is in the files once W&B's own process has ended, as it does with the program."""
    import wandb

    wandb.teardown()
    return [path.read_bytes() for path in sorted(folder.glob("offline-run-*/*.wandb"))]


def test_a_training(offline: Path, clicks: Path, tmp_path: Path) -> None:
    train_tracked(clicks, tmp_path / "m", "wandb")
    (content,) = written(offline)
    for words in (
        b"recodiff",
        b"diffrec on clicks, seed 0",
        b"denoiser.hidden",
        b"recall@20",
        b"valid/ndcg@20",
        b"weights.safetensors",
    ):
        assert words in content


def test_a_study_and_a_comparison(offline: Path, clicks: Path, tmp_path: Path) -> None:
    tune_and_compare(clicks, tmp_path, "wandb")
    contents = written(offline)
    assert len(contents) == 3 + 3 + 1, "a study with two trials, a comparison of two runs, and once more without any"
    for words in ("trial 1", "ease, seed 1", "compare.html"):
        assert any(words.encode() in content for content in contents)
