"""How an experiment uses the parts of the data: as published, in the order of time, or looking ahead.

* `official`: chosen on valid, reported on test, both ranked from train.
* `chronological`: of valid and test, the earlier is chosen on and the later reported on, ranked from train and the earlier.
* `leaking`: as `official`, but test is ranked from train and valid, where valid is the later one: what this shows is false.
"""

from __future__ import annotations

from dataclasses import replace

from recodiff.data.dataset import Dataset
from recodiff.evaluation.evaluate import looks_ahead
from recodiff.experiments.runs.cases import Protocol
from recodiff.experiments.runs.train import ChooseOn

HISTORY: dict[Protocol, str] = {"official": "train", "chronological": "train+valid", "leaking": "train+valid"}
"""What the test part is ranked from."""


SAID: dict[Protocol, str] = {
    "official": "test part, input train, train and valid masked",
    "chronological": "the later of valid and test, input train and the earlier, which are masked",
    "leaking": "test part, input train and valid, which are masked",
}
"""What tables say of it."""
PARTS: dict[Protocol, tuple[str, str]] = {
    "official": ("the validation part", "the test part"),
    "chronological": ("the earlier of the parts valid and test", "the later part"),
    "leaking": ("the validation part", "the test part"),
}
"""Which part is chosen on, and which is reported on."""


def chosen_on(protocol: Protocol, choose_on: ChooseOn) -> str:
    """What a training's epochs come from, in words."""
    return PARTS[protocol][0] if choose_on == "valid" else "the newest tenth of each training history"


def test_comes_first(data: Dataset) -> bool:
    """Whether the part called test lies before the one called valid, for most users who have both."""
    valid, test = data.part("valid"), data.part("test")
    both = (valid.lengths() > 0) & (test.lengths() > 0)
    return bool(both.any() and looks_ahead(valid, test)[both].mean() > 0.5)


def in_order(data: Dataset) -> Dataset:
    """The same data, its two later parts exchanged where test comes first."""
    if not test_comes_first(data):
        return data
    return replace(data, valid=data.test, test=data.valid, info=data.info | {"name": f"{data.name}, in order of time"})


def refusal(protocol: Protocol, data: Dataset) -> str:
    """Why the protocol says nothing on this data, in a few words; empty where it does."""
    if protocol == "official":
        return ""
    if data.train.time_kind is None:
        return "needs time, this data has none"
    if protocol == "leaking" and not test_comes_first(data):
        return "valid lies before test here, so it gives nothing away"
    return ""
