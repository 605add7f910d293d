"""Names of the metrics that training may decide by, so that settings with another name are refused before anything trains.

The metrics themselves are of `evaluation`, a room above this one; a test holds that both have the same names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import AfterValidator

from recodiff.config import refuse
from recodiff.errors import ConfigError, did_you_mean

OF_LISTS = (
    "recall",
    "recall_min",
    "ndcg",
    "precision",
    "mrr",
    "hit_rate",
    "map",
    "map_relevant",
    "map_hits",
    "ndcg_k",
    "ndcg_rated",
    "ndcg_exponential",
)
"""Those of hits among the first K."""
OF_RANKINGS = ("auc", "mrr_ranking", "map_ranking")
"""Those of hits in a ranking of all candidates, which take no K."""
OWN = "own:"
"""Begins the name of a figure that a validation function of a user's own gives."""
LONGEST = 2**31 - 1
"""The longest list that is measured; no catalogue has more items."""


def split(name: str, known: Collection[str], what: str = "metric") -> tuple[str, int | None]:
    """The metric and the list length that a name such as `recall@20` has; no length where it is of whole rankings.

    Args:
        name: as it was typed.
        known: the names that may stand before the `@`.
        what: the kind of metric that is known, for the sentence.

    Raises:
        ConfigError: there is no such metric, or K is no whole number from 1 to LONGEST.
    """
    kind, at, k = name.partition("@")
    if kind not in known:
        hint = did_you_mean(name.lower(), (f"{one}{at}{k}" for one in known)) or f"give one of {', '.join(known)}"
        raise ConfigError(f"no {what} '{name}'; {hint}")
    if kind in OF_RANKINGS:
        if at:
            raise ConfigError(f"'{kind}' is of whole rankings and takes no length; leave '@{k}' out")
        return kind, None
    if not k.isdecimal() or not 1 <= int(k) <= LONGEST:
        raise ConfigError(f"metric '{name}' needs a length, a whole number from 1 on, such as {kind}@20")
    return kind, int(k)


def _refuse_unknown(name: str) -> str:
    if name.startswith(OWN) and name != OWN:
        return name
    try:
        split(name, (*OF_LISTS, *OF_RANKINGS), "metric of hits")
    except ConfigError as error:
        refuse(str(error))
    return name


DecidingMetric = Annotated[str, AfterValidator(_refuse_unknown)]
"""A setting that names a metric of hits, or by `own:NAME` a figure that a validation function of a user's own gives."""


def need_measured(metrics: Collection[str], measured: Collection[str]) -> None:
    """Refuse a validation that lacks a figure that is decided by.

    Args:
        metrics: what a model decides by.
        measured: what its validation gives.

    Raises:
        ConfigError: one of `metrics` is not among `measured`.
    """
    for metric in metrics:
        if metric not in measured:
            raise ConfigError(
                f"the model decides by '{metric}', and that is not among the validation figures: {', '.join(measured)}; "
                f"validate by '{metric}' too, or set the model's metric (training.metric) to one of these"
            )


def figure_of(figures: Mapping[str, float], metric: str) -> float:
    """The figure that decides.

    Args:
        figures: what a validation gives.
        metric: the name of one of them.

    Raises:
        ConfigError: it is not among them.
    """
    need_measured((metric,), figures)
    return figures[metric]
