"""Several models: which one answers whom, and newer folders taken up while the service runs."""

from __future__ import annotations

import io
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recodiff.errors import CheckpointError, ConfigError
from recodiff.models.saving import WEIGHTS
from recodiff.serving import models
from recodiff.serving.served import Served, load_served
from recodiff.serving.settings import ServiceSettings, named_runs, traffic_shares
from served_models import Serving, save

WATCH = 0.05


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def version(client: TestClient) -> str:
    return client.get("/v1/model").json()["version"]


def test_a_split_answers_its_share_of_the_users_and_always_the_same(serving: Serving) -> None:
    lines = io.StringIO()
    with serving("ease", "knn", split={"knn": 0.3}, choices=lines) as client:
        users = [f"user-{n}" for n in range(400)]
        lists = [{"user": user, "k": 1} for user in users]
        first, again = (client.post("/v1/recommend/batch", json={"lists": lists}).json()["lists"] for _ in range(2))
        chosen = [one["model"] for one in first]
        assert 0.2 < chosen.count("knn") / 400 < 0.4
        assert chosen == [one["model"] for one in again]
        assert client.post("/v1/recommend", json={"history": [104]}).json()["model"] == "ease"
        assert client.post("/v1/models/ease/recommend", json={"user": users[chosen.index("knn")]}).json()["model"] == "ease"
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["user"], line["model"]) for line in logged[:400]] == list(zip(users, chosen, strict=True))


def test_a_shadow_is_compared_and_never_answers(serving: Serving) -> None:
    lines = io.StringIO()
    with serving("ease", "knn", shadow="knn", choices=lines) as client:
        found = client.post("/v1/recommend", json={"history": [104, 110], "k": 5}).json()
        assert found["model"] == "ease"
        other = client.post("/v1/models/knn/recommend", json={"history": [104, 110], "k": 5}).json()
        wait_for(lambda: bool(lines.getvalue()))
    line = json.loads(lines.getvalue())
    theirs = [item["item"] for item in other["items"]]
    assert line["shadow_items"] == theirs
    assert line["agreement"] == len({item["item"] for item in found["items"]} & set(theirs)) / 5


def test_a_failing_shadow_is_no_requests_failure(serving: Serving) -> None:
    with serving("ease", "popularity", shadow="popularity") as client:
        assert client.post("/v1/recommend", json={"history": [104], "explain": True}).status_code == 200


def test_a_newer_model_is_taken_up_without_a_failed_request(serving: Serving, tmp_path: Path) -> None:
    folder = save("ease", tmp_path / "m", {"l2": 5.0})
    statuses: list[int] = []
    with serving(folders={"m": folder}, watch_seconds=WATCH) as client:
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                statuses.append(client.post("/v1/recommend", json={"history": [104, 110], "k": 3}).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            for l2 in (50.0, 500.0):
                old = version(client)
                save("ease", folder, {"l2": l2})
                wait_for(lambda old=old: version(client) != old)
                assert client.get("/v1/model").json()["settings"]["l2"] == l2
        finally:
            stop.set()
            asking.join()
    assert len(statuses) > 10
    assert set(statuses) == {200}


def test_an_older_model_is_freed_though_nobody_asks_again(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, loaded, given_back = save("ease", tmp_path / "m", {"l2": 5.0}), list[weakref.ref[Served]](), list[bool]()

    def load(*given: Any, **named: Any) -> Served:
        served = load_served(*given, **named)
        loaded.append(weakref.ref(served))
        return served

    monkeypatch.setattr(models, "load_served", load)
    monkeypatch.setattr(models, "give_freed_memory_back", lambda: given_back.append(loaded[0]() is None))
    with serving(folders={"m": folder}, watch_seconds=WATCH) as client:
        assert client.post("/v1/recommend", json={"history": [104], "k": 3}).status_code == 200
        save("ease", folder, {"l2": 50.0})
        wait_for(lambda: bool(given_back))
        assert given_back == [True]
        assert loaded[1]() is not None


def test_a_damaged_model_is_refused_and_the_older_one_goes_on(serving: Serving, tmp_path: Path) -> None:
    folder = save("ease", tmp_path / "m", {"l2": 5.0})
    whole = (folder / WEIGHTS).read_bytes()
    with serving(folders={"m": folder}, watch_seconds=WATCH) as client:
        old, before = version(client), client.post("/v1/recommend", json={"history": [104], "k": 3}).json()
        (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
        wait_for(lambda: client.get("/v1/model").json()["newer_refused"])
        assert version(client) == old
        assert client.post("/v1/recommend", json={"history": [104], "k": 3}).json() == before
        assert client.get("/readyz").status_code == 200
        assert str(tmp_path) not in client.get("/v1/models").text
        shutil.rmtree(folder)
        time.sleep(4 * WATCH)
        assert client.post("/v1/recommend", json={"history": [104], "k": 3}).json() == before
        save("ease", folder, {"l2": 9.0})
        wait_for(lambda: version(client) != old)
        assert not client.get("/v1/model").json()["newer_refused"]


def test_a_damaged_model_is_not_served_to_begin_with(serving: Serving, tmp_path: Path) -> None:
    folder = save("ease", tmp_path / "m", {"l2": 5.0})
    (folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(CheckpointError, match="not what was saved"), serving(folders={"m": folder}):
        pass


def test_names_of_models(tmp_path: Path) -> None:
    assert named_runs(["runs/a", "b=runs/a"]) == {"a": Path("runs/a"), "b": Path("runs/a")}
    with pytest.raises(ConfigError, match="two models are called 'a'"):
        named_runs(["x/a", "y/a"])
    assert traffic_shares(["a=0.25"]) == {"a": 0.25}
    with pytest.raises(ConfigError, match="NAME=SHARE"):
        traffic_shares(["a"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"split": {"c": 0.1}}, "'c' is not served"),
        ({"shadow": "c"}, "'c' is not served"),
        ({"split": {"a": 0.1}}, "'a' is the default"),
        ({"split": {"b": 1.5}}, "at most 1"),
        ({"runs": {"a/b": Path("x")}}, "cannot be called 'a/b'"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, Any], words: str) -> None:
    from recodiff.config import check

    with pytest.raises(ConfigError, match=words):
        check(ServiceSettings, {"runs": {"a": Path("a"), "b": Path("b")}} | settings, where="the service")
