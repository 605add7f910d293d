"""Autoencoders of a user's row."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
