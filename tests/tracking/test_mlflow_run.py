"""What MLflow's own client finds in a store of files or a database, after a training, a study and a comparison."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import recodiff
from recodiff.errors import ConfigError
from tracking.conftest import train_tracked, tune_and_compare

pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'recodiff[mlflow]'")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    from mlflow.tracking import MlflowClient

    return MlflowClient


def runs_of(client: Any, experiment: str = "recodiff") -> dict[str, Any]:
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return {run.info.run_name: run for run in found}


def test_a_training(store: Any, clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    train_tracked(clicks, tmp_path / "m", "mlflow")
    client = store()
    (run,) = runs_of(client, "mine").values()
    assert run.info.status == "FINISHED"
    assert run.data.params["denoiser.hidden"] == "[8]"
    assert run.data.metrics["parameters"] > 0
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3]
    assert {"recall_at_20", "valid/recall_at_20"} <= set(run.data.metrics)
    kept = Path(client.download_artifacts(run.info.run_id, "model", str(tmp_path)))
    assert recodiff.load_model(kept).registered == "diffrec"


def test_a_study_and_a_comparison(store: Any, clicks: Path, tmp_path: Path) -> None:
    tune_and_compare(clicks, tmp_path, "mlflow")
    client = store()
    runs = runs_of(client)
    assert {"tune ease on clicks", "trial 0", "trial 1", "compare on clicks", "popularity, seed 1", "ease, seed 1"} == set(runs)
    assert runs["trial 1"].data.tags["mlflow.parentRunId"] == runs["tune ease on clicks"].info.run_id
    assert "test/ndcg_at_20" in runs["ease, seed 1"].data.metrics
    kept = {artifact.path for artifact in client.list_artifacts(runs["tune ease on clicks"].info.run_id, "study")}
    assert kept == {"study/best.toml", "study/trials.csv", "study/trials.json"}


def test_a_server_that_is_not_there_is_refused_before_the_training(
    clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(410)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Gone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(ConfigError, match="mlflow cannot be begun"):
        train_tracked(clicks, tmp_path / "m", "mlflow")
    server.shutdown()
    assert not (tmp_path / "m").exists()
