"""Who may ask, by what name, and how much; and what no answer shows."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recodiff.errors import ConfigError
from recodiff.serving.service import Service
from recodiff.serving.tokens import Tokens, read_tokens
from served_models import Serving

READ, WRITE = "r" * 20, "w" * 20
TOKENS = Tokens({READ: "read", WRITE: "write"})
EVENT = {"events": [{"user": "a", "item": 104}]}


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_rights(serving: Serving) -> None:
    with serving(tokens=TOKENS) as client:
        asked = {"user": "a"}
        for headers in (
            {},
            bearing("x" * 20),
            bearing(READ[:-1]),
            {"Authorization": READ},
            bearing(""),
            {"Authorization": "Basic x"},
        ):
            refused = client.post("/v1/recommend", json=asked, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert client.get("/metrics", headers=headers).status_code == 401
        for token in (READ, WRITE):
            assert client.post("/v1/recommend", json=asked, headers=bearing(token)).status_code == 200
        assert client.post("/v1/events", json=EVENT, headers=bearing(READ)).status_code == 403
        assert client.delete("/v1/users/a/history", headers=bearing(READ)).status_code == 403
        assert client.post("/v1/events", json=EVENT, headers=bearing(WRITE)).status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_every_token_is_compared_whichever_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared: list[bytes] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: (compared.append(a), real(a, b))[1])
    for token in (READ, WRITE, "neither"):
        TOKENS.right(token)
    assert len(compared) == 6
    assert {len(digest) for digest in compared} == {32}  # of the hashes, so a token's length shows nowhere


def test_a_token_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# ours\n\nread {READ}\n  write   {WRITE}\n")
    tokens = read_tokens(path)
    assert tokens.right(READ) == "read"
    assert tokens.right(WRITE) == "write"
    assert tokens.right("") is None
    for text, words in (
        ("read\n", "line 1"),
        (f"all {READ}\n", "line 1"),
        ("read short\n", "fewer than 16"),
        ("# none\n", "no token"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_tokens(path)
    with pytest.raises(ConfigError, match="missing"):
        read_tokens(tmp_path / "nowhere")


def test_a_body_that_is_too_large_is_refused_announced_or_not(serving: Serving) -> None:
    with serving(limits={"body_bytes": 2000}) as client:
        large = b'{"user": "' + b"a" * 3000 + b'"}'
        sent = client.post("/v1/recommend", content=large, headers={"content-type": "application/json"})
        streamed = client.post(
            "/v1/recommend",
            content=(large[at : at + 100] for at in range(0, 3000, 100)),
            headers={"content-type": "application/json"},
        )
        for answer in (sent, streamed):
            assert answer.status_code == 413
            assert "larger than 2000 bytes" in answer.json()["error"]
        odd = client.post("/v1/recommend", content=b"{}", headers={"content-length": "x"})
        assert odd.status_code == 400


def test_another_name_is_refused(serving: Serving) -> None:
    with serving(hosts=("localhost", "[::1]")) as client:
        for host, status in (
            ("localhost:8000", 200),
            ("[::1]:80", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("", 421),
        ):
            assert client.get("/healthz", headers={"host": host}).status_code == status


def test_headers_keep_the_page_to_itself(client: TestClient) -> None:
    for path in ("/v1/model", "/nowhere", "/healthz"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_failure_of_ours_shows_nothing_of_the_inside(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr(Service, "recommend", fail)
    answer = client.post("/v1/recommend", json={"user": "a"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the service failed at this request; its log says why"}


@pytest.mark.parametrize("how", [{"content": b'{"history": [104]}'}, {"json": [{"history": [104]}]}, {"json": "104"}])
def test_a_body_that_is_not_read_as_an_object_is_told_what_may_be_lacking(client: TestClient, how: dict[str, Any]) -> None:
    """What curl sends without `-H` has another content type."""
    answer = client.post("/v1/recommend", **how)
    assert answer.status_code == 422
    assert "lacks the header Content-Type: application/json" in answer.json()["error"]


def test_what_takes_too_long_is_given_up(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async def slow(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Service, "recommend", slow)
    with serving(limits={"seconds": 0.05}) as client:
        answer = client.post("/v1/recommend", json={"user": "a"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_figures_for_prometheus(client: TestClient) -> None:
    client.post("/v1/recommend", json={"history": [104]})
    client.post("/v1/recommend", json={"user": "a"})
    client.get("/v1/users/secret/history")
    text = client.get("/metrics").text
    assert 'recodiff_lists_total{based_on="history",model="ease"} 1.0' in text
    assert 'recodiff_lists_total{based_on="popular",model="ease"} 1.0' in text
    assert "secret" not in text
    assert 'recodiff_batch_lists_count{model="ease"} 1.0' in text


def labels(client: TestClient) -> dict[tuple[str, str], float]:
    """Route and model -> requests."""
    found = defaultdict[tuple[str, str], float](float)
    for line in client.get("/metrics").text.splitlines():
        if line.startswith("recodiff_requests_total{"):
            named = dict(re.findall(r'(\w+)="([^"]*)"', line))
            found[named["route"], named["model"]] += float(line.split()[-1])
    return dict(found)


def test_figures_tell_models_apart_and_have_no_name_that_a_request_makes_up(client: TestClient) -> None:
    for name in ("ease", "knn", "knn"):
        assert client.post(f"/v1/models/{name}/recommend", json={"history": [104]}).status_code == 200
    client.post("/v1/recommend", json={"history": [104]})
    for number in range(50):
        client.get(f"/v1/models/made-up-{number}")
        client.get(f"/made/up/{number}")
        client.put(f"/v1/models/made-up-{number}/items")
    client.get("/v1/models/vectors")
    found = labels(client)
    named = "/v1/models/{model}"
    assert found[f"{named}/recommend", "ease"] == 1
    assert found[f"{named}/recommend", "knn"] == 2
    assert found["/v1/recommend", ""] == 1
    assert found[named, ""] == 50
    assert found[named, "vectors"] == 1
    assert found[f"{named}/items", ""] == 50
    assert found["none", ""] == 50
    assert len(found) == 7


def test_every_route_has_a_label_of_its_own(client: TestClient) -> None:
    declared = client.get("/v1/openapi.json").json()["paths"]
    for path, methods in declared.items():
        for method in methods:
            client.request(method, path.replace("{model}", "ease").replace("{user}", "anna"))
    routes = {route.replace(":path", "") for route, _ in labels(client)}
    assert routes - {"none"} == set(declared)
