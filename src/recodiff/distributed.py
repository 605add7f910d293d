"""Several processes as one: who this process is, and what they tell each other. The only file that imports torch.distributed.

Everything is nothing where there is one process. The others come from `torchrun`, or from a process group that is already there.
All processes run the same program on the same data; what is called here must be called by all of them.

Shapes: `B` rows of a batch, `n` rows of anything.
"""

from __future__ import annotations

import atexit
import inspect
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from recodiff.diffusion.draws import Part, PartGenerator
from recodiff.errors import CheckpointError


def size() -> int:
    """How many processes there are; joins them at the first call under torchrun."""
    if not dist.is_available():
        return 1
    if not dist.is_initialized() and "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_leave)
    return dist.get_world_size() if dist.is_initialized() else 1


def _leave() -> None:
    """Takes leave together: without this, a process now and then ended by an abort after its work was done (torch 2.13, gloo)."""
    if dist.is_initialized():
        with suppress(RuntimeError, ValueError):  # the others died, or have no gloo between them
            dist.monitored_barrier(timeout=timedelta(seconds=10))
        dist.destroy_process_group()


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if size() > 1 else 0


def leads() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def on_this_machine() -> int:
    """How many processes share this machine's memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", size())) if size() > 1 else 1


def own_gpu(name: str) -> str:
    """The GPU of this process where `name` says no more than `cuda`."""
    return f"cuda:{os.environ.get('LOCAL_RANK', rank())}" if name == "cuda" and size() > 1 else name


def share(n: int) -> slice:
    """This process's part of n rows: parts follow each other and differ by one row at most."""
    return slice(n * rank() // size(), n * (rank() + 1) // size())


def part(n: int) -> Part | None:
    """Which of a batch's n rows are here; None where all are. With fewer rows than processes some have one that does not count."""
    if size() == 1:
        return None
    own = share(n)
    counts = own.stop > own.start
    start, stop = (own.start, own.stop) if counts else (0, 1)

    def join(rows: Tensor) -> Tensor:
        whole = rows.new_zeros(n)
        if counts:
            whole[start:stop] = rows
        dist.all_reduce(whole)
        return whole

    return Part(start, stop, n, counts, join)


def generator_of(whole: torch.Generator, its: Part | None) -> torch.Generator:
    """A generator that goes on where `whole` stands, and draws for all rows to keep those of the part."""
    if its is None:
        return whole
    found = PartGenerator(whole.device)
    found.set_state(whole.get_state())
    found.part = its
    return found


def wrap(module: nn.Module) -> nn.Module:
    """The module whose backward averages gradients over the processes; they begin with the first one's weights."""
    if size() == 1:
        return module
    # Buffers are not sent: what is accumulated in them is made from the whole batch by every process.
    ddp = nn.parallel.DistributedDataParallel
    said = "forward_sync_buffers" if "forward_sync_buffers" in inspect.signature(ddp).parameters else "broadcast_buffers"
    unsent: dict[str, Any] = {said: False}
    return ddp(module, gradient_as_bucket_view=True, **unsent)


def add_up(x: Tensor) -> Tensor:
    """The sum over the processes."""
    if size() > 1:
        dist.all_reduce(x)
    return x


def gather(rows: NDArray[Any], n: int) -> NDArray[Any]:
    """The n rows of which every process has its `share`, for all of them."""
    if size() == 1:
        return rows
    most = -(-n // size())
    mine = torch.zeros((most, *rows.shape[1:]), dtype=torch.from_numpy(rows).dtype)
    mine[: len(rows)] = torch.from_numpy(rows)
    found = [torch.empty_like(mine) for _ in range(size())]
    dist.all_gather(found, mine)
    sizes = [n * (r + 1) // size() - n * r // size() for r in range(size())]
    return np.concatenate([part[:length].numpy() for part, length in zip(found, sizes, strict=True)])


def same(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The first process's tensors, for all of them: what was derived from the data may differ in its last digit."""
    if size() > 1:
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        for name in sorted(tensors):
            dist.broadcast(tensors[name], 0)
    return dict(tensors)


def same_figures(figures: Mapping[str, float]) -> dict[str, float]:
    """The first process's figures, for all of them: what is decided by them is decided alike."""
    tensors = same({name: torch.tensor(value, dtype=torch.float64) for name, value in figures.items()})
    return {name: float(tensor) for name, tensor in tensors.items()}


def agree(step: int) -> None:
    """Raises CheckpointError where the processes do not stand at the same step: some do not see the checkpoint."""
    steps = gather(np.array([step]), size()).tolist()
    if len(set(steps)) > 1:
        raise CheckpointError(f"the processes stand at steps {steps}; put --out on a file system that all machines share")
