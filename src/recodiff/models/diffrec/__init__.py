"""Diffusion models: the DiffRec family, and GiffCF and CODIGEM beside it."""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
