"""The result of a run: one model with one seed, kept on disk, and means over seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from recodiff.config import Settings
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError, ConfigError
from recodiff.moved import old_names
from recodiff.runtime import files
from recodiff.runtime.folders import finish, held, refuse_files_of_others, replaced


@dataclass(frozen=True)
class Result:
    """One case with one seed.

    Args:
        key: hash of model, settings, data and seed.
        model: one of MODELS.
        seed: of everything random.
        settings: all that the lists were made with.
        valid: metric -> mean over users of the validation part.
        test: the same of the test part.
        seconds: the training took, its validation included.
        best_epoch: the one that was kept, of a model trained by epochs.
        parameters: numbers learned.
        shares: part -> its share, of a model that is a sum of others.
        memory: MB, see `peak_memory`; None where it was not measured.
        memory_of: what that is the peak of.
        provenance: data, device, versions, commit, machine and date.
        inference_seconds: to make the lists of all users with a history; this and what follows belong to a detailed run alone.
        beyond: figures of the lists beyond accuracy, see `details`.
        log: of a training by epochs, see `figures.Series`; empty of other methods.
        per_user: `users`, rows of the measured users of the test part, int64 [n], and each metric's values for them, float64 [n];
            kept in a file of its own.
    """

    key: str
    model: str
    seed: int
    settings: Settings
    valid: Mapping[str, float]
    test: Mapping[str, float]
    seconds: float
    best_epoch: int | None
    parameters: int
    shares: Mapping[str, float] = field(default_factory=dict)
    memory: float | None = None
    memory_of: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    inference_seconds: float | None = None
    beyond: Mapping[str, float] = field(default_factory=dict)
    log: list[dict[str, float]] = field(default_factory=list)
    per_user: Mapping[str, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)


def result_as_json(result: Result) -> dict[str, Any]:
    """A result as JSON holds it: all but the values per user.

    Args:
        result: of one run.
    """
    described = asdict(replace(result, per_user={}))
    del described["per_user"]
    return described


def save_result(folder: Path, result: Result) -> None:
    """Write the files of a run, each whole or not at all; the one that `load` goes by comes last.

    Args:
        folder: where results are kept; made where it is not there.
        result: of one run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if result.per_user:
        tensors = {name: torch.from_numpy(values) for name, values in result.per_user.items()}
        files.write_tensors(_values(folder, result.key), tensors)
    files.write_json(folder / f"{result.key}.json", result_as_json(result))


def load(folder: Path, key: str) -> Result | None:
    """The run of that key, None where it was not made yet.

    Args:
        folder: where results are kept.
        key: see `identity.result_key`.

    Raises:
        CheckpointError: its file is not one of ours.
    """
    path, values = folder / f"{key}.json", _values(folder, key)
    if not path.exists():
        return None
    with files.reading(path, CheckpointError, "remove it, and the run is made again"):
        result = Result(**json.loads(path.read_text("utf-8")))
    if not values.exists():
        return result
    return replace(result, per_user={name: tensor.numpy() for name, tensor in files.read_tensors(values)[0].items()})


def _values(folder: Path, key: str) -> Path:
    return folder / f"{key}.safetensors"


def pages_of(out: Path, names: Sequence[str]) -> frozenset[str]:
    """Those of the files of results that are ours in a folder: all, where the first tells of its data as ours do, else none.

    Args:
        out: the folder.
        names: of the files; the first is JSON that tells name and fingerprint of its data.
    """
    about = (files.described(out / names[0]) or {}).get("data")
    return frozenset(names if isinstance(about, dict) and {"name", "fingerprint"} <= about.keys() else ())


@contextmanager
def pages(out: Path, names: Sequence[str]) -> Iterator[Path]:
    """Files of results to be written, all of them or none, in place of earlier ones.

    Args:
        out: the folder; it is made.
        names: as for `pages_of`, of all that may be written.

    Raises:
        CheckpointError: another's file of such a name is there, or another command writes there.
        OSError: they cannot be written.
    """
    with held(out), replaced(out, names[0], pages_of(out, names)) as staged:
        yield staged


def earlier(out: Path, names: Sequence[str], data: Dataset, what: str) -> dict[str, Any] | None:
    """The results of an earlier command on the same data, None where there are none.

    Args:
        out: the folder.
        names: as for `pages_of`.
        data: of the command now.
        what: it would replace, in words.

    Raises:
        ConfigError: they are of other data, which may not be lost, or not ours.
        CheckpointError: a file of such a name is there, and not ours.
    """
    path = out / names[0]
    if out.is_dir():
        finish(out)
    if not path.exists():
        refuse_files_of_others(out, names, ())
        return None
    with files.reading(path, ConfigError, "it is no page of ours and left alone; choose another folder with --out"):
        theirs = json.loads(path.read_text("utf-8"))
        name, fingerprint = theirs["data"]["name"], theirs["data"]["fingerprint"]
    if fingerprint != data.fingerprint():
        raise ConfigError(f"'{path}' holds {what} on other data, '{name}'; choose another folder with --out")
    return theirs


class Mean(NamedTuple):
    """A mean over seeds, and its standard error where there are several."""

    value: float
    error: float | None

    def __str__(self) -> str:
        return f"{self.value:.4f}" if self.error is None else f"{self.value:.4f} ({self.error:.4f})"


def mean(values: Sequence[float]) -> Mean | None:
    """Mean and standard error, None of nothing.

    Args:
        values: one a seed.
    """
    if not values:
        return None
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
    return Mean(statistics.fmean(values), error)


__getattr__ = old_names(__name__)
