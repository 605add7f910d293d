"""Several workers at one address: what they share, and what becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from recodiff.cli import main
from recodiff.errors import ConfigError
from recodiff.models.saving import WEIGHTS
from recodiff.runtime.run import Run
from recodiff.serving.copies import KEPT_SECONDS, PREFIX, folder_of_copies
from recodiff.serving.settings import ServiceSettings
from recodiff.serving.workers import refuse_several
from served_models import ITEMS, save
from served_processes import Running, running

ROUND = 24
"""Requests over connections of their own, of which either of two workers gets some."""


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def two(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """Two workers with a split, and the file of choices."""
    above = tmp_path_factory.mktemp("two")
    lines = above / "choices.jsonl"
    store = f"sqlite:///{above}/e.db"
    models = [runs["ease"], runs["knn"], "--split", "knn=0.4"]
    with running(*models, "--store", store, "--choices", lines, "--workers", 2) as service:
        yield service, lines


def test_both_workers_answer_and_one_says_the_figures_of_both(two: tuple[Running, Path]) -> None:
    service, _ = two
    assert len(service.workers()) == 2
    assert "by 2 workers" in service.said[-1]

    def asked() -> float:
        lines, series = service.call("/metrics").splitlines(), 'recodiff_requests_total{model="",route="/v1/items"'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(series))

    before = asked()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: service.call(f"/v1/items?search=film&limit={1 + n % 3}"), range(ROUND)))
    assert [len(one["items"]) for one in found] == [1 + n % 3 for n in range(ROUND)]
    assert {asked() for _ in range(6)} == {before + ROUND}
    text = service.call("/metrics")
    assert "recodiff_worker_starts_total 2.0" in text
    assert "recodiff_pending_lists 0.0" in text


def test_users_keep_their_model_and_choices_are_whole_lines(two: tuple[Running, Path]) -> None:
    service, lines = two
    users = [f"user-{n}" for n in range(ROUND)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda user: service.call("/v1/recommend", {"user": user})["model"], 2 * users))
    first, again = found[:ROUND], found[ROUND:]
    assert first == again
    assert set(first) == {"ease", "knn"}
    logged = [json.loads(line) for line in lines.read_text().splitlines()]
    assert sorted((one["user"], one["model"]) for one in logged) == sorted(2 * list(zip(users, first, strict=True)))


def test_an_event_counts_in_every_worker_and_a_key_once_in_all(two: tuple[Running, Path]) -> None:
    service, _ = two
    with ThreadPoolExecutor(8) as pool:
        given = {"events": [{"user": "anna", "item": 104}]}
        appended = list(pool.map(lambda _: service.call("/v1/events", given, key="once")["appended"], range(ROUND)))
    assert sorted(appended) == [0] * (ROUND - 1) + [1]
    for _ in range(ROUND):
        assert len(service.call("/v1/users/anna/history")["events"]) == 1


def test_a_worker_that_dies_is_started_again_and_the_other_goes_on(two: tuple[Running, Path]) -> None:
    service, _ = two
    killed, other = service.workers()
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: killed not in service.workers())
    for _ in range(5):
        assert service.call("/readyz")["status"] == "ready"
    wait_for(lambda: "recodiff_worker_starts_total 3.0" in service.call("/metrics"))
    wait_for(lambda: len(service.workers()) == 2)
    assert other in service.workers()
    assert any("ended (by signal 9); another is started" in line for line in service.said)
    assert 'recodiff_requests_total{model="",route="/v1/items",status="200"}' in service.call(
        "/metrics"
    )  # what it had counted stays


def versions(service: Running) -> set[str]:
    with ThreadPoolExecutor(4) as pool:
        return set(pool.map(lambda _: service.call("/v1/model")["version"], range(ROUND)))


def test_newer_models_reach_all_workers_without_a_failed_request(tmp_path: Path) -> None:
    folder = save("ease", tmp_path / "m", {"l2": 5.0})
    failed: list[Any] = []
    with running(folder, "--store", f"sqlite:///{tmp_path}/e.db", "--workers", 2) as service:
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    service.call("/v1/recommend", {"history": [104, 110], "k": 3})
                except (urllib.error.URLError, OSError) as error:
                    failed.append(error)

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for one in asking:
            one.start()
        try:
            (old,) = versions(service)
            save("ease", folder, {"l2": 50.0})
            wait_for(lambda: old not in versions(service))
            (new,) = versions(service)
            whole = (folder / WEIGHTS).read_bytes()
            (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])  # in place, as a copy that broke off
            wait_for(lambda: service.call("/v1/model")["newer_refused"])
            killed = service.workers()[0]
        finally:
            stop.set()
            for one in asking:
                one.join()
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: "recodiff_worker_starts_total 3.0" in service.call("/metrics") and len(service.workers()) == 2)
        assert versions(service) == {new}  # the one that was started again has the last good model
        text = service.call("/metrics")
        assert 'recodiff_reloads_total{model="m",result="taken"} 1.0' in text
        assert 'recodiff_reloads_total{model="m",result="refused"} 1.0' in text
        save("ease", folder, {"l2": 9.0})
        wait_for(lambda: versions(service).isdisjoint({old, new}))
        assert not service.call("/v1/model")["newer_refused"]
    assert failed == []


def test_the_service_ends_with_all_its_workers(runs: dict[str, Path], tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/e.db"
    with running(runs["ease"], "--store", store, "--workers", 2, "--wait-ms", 500) as service:
        workers = service.workers()
        lists = {"lists": [{"history": [104], "k": 3}] * 2}
        with ThreadPoolExecutor(4) as pool:
            for _ in range(2):  # lists come together in both workers, so the next wait for half a second
                list(pool.map(lambda _: service.call("/v1/recommend/batch", lists), range(8)))
            answers = [pool.submit(service.call, "/v1/recommend/batch", lists) for _ in range(4)]
            time.sleep(0.15)
            service.process.send_signal(signal.SIGTERM)
            assert all(len(one.result(20)["lists"]) == 2 for one in answers)
        assert service.process.wait(20) == 0
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            service.call("/healthz")
    assert "stopped; every request" in service.said[-1]


def test_workers_do_not_outlive_what_started_them(runs: dict[str, Path], tmp_path: Path) -> None:
    with running(runs["ease"], "--store", f"sqlite:///{tmp_path}/e.db", "--workers", 2) as service:
        workers = service.workers()
        service.process.kill()
        wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


CANNOT_ANSWER = """
import sys
from pathlib import Path

from recodiff.errors import ConfigError
from recodiff.serving import workers
from recodiff.serving.server import listen
from recodiff.serving.settings import ServiceSettings
from recodiff.serving.worker import WorkerOrder

if __name__ == "__main__":
    folder, model = map(Path, sys.argv[1:])
    workers.STARTS = 1
    settings = ServiceSettings(runs={"ease": model})
    order = WorkerOrder(settings, folder, (f"sqlite:///{folder}/not/there/e.db", None, None), None, None, None, 1)
    service = workers.Workers(order, settings, 2, listen("127.0.0.1", 0))
    print(service.take_all())
    try:
        service.run(lambda: print("they answer"))
    except ConfigError as error:
        print(error)
"""


def test_workers_that_cannot_answer_end_the_service(runs: dict[str, Path], tmp_path: Path) -> None:
    program = tmp_path / "cannot_answer.py"  # of its own, since workers say their lines where the first ones of a process did
    program.write_text(CANNOT_ANSWER)
    copies = tmp_path / "copies"
    copies.mkdir()
    done = subprocess.run([sys.executable, program, copies, runs["ease"]], capture_output=True, text=True, timeout=120, check=True)
    answers, ended = done.stdout.splitlines()
    assert answers == str({"ease": ITEMS})
    assert ended.startswith("the workers end before they answer")
    assert "cannot answer: the database" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_workers_cannot_share_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ServiceSettings(runs={"m": tmp_path})
    refuse_several(settings, "sqlite:///events.db")
    for store in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"):
        with pytest.raises(ConfigError, match="several workers need one database; give --store"):
            refuse_several(settings, store)
    import torch

    monkeypatch.setattr(Run, "torch_device", property(lambda _: torch.device("cuda")))
    with pytest.raises(ConfigError, match="'cuda' has its own; say --device cpu, or --workers 1"):
        refuse_several(settings, "sqlite:///events.db")


def test_no_worker_is_no_service(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", str(runs["ease"]), "--workers", "0"])
    assert "--workers 0 lies below 1" in capsys.readouterr().err


def test_copies_of_a_killed_service_are_removed_and_of_a_running_one_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    with folder_of_copies() as held:
        for folder in (left, held):
            os.utime(folder, (0, time.time() - 2 * KEPT_SECONDS))
        with folder_of_copies():
            assert held.is_dir()
            assert not left.exists()
    assert not held.exists()
