"""Where figures come from: data, seed, device, versions, commit, machine and date."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from recodiff.data.dataset import Dataset
from recodiff.data.events import cut_note
from recodiff.evaluation.protocol import ChooseOn, Protocol
from recodiff.experiments.runs.cases import Row
from recodiff.experiments.runs.protocols import PARTS_USED, SAID, chosen_on
from recodiff.models.saving import read_config
from recodiff.reports.cells import listed
from recodiff.runtime.run import Run


def provenance(data: Dataset, run: Run) -> dict[str, Any]:
    """Data, seed, device, threads, versions and commit of one run, as JSON holds them.

    Args:
        data: what was trained on.
        run: seed, device and threads.
    """
    known = {"name": data.name, "fingerprint": data.fingerprint(), "users": len(data.users), "items": len(data.items)}
    events = data.train.events  # `split` is not written, as it was not before there were others
    return {
        "data": known if events == "split" else known | {"events": events},
        "seed": run.seed,
        "device": str(run.torch_device),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("recodiff", "torch", "numpy", "polars")}
        | {"python": platform.python_version()},
        "commit": commit(),
    }


def commit() -> str | None:
    """The commit of the checkout this package runs from, with `+` where files were changed; None when installed."""
    here = Path(str(resources.files("recodiff")))

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def machine(device: torch.device) -> dict[str, Any]:
    """The processor or GPU, and the date.

    Args:
        device: where it ran.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{name}, {os.cpu_count()} cores"
    return {"machine": chip, "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}


def trained_on_other_data(folder: Path, data: Dataset) -> str | None:
    """A sentence to warn with where a model folder was trained on other data; None where it was this data.

    Args:
        folder: of the model.
        data: what it is to be used on.
    """
    trained = read_config(folder)["info"].get("data", {})
    if not trained or trained.get("fingerprint") == data.fingerprint():
        return None
    theirs, ours = f"'{trained.get('name')}' ({trained.get('fingerprint')})", f"'{data.name}' ({data.fingerprint()})"
    kinds = trained.get("events", "split"), data.train.events
    events = f"; its events are {kinds[0]} and these {kinds[1]}, so the figures do not compare" if kinds[0] != kinds[1] else ""
    return f"'{folder}' was trained on {theirs}, this is {ours}{events}"


def learned_from(folder: Path, data: Dataset, part: str) -> str | None:
    """A sentence to warn with where a model folder learned from the very part that it is measured on; None where it did not.

    Args:
        folder: of the model.
        data: what it is measured on.
        part: of the data: `valid` or `test`.
    """
    info = read_config(folder)["info"]
    refit = info.get("refit", False)
    if info.get("data", {}).get("fingerprint") != data.fingerprint() or not (refit == "all" or (refit and part == "valid")):
        return None
    return f"'{folder}' learned from the {part} part too, so these figures tell what it remembers, not how well it recommends"


def provenance_of_rows(data: Dataset, rows: Sequence[Row], seeds: Sequence[int]) -> dict[str, str]:
    """Protocol, data, seeds, and the commits, machines and versions of all runs behind the rows, as text for a page.

    Args:
        data: what was run on.
        rows: all of the page.
        seeds: those that were asked for.
    """
    sizes = data.summary()
    results = [result for row in rows for result in row.results]
    kinds: set[tuple[Protocol, ChooseOn]] = {(row.case.protocol, row.case.choose_on) for row in rows}
    protocol, choose_on = kinds.pop() if len(kinds) == 1 else ("official", "valid")
    runs = [result.provenance for result in results]
    cut = cut_note(data.parts())
    lines = {
        "protocol": f"{_ranked(rows)}; all other items ranked; recall = hits / relevant; "
        f"the epoch kept is chosen on {chosen_on(protocol, choose_on)}, {PARTS_USED[protocol][1]} is read once per run",
        "data": f"{data.name}, {sizes['users']:,} users, {sizes['items']:,} items, {sizes['interactions']:,} interactions, "
        f"fingerprint {sizes['fingerprint']}" + (f"; {cut}" if cut else ""),
        "seeds": f"{', '.join(map(str, seeds))} asked for; figures are means over seeds (standard error over seeds)",
        "runs": f"{len({result.key for result in results})}, made {_between(run.get('date') for run in runs)}",
        "commit": listed(run.get("commit") or "not from a checkout" for run in runs),
        "machine": listed(run.get("machine") for run in runs),
        "device": listed(f"{run.get('device')}, {run.get('threads')} threads" for run in runs),
        "versions": listed(", ".join(f"{name} {number}" for name, number in run.get("versions", {}).items()) for run in runs),
    }
    return lines if runs else {key: lines[key] for key in ("protocol", "data", "seeds")}


def _ranked(rows: Sequence[Row]) -> str:
    kinds: set[Protocol] = {row.case.protocol for row in rows}
    return SAID[kinds.pop()] if len(kinds) == 1 else f"{SAID['official']}, where a row says nothing else"


def _between(dates: Iterable[str | None]) -> str:
    known = sorted(date for date in dates if date)
    return known[0] if known and known[0] == known[-1] else f"{known[0]} to {known[-1]}" if known else "at an unknown time"
