"""MLflow: a run in the store that MLFLOW_TRACKING_URI names, or in the current folder as MLflow does by itself.

The experiment is that of MLFLOW_EXPERIMENT_NAME, else `recodiff`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from recodiff.tracking.tracker import TrackerRun

EXPERIMENT = "recodiff"
AT_ONCE = 100
"""Parameters that MLflow takes in one call."""
USUAL = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_LOGGING_LEVEL": "WARNING"}
"""Unless these are set: a server that is gone holds up a training by a minute, not by a quarter of an hour, and tables are made
without a word."""

for _name, _value in USUAL.items():
    os.environ.setdefault(_name, _value)

from mlflow.entities import Metric, Param  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402


def begin_mlflow(name: str, out: Path | None) -> TrackerRun:
    """Begin a run.

    Args:
        name: of the run.
        out: the folder of the work, which the run names.
    """
    client = MlflowClient()
    wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    known = client.get_experiment_by_name(wanted)
    experiment = client.create_experiment(wanted) if known is None else known.experiment_id
    return MLflowRun(client, experiment, name, {} if out is None else {"folder": str(out)})


class MLflowRun:
    """A run in an experiment.

    Args:
        client: of the store.
        experiment: its id.
        name: of the run.
        tags: of the run.
    """

    def __init__(self, client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> None:
        self.client, self.experiment = client, experiment
        self.id: str = client.create_run(experiment, tags=dict(tags), run_name=name).info.run_id

    def parameters(self, values: Mapping[str, str | float | bool]) -> None:
        """See `TrackerRun`."""
        given = [Param(key, str(value)) for key, value in values.items()]
        for first in range(0, len(given), AT_ONCE):
            self.client.log_batch(self.id, params=given[first : first + AT_ONCE])

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackerRun`."""
        now = int(time.time() * 1000)
        self.client.log_batch(self.id, metrics=[Metric(_metric(key), value, now, step) for key, value in values.items()])

    def figures(self, values: Mapping[str, float]) -> None:
        """See `TrackerRun`."""
        self.curve(0, values)

    def files(self, paths: Sequence[Path], what: str) -> None:
        """See `TrackerRun`."""
        for path in paths:
            self.client.log_artifact(self.id, str(path), what)

    def child(self, name: str) -> TrackerRun:
        """See `TrackerRun`."""
        return MLflowRun(self.client, self.experiment, name, {"mlflow.parentRunId": self.id})

    def end(self, *, ok: bool) -> None:
        """See `TrackerRun`."""
        self.client.set_terminated(self.id, "FINISHED" if ok else "FAILED")


def _metric(name: str) -> str:
    """A name that MLflow takes: `@` is none of its characters."""
    return name.replace("@", "_at_")
