"""Models of user and item vectors."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
