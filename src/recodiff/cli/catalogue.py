"""A model and data of another catalogue: what is left out, what is refused, and the sentences that say so."""

from __future__ import annotations

from recodiff.cli.output import warn
from recodiff.data.dataset import Dataset
from recodiff.errors import DataError
from recodiff.models.base import Recommender
from recodiff.ranking.recommend import Unknown


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
