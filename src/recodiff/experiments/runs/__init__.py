"""Runs: a model trained on a data folder and measured on it, kept on disk and never repeated."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
