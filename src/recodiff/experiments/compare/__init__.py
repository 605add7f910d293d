"""Any settings on one data folder, side by side: accuracy with paired tests, cost, and what lists are worth beyond hits.

`contenders.py` reads and names what is compared, `studies.py` tunes it first, and `comparison.py` runs and tests it.
`tables.py` makes the tables, `comparison_page.py` the HTML page, and `comparison_files.py` writes the files.
"""

from recodiff.experiments.compare.comparison import Comparison, Difference, compare
from recodiff.experiments.compare.comparison_files import write_comparison
from recodiff.moved import old_names

__all__ = ["Comparison", "Difference", "compare", "write_comparison"]


__getattr__ = old_names(__name__)
