"""From scores to recommendations: mask, top-k, and vectors for an index."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
