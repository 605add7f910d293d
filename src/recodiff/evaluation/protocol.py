"""What a model is asked: the histories it ranks from, the items that no list may hold, and the items to be found.

* `official`: chosen on valid, reported on test, both ranked from train.
* `chronological`: of valid and test, the earlier is chosen on and the later reported on, ranked from train and the earlier.
* `leaking`: as `official`, but test is ranked from train and valid, where valid is the later one: its figures are too high.
* `leave-one-out`: each user's last item is test and the one before it validation; test is ranked from train and validation.
* `time-split`: the parts are cut at one moment for all users; test is ranked from everything before its moment. Users without an
  interaction before the moment of a part are left out of it.
* `time-split-all`: the same, and these users are measured too, from empty histories.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recodiff.data.dataset import Dataset
from recodiff.data.events import inner_note
from recodiff.data.interactions import Interactions, need_interactions
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.item_facts import ItemFacts, item_facts

PartName = Literal["valid", "test"]
ChooseOn = Literal["valid", "inner"]
Protocol = Literal["official", "chronological", "leaking", "leave-one-out", "time-split", "time-split-all"]

HISTORY: dict[Protocol, str] = {
    "official": "train",
    "chronological": "train+valid",
    "leaking": "train+valid",
    "leave-one-out": "train+valid",
    "time-split": "train+valid",
    "time-split-all": "train+valid",
}
"""The parts that the test part is ranked from."""
MASKED: dict[PartName, tuple[str, ...]] = {"valid": ("train",), "test": ("train", "valid")}
"""The parts whose items no list may hold, beside the history itself (and `fold_in`, which is in every history)."""
REMEDY = 'data.history("train") for the history or the mask, data.part("test") for the truth, or recodiff.stages(data).test for all'


@dataclass(frozen=True, eq=False)
class Task:
    """One question to a model: from these histories, leaving out these items, find those.

    Args:
        history: what the lists are made from, one row per user.
        truth: the items to be found, rows as in `history`.
        mask: the items that no list may hold, rows as in `history`.
        facts: about the items, which some metrics of lists need.

    Raises:
        DataError: one of them is no Interactions, or truth or mask is over other users or items than the history.
    """

    history: Interactions
    truth: Interactions
    mask: Interactions
    facts: ItemFacts = field(default_factory=ItemFacts)

    def __post_init__(self) -> None:
        for name in ("history", "truth", "mask"):
            need_interactions(getattr(self, name), f"the {name}", REMEDY)
        for name, x in (("truth", self.truth), ("mask", self.mask)):
            if x.users != self.history.users or x.items != self.history.items:
                raise DataError(
                    f"the {name} is over {x.n_users} users and {x.n_items} items that are not the history's "
                    f"{self.history.n_users} and {self.history.n_items}; take all parts from one data folder"
                )

    def looks_ahead(self) -> NDArray[np.bool_]:
        """Users whose history holds an interaction later than the earliest to be found, boolean [n_users]."""
        return looks_ahead(self.history, self.truth)


def looks_ahead(history: Interactions, truth: Interactions) -> NDArray[np.bool_]:
    """Users whose history holds an interaction later than the earliest of the truth, boolean [n_users].

    Equal times do not count. Without times of one kind on both sides no user is known to look ahead.

    Args:
        history: what the lists are made from.
        truth: the items to be found, rows as in `history`.
    """
    ahead = np.zeros(history.n_users, dtype=bool)
    if history.times is None or truth.times is None or history.time_kind != truth.time_kind:
        return ahead
    both = np.flatnonzero((history.lengths() > 0) & (truth.lengths() > 0))
    newest = history.times[history.matrix.indptr[both + 1] - 1]
    earliest = truth.times[truth.matrix.indptr[both]]
    ahead[both] = newest > earliest
    return ahead


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of an experiment on one data folder: what is learned from, chosen on and reported.

    Args:
        data: its parts in the order of the protocol.
        protocol: what the test part is ranked from.
        choose_on: `valid`, or `inner` for the newest interactions of the training histories.
        embeddings: of the items, one row per position, [I, D]; for a metric of lists.
    """

    data: Dataset
    protocol: Protocol = "official"
    choose_on: ChooseOn = "valid"
    embeddings: NDArray[np.floating[Any]] | None = None
    _histories: dict[str, Interactions] = field(default_factory=dict, repr=False)

    @cached_property
    def _chosen_on(self) -> Dataset:
        """The data while settings are chosen; `Dataset.inner` is the one place that makes the inner part."""
        return self.data.inner() if self.choose_on == "inner" else self.data

    @property
    def inner_note(self) -> str | None:
        """A sentence on how much an inner validation part holds, and of whom; None where none is asked for."""
        return inner_note(self._chosen_on.info) if self.choose_on == "inner" else None

    @cached_property
    def facts(self) -> ItemFacts:
        """Facts about the items that metrics of lists ask for.

        Raises:
            DataError: there is not one embedding per item.
        """
        return item_facts(self.data, self.embeddings)

    @property
    def train(self) -> Interactions:
        """The interactions learned from while settings are chosen; with `inner` the training part without its newest.

        Raises:
            DataError: an inner part is asked for, and the data has no order or no history is long enough.
        """
        return self._chosen_on.train

    @cached_property
    def choice(self) -> Task | None:
        """The task that settings are chosen on; None where the data has no such part.

        Raises:
            DataError: as for `train`.
        """
        if self.choose_on == "inner":
            return Stages(self._chosen_on, embeddings=self.embeddings).valid
        return None if self.data.valid is None else self.valid

    @cached_property
    def valid(self) -> Task:
        """The validation part, ranked from train.

        Raises:
            DataError: the data has no such part.
        """
        return self.task("valid")

    @cached_property
    def test(self) -> Task:
        """The test part, ranked from what the protocol says.

        Raises:
            DataError: the data has no such part.
        """
        return self.task("test", HISTORY[self.protocol])

    @cached_property
    def train_and_valid(self) -> Interactions:
        """The interactions of the last training: train and validation; of users held out for validation the whole history.

        Raises:
            DataError: the data has no validation part.
        """
        valid = self.data.part("valid")
        both = self.data.train.union(valid)
        fold_in = self.data.fold_in
        return both if fold_in is None else both.union(fold_in.only((valid.lengths() > 0)[fold_in.rows()]))

    @cached_property
    def everything(self) -> Interactions:
        """The interactions of all parts, for a model that is used and no longer measured."""
        parts = self.data.parts()
        return self.data.history("+".join(name for name in ("train", "valid", "test") if name in parts))

    def task(self, part: PartName, history: str = "train") -> Task:
        """A part ranked from other parts; what no list may hold is in MASKED.

        Args:
            part: what is to be found.
            history: what the lists are made from, such as `train+valid`; `fold_in` is always among it.

        Raises:
            ConfigError: the part to be found is in the history.
            DataError: the data has no such part.
        """
        names = [name.strip() for name in history.split("+")]
        if part in names:
            raise ConfigError(f"history '{history}' gives away the part '{part}' that is to be ranked; rank from earlier parts")
        if history not in self._histories:  # the same object for all tasks, so that they are scored once
            self._histories[history] = self.data.history(history)
        mask, have = self._histories[history], self.data.parts()
        for name in MASKED[part]:
            if name in have and name not in names:
                mask = mask.union(have[name])
        truth = self.data.part(part)
        if self.protocol == "time-split":
            truth = truth.only((self._histories[history].lengths() > 0)[truth.rows()])
        return Task(self._histories[history], truth, mask, self.facts)

    def tasks(self, *parts: PartName) -> dict[str, Task]:
        """Tasks by the part's name, for `measure`.

        Args:
            parts: such as `valid`, `test`.

        Raises:
            DataError: the data has no such part.
        """
        return {part: self.valid if part == "valid" else self.test for part in parts}


def stages(
    data: Dataset,
    *,
    protocol: Protocol = "official",
    choose_on: ChooseOn = "valid",
    embeddings: NDArray[np.floating[Any]] | None = None,
) -> Stages:
    """Work out what is learned from, chosen on, ranked from, left out and to be found: the one place that does.

    Args:
        data: a data folder.
        protocol: `official`, `chronological`, `leave-one-out`, `time-split`, `time-split-all` or `leaking`, as the module says.
        choose_on: `valid`, or `inner` for the newest tenth of each training history.
        embeddings: of the items, one row per position, [I, D]; for a metric of lists.

    Raises:
        DataError: a chronological protocol is asked for, and the data lacks the validation or the test part; or the parts are not
            cut as the protocol says.
    """
    if why := not_cut_so(protocol, data):
        raise DataError(why)
    return Stages(in_order(data) if protocol == "chronological" else data, protocol, choose_on, embeddings)


def not_cut_so(protocol: Protocol, data: Dataset) -> str:
    """The reason why the parts of some data are not those of a protocol, with the remedy; empty where they may be.

    Args:
        protocol: of a leave-one-out and a time split alone anything is asked.
        data: a data folder.
    """
    later = [part for part in (data.valid, data.test) if part is not None]
    if protocol == "leave-one-out":
        if data.train.time_kind is None:
            return f"leave-one-out needs time, and data '{data.name}' has none; prepare it with --protocol leave-one-out"
        most = max((int(part.lengths().max(initial=0)) for part in later), default=0)
        if most > 1:
            return (
                f"leave-one-out has one item a user in each later part, and data '{data.name}' has up to {most}; prepare the log "
                "with --protocol leave-one-out"
            )
    if protocol in ("time-split", "time-split-all"):
        remedy = f"prepare the log with --protocol {protocol}"
        if data.train.time_kind != "clock":
            return f"{protocol} needs times that compare across users, and data '{data.name}' has none; take leave-one-out"
        times = [part.times for part in (data.train, *later) if part.times is not None and len(part.times)]
        if any(before.max() > after.min() for before, after in pairwise(times)):
            return f"{protocol} cuts all users at one moment, and the parts of data '{data.name}' overlap in time; {remedy}"
    return ""


def test_comes_first(data: Dataset) -> bool:
    """Tell whether the part called test lies before the one called valid, for most users who have both.

    Args:
        data: with both parts and times.

    Raises:
        DataError: the data lacks one of the two.
    """
    valid, test = data.part("valid"), data.part("test")
    both = (valid.lengths() > 0) & (test.lengths() > 0)
    return bool(both.any() and looks_ahead(valid, test)[both].mean() > 0.5)


def in_order(data: Dataset) -> Dataset:
    """The same data, its two later parts exchanged where test comes first.

    Args:
        data: with both parts and times.

    Raises:
        DataError: the data lacks one of the two.
    """
    if not test_comes_first(data):
        return data
    return replace(data, valid=data.test, test=data.valid, info=data.info | {"name": f"{data.name}, in order of time"})
