"""Protocols, metrics and tests of significance: how recommendations are measured."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
