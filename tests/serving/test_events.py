"""Events and histories through the API."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from served_models import Serving


def events(client: TestClient, *given: tuple[Any, ...], key: str | None = None) -> Any:
    rows = [dict(zip(("user", "item", "time"), one, strict=False)) for one in given]
    return client.post("/v1/events", json={"events": rows}, headers={"Idempotency-Key": key} if key else {})


def history(client: TestClient, user: str) -> list[Any]:
    return client.get(f"/v1/users/{user}/history").json()["events"]


def test_a_new_event_counts_in_the_next_list(client: TestClient) -> None:
    assert events(client, ("anna", 104), ("anna", "x")).json() == {"appended": 2, "repeated": False, "unknown": ["x"]}
    first = client.post("/v1/recommend", json={"user": "anna", "k": 3}).json()
    assert first["based_on"] == "history"
    assert first["unknown"] == ["x"]
    typed = client.post("/v1/recommend", json={"history": [104], "k": 3}).json()
    assert first["items"] == typed["items"]
    events(client, ("anna", first["items"][0]["item"]))
    second = client.post("/v1/recommend", json={"user": "anna", "k": 3}).json()
    assert first["items"][0]["item"] not in [item["item"] for item in second["items"]]


def test_events_of_one_request_share_the_servers_time(client: TestClient) -> None:
    before = time.time()
    events(client, ("u", 104), ("u", 105), ("u", 106, 1000), ("u", 107, 2000.5))
    found = history(client, "u")
    assert [event["item"] for event in found] == [106, 107, 104, 105]
    assert [event["time"] for event in found[:2]] == [1000, 2000.5]
    assert found[2]["time"] == found[3]["time"]
    assert before - 1 < found[2]["time"] < time.time() + 1
    assert [event["known"] for event in found] == [True] * 4


def test_a_number_and_its_text_are_one_user(client: TestClient) -> None:
    events(client, (7, 104), ("7", 105))
    assert [event["item"] for event in history(client, "7")] == [104, 105]


def test_a_repeated_request_writes_nothing(client: TestClient) -> None:
    assert events(client, ("u", 104), key="k1").json()["appended"] == 1
    again = events(client, ("u", 104), key="k1").json()
    assert (again["appended"], again["repeated"]) == (0, True)
    other = events(client, ("u", 105), key="k1")
    assert other.status_code == 409
    assert "came before with other events" in other.json()["error"]
    assert len(history(client, "u")) == 1
    assert events(client, ("u", 104), key="bad key").status_code == 422


def test_a_history_is_deleted(client: TestClient) -> None:
    events(client, ("a/b ?#", 104), ("other", 105))
    assert [event["item"] for event in history(client, "a%2Fb%20%3F%23")] == [104]
    assert client.delete("/v1/users/a%2Fb%20%3F%23/history").json() == {"user": "a/b ?#", "deleted": 1}
    assert history(client, "a%2Fb%20%3F%23") == []
    assert len(history(client, "other")) == 1


def test_all_events_or_none(client: TestClient) -> None:
    assert events(client, ("u", 104), ("u", "")).status_code == 422
    assert history(client, "u") == []


def test_the_newest_event_is_all_that_shares_its_time(client: TestClient) -> None:
    """The models learned events as `whole`."""
    events(client, ("u", 104, 1), ("u", 110, 2), ("u", 112, 2))
    found = client.post("/v1/recommend", json={"user": "u", "k": 24, "effect_of_newest": True}).json()
    alone = client.post("/v1/recommend", json={"history": [104], "exclude": [110, 112], "k": 24}).json()
    assert [item["item"] for item in sorted(found["items"], key=lambda item: item["before"])] == [i["item"] for i in alone["items"]]


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE "order" (who INTEGER, "select" INTEGER, at TEXT)')
        rows = [
            (1, 104, "2026-01-02"),
            (1, 110, "2026-01-01T10:00:00"),
            (1, 9, "2026-01-03"),
            (1, None, "2026-01-04"),
            (2, 105, None),
        ]
        connection.executemany('INSERT INTO "order" VALUES (?, ?, ?)', rows)
    return f"sqlite:///{path}"


def test_a_table_of_yours_is_read_and_never_written(serving: Serving, theirs: str) -> None:
    before = Path(theirs.removeprefix("sqlite:///")).read_bytes()
    with serving(store=theirs, table="order", columns="user=who,item=select,time=at") as client:
        assert [event["item"] for event in history(client, "1")] == [110, 104, 9]
        for nobody_there in ("2", "01", "x", "1e0", str(2**80)):
            assert history(client, nobody_there) == []
        found = client.post("/v1/recommend", json={"user": 1, "k": 3}).json()
        assert (found["history"], found["unknown"]) == (2, [9])
        for answer in (events(client, ("1", 104)), client.delete("/v1/users/1/history")):
            assert answer.status_code == 409
            assert "only reads" in answer.json()["error"]
        assert not client.get("/v1/models").json()["writable"]
    assert Path(theirs.removeprefix("sqlite:///")).read_bytes() == before


def test_a_store_that_fails_is_503_and_histories_in_requests_still_answer(serving: Serving, tmp_path: Path) -> None:
    with serving() as client:
        client.app.state.service.store.engine.dispose()  # type: ignore[attr-defined]
        with sqlite3.connect(tmp_path / "events.db") as connection:
            connection.execute("DROP TABLE recodiff_events")
        for answer in (
            client.post("/v1/recommend", json={"user": "a"}),
            events(client, ("a", 104)),
            client.get("/v1/users/a/history"),
        ):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert "recodiff_events" not in answer.text
        assert client.post("/v1/recommend", json={"history": [104]}).status_code == 200
