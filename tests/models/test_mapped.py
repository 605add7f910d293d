"""Model folders that are mapped: the same lists, and no memory for the weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from recodiff import Run, build, load_model, recommend, save_model
from recodiff.data import IdMap, Interactions
from recodiff.models.mapped import WEIGHTS_AS_RANKED, copy_to_map, load_mapped

ITEMS = 300
SMALL: dict[str, Any] = {"epochs": 1, "batch_size": 20}
MODELS: dict[str, dict[str, Any]] = {
    "diffrec": {"denoiser": {"hidden": [16]}, "training": SMALL},
    "diffrec-hidden": {"denoiser": {"hidden": [16]}, "diffusion": {"space": "hidden"}, "training": SMALL},
    "t-diffrec": {"denoiser": {"hidden": [16]}, "sampling": {"noise_steps": 2}, "training": SMALL},
    "l-diffrec": {"denoiser": {"hidden": [8]}, "codec": {"clusters": 2, "latent": 8}, "training": SMALL},
    "multivae": {"network": {"hidden": [16], "latent": 8}, "training": SMALL},
    "sasrec": {"training": {"epochs": 1}},
    "ease": {},
    "itemknn": {},
    "puresvd": {"factors": 8},
    "popularity": {},
    "fs-ridge": {"parts": {"sequence": {"share": 0}}},
}


@pytest.fixture(scope="module")
def x() -> Interactions:
    g = np.random.default_rng(0)
    pairs = [(user, item) for user in range(60) for item in g.permutation(ITEMS)[:12]]
    user, item = np.array(pairs).T
    return Interactions.from_arrays(user, item, IdMap.range(60), IdMap.range(ITEMS), times=np.arange(len(pairs)), time_kind="clock")


@pytest.mark.parametrize("case", MODELS)
def test_a_mapped_model_gives_the_same_lists_from_the_files_own_pages(case: str, x: Interactions, tmp_path: Path) -> None:
    settings = MODELS[case]
    if case == "l-diffrec":
        np.save(tmp_path / "e.npy", np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32))
        settings = settings | {"codec": settings["codec"] | {"embeddings": {"kind": "file", "path": str(tmp_path / "e.npy")}}}
    model = build(case.removesuffix("-hidden"), settings).fit(x, Run(device="cpu", progress=False))
    save_model(model, tmp_path / "m")
    (tmp_path / "copy").mkdir()
    copy_to_map(load_model(tmp_path / "m"), tmp_path / "m", tmp_path / "copy")
    mapped = load_mapped(tmp_path / "copy")
    assert (mapped.is_mapped, model.is_mapped) == (True, False)
    large = {name: tensor for name, tensor in mapped.state().items() if tensor.numel() >= ITEMS}
    assert large
    assert all(is_mapped(tensor) for tensor in large.values())
    ours, theirs = recommend(mapped, x, 10), recommend(model, x, 10)
    np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-4, atol=1e-5)
    assert (ours.items == theirs.items).mean() > 0.99
    assert written_to(WEIGHTS_AS_RANKED) == 0


def is_mapped(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor lie in the file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if begin <= tensor.data_ptr() < end:
            return line.endswith(WEIGHTS_AS_RANKED)
    return False


def written_to(name: str) -> int:
    """KB of the mappings of a file that this process has written to, so that they are its own."""
    found, here = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            here = line.endswith(name)
        elif here and line.startswith(("Private_Dirty", "Anonymous")):
            found += int(line.split()[1])
    return found


def test_first_layers_lie_by_item_so_that_the_chain_copies_none(x: Interactions, tmp_path: Path) -> None:
    model: Any = build("diffrec", MODELS["diffrec"] | {"diffusion": {"space": "dense"}}).fit(x, Run(device="cpu", progress=False))
    save_model(model, tmp_path / "m")
    (tmp_path / "copy").mkdir()
    copy_to_map(load_model(tmp_path / "m"), tmp_path / "m", tmp_path / "copy")
    mapped: Any = load_mapped(tmp_path / "copy")
    assert is_mapped(mapped.module.chain().first_t)
