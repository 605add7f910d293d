"""What a figure of lists means, said by independent properties: numerator, divisor, cut, gain, discount, population.

Shapes: `n` users, `L` places of the longest list, `M` relevant items of the user with most. Other packages give other figures
under the same names; `peers.toml` describes each of theirs by these properties.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError

Hits = NDArray[np.bool_]
Values = NDArray[np.float64]
Above = Literal["hits", "any hit", "DCG", "precision at hits", "precision at places", "reciprocal rank", "pairs", "expected pairs"]
Below = Literal[
    "1", "k", "R", "min(k, R)", "hits", "list", "min(R, list)", "ideal of min(k, R)", "ideal of k", "ideal of hits", "all pairs"
]
Cut = Literal["k", "list", "ranking"]
Gain = Literal["binary", "rating", "2^rating - 1", "2^(rating + 1) - 1"]
Discount = Literal["log2(rank + 1)", "log2(max(rank, 2))"]
Missing = Literal["skip", "zero", "refuse"]
"""Users without truth, or without a list: left out, counted as 0, or an error of the package (left out, and `like` tells)."""
EXPONENT = 900
"""Ratings up to which 2^rating is taken as it is; a double holds none beyond 1023."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Lists beside what is relevant, one row per user.

    Args:
        hits: whether the item at each place is relevant, boolean [n, L].
        lengths: number of items in each list, int [n].
        relevant: number of relevant items, R, int [n].
        candidates: number of items that could stand in the user's list, int [n].
        n_items: size of the catalogue.
        ratings: rating of the relevant item at each place, 0 elsewhere, float [n, L]; None where there are no ratings.
        ideal: ratings of the user's relevant items, highest first, then 0, float [n, M]; None where there are no ratings.
    """

    hits: NDArray[np.bool_]
    lengths: NDArray[np.integer]
    relevant: NDArray[np.integer]
    candidates: NDArray[np.integer]
    n_items: int
    ratings: Values | None = None
    ideal: Values | None = None

    def take(self, rows: NDArray[np.bool_]) -> Judged:
        """The users of the chosen rows.

        Args:
            rows: boolean [n].
        """
        return Judged(
            self.hits[rows],
            self.lengths[rows],
            self.relevant[rows],
            self.candidates[rows],
            self.n_items,
            None if self.ratings is None else self.ratings[rows],
            None if self.ideal is None else self.ideal[rows],
        )

    def are_rankings(self) -> bool:
        """Tell whether the lists hold every relevant item of their users, so that what is not listed is known to come after."""
        return bool((self.hits.sum(1) == self.relevant)[self.lengths > 0].all())


def judge(
    lists: NDArray[np.int64],
    users: NDArray[np.int64],
    truth: Interactions,
    mask: Interactions | None = None,
    lengths: NDArray[np.int64] | None = None,
) -> Judged:
    """Compare lists with the truth.

    Args:
        lists: positions of items, best first, -1 where there is none, int64 [n, L].
        users: rows of `truth` that the lists belong to, int64 [n].
        truth: the items to be found; its weights are ratings where they are not all 1.
        mask: items that no list may hold, rows as in `truth`.
        lengths: of the lists, int64 [n]; the number of their items unless given.
    """
    rated = bool((truth.matrix.data != 1).any())
    found = np.zeros(lists.shape)
    wide = truth.n_items + 1
    keys = truth.rows() * wide + truth.matrix.indices
    order = np.argsort(keys)
    asked = users[:, None] * wide + lists
    at = np.minimum(np.searchsorted(keys[order], asked), max(len(keys) - 1, 0))
    hits = (keys[order][at] == asked) & (lists >= 0) if len(keys) else np.zeros(lists.shape, dtype=bool)
    if rated:
        found[hits] = truth.matrix.data[order][at[hits]]
    masked = np.zeros(len(users), np.int64) if mask is None else mask.lengths()[users]
    return Judged(
        hits=hits,
        lengths=(lists >= 0).sum(1) if lengths is None else lengths,
        relevant=truth.lengths()[users],
        candidates=truth.n_items - masked,
        n_items=truth.n_items,
        ratings=found if rated else None,
        ideal=_ideal_ratings(truth, users) if rated else None,
    )


def _ideal_ratings(truth: Interactions, users: NDArray[np.int64]) -> Values:
    ideal = np.zeros((len(users), max(int(truth.lengths()[users].max(initial=0)), 1)))
    for row, user in enumerate(users):
        start, end = truth.matrix.indptr[user : user + 2]
        ideal[row, : end - start] = np.sort(truth.matrix.data[start:end])[::-1]
    return ideal


@dataclass(frozen=True)
class Formula:
    """One figure of one user: `above` / `below`, both over the places up to the cut.

    Args:
        above: `hits` counts them; `precision at hits` sums the precision at each hit, `precision at places` at every place;
            `pairs` counts the relevant items ranked before irrelevant ones, `expected pairs` takes the unlisted as shuffled.
        below: the divisor. `list` is the length of the list up to the cut; `ideal of ...` the DCG of that many hits in front.
        cut: `k`; `list`, all places that are given; or `ranking`, which needs every candidate ranked.
        gain: what a hit is worth in the DCG.
        discount: of the DCG's ranks.
        pooled: whether the sums over users are divided, in place of a mean over users.
    """

    above: Above
    below: Below = "1"
    cut: Cut = "k"
    gain: Gain = "binary"
    discount: Discount = "log2(rank + 1)"
    pooled: bool = False

    def __str__(self) -> str:
        over = f"{self.above} / {self.below}" if self.below != "1" else self.above
        cut = {"k": "", "list": ", not cut", "ranking": ", whole ranking"}[self.cut]
        gain = "" if self.gain == "binary" else f", gain {self.gain}"
        discount = "" if self.discount == "log2(rank + 1)" else f", discount {self.discount}"
        return f"{over}{cut}{gain}{discount}{', summed over users before the division' if self.pooled else ''}"

    def parts(self, judged: Judged, k: int) -> tuple[Values, Values]:
        """Numerator and divisor of every user, float64 [n] each.

        Args:
            judged: lists of n users.
            k: where lists are cut, 1 or more.
        """
        places = k if self.cut == "k" else judged.hits.shape[1]
        short = max(places - judged.hits.shape[1], 0)
        hits = np.pad(judged.hits, ((0, 0), (0, short)))[:, :places]
        return _ABOVE[self.above](self, judged, hits), _BELOW[self.below](self, judged, hits)

    def values(self, judged: Judged, k: int) -> Values:
        """The figure of every user, float64 [n]; 0 where there is nothing to divide by.

        Args:
            judged: lists of n users.
            k: where lists are cut, 1 or more.
        """
        above, below = self.parts(judged, k)
        return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)

    def mean(self, judged: Judged, k: int) -> float:
        """The figure of all users together, NaN of none.

        Args:
            judged: lists of n users.
            k: where lists are cut, 1 or more.
        """
        if not len(judged.hits):
            return float("nan")
        above, below = self.parts(judged, k)
        return float(above.sum() / below.sum()) if self.pooled else float(self.values(judged, k).mean())

    def discounts(self, places: int) -> Values:
        """The inverse discount of each place, [places].

        Args:
            places: how many, from rank 1 on.
        """
        ranks = np.arange(1, places + 1)
        return 1 / np.log2(ranks + 1 if self.discount == "log2(rank + 1)" else np.maximum(ranks, 2))

    def worth(self, ratings: Values, judged: Judged) -> Values:
        """The worth of hits of these ratings, [n, P]; nothing where the rating is 0.

        Where a user has a rating beyond `EXPONENT`, all the worths of the user are divided by one power of two, so that none is
        infinite; numerator and divisor have the same.

        Args:
            ratings: [n, P]; 0 where there is no hit.
            judged: the lists that they are of.
        """
        if self.gain == "rating":
            return ratings
        more = self.gain == "2^(rating + 1) - 1"
        most = np.zeros(len(ratings)) if judged.ideal is None or self.pooled else judged.ideal.max(1)
        down = np.where(most > EXPONENT, np.floor(most), 0.0)[:, None]
        return np.where(ratings > 0, 2 ** (ratings + more - down) - 2**-down, 0.0)


Term = Callable[[Formula, Judged, Hits], Values]


def _dcg(formula: Formula, judged: Judged, hits: Hits) -> Values:
    discounts = formula.discounts(hits.shape[1])
    if formula.gain == "binary":
        return hits @ discounts
    if judged.ratings is None:
        raise ConfigError(f"the gain {formula.gain} needs ratings; prepare the data with --keep-weights")
    ratings = judged.ratings[:, : hits.shape[1]]
    return formula.worth(ratings, judged) @ discounts[: ratings.shape[1]]


def _ideal(places: Callable[[Judged, Hits], NDArray[np.integer]]) -> Term:
    def below(formula: Formula, judged: Judged, hits: Hits) -> Values:
        discounts = formula.discounts(hits.shape[1])
        if formula.gain == "binary" or judged.ideal is None:
            return np.concatenate([[0.0], discounts.cumsum()])[places(judged, hits)]
        ideal = judged.ideal[:, : hits.shape[1]]
        return formula.worth(ideal, judged) @ discounts[: ideal.shape[1]]

    return below


def _precisions(hits: Hits, where: Hits | Literal[True]) -> Values:
    """Sum of the precision at some places."""
    return np.asarray((hits.cumsum(1) / np.arange(1, hits.shape[1] + 1) * where).sum(1))


def _pairs(_: Formula, judged: Judged, hits: Hits) -> Values:
    """Relevant before irrelevant items, unlisted candidates after all that are listed."""
    missed = (np.arange(hits.shape[1]) < judged.lengths[:, None]) & ~hits
    unlisted = judged.candidates - judged.relevant - missed.sum(1)
    return (hits.cumsum(1) * missed).sum(1) + hits.sum(1) * unlisted.astype(np.float64)


def _expected_pairs(_: Formula, judged: Judged, hits: Hits) -> Values:
    """As implicit counts them: an empty place is a miss, and the items that were seen are among the unlisted."""
    found = hits.sum(1)
    unlisted = judged.n_items - judged.relevant - (hits.shape[1] - found)
    return (hits.cumsum(1) * ~hits).sum(1) + (found + judged.relevant) / 2 * unlisted


def _all_pairs(formula: Formula, judged: Judged, _: Hits) -> Values:
    among = judged.n_items if formula.above == "expected pairs" else judged.candidates
    return (judged.relevant * (among - judged.relevant)).astype(np.float64)


def _listed(judged: Judged, hits: Hits) -> NDArray[np.integer]:
    return np.minimum(judged.lengths, hits.shape[1])


_ABOVE: Mapping[Above, Term] = {
    "hits": lambda _, judged, hits: np.asarray(hits.sum(1), np.float64),
    "any hit": lambda _, judged, hits: np.where(hits.any(1), 1.0, 0.0),
    "DCG": _dcg,
    "precision at hits": lambda _, judged, hits: _precisions(hits, hits),
    "precision at places": lambda _, judged, hits: _precisions(hits, True),
    "reciprocal rank": lambda _, judged, hits: np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0),
    "pairs": _pairs,
    "expected pairs": _expected_pairs,
}
_BELOW: Mapping[Below, Term] = {
    "1": lambda _, judged, hits: np.ones(len(hits)),
    "k": lambda _, judged, hits: np.full(len(hits), float(hits.shape[1])),
    "R": lambda _, judged, hits: judged.relevant.astype(np.float64),
    "min(k, R)": lambda _, judged, hits: np.minimum(judged.relevant, hits.shape[1]).astype(np.float64),
    "hits": lambda _, judged, hits: np.asarray(hits.sum(1), np.float64),
    "list": lambda _, judged, hits: _listed(judged, hits).astype(np.float64),
    "min(R, list)": lambda _, judged, hits: np.minimum(judged.relevant, _listed(judged, hits)).astype(np.float64),
    "ideal of min(k, R)": _ideal(lambda judged, hits: np.minimum(judged.relevant, hits.shape[1])),
    "ideal of k": _ideal(lambda judged, hits: np.full(len(hits), hits.shape[1])),
    "ideal of hits": _ideal(lambda judged, hits: hits.sum(1)),
    "all pairs": _all_pairs,
}
