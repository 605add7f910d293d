"""From scores to lists: mask, top-k, and vectors for an index."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
