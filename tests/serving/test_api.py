"""What the API answers: the library's own lists, in the catalogue's own ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recodiff import explain, history_of, load_model, recommend, similar_items
from recodiff.ranking.recommend import without_newest
from served_models import ITEMS, MARKUP, Serving

TYPED = [104, 110, 102, 116]


def ask(client: TestClient, path: str = "/v1/recommend", **wanted: Any) -> Any:
    answer = client.post(path, json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[Any]:
    return [item["item"] for item in answer["items"]]


def test_a_history_gets_the_list_of_recommend(client: TestClient, runs: dict[str, Path]) -> None:
    model = load_model(runs["ease"])
    frame = recommend(model, history_of(model, TYPED), 5).to_frame()
    found = ask(client, history=TYPED, k=5)
    assert ids(found) == frame["item"].to_list()
    assert [item["score"] for item in found["items"]] == pytest.approx(frame["score"].to_list())
    assert found | {"items": 0, "version": 0} == {
        **{"model": "ease", "version": 0, "user": None, "based_on": "history", "note": None},
        **{"history": 4, "unknown": [], "items": 0, "left": None},
    }


def test_ids_are_of_the_catalogues_own_type(client: TestClient) -> None:
    assert ids(ask(client, history=["104", 110], k=3)) == ids(ask(client, history=[104, 110], k=3))
    found = ask(client, "/v1/models/text/recommend", history=["item-4"], k=3)
    assert all(item.startswith("item-") for item in ids(found))


def test_unknown_items_are_left_out_and_named(client: TestClient) -> None:
    found = ask(client, history=[104, 9, "007", "x", "104.0"], exclude=[8], k=3)
    assert found["history"] == 1
    assert found["unknown"] == [9, "007", "x", "104.0", 8]
    assert ids(found) == ids(ask(client, history=[104], k=3))


def test_an_item_that_stands_twice_counts_where_it_came_last(client: TestClient) -> None:
    assert ask(client, history=[104, 110, 104], k=3)["history"] == 2


def test_without_history_the_list_is_of_popular_items_and_says_so(client: TestClient) -> None:
    most = ids(ask(client, "/v1/models/popularity/recommend", history=[], k=4))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"user": "none"}, "no history"),
        ({"history": []}, "no history"),
        ({"history": [1, 2]}, "knows no item"),
    ]
    for wanted, note in cases:
        found = ask(client, **wanted, k=4)
        assert found["based_on"] == "popular"
        assert note in found["note"]
        assert ids(found) == most
    assert ids(ask(client, history=[], k=4, exclude=most[:2])) != most
    assert ids(ask(client, history=[], k=4, candidates=most[2:])) == most[2:]


def test_lists_are_narrowed(client: TestClient) -> None:
    whole = ids(ask(client, history=TYPED, k=24))
    assert len(whole) == ITEMS - 4
    assert ids(ask(client, history=TYPED, k=3, exclude=whole[:2])) == whole[2:5]
    assert sorted(ids(ask(client, history=TYPED, k=9, candidates=[*whole[5:7], 104]))) == sorted(whole[5:7])
    assert ids(ask(client, history=TYPED, k=9, candidates=[])) == []
    assert len(ids(ask(client, history=TYPED, k=100, include_seen=True))) == ITEMS


def test_an_explanation_is_that_of_explain(client: TestClient, runs: dict[str, Path]) -> None:
    model = load_model(runs["ease"])
    history = history_of(model, TYPED)
    expected = explain(model, history, recommend(model, history, 3))
    found = ask(client, history=TYPED, k=3, explain=True)
    for rank, item in enumerate(found["items"]):
        said = [(reason["item"], reason["effect"]) for reason in item["because"]]
        assert [one for one, _ in said] == [one for one, _ in expected.of(0, rank)]
        assert [effect for _, effect in said] == pytest.approx([effect for _, effect in expected.of(0, rank)], abs=1e-5)
    assert ask(client, history=[], k=3, explain=True)["items"][0]["because"] == []


def test_the_effect_of_the_newest_is_the_rank_without_it(client: TestClient, runs: dict[str, Path]) -> None:
    model = load_model(runs["ease"])
    history = history_of(model, TYPED)
    before = recommend(model, without_newest(history), 24, exclude=history).to_frame()["item"].to_list()
    found = ask(client, history=TYPED, k=5, effect_of_newest=True)
    assert [item["before"] for item in found["items"]] == [before.index(item) + 1 for item in ids(found)]
    assert [item["item"] for item in found["left"]] == [item for item in before[:5] if item not in ids(found)]
    alone = ask(client, history=[104], k=2, effect_of_newest=True)
    assert [item["before"] for item in alone["items"]] == [None, None]


def test_a_batch_is_the_single_lists(client: TestClient) -> None:
    lists = [
        {"history": TYPED, "k": 3},
        {"history": [105], "k": 7, "exclude": [107]},
        {"user": "none", "k": 2},
        {"history": [], "k": 1},
    ]
    found = ask(client, "/v1/recommend/batch", lists=lists)["lists"]
    assert [ids(one) for one in found] == [ids(ask(client, **one)) for one in lists]


def test_similar_items_are_those_of_the_library(client: TestClient, runs: dict[str, Path]) -> None:
    expected = similar_items(load_model(runs["vectors"]), [104], 3)
    found = client.get("/v1/models/vectors/similar", params={"item": 104, "k": 3}).json()
    assert [item["item"] for item in found["items"]] == expected["similar"].to_list()
    assert found["title"] == "Film 04 Été"


def test_items_are_found_by_words_without_case_and_accents(client: TestClient) -> None:
    def search(text: str, **more: Any) -> list[Any]:
        return [item["item"] for item in client.get("/v1/items", params={"search": text, **more}).json()["items"]]

    assert search("ete 05") == [105]
    assert search("SOHNE") == [107]
    assert search("104") == [104]
    assert len(search("film", limit=7)) == 7
    assert search("nowhere") == []
    assert search("", limit=3) == search("!?", limit=3)
    answer = client.get("/v1/items", params={"search": "söhne"})
    assert answer.json()["items"][0]["title"] == MARKUP
    assert answer.headers["content-type"] == "application/json"


def test_what_is_served_is_said(client: TestClient) -> None:
    about = client.get("/v1/model").json()
    assert about["name"] == "ease"
    assert about["default"]
    assert about["settings"]["l2"] == 5.0
    assert about["about"]["data"]["name"] == "toy"
    everything = client.get("/v1/models").json()
    assert [one["name"] for one in everything["models"]] == ["ease", "knn", "popularity", "text", "vectors"]
    assert everything["writable"]
    assert client.get("/v1/models/text").json()["titles"] is False
    assert "/v1/recommend" in client.get("/v1/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    ("path", "wanted", "status", "words"),
    [
        ("/v1/recommend", {}, 422, "name a user or give a history"),
        ("/v1/recommend", {"user": "a", "k": 0}, 422, "k:"),
        ("/v1/recommend", {"user": "a", "k": 101}, 422, "101 is too much for k; this service takes 100"),
        ("/v1/recommend", {"user": "a", "k": True}, 422, "k:"),
        ("/v1/recommend", {"user": "a\u0000"}, 422, "user"),
        ("/v1/recommend", {"user": 2**70}, 422, "user"),
        ("/v1/recommend", {"user": "a", "kk": 1}, 422, "kk"),
        ("/v1/recommend", {"history": [1] * 51}, 422, "51 is too much for items of the history"),
        ("/v1/recommend", {"history": [1.5]}, 422, "history"),
        ("/v1/recommend", {"user": "a", "exclude": list(range(201))}, 422, "201"),
        ("/v1/recommend/batch", {"lists": []}, 422, "lists"),
        ("/v1/recommend/batch", {"lists": [{"user": "a"}] * 9}, 422, "9 lists are too many"),
        ("/v1/recommend/batch", {"lists": [{"user": "a"}, {}]}, 422, "list 1: name a user"),
        ("/v1/models/popularity/recommend", {"history": [104], "explain": True}, 422, "nothing to explain"),
        ("/v1/models/nope/recommend", {"user": "a"}, 404, "no model is called 'nope'"),
        ("/v1/events", {"events": [{"user": "a", "item": 1}] * 6}, 422, "6 events are too many"),
        ("/v1/events", {"events": [{"user": "a", "item": 1, "time": -1}]}, 422, "time"),
        ("/v1/nowhere", {}, 404, "no such path"),
        ("/v1/model", {}, 405, "does not take that method"),
    ],
)
def test_a_mistake_is_one_sentence(serving: Serving, path: str, wanted: Any, status: int, words: str) -> None:
    limits = {"k": 100, "history": 50, "items": 200, "batch": 8, "events": 5}
    with serving("ease", "popularity", limits=limits) as client:
        answer = client.post(path, json=wanted)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/similar?item=104", 422, "no item vectors"),
        ("/v1/models/vectors/similar?item=9", 404, "does not know the item '9'"),
        ("/v1/models/vectors/similar?item=104&k=24", 422, "this model gives 23"),
        ("/v1/models/vectors/similar", 422, "item"),
        ("/v1/items?limit=101", 422, "answers with 100"),
        ("/v1/items?limit=x", 422, "limit"),
        ("/v1/users/a%00b/history", 422, "user"),
    ],
)
def test_a_mistaken_question_is_one_sentence(client: TestClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]


def test_no_json_is_refused(client: TestClient) -> None:
    for body in (b"{", b"\xff\xfe", b"[" * 100_000, b'{"k": NaN}', b'{"k": ' + b"9" * 5000 + b"}", b'"text"', b""):
        answer = client.post("/v1/recommend", content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, body[:20]
        assert list(answer.json()) == ["error"]
    answer = client.post("/v1/recommend", content=b'{"user": "a"}', headers={"content-type": "text/plain"})
    assert answer.status_code == 422
