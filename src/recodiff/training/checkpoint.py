"""The checkpoint of an unfinished run: one file that holds everything, so that a run killed at any moment leaves a whole one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recodiff.config import with_added
from recodiff.errors import CheckpointError
from recodiff.moved import old_names
from recodiff.runtime import distributed, files

CHECKPOINT = "checkpoint.safetensors"
LOG, GROWING_LOG = "log.jsonl", "checkpoint.jsonl"
"""The epochs of a training, a line each: once its model is there, and as long as it is not."""
LOG_KEYS = frozenset({"epoch", "loss", "seconds"})
"""What a line of a log says at least."""
LONGEST_ENTRY = 100_000
"""Bytes of a line of a log."""


@dataclass
class TrainingState:
    """All that the loop knows beside tensors; saved with the checkpoint."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    first_loss: float = math.inf
    """Of the first batch, before any step; unknown, and so infinite, in checkpoints written before it was kept."""
    seconds: float = 0.0
    finished: Literal["", "patience", "epochs", "time"] = ""
    log: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Checkpoint:
    """The content of a checkpoint.

    Args:
        parts: tensors by part (`module`, `derived`, `best`, `ema`, `optimizer`) and name; the optimizer's by number and name.
        state: of the loop.
    """

    parts: dict[str, dict[str, Tensor]]
    state: TrainingState


def write_checkpoint(folder: Path, checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Replace the checkpoint and the log in `folder`; called by all processes where tensors are slices, else by the first alone.

    Args:
        folder: made if it is not there.
        checkpoint: the whole of it.
        identity: of the run; only the very same run may go on from it.
    """
    tensors = {f"{part}.{name}": tensor for part, named in checkpoint.parts.items() for name, tensor in named.items()}
    note = {"state": json.dumps(asdict(checkpoint.state)), "identity": json.dumps(identity)}
    folder.mkdir(parents=True, exist_ok=True)
    distributed.write_gathered(folder / CHECKPOINT, tensors, note)
    if distributed.leads():
        files.write_text(folder / GROWING_LOG, "".join(json.dumps(entry) + "\n" for entry in checkpoint.state.log))


def is_checkpoint(path: Path) -> bool:
    """Tell whether a file is there and is a checkpoint of ours.

    Args:
        path: of the file.
    """
    try:
        return path.is_file() and {"identity", "state"} <= files.read_note(path).keys()
    except CheckpointError:
        return False


def is_log(path: Path) -> bool:
    """Tell whether a file is there and is a log of ours, by its first line.

    Args:
        path: of the file.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            first = file.readline(LONGEST_ENTRY)
        entry = json.loads(first) if first else dict.fromkeys(LOG_KEYS)  # no epoch is whole yet
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and entry.keys() >= LOG_KEYS


def read(folder: Path, identity: Mapping[str, Any], named: Mapping[str, Any]) -> Checkpoint | None:
    """The last checkpoint of this very run, if there is one.

    Args:
        folder: of the run.
        identity: of the run; another's checkpoint is refused.
        named: its settings less those that were added later and have their default, which an older build has not written.

    Raises:
        CheckpointError: it is damaged, or another run's.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    tensors, note = files.read_tensors(path)
    if not {"identity", "state"} <= note.keys():
        raise CheckpointError(f"'{path}' is no checkpoint of ours; remove it, or train into a new folder")
    with files.reading(path, CheckpointError, "remove it, or train into a new folder"):
        theirs, state = json.loads(note["identity"]), TrainingState(**json.loads(note["state"]))
        _refuse_foreign(theirs | {"model": with_added(theirs.get("model") or {}, identity["model"], named)}, identity, path)
        return Checkpoint(_by_part(tensors), state)


def _by_part(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "derived": {}, "best": {}, "ema": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    return parts


def _refuse_foreign(theirs: Mapping[str, Any], identity: Mapping[str, Any], path: Path) -> None:
    for key, ours in identity.items():
        if theirs.get(key) != ours:
            what = {"model": "settings", "validation": "validation data"}.get(key, key)
            raise CheckpointError(
                f"checkpoint '{path}' belongs to a run with other {what}; "
                "resume with the command that began it, or train into a new folder"
            )


def slots(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state that an optimizer keeps of each parameter, by the parameter's number and the name, `0.exp_avg`.

    Args:
        optimizer: after a step, or fresh.
    """
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": tensor for number, own in state.items() for name, tensor in own.items()}


def give_slots(optimizer: torch.optim.Optimizer, given: Mapping[str, Tensor], device: torch.device) -> None:
    """Give back what `slots` gave.

    Args:
        optimizer: of the same parameters.
        given: tensors by name.
        device: where they are to lie.
    """
    found: dict[int, dict[str, Tensor]] = {}
    order = _in_order(optimizer)
    for name, tensor in given.items():
        number, _, slot = name.partition(".")
        if slot == "step":
            own = tensor if device.type == "cpu" else tensor.to(device)
        else:  # fused AdamW takes for granted that its averages lie in memory as the parameter does
            own = torch.empty_like(order[int(number)], dtype=tensor.dtype).copy_(tensor)
        found.setdefault(int(number), {})[slot] = own
    optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})


def slices(module: nn.Module, optimizer: torch.optim.Optimizer, by_item: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """By part of a checkpoint, the tensors of which processes have slices, and along which dimension.

    Args:
        module: what is trained.
        optimizer: by what.
        by_item: the same of the module's parameters.
    """
    names = {parameter: name for name, parameter in module.named_parameters()}
    own = {
        f"{number}.{slot}": by_item[names[parameter]]
        for number, parameter in enumerate(_in_order(optimizer))
        if names.get(parameter) in by_item
        for slot in ("exp_avg", "exp_avg_sq")
    }
    return {**{part: dict(by_item) for part in ("module", "best", "ema")}, "optimizer": own}


def _in_order(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


__getattr__ = old_names(__name__)
