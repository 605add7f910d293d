"""Several processes as one: the rank of this process, and what the processes exchange. No other file imports torch.distributed.

With one process every function here does nothing. Several come from `torchrun`, or from a process group that exists already. All
processes run the same program on the same data, and each must make every call that is made here.

Shapes: `B` rows of a batch, `n` rows of anything.
"""

from __future__ import annotations

import atexit
import inspect
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from recodiff.errors import CheckpointError, ConfigError
from recodiff.moved import old_names
from recodiff.runtime import files
from recodiff.runtime.files import TensorPiece
from recodiff.tensors.random import BatchSlice, SliceGenerator
from recodiff.tensors.sharding import Shard

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor


def size() -> int:
    """The number of processes; the first call under torchrun joins them."""
    if not dist.is_available():
        return 1
    if not dist.is_initialized() and "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_leave)
    return dist.get_world_size() if dist.is_initialized() else 1


def _leave() -> None:
    """Leaves the group together: otherwise a process sometimes ended by an abort after its work was done (torch 2.13, gloo)."""
    if dist.is_initialized():
        with suppress(RuntimeError, ValueError):  # the others died, or have no gloo between them
            dist.monitored_barrier(timeout=timedelta(seconds=10))
        dist.destroy_process_group()


def leave_at_once() -> None:
    """Let this process end without waiting for the others, which torchrun stops."""
    atexit.unregister(_leave)


def process_rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if size() > 1 else 0


def leads() -> bool:
    """Tell whether this is the process that writes files and messages, the one of rank 0."""
    return process_rank() == 0


def on_this_machine() -> int:
    """The number of processes that share this machine's memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", size())) if size() > 1 else 1


def own_gpu(name: str) -> str:
    """The device `name`, with this process's GPU put in where it is no more than `cuda`."""
    return f"cuda:{os.environ.get('LOCAL_RANK', process_rank())}" if name == "cuda" and size() > 1 else name


def share(n: int) -> slice:
    """The slice of `n` rows that this process has: slices follow each other and differ by one row at most."""
    return slice(n * process_rank() // size(), n * (process_rank() + 1) // size())


def batch_slice(n: int) -> BatchSlice | None:
    """The rows of a batch of `n` that this process has; None where it has all. With fewer rows than processes some do not count."""
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

    return BatchSlice(start, stop, n, counts, join)


def generator_of(whole: torch.Generator, its: BatchSlice | None) -> torch.Generator:
    """A generator that goes on from the state of `whole`, and draws for all rows to keep those of the slice.

    Args:
        whole: of the whole batch.
        its: the rows here; where None, `whole` itself is returned.
    """
    if its is None:
        return whole
    found = SliceGenerator(whole.device)
    found.set_state(whole.get_state())
    found.batch_slice = its
    return found


def wrap(module: nn.Module) -> nn.Module:
    """The `module` whose backward averages gradients over the processes; all begin with the weights of rank 0."""
    if size() == 1:
        return module
    # Buffers are not sent: what is accumulated in them is made from the whole batch by every process.
    ddp = nn.parallel.DistributedDataParallel
    said = "forward_sync_buffers" if "forward_sync_buffers" in inspect.signature(ddp).parameters else "broadcast_buffers"
    unsent: dict[str, Any] = {said: False}
    return ddp(module, gradient_as_bucket_view=True, **unsent)


def add_up(x: Tensor) -> Tensor:
    """The sum over the processes of a tensor `x`, in place; its shape is the same in all of them."""
    if size() > 1:
        dist.all_reduce(x)
    return x


def gather(rows: NDArray[Any], n: int) -> NDArray[Any]:
    """All `n` rows [n, ...], in every process, of which each process gives its `share`, `rows` [b, ...]."""
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
    """The tensors of rank 0, in every process: what is derived from the data may differ in its last digit.

    Args:
        tensors: by name; the names and shapes are the same in every process.
    """
    if size() > 1:
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        for name in sorted(tensors):
            dist.broadcast(tensors[name], 0)
    return dict(tensors)


def same_in_order(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The `tensors` of rank 0, of any shape, in every process, as `same` gives them, in the order given."""
    found = same({f"{number:09d}": tensor for number, tensor in enumerate(tensors)})
    return [found[name] for name in sorted(found)]


def same_figures(figures: Mapping[str, float]) -> dict[str, float]:
    """The `figures` of rank 0, in every process, so that all decide alike."""
    tensors = same({name: torch.tensor(value, dtype=torch.float64) for name, value in figures.items()})
    return {name: float(tensor) for name, tensor in tensors.items()}


def first_says(so: bool) -> bool:
    """The answer `so` of rank 0, in every process, where all must do alike."""
    return bool(same_figures({"so": so})["so"])


def agree(step: int) -> None:
    """Check that all processes stand at the same step.

    Args:
        step: of this process.

    Raises:
        CheckpointError: the steps differ, because some processes do not see the checkpoint.
    """
    steps = gather(np.array([step]), size()).tolist()
    if len(set(steps)) > 1:
        raise CheckpointError(f"the processes stand at steps {steps}; put --out on a file system that all machines share")


# Layers of the size of the catalogue, of which every process has the rows of its items. They leave a model as PyTorch's DTensor.


def shard(n_items: int) -> Shard | None:
    """The items whose weights this process has, by the rule of `torch.chunk` and DTensor; None where there is one process.

    Args:
        n_items: I, of the whole catalogue.

    Raises:
        ConfigError: some process would have no item.
    """
    if size() == 1:
        return None
    each = -(-n_items // size())
    if (size() - 1) * each >= n_items:
        raise ConfigError(f"{n_items} items leave some of {size()} processes without any; start fewer, or leave shard='items' out")
    start = process_rank() * each
    return Shard(start, min(start + each, n_items), n_items, add_up, _largest)


def _largest(x: Tensor) -> Tensor:
    dist.all_reduce(x, dist.ReduceOp.MAX)
    return x


@lru_cache
def _mesh(device: str) -> DeviceMesh:
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(device, (size(),))


def as_slices(tensors: Mapping[str, Tensor], by_item: Mapping[str, int], its: Shard | None) -> dict[str, Tensor]:
    """Tensors of which this process has slices, as DTensors of the whole; nothing is copied or sent.

    Args:
        tensors: by name.
        by_item: the names of those that are slices, and the dimension that is the items'.
        its: which items are here.
    """
    found = dict(tensors)
    if its is None:
        return found
    from torch.distributed.tensor import DTensor
    from torch.distributed.tensor import Shard as Along

    for name in by_item.keys() & tensors.keys():
        here, dim = tensors[name].detach(), by_item[name]
        shape = torch.Size([*here.shape[:dim], its.total, *here.shape[dim + 1 :]])
        stride = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        found[name] = DTensor.from_local(here, _mesh(here.device.type), [Along(dim)], run_check=False, shape=shape, stride=stride)
    return found


def own_slices(tensors: Mapping[str, Tensor], by_item: Mapping[str, int], its: Shard | None) -> dict[str, Tensor]:
    """The slices of whole tensors that belong to this process: the reverse of `as_slices`.

    Args:
        tensors: whole, by name.
        by_item: the names of those that are cut, and the dimension that is the items'.
        its: which items are here; None where all are.
    """
    if its is None:
        return dict(tensors)
    return {
        name: tensor.narrow(by_item[name], its.start, its.stop - its.start) if name in by_item else tensor
        for name, tensor in tensors.items()
    }


def is_sliced(tensor: Tensor) -> bool:
    """Tell whether a `tensor`, of any shape, is a DTensor of `as_slices`."""
    return hasattr(tensor, "placements")


def write_gathered(path: Path, tensors: Mapping[str, Tensor], note: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, slices of `as_slices` as the whole tensors.

    With slices among them all processes call it, and rank 0 writes. No process holds more than its own slices and one of another.

    Args:
        path: to appear or to be replaced.
        tensors: by name.
        note: text beside them.

    Raises:
        OSError: the file cannot be written.
    """
    if not any(map(is_sliced, tensors.values())):
        files.write_tensors(path, tensors, note)
    elif leads():
        files.write_pieces(path, tensors, _pieces(tensors), note)
    else:
        for _ in _pieces(tensors):  # sends what is here; nothing comes back
            pass


def _pieces(tensors: Mapping[str, Tensor]) -> Iterator[TensorPiece]:
    """Whole tensors and slices one after another for the first process; the others send theirs, and get none."""
    for name, tensor in tensors.items():
        if not is_sliced(tensor):
            if leads():
                yield TensorPiece(name, tensor)
            continue
        sliced: DTensor = tensor  # pyright: ignore[reportAssignmentType]
        dim: int = sliced.placements[0].dim  # pyright: ignore[reportAttributeAccessIssue]
        here = sliced.to_local().cpu().contiguous()
        if not leads():
            dist.send(here, 0)
            continue
        yield TensorPiece(name, here, dim)
        each, total = here.shape[dim], sliced.shape[dim]
        for other in range(1, size()):
            width = min(each, total - other * each)
            theirs = here.new_empty([*here.shape[:dim], width, *here.shape[dim + 1 :]])
            dist.recv(theirs, other)
            yield TensorPiece(name, theirs, dim, other * each)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Make the gradients of `parameters` the same in all processes that differ by rounding alone, in place."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    both = add_up(torch.cat([gradient.reshape(-1) for gradient in gradients])).div_(size())
    for gradient, mean in zip(gradients, both.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


__getattr__ = old_names(__name__)
