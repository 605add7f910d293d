"""Metrics of hits and of lists, from the functions that compute them."""

from __future__ import annotations

import inspect
from typing import Any

from recodiff.evaluation import list_metrics, metrics
from reference_pages.markdown import code, first_paragraph, table


def page() -> str:
    """A table for each kind."""
    hits = [(code(f"{name}@K"), first_paragraph(function)) for name, function in metrics.METRICS.items()]
    lists = [(code(name), first_paragraph(function)) for name, function in _functions(list_metrics)]
    head = (
        "# Metrics\n\nA name takes the list length K behind `@`, such as `recall@20`. Each is computed for every user and then "
        "averaged; users without a relevant item are left out unless `--users-without-truth zero` is given.\n\n## Of hits\n\n"
    )
    return head + table(["metric", "definition"], hits) + "\n\n## Of lists\n\n" + table(["function", "definition"], lists) + "\n"


def _functions(module: Any) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
