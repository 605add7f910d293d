"""The kinds of metric: of hits, of hits and more that is known of the truth, and of the lists themselves.

Shapes: `n` users, `K` list length, `I` items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recodiff.evaluation.conventions import Formula, Hits, Values
from recodiff.evaluation.item_facts import ItemFacts, Need

Counts = NDArray[np.integer]
ListedItems = NDArray[np.integer]
Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, eq=False)
class RankedLists:
    """All that a list metric may look at.

    Args:
        lists: positions in the catalogue [n, K], best first, -1 where a list ends early.
        history: what the lists were made from, [n, I], rows beside `lists`; an entry is an interaction, whatever its value.
        n_items: I.
        facts: about the items.
    """

    lists: ListedItems
    history: csr_array
    n_items: int
    facts: ItemFacts


@dataclass(frozen=True)
class HitMetric:
    """A metric of which places of a list are hits.

    Args:
        name: what stands before the `@`.
        function: hits [n, K] and relevant items per user [n] -> one value per user [n], 0 for a user without relevant items.
        meaning: one line.
        better: which values are wanted.
    """

    name: str
    function: Callable[[Hits, Counts], Values]
    meaning: str
    better: Better = "higher"
    needs: ClassVar[tuple[Need, ...]] = ()
    kind: ClassVar[str] = "hits"


@dataclass(frozen=True)
class ListMetric:
    """A metric of the lists themselves, whatever is to be found.

    Args:
        name: what stands before the `@`.
        function: lists, cut at K -> one value per user [n], NaN where it is not defined, or one number for all lists together.
        meaning: one line.
        better: which values are wanted.
        needs: facts about the items, without which it is refused.
    """

    name: str
    function: Callable[[RankedLists], Values | float]
    meaning: str
    better: Better = "higher"
    needs: tuple[Need, ...] = ()
    kind: ClassVar[str] = "lists"


@dataclass(frozen=True)
class JudgedMetric:
    """A metric of hits that needs more than how many items are relevant: their ratings, or a ranking of all candidates.

    Args:
        name: what stands before the `@`; all of the name where the formula needs a whole ranking.
        formula: of one user; 0 for a user without relevant items.
        meaning: one line.
        better: which values are wanted.
    """

    name: str
    formula: Formula
    meaning: str
    better: Better = "higher"
    needs: ClassVar[tuple[Need, ...]] = ()
    kind: ClassVar[str] = "judged"

    @property
    def whole(self) -> bool:
        """Whether it is of whole rankings, and has no K."""
        return self.formula.cut == "ranking"


Metric = HitMetric | JudgedMetric | ListMetric
