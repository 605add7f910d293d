"""How much memory training takes: estimated before anything large is made, and refused where it cannot fit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.moved import old_names
from recodiff.runtime.memory import GIB, available_memory, users_at_once
from recodiff.tensors.uninitialised import Weightless
from recodiff.training.trainable import Trainable

TOO_LARGE = ("can't allocate memory", "overflow")
"""What PyTorch says of a tensor that no machine holds."""
BYTES_PER_NEGATIVE = 24
"""Of an item that is drawn against another: its number, its score, and what the gradient keeps."""
FEWER = " or draw fewer negatives"
"""What makes a step take less where most of it is negatives."""
MIB = 2**20
BYTES_PER_INTERACTION = 32
"""Of the rows that batches are cut from, and of the weighted copy they are made of."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that training will take beyond what is taken already.

    Args:
        parameters: of the network.
        optimizer: its gradients and AdamW's two moments.
        best: the copy of the best weights, where validation chooses, and the average of all, where there is one.
        batch: what a step needs beside them, a validation's scores included.
        data: the rows that batches are cut from.
        least: what a step of one user needs in place of `batch`.
        users: that are learned from; no batch is larger.
        otherwise: what else than a smaller batch would make a step take less, as the end of a sentence.
        free: what the device has, None where it does not say.
    """

    parameters: int
    optimizer: int
    best: int
    batch: int
    data: int
    least: int
    users: int
    otherwise: str = ""
    free: int | None = None

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.optimizer + self.best + self.batch + self.data

    def __str__(self) -> str:
        unit, name = (GIB, "GiB") if self.total >= GIB / 10 else (MIB, "MiB")
        free = "" if self.free is None else f", {self.free / GIB:.2f} GiB are free"
        kept = self.parameters + self.optimizer + self.best
        return (
            f"training takes about {self.total / unit:.2f} {name} (weights, gradients and AdamW {kept / unit:.2f}, "
            f"a batch {self.batch / unit:.2f}, data {self.data / unit:.2f}){free}"
        )

    def refuse(self, model: Trainable) -> None:
        """Refuse what cannot fit: raises ModelError with what to change.

        Args:
            model: whose settings are named.
        """
        if self.free is None or self.total <= self.free:
            return
        kept = self.parameters + self.optimizer + self.best
        remedy = "narrow the item-sized layers, or keep fewer items (a larger --item-core)"
        if model.traits.shares_items and model.shard is None:
            remedy += ", or share them among GPUs or machines (--shard items under torchrun)"
        if self.otherwise.endswith(FEWER):
            remedy = f"{remedy},{FEWER}"
        if kept + self.least + self.data <= self.free:
            asked = model.training.batch_size
            within = "" if asked <= self.users else f" below the {self.users:,} users that learn"
            remedy = f"lower training.batch_size={asked}{within}{self.otherwise}"
        raise ModelError(f"{self}: this cannot fit; {remedy}")


def estimate(
    model: Trainable, data: Interactions, device: torch.device, *, validated: bool, processes: int = 1
) -> MemoryEstimate | None:
    """Estimate what training `model` takes.

    It is None where the network cannot be built without numbers, which is so of some classes from outside this package.

    Raises:
        ModelError: a layer is larger than any memory.

    Args:
        model: its `derived` already made.
        data: what it learns from.
        device: where.
        validated: whether validation chooses the epoch.
        processes: that train on this machine and share its memory; a GPU is no process's but its own.
    """
    try:
        with Weightless():
            module: nn.Module = model.build(data.n_items, torch.Generator())
    except RuntimeError as error:
        if any(words in str(error) for words in TOO_LARGE):
            why = str(error).splitlines()[0]
            raise ModelError(f"the network of these settings is larger than any memory ({why}); narrow its layers") from None
        return None
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    users = int((data.event_counts() >= model.pairs().min_events).sum())
    scored = model.shard.stop - model.shard.start if model.shard else data.n_items
    scoring = 8 * scored * users_at_once(scored, products=model.traits.item_vectors and model.shard is None)
    drawn = BYTES_PER_NEGATIVE * getattr(model.pairs(), "negatives", 0) * data.nnz // max(users, 1)
    sizes = min(model.training.batch_size, users), 1
    batch, least = (model.working_bytes(module, size) + drawn * size + validated * scoring for size in sizes)
    otherwise = model.memory_hint(module) + (FEWER if drawn > least // 2 else "")
    if device.type == "cuda":
        free: int | None = torch.cuda.mem_get_info(device)[0]
    else:
        free = available_memory()
        free = None if free is None else free // processes
    kept = weights, 3 * weights, (validated + (model.training.ema is not None)) * weights
    rows = BYTES_PER_INTERACTION * data.nnz
    return MemoryEstimate(*kept, batch, rows, least, users, otherwise, free)


__getattr__ = old_names(__name__)
