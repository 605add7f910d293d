"""Models: each learns from interactions and scores histories."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
