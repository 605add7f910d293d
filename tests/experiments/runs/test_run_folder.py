"""The folder of a run."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from recodiff import Run, prepare
from recodiff.data import synthesise
from recodiff.experiments.runs.run_folder import forget_run
from recodiff.experiments.runs.train import train_run

TINY = {"diffusion": {"steps": 2}, "denoiser": {"hidden": [4]}, "training": {"epochs": 2, "check_every_epochs": 1}}


@pytest.mark.parametrize("name", ["diffrec", "fs-diffrec"])
def test_a_removal_that_was_ended_at_any_file_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings: Any = TINY if name == "diffrec" else {"parts": {"rows": {"settings": TINY}, "sequence": {"share": 0}}}
    whole = tmp_path / "whole"
    train_run(name, settings, prepare(synthesise(40, 60, 500)), Run(device="cpu", progress=False, out=whole), refit=True)
    done, count = False, 0
    for count in range(20):
        out = Path(shutil.copytree(whole, tmp_path / "run"))
        left, unlink = [count], Path.unlink

        def ended(path: Path, left: list[int] = left, unlink: Any = unlink, **how: Any) -> None:
            if not path.name.startswith("."):
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
            unlink(path, **how)

        monkeypatch.setattr(Path, "unlink", ended)
        with suppress(KeyboardInterrupt):
            forget_run(out, name, settings)
        monkeypatch.undo()
        if done := left[0] >= 0:
            assert not out.exists()
            break
        forget_run(out, name, settings)
        assert not out.exists(), count
    assert done
    assert count > 3
