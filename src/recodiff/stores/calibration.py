"""How far a graph must look: the least breadth at which it finds nearly the exact lists, measured on the vectors it is made of.

Shapes: `n` users, `I` items, `H` width of a user's vector.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from recodiff.errors import ModelError
from recodiff.stores.points import Floats, queries_of
from recodiff.stores.store import Store

LEAST_RECALL = {0: 0.995, 50: 0.99, 250: 0.95}
"""Seen items, half of them the user's best -> the part of the 20 best unseen ones that must be found."""
BREADTHS = (1, 2, 4, 8, 16)
LENGTH, PROBES = 20, 500
"""Of the lists that are compared, and their users at most."""


def calibrated(store: Store, users: Floats, vectors: Floats, bias: Floats) -> tuple[int, dict[str, float]]:
    """Find the least breadth that serves.

    Args:
        store: a graph, whose breadth is set meanwhile.
        users: user vectors [n, H] to ask with.
        vectors: [I, H].
        bias: [I].

    Returns:
        The breadth, and recall@20 by the number of seen items.

    Raises:
        ModelError: none serves.
    """
    asked, found = users[:PROBES], {}
    wanted = {seen: least for seen, least in LEAST_RECALL.items() if seen + LENGTH <= len(vectors)}
    exact = _exact(asked, vectors, bias, LENGTH + max(wanted, default=0) // 2)
    for breadth in BREADTHS:
        store.manifest = store.manifest.model_copy(update={"breadth": breadth})
        found = {seen: _recall(store, asked, exact, seen) for seen in wanted}
        if all(found[seen] >= least for seen, least in wanted.items()):
            return breadth, {str(seen): round(recall, 4) for seen, recall in found.items()}
    seen, least = next((seen, least) for seen, least in wanted.items() if found[seen] < least)
    raise ModelError(
        f"the graph of {store.kind} finds {found[seen]:.3f} of the 20 best behind {seen} seen items of this model, less than "
        f"{least}; choose a store that compares every item, such as --to faiss --index exact"
    )


def _recall(store: Store, users: Floats, exact: NDArray[np.int64], seen: int) -> float:
    places, _ = store.nearest(queries_of(users, store.manifest.measure), LENGTH + seen)
    truth = exact[:, seen // 2 : seen // 2 + LENGTH]
    return float(np.mean([np.isin(best, row).mean() for best, row in zip(truth, places, strict=True)]))


def _exact(users: Floats, vectors: Floats, bias: Floats, count: int) -> NDArray[np.int64]:
    items, shift = torch.from_numpy(vectors).double(), torch.from_numpy(bias).double()
    rows = torch.from_numpy(users).double().split(100)
    return torch.cat([(row @ items.T + shift).topk(count).indices for row in rows]).numpy()
