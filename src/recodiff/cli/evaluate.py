"""`recodiff evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from recodiff.cli.output import print_json, print_table, say, warn, write_frame
from recodiff.cli.parameters import Whole, use_threads
from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.errors import DataError
from recodiff.evaluation.evaluate import METRICS, Evaluation
from recodiff.experiments.runs.train import compare_fingerprint, measure
from recodiff.models.base import Recommender
from recodiff.models.saving import load_model
from recodiff.ranking.recommend import Unknown


def evaluate(
    run: Path,
    /,
    *,
    data: Path,
    part: Literal["test", "valid"] = "test",
    history: Literal["train", "train+valid"] = "train",
    metrics: str = ",".join(METRICS),
    users_without_truth: Literal["skip", "zero"] = "skip",
    per_user: Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    threads: Whole | None = None,
    trust_code: bool = False,
    json: bool = False,
) -> None:
    """Measure a model on a data folder: full ranking of the catalogue, mean and standard error over users.

    The test part is ranked from the train part, with train and valid masked (the paper's protocol).

    Example: recodiff evaluate runs/t --data ml-1m_clean --json

    Parameters
    ----------
    run
        A folder that `recodiff train` wrote.
    data
        A data folder.
    part
        What is ranked.
    history
        What the lists are made from. Histories later than what is ranked are flagged.
    metrics
        Separated by commas: recall, recall_min, ndcg, precision, mrr, hit_rate, map, each with @K.
    users_without_truth
        Leave users with nothing to find out of the means, or count them as zero (the released program's rule).
    per_user
        Also write each user's figures to this .parquet or .csv file.
    overwrite
        Replace a file of --per-user that is already there.
    device
        auto, cpu, cuda...
    threads
        CPU threads; all cores unless given.
    trust_code
        Allow a model class from outside recodiff.
    json
        Print one flat JSON object, metric -> number.
    """
    use_threads(threads)
    model, dataset = load_model(run, device=device, trust_code=trust_code), load_dataset(data)
    if warning := compare_fingerprint(run, dataset):
        warn(warning)
    dataset = over_items_of(model, dataset)
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    measured = measure(model, dataset, (part,), names, history=history, users_without_truth=users_without_truth, show_progress=True)
    found = measured.parts[part]
    if found.looks_ahead:
        warn(
            f"the history of {found.looks_ahead} of {len(found.users)} users holds interactions later than some that are ranked: "
            "these figures look into the future"
        )
    if per_user is not None:
        write_frame(_per_user(found, dataset), per_user, overwrite=overwrite)
    if json:
        print_json(found.flat())
        return
    rows = [(name, found.mean(name), found.standard_error(name)) for name in found.values]
    print_table(
        ("metric", "mean", "standard error"), rows, title=f"{dataset.name}: {part}, from {history}, {len(found.users)} users"
    )
    say(f"{100 * found.coverage:.1f} % of the catalogue recommended; recall@K = hits / relevant; {measured.seconds:.1f} s")


def _per_user(found: Evaluation, dataset: Dataset) -> pl.DataFrame:
    return pl.DataFrame({"user": dataset.users.externals(found.users), **found.values})


def over_items_of(model: Recommender, dataset: Dataset, unknown: Unknown = "skip") -> Dataset:
    """Take the data over the model's catalogue; a warning counts the interactions whose items the model does not know.

    Args:
        model: a fitted model.
        dataset: over any catalogue.
        unknown: `refuse` data with such interactions, or `skip` them.

    Raises:
        DataError: the model knows no item of the data, or, with `refuse`, not all of them.
    """
    if dataset.items == model.items:
        return dataset
    narrowed, dropped = dataset.over(model.items)
    if not any(narrowed.part(part).nnz for part in narrowed.parts()):
        raise DataError("the data and the model have no item in common; give data of the catalogue that the model was trained on")
    left_out = f"{dropped} interactions with items unknown to the model"
    if dropped and unknown == "refuse":
        raise DataError(f"the data holds {left_out}; give data of its catalogue, or say --unknown skip")
    warn(f"the data's catalogue is not the model's: {left_out} are left out")
    return narrowed
