"""What models called their parts in 0.1.0: it works for one release, with a warning that names the new way."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from recodiff.moved import warn_deprecated
from recodiff.training.traits import Traits

FLAGS = tuple(field.name for field in fields(Traits))
"""Class attributes, or properties, that were what `Traits` is now."""


class OldFlag:
    """Reading `model.personalised` and the like: what `model.traits` says."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: Any, owner: Any) -> bool:
        warn_deprecated(f"{owner.__name__}.{self.name}", f"{owner.__name__}().traits.{self.name}")
        return getattr((owner() if model is None else model)._traits(), self.name)


def note_old_names(cls: Any) -> None:
    """Warn of what a new class declares as 0.1.0 had it, and remember it.

    Args:
        cls: a class derived from `Recommender`.
    """
    declared = [flag for flag in FLAGS if flag in vars(cls)]
    for flag in declared:
        new = f"Traits.{flag}, which {cls.__name__}._traits() returns"
        warn_deprecated(f"{cls.__name__}.{flag}", new, stacklevel=5)
    if declared:
        cls.old_flags = (*cls.old_flags, *declared)


def with_old_flags(model: Any, traits: Traits) -> Traits:
    """The traits, with what the model's class declares as 0.1.0 had it.

    Args:
        model: any model.
        traits: what its `_traits()` returns.
    """
    return replace(traits, **{flag: getattr(model, flag) for flag in model.old_flags}) if model.old_flags else traits
