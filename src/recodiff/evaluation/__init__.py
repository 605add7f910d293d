"""What lists are worth: protocols, metrics and tests of significance."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
