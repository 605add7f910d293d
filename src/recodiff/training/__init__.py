"""The one training loop: epochs over pairs, early stopping, averages, checkpoints, exact resume."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
