"""How tables and pages speak of a protocol, and what a protocol asks of the data."""

from __future__ import annotations

from recodiff.data.dataset import Dataset
from recodiff.evaluation.protocol import ChooseOn, Protocol, not_cut_so, test_comes_first
from recodiff.moved import old_names

SAID: dict[Protocol, str] = {
    "official": "test part, input train, train and valid masked",
    "chronological": "the later of valid and test, input train and the earlier, which are masked",
    "leaking": "test part, input train and valid, which are masked",
    "leave-one-out": "the last item of each user, input train and valid (the item before it), which are masked",
    "time-split": "test part, input train and valid, which are masked; users without an earlier interaction left out",
    "time-split-all": "test part, input train and valid, which are masked; users without an earlier interaction measured too",
}
"""What tables say of it."""
PARTS_USED: dict[Protocol, tuple[str, str]] = {
    "official": ("the validation part", "the test part"),
    "chronological": ("the earlier of the parts valid and test", "the later part"),
    "leaking": ("the validation part", "the test part"),
    "leave-one-out": ("the validation part", "the test part"),
    "time-split": ("the validation part", "the test part"),
    "time-split-all": ("the validation part", "the test part"),
}
"""Which part is chosen on, and which is reported on."""


def chosen_on(protocol: Protocol, choose_on: ChooseOn) -> str:
    """The origin of a training's epochs, in words.

    Args:
        protocol: how the parts of the data are used.
        choose_on: what ends the training, see `train.train_run`.
    """
    return PARTS_USED[protocol][0] if choose_on == "valid" else "the newest tenth of each training history"


def refusal(protocol: Protocol, data: Dataset) -> str:
    """The reason why the protocol says nothing on this data, in a few words; empty where it does.

    Args:
        protocol: how the parts of the data are used.
        data: with its parts.
    """
    if protocol == "official":
        return ""
    if data.train.time_kind is None:
        return "needs time, this data has none"
    if protocol == "leaking" and not test_comes_first(data):
        return "valid lies before test here, so it gives nothing away"
    return not_cut_so(protocol, data)


__getattr__ = old_names(__name__)
