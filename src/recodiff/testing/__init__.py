"""Tests for a model of your own: derive a class from `ModelContract` and run pytest. The one room that imports pytest."""

import pytest

pytest.register_assert_rewrite("recodiff.testing.scoring", "recodiff.testing.fitting")

from recodiff.testing.contract import ModelContract  # noqa: E402
from recodiff.testing.model_under_test import ModelUnderTest  # noqa: E402
from recodiff.testing.tiny_data import checkerboard, scores_of, unnamed, with_gaps  # noqa: E402 (asserts are rewritten before)

__all__ = ["ModelContract", "ModelUnderTest", "checkerboard", "scores_of", "unnamed", "with_gaps"]
