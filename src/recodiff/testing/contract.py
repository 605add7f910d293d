"""The contract of every model, as a class of tests to derive from."""

from __future__ import annotations

from typing import ClassVar

import pytest

from recodiff.config import Settings
from recodiff.models.base import Recommender
from recodiff.testing.fitting import FittingContract
from recodiff.testing.model_under_test import ModelUnderTest
from recodiff.testing.scoring import ScoringContract


class ModelContract(ScoringContract, FittingContract):
    """The contract of every model. Derive a class in a test file of yours, name your model, and run pytest:

        from recodiff.testing import ModelContract

        class TestCoOccurrence(ModelContract):
            model = "add_a_model:CoOccurrence"

    The model is fitted once for the class, to a board of 50 users and items where the one right next item of user u is item u;
    a personalised model must rank it first for 95 % of the users. Give `settings` under which it learns that in a second.
    """

    model: ClassVar[str | type[Recommender]]
    """A name in MODELS, `module:Class`, or the class; its module must be importable."""
    settings: ClassVar[Settings] = {}
    """Under which it is tested."""
    one_item_refused: ClassVar[str | None] = None
    """Part of the message, a regular expression, where the model refuses a catalogue of one item."""
    fit_weights_refused: ClassVar[str | None] = None
    """Part of the message, a regular expression, where the model takes no weights in its fit."""
    starts_by_position: ClassVar[bool] = False
    """Whether what is drawn at first belongs to positions in the catalogue; a network's always does."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> ModelUnderTest:
        """The model and its settings; a class that tests several overrides this with a parametrised fixture."""
        name = cls.model if isinstance(cls.model, str) else f"{cls.model.__module__}:{cls.model.__qualname__}"
        return ModelUnderTest(name, cls.settings, cls.one_item_refused, cls.fit_weights_refused, cls.starts_by_position)

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, subject: ModelUnderTest) -> Recommender:
        """The model, fitted to the board."""
        return subject.fit()
