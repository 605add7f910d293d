"""Items shared among processes, as one process can tell: refusals, files written in pieces. Two processes: `test_distributed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recodiff import Run, build
from recodiff.errors import ConfigError, ModelError
from recodiff.models.network import TorchRecommender
from recodiff.runtime import distributed, files
from recodiff.tensors.sharding import Shard
from recodiff.training import memory
from toy import checkerboard

HALF = Shard(0, 10, 20, lambda x: x, lambda x: x)
HIDDEN = {"diffusion": {"space": "hidden"}, "denoiser": {"hidden": [4]}}


def sharing(settings: dict[str, Any], name: str = "diffrec", its: Shard | None = HALF) -> TorchRecommender:
    model = build(name, settings | {"training": {"epochs": 2}})
    assert isinstance(model, TorchRecommender)
    model.shard = its
    return model


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        (
            "diffrec",
            {"diffusion": {"space": "dense"}, "denoiser": {"hidden": [4]}},
            r"shard='items' needs diffusion.space",
        ),
        (
            "diffrec",
            {"denoiser": {"hidden": [4], "normalise": True}},
            r"cannot train this model: it needs denoiser.normalise=false",
        ),
        ("diffrec", {"denoiser": {"hidden": [25]}}, r"20 items are fewer"),
        ("diffrec", HIDDEN | {"sampling": {"noise_steps": 2}}, r"ranks without noise; set sampling.noise_steps=0"),
        ("diffrec", HIDDEN | {"sampling": {"noise": True}}, r"ranks without noise; set sampling.noise_steps=0"),
    ],
)
def test_settings_that_items_cannot_be_shared_with_are_refused(name: str, settings: dict[str, Any], sentence: str) -> None:
    model = sharing(settings, name)
    with pytest.raises(ConfigError, match=sentence):
        model.build(20, torch.Generator())


@pytest.mark.parametrize("name", ["mf", "ease", "fs-diffrec", "l-diffrec"])
def test_models_that_keep_their_items_whole_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"shard='items' is for diffusion on rows .*, and '{name}' .* leave shard out"):
        build(name).fit(checkerboard(20), Run(device="cpu", shard="items"))


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="shard = 'rows' is unknown; say 'none' or 'items'"):
        Run(shard="rows")  # pyright: ignore[reportArgumentType]


def test_processes_without_items_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "size", lambda: 4)
    monkeypatch.setattr(distributed, "process_rank", lambda: 3)
    with pytest.raises(ConfigError, match="5 items leave some of 4 processes without any; start fewer"):
        distributed.shard(5)
    found = distributed.shard(10)
    assert found is not None
    assert (found.start, found.stop) == (9, 10)


def test_one_process_trains_as_it_always_did() -> None:
    states = [
        sharing(HIDDEN, its=None).fit(checkerboard(20), Run(device="cpu", progress=False, shard=shard)).state()
        for shard in ("none", "items")
    ]
    for name, tensor in states[0].items():
        assert torch.equal(states[1][name], tensor)


def test_memory_counts_the_items_that_are_here() -> None:
    half, whole = (
        memory.estimate(sharing(HIDDEN, its=its), checkerboard(20), torch.device("cpu"), validated=True) for its in (HALF, None)
    )
    assert half is not None
    assert whole is not None
    own = 4 * 10 * (2 * 4 + 1)  # of W, V and c
    assert whole.parameters - half.parameters == own
    assert (whole.optimizer - half.optimizer, whole.best - half.best) == (3 * own, own)


def test_item_vectors_in_slices_are_not_taken_for_all() -> None:
    model = sharing(HIDDEN)
    with pytest.raises(ModelError, match="shared among processes; save the model, and load it in one"):
        model.vectors()


def test_a_file_written_in_pieces_is_the_file(tmp_path: Path) -> None:
    whole = {"step": torch.tensor(3.0), "count": torch.arange(5), "wide": torch.rand(3, 7), "cube": torch.rand(2, 7, 3).double()}
    dims = {"wide": 1, "cube": 1, "count": 0}
    pieces = [files.TensorPiece("step", whole["step"])]
    for name, dim in dims.items():
        parts = whole[name].split(3, dim)
        pieces += [files.TensorPiece(name, part, dim, 3 * number) for number, part in enumerate(parts)]
    files.write_pieces(tmp_path / "pieces", whole, reversed(pieces), {"said": "so"})
    found, note = files.read_tensors(tmp_path / "pieces")
    assert note == {"said": "so"}
    assert found.keys() == whole.keys()
    for name, tensor in whole.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
