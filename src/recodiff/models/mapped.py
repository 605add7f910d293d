"""A model folder laid out for several processes of a machine: they map its weights, and so hold them once.

Beside copies of the folder's other files stands `WEIGHTS_AS_RANKED`: every tensor as it lies in memory while lists are made.
Pages of a mapped file that no process writes to are in memory once, however many processes read them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from torch import Tensor

from recodiff.models.base import Recommender
from recodiff.models.saving import CONFIG, ITEMS, USERS, rebuilt
from recodiff.runtime import files
from recodiff.tensors.uninitialised import given_kept

WEIGHTS_AS_RANKED = "weights-as-ranked.safetensors"
ORDER = "order"
"""The note that says, by tensor, which of its dimensions lies outermost in memory, then the next."""


def copy_to_map(model: Recommender, folder: Path, out: Path) -> None:
    """Copy a model folder into one that `load_mapped` takes.

    Args:
        model: loaded from `folder`; its weights may come to lie otherwise in memory, their values stay.
        folder: of the model.
        out: an empty folder.

    Raises:
        OSError: a file cannot be read or written.
    """
    model.lay_out()
    orders: dict[str, list[int]] = {}
    tensors: dict[str, Tensor] = {}
    for name, tensor in model.state().items():
        order = sorted(range(tensor.dim()), key=lambda dim, tensor=tensor: -tensor.stride(dim))
        orders[name], tensors[name] = order, tensor.permute(order)
    files.write_tensors(out / WEIGHTS_AS_RANKED, tensors, {ORDER: json.dumps(orders)})
    for name in (CONFIG, ITEMS, USERS):
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)


def load_mapped(folder: Path, *, trust_code: bool = False) -> Recommender:
    """Rebuild a model for ranking on the CPU; its weights are the file's, and take no memory of this process's own.

    Args:
        folder: of `copy_to_map`, whose weights are not compared with their hash again.
        trust_code: as for `load_model`.

    Raises:
        CheckpointError: the folder is missing, damaged or foreign.
    """
    with given_kept():
        model = rebuilt(folder, lambda _: _mapped(folder / WEIGHTS_AS_RANKED), hashed=(ITEMS, USERS), trust_code=trust_code)
    model.is_mapped = True
    return model


def _mapped(path: Path) -> dict[str, Tensor]:
    tensors, note = files.read_tensors(path, mapped=True)
    orders = json.loads(note[ORDER])
    return {name: tensor.permute([orders[name].index(dim) for dim in range(tensor.dim())]) for name, tensor in tensors.items()}
