"""The model of a folder trained anew on a newer log, and put in its place where it is not worse: what `recodiff refresh` does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recodiff.config import Settings
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError, ConfigError, DataError, did_you_mean
from recodiff.evaluation.evaluate import Evaluation, evaluate_lists, measure
from recodiff.evaluation.metrics import parse_all
from recodiff.evaluation.protocol import Protocol, Stages, Task, in_order
from recodiff.evaluation.significance import compare_pairs
from recodiff.experiments.runs.model_card import CardNotes, figures_of
from recodiff.experiments.runs.protocols import SAID
from recodiff.experiments.runs.run_folder import forget_run
from recodiff.experiments.runs.runner import load_complete, need_complete
from recodiff.experiments.runs.train import train_again
from recodiff.models.base import Recommender
from recodiff.models.model_files import CARD, CONFIG, model_files
from recodiff.models.saving import load_model, read_config
from recodiff.ranking.topk import ranked
from recodiff.runtime import files
from recodiff.runtime.folders import held, refuse_files_of_others, replaced
from recodiff.runtime.run import Run

PromoteIf = Literal["better", "not-worse", "always"]
REFRESHED, FOUND = "refresh", "refresh.json"
"""In the model's folder: trainings that are not in its place, and what the last refresh found."""
MEASURED, FINAL = "measured", "final"
"""The trainings: one to compare with the old model, and one on all that the old kind of training takes."""
COMPARED = ("recall@20", "ndcg@20")
LONGEST_LIST = 20
WORSE = 0.05
"""A difference counts where its p, corrected for both figures, is below."""


@dataclass(frozen=True)
class FigureChange:
    """A figure of the old and of the new model over the same users.

    Args:
        metric: one of COMPARED.
        old: mean of the old model.
        new: mean of the new one.
        low: lower end of the 95 % interval of new minus old.
        high: its upper end.
        p: of the paired bootstrap, after Holm's correction.
    """

    metric: str
    old: float
    new: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class RefreshResult:
    """The findings of a refresh, and whether the new model took the place of the old one.

    Args:
        promoted: whether the new model is in the place of the old one now.
        changes: of the figures; empty where there was nothing to do.
        counts: what the old model does not know of the new data, by name.
        sentences: that say so.
    """

    promoted: bool
    changes: tuple[FigureChange, ...]
    counts: Mapping[str, int]
    sentences: tuple[str, ...]


def refresh(
    run: str | Path,
    data: Dataset | str | Path,
    *,
    promote_if: PromoteIf = "not-worse",
    device: str = "auto",
    threads: int | None = None,
    trust_code: bool = False,
    say: Callable[[str], None] = print,
) -> RefreshResult:
    """Train the settings of a model folder on newer data, and put the new model in its place unless it is worse.

    The same call goes on where it was interrupted. Example: `recodiff.refresh("runs/best", "data/november")`

    Args:
        run: the model folder.
        data: newer data with a validation and a test part, or its folder; users and items may be new.
        promote_if: `not-worse` puts the new model in the place of the old one unless it is significantly worse in recall@20 or
            ndcg@20; `better` asks for one of them to be significantly better besides; `always` asks for nothing.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`...
        threads: CPU threads for the whole process; all cores unless given.
        trust_code: whether a model class outside recodiff, named in the folder, may be imported.
        say: receives what is going on, a sentence at a time.

    Raises:
        CheckpointError: the folder is missing, damaged, foreign, or names a class that is not trusted.
        DataError: the data lacks a part, or the old model knows none of its items.
        ConfigError: an option is wrong.
        ModelError: training fails.
    """
    if promote_if not in get_args(PromoteIf):
        close = did_you_mean(promote_if, get_args(PromoteIf)) or f"say {', '.join(get_args(PromoteIf))}"
        raise ConfigError(f"promote_if = {promote_if!r} is unknown; {close}")
    folder, place = Path(run), Run(device, threads=threads)
    old = load_model(folder, device=str(place.torch_device), trust_code=trust_code)
    newer = need_complete(data) if isinstance(data, Dataset) else load_complete(Path(data))
    with held(folder):
        found = files.described(folder / FOUND) or {}
        refuse_files_of_others(folder, [FOUND], [FOUND] if "promoted" in found else ())
        described = read_config(folder)
        if described["info"].get("data", {}).get("fingerprint") == newer.fingerprint():
            _forget(folder, described["model"], described["config"])
            return RefreshResult(False, (), {}, (f"the model of '{folder}' was trained on this very data; there is nothing to do",))
        return _Refresh(folder, old, described, newer, place, say).go(promote_if)


class _Refresh:
    """One refresh, in a folder that is held."""

    def __init__(
        self, folder: Path, old: Recommender, described: Mapping[str, Any], data: Dataset, run: Run, say: Callable[[str], None]
    ) -> None:
        self.folder, self.old, self.info, self.say = folder, old, described["info"], say
        self.name: str = described["model"]
        self.settings: Settings = self.info.get("asked") or described["config"]
        self.run = replace(run, seed=self.info.get("seed", 0))
        self.protocol: Protocol = "official" if data.train.time_kind is None else "chronological"
        self.data = in_order(data) if self.protocol == "chronological" else data

        if not self._places().max(initial=-1) >= 0:
            raise DataError(f"the model of '{folder}' knows none of the items of '{data.name}'; give data of its catalogue")

    def _places(self) -> NDArray[np.int64]:
        """The position in the new catalogue of each item of the old one, -1 where it is gone."""
        return self.data.items.positions(self.old.items.ids, unknown="mark")

    def go(self, promote_if: PromoteIf) -> RefreshResult:
        self.say(f"training {self.name} with the same settings on {self.data.name}")
        new = self._train(MEASURED, refit=False, card=CardNotes())
        task, aside = self._newest()
        theirs, counts = self._of_the_old(task)
        ours = measure(new, {"test": task}, COMPARED)["test"]
        changes = _changes(theirs, ours)
        promoted = _allowed(changes, promote_if)
        sentences = (*aside, *_counted(counts, len(ours.users)), *_decided(changes, promote_if, promoted=promoted))
        result = RefreshResult(promoted, changes, counts, sentences)
        files.write_json(self.folder / FOUND, {"data": self.data.name, "fingerprint": self.data.fingerprint(), **asdict(result)})
        if promoted:
            self._promote(ours, sentences)
        return result

    def _train(self, where: str, *, refit: Any, card: CardNotes) -> Recommender:
        run = replace(self.run, out=self.folder / REFRESHED / where)
        how = {"choose_on": self.info.get("choose_on", "valid"), "where": str(self.folder)}
        return train_again(self.name, self.settings, self.data, run, refit=refit, card=card, **how)

    def _newest(self) -> tuple[Task, tuple[str, ...]]:
        """What is to be found: of the test part what the old model cannot have learned from, as far as that is known."""
        task = Stages(self.data, self.protocol).test
        until = self.info.get("data", {}).get("until")
        if until is None or task.truth.time_kind != "clock" or task.truth.times is None:
            return task, ("the old model may have learned from what it is measured on, which favours it",)
        later = task.truth.times > until
        if not later.any():
            return task, ("nothing of the test part is newer than what the old model learned from, which favours it",)
        return replace(task, truth=task.truth.only(later)), ()

    def _of_the_old(self, task: Task) -> tuple[Evaluation, dict[str, int]]:
        """The old model's figures on the new task, and what of it the model does not know."""
        users = np.flatnonzero(task.truth.lengths() > 0)
        asked, mask, truth = task.history.take(users), task.mask.take(users), task.truth.take(users)
        history, dropped = asked.over(self.old.items)
        places = self._places()
        allowed = np.flatnonzero(places >= 0)
        k = min(LONGEST_LIST, len(allowed))
        found = ranked(self.old, history, k, {"mask": mask.over(self.old.items)[0]}, allowed=allowed)["mask"][0]
        lists: NDArray[np.int64] = np.full((len(users), LONGEST_LIST), -1, dtype=np.int64)
        lists[:, :k] = np.where(found >= 0, places[found], -1)
        counts = {
            "new items": len(self.data.items) - len(allowed),
            "items that are gone": len(self.old.items) - len(allowed),
            "interactions to be found": truth.nnz,
            "of new items": truth.over(self.old.items)[1],
            "interactions of histories left out": dropped,
            "users without a known item": int(((history.lengths() == 0) & (asked.lengths() > 0)).sum()),
        }
        if self.old.traits.remembers_users:
            counts["new users"] = int((asked.users.within(self.old.users) < 0).sum())
        return evaluate_lists(lists, users, task, parse_all(COMPARED)), counts

    def _promote(self, ours: Evaluation, sentences: tuple[str, ...]) -> None:
        where = MEASURED
        if refit := self.info.get("refit", False):
            self.say("training once more on all that the old model's kind of training takes")
            card = CardNotes([figures_of(ours, SAID[self.protocol])], [f"{one[0].upper()}{one[1:]}." for one in sentences])
            where = FINAL
            self._train(where, refit=refit, card=card)
        put_in_place(self.folder / REFRESHED / where, self.folder)
        _forget(self.folder, self.name, self.settings)


def _forget(folder: Path, name: str, settings: Settings) -> None:
    """Removes the trainings of a refresh, and their folder where nothing else is in it."""
    for where in (MEASURED, FINAL):
        forget_run(folder / REFRESHED / where, name, settings)
    with suppress(OSError):  # it holds something else, or was never made
        (folder / REFRESHED).rmdir()


def put_in_place(new: Path, folder: Path) -> None:
    """Replace the model of a folder by that of another, whole or not at all; a README.md of one's own stays.

    Args:
        new: the folder of the model that is copied.
        folder: whose model is replaced; it is held.

    Raises:
        CheckpointError: a file of the new model is not what was saved.
    """
    described = read_config(new)
    names, ours = model_files(new), model_files(folder)
    if (folder / CARD).exists() and CARD not in ours:
        names -= {CARD}
    with replaced(folder, CONFIG, ours) as staged:
        for name in sorted(names):
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new / name, staged / name)
            if name in described["hashes"] and files.sha256(staged / name) != described["hashes"][name]:
                raise CheckpointError(f"'{new / name}' is not what was saved; the same command trains it again")


def _changes(old: Evaluation, new: Evaluation) -> tuple[FigureChange, ...]:
    found = compare_pairs(np.stack([new.values[metric] - old.values[metric] for metric in COMPARED], axis=1))
    spread = np.stack([found.low, found.high, found.adjusted], axis=1).tolist()
    return tuple(
        FigureChange(metric, old.mean(metric), new.mean(metric), *three) for metric, three in zip(COMPARED, spread, strict=True)
    )


def _allowed(changes: tuple[FigureChange, ...], promote_if: PromoteIf) -> bool:
    worse = any(one.p < WORSE and one.new < one.old for one in changes)
    better = any(one.p < WORSE and one.new > one.old for one in changes)
    return promote_if == "always" or (not worse and (better or promote_if == "not-worse"))


def _counted(counts: Mapping[str, int], users: int) -> list[str]:
    asked, missed = counts["interactions to be found"], counts["of new items"]
    made = [f"measured on {asked:,} interactions of {users:,} users, {missed:,} of them of items that the old model does not know"]
    if counts["new items"] or counts["items that are gone"]:
        made.append(
            f"{counts['new items']:,} items are new; {counts['items that are gone']:,} of the old model's are gone, in no list"
        )
    if lost := counts["users without a known item"]:
        made.append(f"{lost:,} users have a history of new items alone, from which the old model scores as from none")
    if strange := counts.get("new users"):
        made.append(f"{strange:,} users are unseen by the old model, which serves them from their history")
    return made


def _decided(changes: tuple[FigureChange, ...], promote_if: PromoteIf, *, promoted: bool) -> list[str]:
    def verdict(one: FigureChange) -> str:
        return "about as good" if one.p >= WORSE else "significantly better" if one.new > one.old else "significantly worse"

    found = ", ".join(f"{verdict(one)} in {one.metric}" for one in changes)
    ends = "it takes the place of the old one" if promoted else f"the old one stays (--promote-if {promote_if})"
    return [f"the new model is {found}: {ends}"]
