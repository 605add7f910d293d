"""Any settings on one data folder, side by side: accuracy with paired tests, cost, and what lists are worth beyond hits.

`contenders.py` reads and names what is compared, `studies.py` tunes it first, and `comparison.py` runs and tests it.
`tables.py` makes the tables, `page.py` the HTML page, and `output.py` writes the files.
"""

from recodiff.experiments.compare.comparison import Comparison, Difference, compare
from recodiff.experiments.compare.output import write

__all__ = ["Comparison", "Difference", "compare", "write"]
