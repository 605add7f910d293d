"""`recodiff tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from recodiff.cli.output import print_json, print_table, say
from recodiff.cli.parameters import Whole
from recodiff.data.saving import load_dataset
from recodiff.experiments.tuning import tune as search
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.spaces import read_space
from recodiff.experiments.tuning.tuning_result import BEST, TuningResult
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run
from recodiff.tracking.tracker import TrackerName

MODEL = "model"
"""Folder of the refit."""


def tune(
    config: str,
    /,
    *,
    data: Path,
    out: Path,
    trials: Whole | None = None,
    seconds: float | None = None,
    space: Path | None = None,
    recency: bool = False,
    set_: Annotated[list[str] | None, Parameter(name="--set")] = None,
    seed: Whole = 0,
    device: str = "auto",
    threads: Whole | None = None,
    refit: bool = False,
    track: TrackerName | None = None,
    json: bool = False,
) -> None:
    """Search settings on the validation part; the test part is not read.

    The same command goes on where it was interrupted, or with a larger budget.

    Example: recodiff tune ease --data data/clicks --out runs/tune-ease --trials 30 --recency

    Parameters
    ----------
    config
        A TOML file, the name of a preset (`recodiff info presets`), or of a model (`recodiff info models`): the first trial.
    data
        A data folder with a validation part.
    out
        The folder for the study, best.toml, trials.csv and trials.json.
    trials
        At most this many; 50 unless --seconds is given.
    seconds
        At most this long. The trial under way at the end is stopped at its next validation check.
    space
        A TOML file, in place of the declared ranges. A line of it is "training.lr" = { low = 1e-4, high = 1e-2, log = true };
        another "denoiser.hidden" = { choices = [[200], [600]] }.
    recency
        Search weightings by recency too.
    set_
        A setting that is held, such as training.epochs=200; may be repeated.
    seed
        Of everything random.
    device
        auto, cpu, cuda, cuda:1...
    threads
        CPU threads; all cores unless given.
    refit
        Train the best on train + valid, into the folder `model` of --out.
    track
        Show the trials and what was found in TensorBoard (its files go to OUT/tensorboard), MLflow or W&B.
    json
        Print what was found as one JSON object.
    """
    budget = None if trials is None and seconds is None else Budget(trials, seconds)
    own = None if space is None else read_space(space)
    dataset = load_dataset(data)
    run = Run(device, seed, threads, out / MODEL)
    with held(out):
        found = search.tune(
            config,
            dataset,
            budget,
            out=out,
            overrides=set_ or (),
            seed=seed,
            device=device,
            threads=threads,
            space=own,
            recency=recency,
            track=track,
            tell=say,
        )
        if refit:
            search.refit(found, dataset, run, track=track)
    if json:
        print_json(_described(found, out))
        return
    rows = [(key, _text(found.start.settings.get(key)), _text(value)) for key, value in found.best.settings.items()]
    print_table(("setting", "start", "best"), rows, right=("start", "best"))
    say(_summary(found, out))
    say(f"wrote {out / MODEL}, trained on train and valid" if refit else _next(found, data, out))


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _described(found: TuningResult, out: Path) -> dict[str, object]:
    return {
        "out": str(out),
        "metric": found.metric,
        "value": found.best.value,
        "start": found.start.value,
        "trial": found.best.number,
        "settings": found.best.settings,
        "trials": found.states,
        "seconds": round(found.seconds, 3),
    }


def _summary(found: TuningResult, out: Path) -> str:
    start = "could not be trained" if found.start.value is None else f"had {found.start.value:.4f}"
    figure = f"validation {found.metric} {found.best.value:.4f} in trial {found.best.number}"
    return f"wrote {out / BEST}: {figure}, where the start {start}; {found.spent}"


def _next(found: TuningResult, data: Path, out: Path) -> str:
    seed = "" if found.about["seed"] == "0" else f" --seed {found.about['seed']}"
    return f"train it: recodiff train {out / BEST} --data {data} --out runs/{found.model.replace(':', '-')}{seed}"
