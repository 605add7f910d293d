"""`recodiff train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from recodiff.cli.output import print_json, say, warn
from recodiff.cli.parameters import Whole
from recodiff.data.saving import load_dataset
from recodiff.evaluation.cutoffs import note
from recodiff.evaluation.evaluate import evaluate
from recodiff.evaluation.protocol import ChooseOn, stages
from recodiff.experiments.runs.train import train as train_model
from recodiff.runtime.run import Shared
from recodiff.tracking.tracker import TrackerName

SHOWN = ("recall@20", "ndcg@20")
"""Validation figures at the end."""


def train(
    config: str,
    /,
    *,
    data: Path,
    out: Path,
    set_: Annotated[list[str] | None, Parameter(name="--set")] = None,
    seed: Whole = 0,
    device: str = "auto",
    threads: Whole | None = None,
    resume: bool = False,
    refit: bool = False,
    choose_on: ChooseOn = "valid",
    shard: Shared = "none",
    overwrite: bool = False,
    track: TrackerName | None = None,
    json: bool = False,
) -> None:
    """Train a model and write its folder.

    Example: recodiff train t-diffrec-ml-1m_clean --data ml-1m_clean --out runs/t --set training.lr=0.0005

    Parameters
    ----------
    config
        A TOML file, the name of a preset (`recodiff info presets`), or of a model (`recodiff info models`) as it comes.
    data
        A data folder made by `recodiff prepare`, or a DiffRec release folder.
    out
        The run folder: settings, weights, item ids and titles, log, checkpoint.
    set_
        An override such as training.lr=0.001; may be repeated.
    seed
        Of everything random.
    device
        auto, cpu, cuda, cuda:1...
    threads
        CPU threads; all cores unless given.
    resume
        Go on where an interrupted run of the same command stood.
    refit
        Train once more on train + valid, for the epochs that validation chose.
    choose_on
        What epochs are chosen on: the validation part, or (inner) the newest tenth of each user's training history, after
        which all of that is trained on.
    shard
        Under torchrun, for catalogues beyond one device: let each process hold the weights of its share of the items (DiffRec,
        T-DiffRec and F-DiffRec in the hidden space).
    overwrite
        Replace a run that is already there.
    track
        Show parameters, curves, figures and the model in TensorBoard (its files go to OUT/tensorboard), MLflow or W&B.
    json
        Print the figures as one JSON object.
    """
    dataset = load_dataset(data)
    model = train_model(
        config,
        dataset,
        out=out,
        overrides=set_ or (),
        seed=seed,
        device=device,
        threads=threads,
        resume=resume,
        refit=refit,
        choose_on=choose_on,
        shard=shard,
        overwrite=overwrite,
        track=track,
        tell=say,
    )
    figures: dict[str, float | None] = {}
    if dataset.valid is not None and not refit:
        figures = evaluate(model, stages(dataset).valid, metrics=SHOWN).flat()
        if sentence := note(stages(dataset).valid, SHOWN):
            warn(sentence)
    if json:
        print_json({"out": str(out), "parameters": model.parameters, **figures})
        return
    shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items() if "@" in name)
    say(f"wrote {out}: {model.parameters:,} parameters{f'; validation {shown}' if shown else ''}")
