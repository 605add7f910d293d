"""How tables write metrics, p-values and lists of values, whatever the table is made for."""

from __future__ import annotations

from collections.abc import Iterable

from recodiff.moved import old_names

NOTHING = "–"
"""A cell without a figure."""
SHORT_NAMES = {"recall": "R", "ndcg": "N", "precision": "P", "hit_rate": "HR", "recall_min": "R-min"}
"""How table heads write a metric's name before the @."""


def short(metric: str) -> str:
    """The short form of a metric's name for table heads: `R@20` of `recall@20`.

    Args:
        metric: as it was measured.
    """
    kind, _, k = metric.partition("@")
    return f"{SHORT_NAMES.get(kind, kind)}@{k}"


def as_p(p: float, *, bound: bool = False) -> str:
    """A p-value in [0, 1] as text: `.012`, or `< .001`.

    Args:
        p: the value.
        bound: whether it is only known not to be greater, which `≤` says.
    """
    return "< .001" if p < 0.001 else f"{'≤ ' if bound else ''}{p:.3f}".replace("0.", ".") if p < 1 else "1"


def listed(values: Iterable[object]) -> str:
    """Each value once, in the order of their first appearance, separated by semicolons; None is left out.

    Args:
        values: of any kind that prints.
    """
    return "; ".join(dict.fromkeys(str(value) for value in values if value is not None))


__getattr__ = old_names(__name__)
