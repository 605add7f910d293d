"""Any settings on one data folder, side by side: accuracy with paired tests, cost, and what lists are worth beyond hits."""

from recodiff.experiments.compare.comparison import Comparison, Difference, compare
from recodiff.experiments.compare.output import write

__all__ = ["Comparison", "Difference", "compare", "write"]
