"""The checkpoint of an unfinished run: one file that holds everything, so that a run killed at any moment leaves a whole one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from recodiff import files
from recodiff.errors import CheckpointError

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"


@dataclass
class State:
    """What the loop knows beside tensors; saved with the checkpoint."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    seconds: float = 0.0
    finished: Literal["", "patience", "epochs"] = ""
    log: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Checkpoint:
    """What a checkpoint holds.

    Args:
        parts: tensors by part (`module`, `derived`, `best`, `optimizer`) and name; the optimizer's by number and name.
        state: of the loop.
    """

    parts: dict[str, dict[str, Tensor]]
    state: State


def write(folder: Path, checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Replaces the checkpoint and the log in `folder`.

    Args:
        folder: made if it is not there.
        checkpoint: the whole of it.
        identity: of the run; only the very same run may go on from it.
    """
    tensors = {f"{part}.{name}": tensor for part, named in checkpoint.parts.items() for name, tensor in named.items()}
    note = {"state": json.dumps(asdict(checkpoint.state)), "identity": json.dumps(identity)}
    folder.mkdir(parents=True, exist_ok=True)
    files.write_tensors(folder / CHECKPOINT, tensors, note)
    files.write_text(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in checkpoint.state.log))


def read(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """The last checkpoint of this very run, if there is one.

    Raises:
        CheckpointError: it is damaged, or another run's.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    tensors, note = files.read_tensors(path)
    if not {"identity", "state"} <= note.keys():
        raise CheckpointError(f"'{path}' is no checkpoint of ours; remove it, or train into a new folder")
    _refuse_foreign(json.loads(note["identity"]), identity, path)
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "derived": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    return Checkpoint(parts, State(**json.loads(note["state"])))


def _refuse_foreign(theirs: Mapping[str, Any], identity: Mapping[str, Any], path: Path) -> None:
    for key, ours in identity.items():
        if theirs.get(key) != ours:
            what = {"model": "settings", "validation": "validation data"}.get(key, key)
            raise CheckpointError(
                f"checkpoint '{path}' belongs to a run with other {what}; "
                "resume with the command that began it, or train into a new folder"
            )
