"""A study of Optuna in a folder: what was tried, what to try next, what to give up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter

from recodiff.errors import CheckpointError, missing_extra
from recodiff.experiments.tuning.dimensions import Choices, Dimension, Range, Space, draw_settings
from recodiff.experiments.tuning.tuning_result import Trial
from recodiff.runtime import files
from recodiff.runtime.folders import HIDDEN, held
from recodiff.tensors.random import keyed_generator
from recodiff.tracking.tracker import TENSORBOARD

if TYPE_CHECKING:
    import optuna

STUDY, JOURNAL = "study.json", "journal.jsonl"
LEARNABLE = 5
"""Trials that TPE needs to learn from, and pruning to compare with."""
COMPARABLE = 3
"""Trials that must have come as far as one that is pruned."""


@contextmanager
def open_study(folder: Path | None, identity: Mapping[str, Any], *, seed: int, warmup_epochs: int) -> Iterator[Study]:
    """A study to go on with, or a new one.

    Args:
        folder: holds it, and is held by this program alone meanwhile; without one it is kept in memory.
        identity: what a study must be of, to be gone on with: model, data, space and so on, as JSON.
        seed: of the draws.
        warmup_epochs: no trial is pruned before it was trained for that many.

    Raises:
        CheckpointError: the folder holds something else, is in use, or is damaged.
        MissingExtraError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise missing_extra(error, "optuna", "tuning needs optuna", '"recodiff[tune]"') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(LEARNABLE, warmup_epochs, n_min_trials=COMPARABLE)
    if folder is None:
        yield Study(optuna.create_study(direction="maximize", pruner=pruner), seed)
        return
    with held(folder):
        _refuse_foreign(folder, identity)
        if not (folder / STUDY).exists():
            files.write_json(folder / STUDY, identity)
        storage = _storage(folder / JOURNAL)
        found = optuna.create_study(
            storage=storage, study_name="recodiff", direction="maximize", pruner=pruner, load_if_exists=True
        )
        study = Study(found, seed)
        study.bury_the_killed()
        yield study


def _refuse_foreign(folder: Path, identity: Mapping[str, Any]) -> None:
    if not folder.exists() or not any(path.name not in {*HIDDEN, TENSORBOARD} for path in folder.iterdir()):
        return
    path = folder / STUDY
    if not path.exists():
        raise CheckpointError(f"'{folder}' holds something else and no study ({STUDY}); choose a new or empty folder")
    with files.reading(path, CheckpointError, "choose a new folder"):
        theirs = json.loads(path.read_text("utf-8"))
        differing = [key for key, ours in json.loads(json.dumps(identity)).items() if theirs.get(key) != ours]
    if differing:
        other = "other settings" if differing[0] == "settings" else f"another {differing[0]}"
        raise CheckpointError(f"'{folder}' holds a study of {other}; go on with the command that began it, or choose a new folder")


def _storage(journal: Path) -> optuna.storages.JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    for lock in journal.parent.glob(f"{journal.name}.lock*"):  # Optuna's own, left by a killed program: the folder is ours
        lock.unlink()
    journal.touch()
    with files.reading(journal, CheckpointError, "choose a new folder"):
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1  # a line that was being written when the program was killed is none
        if whole < len(content):
            files.replace_with(journal, lambda partial: partial.write_bytes(content[:whole]))
        return JournalStorage(JournalFileBackend(str(journal), lock_obj=JournalFileOpenLock(str(journal))))


class Study:
    """Trials that were made, and the next one.

    Draws are keyed by the seed and the number of trials that count, so a study that was killed and resumed draws what the
    uninterrupted one would have drawn.

    Args:
        study: Optuna's.
        seed: of the draws.
    """

    def __init__(self, study: optuna.Study, seed: int) -> None:
        self._study, self._seed = study, seed

    def trials(self) -> list[Trial]:
        """All that are finished, in order."""
        finished = [trial for trial in self._study.get_trials(deepcopy=False) if trial.state.is_finished()]
        return [_trial(trial.user_attrs.get("trial", {"number": trial.number, "state": "killed"})) for trial in finished]

    def bury_the_killed(self) -> None:
        """Mark what an earlier program left unfinished as failed."""
        import optuna

        for trial in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def begin(self, space: Space, settings: Mapping[str, Any]) -> Attempt:
        """The first trial: the settings that the search begins with. Optuna learns of those inside the space.

        Args:
            space: what is drawn in later trials.
            settings: dotted key -> value.
        """
        import optuna

        inside = {key: found for key, of in space.items() if of.active(settings) for found in of.find(key, settings)[:1]}
        if not self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING]):  # left by a killed program
            self._study.enqueue_trial({key: _encoded(space[key], found) for key, found in inside.items()})
        attempt = Attempt(self._study.ask())
        for key in inside:
            attempt.draw(key, space[key])
        return attempt

    def next(self, space: Space, settings: Mapping[str, Any], *, at_random: bool) -> tuple[Attempt, dict[str, Any]]:
        """The next trial, and what was drawn for it, as dotted key -> value.

        Args:
            space: what is drawn.
            settings: dotted key -> value, of what stays.
            at_random: whether it is drawn without regard to earlier trials.
        """
        import optuna

        made = sum(trial.counts for trial in self.trials())
        key = int(torch.randint(2**31, (), generator=keyed_generator(self._seed, "trial", made)))
        tpe = optuna.samplers.TPESampler(n_startup_trials=LEARNABLE, seed=key, constant_liar=False)
        self._study.sampler = optuna.samplers.RandomSampler(key) if at_random else tpe
        attempt = Attempt(self._study.ask())
        return attempt, draw_settings(space, settings, attempt.draw)

    def end(self, attempt: Attempt, trial: Trial) -> None:
        """Record how an attempt ended.

        Args:
            attempt: as `begin` or `next` gave it.
            trial: its state and figure.
        """
        import optuna

        states = optuna.trial.TrialState
        attempt.trial.set_user_attr("trial", asdict(trial))
        if trial.state == "complete":
            self._study.tell(attempt.trial, trial.value)
        else:
            gone_so_far = trial.state in ("pruned", "stopped")
            self._study.tell(attempt.trial, state=states.PRUNED if gone_so_far else states.FAIL)


class Attempt:
    """A trial that is under way.

    Args:
        trial: Optuna's.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.number = trial, trial.number

    def draw(self, key: str, dimension: Dimension) -> Any:
        """One draw.

        Args:
            key: dotted, of the setting.
            dimension: what is drawn from.
        """
        if isinstance(dimension, Choices):
            return json.loads(self.trial.suggest_categorical(key, [json.dumps(choice) for choice in dimension.choices]))
        assert isinstance(dimension, Range)
        if dimension.whole:
            return self.trial.suggest_int(key, int(dimension.low), int(dimension.high), log=dimension.log)
        return self.trial.suggest_float(key, dimension.low, dimension.high, log=dimension.log)

    def is_hopeless(self, epoch: int, value: float) -> bool:
        """Tell whether a trial with this figure after `epoch` epochs should be given up.

        Args:
            epoch: passes made, from 1.
            value: its validation figure, higher is better.
        """
        self.trial.report(value, epoch)
        return self.trial.should_prune()


def _trial(kept: object) -> Trial:
    """A trial as the journal has it, whoever wrote it.

    Raises:
        CheckpointError: it is none of ours.
    """
    try:
        return TypeAdapter(Trial).validate_python(kept)
    except ValueError:
        raise CheckpointError(f"a trial in {JOURNAL} is damaged ({str(kept)[:100]!r}); choose a new folder") from None


def _encoded(dimension: Dimension, drawn: Any) -> Any:
    """A draw as Optuna keeps it: choices as JSON, since lists and tables are no categories to it."""
    return json.dumps(drawn) if isinstance(dimension, Choices) else drawn
