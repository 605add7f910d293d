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


RENAMED = {
    "chosen": "refit_settings",
    "judged_by": "validation_metrics",
    "lighter": "memory_hint",
    "views": "history_views",
}
"""Old name of a method or property -> new name."""


class OldName:
    """Reading `model.judged_by` and the like: what the class that it was found on has under the new name."""

    def __init__(self, owner: type, old: str, new: str) -> None:
        self.owner, self.old, self.new = owner, old, new

    def __get__(self, model: Any, owner: Any) -> Any:
        warn_deprecated(f"{self.owner.__name__}.{self.old}", f"{self.owner.__name__}.{self.new}")
        return vars(self.owner)[self.new].__get__(model, owner)


def keep_old_names(cls: Any) -> None:
    """Let a class answer for the old names of its methods, and let what it defines under an old name count.

    A class that defines `judged_by` gets it as `validation_metrics`, with a warning; one that defines `validation_metrics`
    answers for `judged_by`. Both hold class by class, so that `super().judged_by` works in a class written for 0.1.0.

    Args:
        cls: `Recommender`, or a class derived from it.
    """
    for old, new in RENAMED.items():
        defined = vars(cls)
        if new in defined:
            setattr(cls, old, OldName(cls, old, new))
        elif old in defined:
            warn_deprecated(f"{cls.__name__}.{old}", f"{cls.__name__}.{new}", stacklevel=5)
            setattr(cls, new, defined[old])


def note_old_flags(cls: Any) -> None:
    """Warn of flags that a new class declares, and remember them.

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
