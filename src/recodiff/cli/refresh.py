"""`recodiff refresh`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from recodiff.cli.output import print_json, print_table, say
from recodiff.cli.parameters import Whole
from recodiff.experiments import refresh as work
from recodiff.experiments.refresh import FOUND, REFRESHED, PromoteIf
from recodiff.reports.cells import as_p


def refresh(
    run: Path,
    /,
    *,
    data: Path,
    promote_if: PromoteIf = "not-worse",
    device: str = "auto",
    threads: Whole | None = None,
    trust_code: bool = False,
    json: bool = False,
) -> None:
    """Train a model folder's settings on a newer log, and put the new model in its place unless it is worse.

    Both are measured on the newest events of the new data. The same command goes on where it was interrupted. A service that
    serves the folder takes the new model up by itself.

    Example: recodiff refresh runs/best --data data/november

    Parameters
    ----------
    run
        The model folder.
    data
        A data folder of the newer log, with a validation and a test part; users and items may be new.
    promote_if
        not-worse: unless recall@20 or ndcg@20 is significantly worse (paired bootstrap over users). better: if, besides, one of
        them is significantly better. always: whatever they are.
    device
        auto, cpu, cuda, cuda:1...
    threads
        CPU threads; all cores unless given.
    trust_code
        Import the model class that the folder names, where it is outside recodiff.
    json
        Print what was found as one JSON object.
    """
    found = work.refresh(run, data, promote_if=promote_if, device=device, threads=threads, trust_code=trust_code, say=say)
    if json:
        print_json(asdict(found))
        return
    heads = ("figure", "old", "new", "difference", "95 % interval", "p")
    rows = [
        (one.metric, one.old, one.new, f"{one.new - one.old:+.4f}", f"{one.low:+.4f} to {one.high:+.4f}", as_p(one.p))
        for one in found.changes
    ]
    if rows:
        print_table(heads, rows, right=heads[1:])
    for sentence in found.sentences:
        say(sentence)
    if rows and not found.promoted:
        say(f"the new model is in {run / REFRESHED / 'measured'}; what was found is in {run / FOUND}")
