"""Metrics of hits and of lists, from the registry."""

from __future__ import annotations

from recodiff.evaluation.metric_kinds import JudgedMetric
from recodiff.evaluation.metrics import LIST_LENGTH, METRICS
from reference_pages.markdown import code, table


def page() -> str:
    """A table for each kind."""
    head = (
        "# Metrics\n\nA name takes the list length K behind `@`, such as `recall@20`. Each is computed for every user and then "
        "averaged; users without a relevant item are left out unless `--users-without-truth zero` is given.\n\n## Of hits\n\n"
    )
    lists = (
        f"\n\n## Of lists\n\nThey say nothing of what is to be found. K is {LIST_LENGTH} unless given. Coverage and Gini are one "
        "number for all lists; the others are averaged over the users for whom they are defined.\n\n"
    )
    judged = (
        "\n\n## Of hits and more\n\nThey need the ratings of the items to be found (`prepare --keep-weights`), or a ranking "
        "of every candidate. The latter take no K.\n\n"
    )
    return head + _table("hits") + judged + _table("judged") + lists + _table("lists") + "\n"


def _table(kind: str) -> str:
    metrics = [metric for metric in METRICS.values() if metric.kind == kind]
    named = {
        metric.name: metric.name if isinstance(metric, JudgedMetric) and metric.whole else f"{metric.name}@K" for metric in metrics
    }
    rows = [(code(named[metric.name]), metric.meaning, metric.better, ", ".join(metric.needs) or "-") for metric in metrics]
    return table(["metric", "meaning", "better", "needs"], rows)
