"""Item vectors as an index takes them: the bias is a column, and an inner product may become a distance.

Shapes: `I` items, `n` users, `H` width of a model's vectors, `W` width in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Titles = Sequence[str | None] | None
Measure = Literal["ip", "l2"]
"""What a store compares: the inner product, or the squared Euclidean distance of vectors that are made equally long."""


@dataclass(frozen=True)
class Points:
    """Item vectors with the bias in the last column; under `l2` one more column makes all of them equally long.

    With M the greatest length, x' = (x, sqrt(M^2 - |x|^2)) and q' = (q, 0): |x' - q'|^2 = M^2 + |q|^2 - 2 x.q. So the nearest are
    those of the greatest inner product. (Bachrach et al., *Speeding Up the Xbox Recommender System Using a Euclidean
    Transformation for Inner-Product Spaces*, RecSys 2014.)

    Args:
        vectors: float32 [I, W].
        measure: what the store compares.
        longest: M; 0 under `ip`.
    """

    vectors: Floats
    measure: Measure
    longest: float = 0.0

    @classmethod
    def of(cls, vectors: Floats, bias: Floats, measure: Measure) -> Points:
        """Put vectors and biases together.

        Args:
            vectors: [I, H].
            bias: [I].
            measure: what the store compares.
        """
        points = np.hstack([vectors, bias[:, None]]).astype(np.float32)
        if measure == "ip":
            return cls(np.ascontiguousarray(points), measure)
        squares = np.square(points.astype(np.float64)).sum(1)
        rest = np.sqrt(squares.max() - squares)
        return cls(np.hstack([points, rest[:, None].astype(np.float32)]), measure, float(np.sqrt(squares.max())))


def queries_of(users: Floats, measure: Measure) -> Floats:
    """User vectors as the store is asked with them: 1 meets the bias, 0 the column that evens lengths.

    Args:
        users: [n, H].
        measure: what the store compares.
    """
    ends = [1.0] if measure == "ip" else [1.0, 0.0]
    return np.ascontiguousarray(np.hstack([users, np.tile(ends, (len(users), 1))]).astype(np.float32))


def scores_of_distances(squared: NDArray[np.floating], queries: Floats, longest: float) -> Floats:
    """The model's scores, from squared distances under `l2`.

    Args:
        squared: [n, K].
        queries: [n, W], as of `queries_of`.
        longest: M.
    """
    lengths = np.square(queries.astype(np.float64)).sum(1, keepdims=True)
    return ((longest**2 + lengths - squared) / 2).astype(np.float32)
