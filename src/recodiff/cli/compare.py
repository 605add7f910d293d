"""`recodiff compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from recodiff.cli.output import print_json, print_table, refuse_taken, say
from recodiff.cli.parameters import Whole
from recodiff.errors import ConfigError
from recodiff.evaluation.protocol import ChooseOn
from recodiff.evaluation.significance import Test
from recodiff.experiments.compare import compare as run
from recodiff.experiments.compare import comparison_files, comparison_page
from recodiff.experiments.compare.comparison import Comparison
from recodiff.experiments.compare.studies import tune_all
from recodiff.experiments.compare.tables import tables
from recodiff.experiments.runs.options import Deadline, RunOptions
from recodiff.experiments.tuning.budget import Budget
from recodiff.runtime.folders import held
from recodiff.tracking.tracker import TrackerName, open_tracked


def compare(
    *configs: str,
    data: Path,
    out: Path,
    seeds: Whole = 3,
    reference: str | None = None,
    test: Test = "bootstrap",
    memory: bool = False,
    protocol: Literal["official", "chronological", "leave-one-out", "time-split", "time-split-all"] = "official",
    choose_on: ChooseOn = "valid",
    tune_trials: Whole | None = None,
    tune_seconds: float | None = None,
    recency: bool = False,
    minutes: float | None = None,
    device: str = "auto",
    threads: Whole | None = None,
    track: TrackerName | None = None,
    json: bool = False,
) -> None:
    """Train several models on one data folder, and lay them side by side with paired tests.

    Accuracy on the test part (input train; train and valid masked), time, parameters, paired tests
    over users against a reference, and what the lists are worth beyond accuracy: coverage, Gini,
    novelty, diversity, calibration. The same command again goes on where it stopped, and one with
    more models trains only those.

    Example: recodiff compare popularity ease t-diffrec-ml-1m_clean mine.toml --data ml-1m_clean --out compared

    Parameters
    ----------
    configs
        TOML files, presets (`recodiff info presets`) or models as they come (`recodiff info models`).
        A file is called by its name without the ending, a best.toml by its folder.
    data
        A data folder with train, valid and test: one made by `recodiff prepare`, or a DiffRec release folder.
    out
        The folder for compare.md, compare.csv, compare.json, compare.html, and the runs behind them.
    seeds
        How many, counted from 1; methods that draw no random numbers run once.
    reference
        The name of the one to test against; the best by validation R@20 unless given.
    test
        Where the p-values come from: bootstrap (paired) or wilcoxon (signed-rank).
    memory
        Train each in a process of its own, and tell its peak memory.
    protocol
        official: chosen on valid, reported on test, both ranked from train. chronological: of valid and test the earlier is
        chosen on, the later reported on, ranked from train and the earlier. leave-one-out: the same where each part is one item a
        user. time-split: the same where one moment cuts all users; users without an earlier interaction are left out
        (time-split-all: measured too).
    choose_on
        What epochs are chosen on: the validation part, of a chronological protocol the earlier one; or (inner) the newest tenth
        of each user's training history, after which all of that is trained on.
    tune_trials
        First a study for every method, of at most this many trials each (see `recodiff tune`); its best settings are compared.
    tune_seconds
        The same, of at most this long each.
    recency
        In those studies, search weightings by recency for methods that do not know the order already.
    minutes
        Begin no trial of a study and no run after this time, and write what there is.
    device
        auto, cpu, cuda...
    threads
        CPU threads; all cores unless given.
    track
        Show studies, runs and the page in TensorBoard (its files go to OUT/tensorboard), MLflow or W&B.
    json
        Print what compare.json holds.

    Raises
    ------
    ConfigError
        Studies are asked for beside --choose-on, or --recency without studies.
    """
    refuse_taken(out, "the comparison")
    budget = _budget(tune_trials, tune_seconds, choose_on, recency)
    options = RunOptions(seeds, device=device, threads=threads, deadline=Deadline(minutes))
    with held(out), open_tracked(track, f"compare on {data.resolve().name}", out) as tracked:
        studies = None
        if budget is not None:
            studies = tune_all(
                configs,
                data,
                out,
                options,
                budget,
                recency=recency,
                protocol=protocol,
                reference=reference,
                tracked=tracked,
                say=say,
            )
        found = run(
            studies.sources if studies else configs,
            data,
            out,
            options,
            reference=reference,
            test=test,
            memory=memory,
            protocol=protocol,
            choose_on=choose_on,
            studies=studies,
            tracked=tracked,
            say=say,
        )
        written = comparison_files.write_comparison(found, out, say)
        tracked.files(written, "comparison")
    if json:
        print_json(comparison_files.comparison_as_json(found))
    else:
        _print_tables(found)
    say(f"wrote {', '.join(map(str, written))}")


def _budget(trials: int | None, seconds: float | None, choose_on: ChooseOn, recency: bool) -> Budget | None:
    """What each study may take; None where there is none."""
    if trials is None and seconds is None:
        if recency:
            raise ConfigError("--recency is searched in studies; say --tune-trials N or --tune-seconds S too")
        return None
    if choose_on != "valid":
        raise ConfigError(f"studies choose on the validation part; leave out --choose-on {choose_on}, or the studies")
    return Budget(trials, seconds)


def _print_tables(found: Comparison) -> None:
    for number, one in enumerate(tables(found)):
        for block, rows in one.blocks.items():
            heading = f"{one.title}: {block[0].lower()}{block[1:]}" if block and len(one.blocks) > 1 else one.title
            print_table(
                one.heads,
                rows,
                title=heading if number else f"{comparison_page.comparison_title(found)}. {heading}",
                right=one.heads[1:],
            )
    for label, note in found.missing().items():
        say(f"{label}: {note}")
