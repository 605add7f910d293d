"""Metrics of hits and of lists, from the registry."""

from __future__ import annotations

from recodiff.evaluation.metric_kinds import JudgedMetric
from recodiff.evaluation.metrics import LIST_LENGTH, METRICS
from reference_pages.markdown import code, table


def page() -> str:
    """A table for each kind."""
    head = (
        "# Metrics\n\nA name takes the list length K behind `@`, such as `recall@20`.\n\n"
        "* **Population.** Each is computed for every user and then averaged over users with a relevant item. "
        "`--users-without-truth zero` counts the others as 0. A user whose list is empty counts as 0.\n"
        "* **Cut.** Only the first K places count. A place after the end of a list is a miss. Relevant items that no list may hold "
        "(masked ones) stay in the divisor.\n"
        "* **Ties.** Items of one score stand in the order that the ranking gives them, which is arbitrary; nothing is averaged "
        "over orders. Given lists (`--lists`) keep the order of the file among equals.\n"
        "* **Divisor.** It stands behind the `/` of each row. `relevant` is the number of relevant items of the user.\n\n"
        "What other packages mean by these names: [what a figure means](../explanation/metrics.md).\n\n## Of hits\n\n"
    )
    lists = (
        f"\n\n## Of lists\n\nThey say nothing of what is to be found. K is {LIST_LENGTH} unless given. Coverage and Gini are one "
        "number for all lists; the others are averaged over the users for whom they are defined.\n\n"
    )
    judged = (
        "\n\n## Of hits and more\n\nThey need the ratings of the items to be found (`prepare --keep-weights`), or a ranking "
        "of every candidate. The latter take no K: all items are ranked but the masked ones, so none is left unlisted.\n\n"
    )
    return head + _table("hits") + judged + _table("judged") + lists + _table("lists") + "\n"


def _table(kind: str) -> str:
    metrics = [metric for metric in METRICS.values() if metric.kind == kind]
    named = {
        metric.name: metric.name if isinstance(metric, JudgedMetric) and metric.whole else f"{metric.name}@K" for metric in metrics
    }
    rows = [(code(named[metric.name]), metric.meaning, metric.better, ", ".join(metric.needs) or "-") for metric in metrics]
    return table(["metric", "meaning", "better", "needs"], rows)
