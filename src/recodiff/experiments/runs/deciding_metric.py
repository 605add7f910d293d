"""What a training stops by, and a search chooses by, where lists of the usual length hold all that there is to rank."""

from __future__ import annotations

from collections.abc import Callable

from recodiff.config import Settings, merge
from recodiff.errors import ConfigError
from recodiff.evaluation.cutoffs import candidates, reaching, shorter
from recodiff.evaluation.protocol import Task
from recodiff.models.base import Recommender
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build

Tell = Callable[[str], None] | None


def stopped_by_short_lists(model: Recommender, name: str, settings: Settings, task: Task, tell: Tell) -> Recommender:
    """The model, or one that is stopped by a shorter list where the usual metric reaches all that is left to rank.

    Args:
        model: as built.
        name: its name.
        settings: as given; a metric in them is not replaced.
        task: what it is validated on.
        tell: receives the sentence that says so.

    Raises:
        ConfigError: a metric that the settings name reaches all candidates.
    """
    if not (found := reaching(task, model.validation_metrics) if model.validation_metrics else []):
        return model
    most = candidates(task)
    fits = shorter(found[0], most)
    training = settings.get("training") or {}
    named = {"metric", "parts"} & settings.keys() or "metric" in training or not isinstance(model, TorchRecommender)
    if named:
        raise ConfigError(
            f"'{found[0]}' cannot choose: lists so long hold all {most} items that are left to most users; take a shorter one, "
            f"such as {fits} (--set training.metric={fits})"
        )
    if tell is not None:
        tell(f"early stopping goes by {fits}: lists of {found[0]} hold all {most} items that are left to most users")
    return build(name, merge(settings, {"training": {"metric": fits}}))


def chosen_by(metrics: tuple[str, ...], task: Task, tell: Tell) -> tuple[str, ...]:
    """Metrics of which the first chooses: a shorter one before them, where that one reaches all that is left to rank.

    Args:
        metrics: of a validation.
        task: what it ranks.
        tell: receives the sentence that says so.
    """
    if not reaching(task, metrics[:1]):
        return metrics
    most = candidates(task)
    fits = shorter(metrics[0], most)
    if tell is not None:
        tell(f"trials are judged by {fits}: lists of {metrics[0]} hold all {most} items that are left to most users")
    return (fits, *(metric for metric in metrics if metric != fits))
