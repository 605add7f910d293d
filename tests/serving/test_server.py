"""The process that serves, over a real socket: how it begins, ends, and what a kill leaves."""

from __future__ import annotations

import gc
import http.client
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres import running_postgres
from recodiff import prepare, synthesise
from recodiff.cli import main
from recodiff.errors import DataError
from recodiff.runtime.sql import open_engine
from recodiff.serving.server import set_modules_aside
from recodiff.serving.store.open import open_histories, take_over
from recodiff.serving.store.own import EVENTS
from served_processes import running


def test_requests_under_way_are_answered_before_it_ends(runs: dict[str, Path], tmp_path: Path) -> None:
    with running(runs["ease"], "--store", f"sqlite:///{tmp_path}/e.db", "--wait-ms", 500) as service:
        lists = {"lists": [{"history": [104], "k": 3}] * 2}
        service.call("/v1/recommend/batch", lists)  # lists come together, so the next waits for half a second
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(service.call("/v1/recommend/batch", lists)))
        asking.start()
        time.sleep(0.15)
        service.process.send_signal(signal.SIGTERM)
        asking.join(20)
        assert len(answers[0]["lists"]) == 2
        assert service.process.wait(20) == 0
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            service.call("/healthz")


def test_the_data_folder_is_taken_over_once(runs: dict[str, Path], tmp_path: Path) -> None:
    synthesise(users=30, items=24, interactions=300, seed=0).write_csv(tmp_path / "clicks.csv")
    main(["prepare", str(tmp_path / "clicks.csv"), str(tmp_path / "data")])
    store = f"sqlite:///{tmp_path}/e.db"
    sizes = []
    for _ in range(2):
        with running(runs["ease"], "--store", store, "--data", tmp_path / "data") as service:
            user = str(sorted(open_engine(store).connect().exec_driver_sql("SELECT user FROM recodiff_events").scalars())[0])
            sizes.append(len(service.call(f"/v1/users/{user}/history")["events"]))
            service.process.terminate()
            service.process.wait(20)
    assert sizes[0] == sizes[1] > 0


def test_a_store_holds_the_histories_of_one_data_folder(tmp_path: Path) -> None:
    first, other = (prepare(synthesise(users=30, items=24, interactions=300, seed=seed), name="clicks") for seed in range(2))
    url = f"sqlite:///{tmp_path}/e.db"
    store, users = open_histories(url), [str(user) for user in first.users.ids]
    assert take_over(store, url, first) > 0
    before = store.histories(users, 1000)
    with pytest.raises(DataError, match=r"has the histories of another data folder.*--store sqlite:///FILE"):
        take_over(store, url, other)
    assert take_over(store, url, first) == 0
    assert store.histories(users, 1000) == before


def test_a_port_that_is_taken_is_one_sentence(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit):
            main(["serve", str(runs["ease"]), "--store", f"sqlite:///{tmp_path}/e.db", "--port", str(port), "--threads", "1"])
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert f"port {port} cannot be listened on" in said[0]


def test_collections_pass_over_the_modules() -> None:
    before = len(gc.get_objects())
    try:
        set_modules_aside()
        assert gc.get_freeze_count() > 0.5 * before
        assert len(gc.get_objects()) < 0.5 * before
    finally:
        gc.unfreeze()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/events.db"
        return
    with running_postgres() as server:
        yield server.url


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_kill_loses_no_acknowledged_event_and_doubles_none(runs: dict[str, Path], store: str, kills: int) -> None:
    """A client that repeats what was not acknowledged, under the same key, until it is."""
    acknowledged: list[int] = []
    number, wanted = 0, threading.Event()
    for kill in range(kills + 1):
        with running(runs["ease"], "--store", store) as service:
            if kill < kills:
                delay = 0.05 + 0.4 * (kill * 0.618 % 1)
                threading.Timer(delay, service.process.kill).start()
            until = time.monotonic() + 30
            while kill < kills or number < 10 or wanted.is_set():
                assert time.monotonic() < until
                events = [{"user": f"u{number % 3}", "item": f"{number}-{part}"} for part in range(3)]
                try:
                    service.call("/v1/events", {"events": events}, key=f"n{number}")
                except (http.client.HTTPException, OSError):  # also one that is cut off within its body
                    wanted.set()
                    break
                wanted.clear()
                acknowledged.append(number)
                number += 1
    with open_engine(store).connect() as connection:
        items = sorted(connection.execute(EVENTS.select()).mappings().all(), key=lambda row: row["id"])
    found = [row["item"] for row in items]
    assert found == [f"{one}-{part}" for one in acknowledged for part in range(3)]
    print(f"{kills} kills: {len(found)} events acknowledged, none lost, none doubled")
    assert len(acknowledged) >= 10
