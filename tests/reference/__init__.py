"""Slow, obvious float64 truths, written from the equations and never imported from the package."""

from reference.autoencoders import *  # noqa: F403
from reference.diffusion import *  # noqa: F403
from reference.factors import *  # noqa: F403
from reference.ranking import *  # noqa: F403
from reference.sequence import *  # noqa: F403
