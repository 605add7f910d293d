"""Readers of interaction logs: one per format."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
