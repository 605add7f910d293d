"""What a model is, as far as others must know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """The properties of a model by which training, ranking and experiments decide how to treat it.

    Args:
        personalised: whether the scores depend on the history.
        item_vectors: whether scores are an inner product of a user's and an item's vector, plus a bias of the item.
        remembers_users: whether something is learned of each user of the training data, beyond what the history says.
        shares_items: whether several processes may each hold the weights of some of the items, see `Run.shard`.
        order_aware: whether the order of interactions matters anywhere, in training or ranking; data without time cannot
            serve such a model.
        reads_order: whether ranking reads a history in its order; a history without time is refused.
        seeded: whether fitting draws random numbers; if not, every seed gives the same model.
    """

    personalised: bool = True
    item_vectors: bool = False
    remembers_users: bool = False
    shares_items: bool = False
    order_aware: bool = False
    reads_order: bool = False
    seeded: bool = True
