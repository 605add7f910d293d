"""The routes of API version 1. Those of `model` also stand below the name of a model."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from recodiff.ranking.vectors import similar_items
from recodiff.serving.answers import titled
from recodiff.serving.asking import READ, WRITE, TheService, in_time
from recodiff.serving.errors import RefusedError
from recodiff.serving.schemas import (
    NO_CONTROLS,
    About,
    AboutAll,
    Appended,
    Forgotten,
    GivenEvents,
    ItemSearch,
    RecommendedList,
    RecommendedLists,
    Similar,
    SimilarItem,
    State,
    StoredEvent,
    StoredHistory,
    Wanted,
    WantedBatch,
)
from recodiff.serving.served import Served
from recodiff.serving.service import Service
from recodiff.serving.store.base import KeyReusedError, NewEvent

health = APIRouter(tags=["health"])
service = APIRouter(prefix="/v1", tags=["service"])
model = APIRouter(tags=["model"])
named = APIRouter(tags=["named model"])

UserPath = Annotated[str, Path(min_length=1, max_length=512, pattern=NO_CONTROLS, description="A user's id.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", description="A repeat writes nothing."
    ),
]


@health.get("/healthz")
async def healthz() -> State:
    """Whether the process answers."""
    return State(status="ok")


@health.get("/readyz")
async def readyz(service: TheService) -> State:
    """Whether it can answer requests: models are loaded, the store answers, and it is not stopping."""
    if service.stopping:
        raise RefusedError(503, "the service is stopping", {"Retry-After": "5"})
    await run_in_threadpool(service.store.check)
    return State(status="ready")


@health.get("/metrics", dependencies=READ, response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: TheService) -> Response:
    """Figures for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@service.get("/models", dependencies=READ)
async def models(service: TheService) -> AboutAll:
    """The models that are served, and what this service takes."""
    return AboutAll(
        default=service.settings.default,
        models=[about(service, served) for served in service.models.served.values()],
        split=service.settings.split,
        shadow=service.settings.shadow,
        writable=not service.store.read_only,
        limits=service.settings.limits.model_dump(),
    )


@service.post("/events", dependencies=WRITE, responses={409: {"description": "The store is read alone, or the key came before"}})
async def append(service: TheService, given: GivenEvents, key: Key = None) -> Appended:
    """Append events, all or none; once this answers they are on disk. A repeat under the same key writes nothing."""
    if service.store.read_only:
        raise RefusedError(409, "events come from a table that this service only reads; write them there")
    if len(given.events) > service.settings.limits.events:
        raise RefusedError(422, f"{len(given.events)} events are too many; send {service.settings.limits.events} at once")
    now = int(1000 * time.time())
    events = [
        NewEvent(str(event.item), now if event.time is None else int(1000 * event.time), str(event.user)) for event in given.events
    ]
    digest = hashlib.sha256(json.dumps(given.model_dump(mode="json")).encode()).hexdigest()
    try:
        written = await run_in_threadpool(service.store.append, events, key, digest)
    except KeyReusedError:
        raise RefusedError(409, "this idempotency key came before with other events; use a new one") from None
    served = service.models.get(service.settings.default)
    items = [event.item for event in given.events]
    unknown = [served.own(item) for item, at in zip(items, served.positions(items), strict=True) if at < 0]
    service.metrics.events.inc(len(events) if written else 0)
    return Appended(appended=len(events) if written else 0, repeated=not written, unknown=list(dict.fromkeys(unknown)))


@service.get("/users/{user:path}/history", dependencies=READ)
async def history(service: TheService, user: UserPath) -> StoredHistory:
    """A user's newest events, oldest first."""
    (events,) = await run_in_threadpool(service.store.histories, [user], service.settings.limits.stored)
    served = service.models.get(service.settings.default)
    places = served.positions([event.item for event in events])
    rows = [
        StoredEvent(
            item=served.own(event.item) if at < 0 else served.ids[at],
            title=None if at < 0 else served.title(at),
            time=event.at / 1000,
            known=at >= 0,
        )
        for event, at in zip(events, places, strict=True)
    ]
    return StoredHistory(user=user, events=rows)


@service.delete("/users/{user:path}/history", dependencies=WRITE, responses={409: {"description": "The store is read alone"}})
async def forget(service: TheService, user: UserPath) -> Forgotten:
    """Delete all events of a user."""
    if service.store.read_only:
        raise RefusedError(409, "events come from a table that this service only reads; delete them there")
    return Forgotten(user=user, deleted=await run_in_threadpool(service.store.forget, user))


def about(service: Service, served: Served) -> About:
    """The description of a model.

    Args:
        service: as it runs.
        served: the model.
    """
    traits, described = served.model.traits, served.described
    return About(
        name=served.name,
        version=served.version,
        model=described["model"],
        items=served.size,
        default=served.name == service.settings.default,
        titles=served.titles is not None,
        similar=traits.item_vectors,
        explains=traits.personalised,
        newer_refused=service.models.newer_refused(served.name),
        settings=described["config"],
        about=described["info"],
    )


async def _recommend(service: Service, wanted: Wanted, name: str | None) -> RecommendedList:
    (found,) = await in_time(service, service.recommend([wanted], name))
    return found


async def _recommend_batch(service: Service, wanted: WantedBatch, name: str | None) -> RecommendedLists:
    if len(wanted.lists) > service.settings.limits.batch:
        raise RefusedError(422, f"{len(wanted.lists)} lists are too many; ask for {service.settings.limits.batch} at once")
    return RecommendedLists(lists=await in_time(service, service.recommend(wanted.lists, name)))


async def _similar(service: Service, item: str, k: int, name: str | None) -> Similar:
    served = service.models.get(name or service.settings.default)
    if not served.model.traits.item_vectors:
        raise RefusedError(422, f"model {served.name} has no item vectors, so it cannot say what is similar; ask another model")
    if k > min(service.settings.limits.k, served.size - 1):
        raise RefusedError(422, f"{k} is too much for k; this model gives {min(service.settings.limits.k, served.size - 1)}")
    (place,) = served.positions([item])
    if place < 0:
        raise RefusedError(404, f"the model does not know the item {item[:80]!r}; search one at /v1/items")
    own = served.ids[place]
    frame = await in_time(service, service.scorer.call(similar_items, served.model, [own], k))
    places = served.positions(frame["similar"].to_list())
    items = [
        SimilarItem(item=served.ids[at], title=served.title(at), cosine=cosine)
        for at, cosine in zip(places, frame["cosine"].to_list(), strict=True)
    ]
    return Similar(model=served.name, version=served.version, item=own, title=served.title(place), items=items)


async def _items(service: Service, search: str, limit: int, name: str | None) -> ItemSearch:
    served = service.models.get(name or service.settings.default)
    if limit > service.settings.limits.found:
        raise RefusedError(422, f"{limit} is too much for limit; this service answers with {service.settings.limits.found}")
    places = await run_in_threadpool(served.search, search, limit)
    return ItemSearch(model=served.name, items=titled(served, places))


SearchOf = Annotated[str, Query(max_length=200, description="Words of a title or an id; popular items where it is empty.")]
Limit = Annotated[int, Query(ge=1, description="Items at most.")]
Item = Annotated[str, Query(min_length=1, max_length=512, pattern=NO_CONTROLS, description="An item's id.")]
K = Annotated[int, Query(ge=1, description="Items in the answer.")]


@model.post("/recommend", dependencies=READ)
async def recommend(service: TheService, wanted: Wanted) -> RecommendedList:
    """A list for a known user or for a history, by the default model or the one that a split gives the user."""
    return await _recommend(service, wanted, None)


@model.post("/recommend/batch", dependencies=READ)
async def recommend_batch(service: TheService, wanted: WantedBatch) -> RecommendedLists:
    """Several lists in one request, scored together."""
    return await _recommend_batch(service, wanted, None)


@model.get("/similar", dependencies=READ)
async def similar(service: TheService, item: Item, k: K = 10) -> Similar:
    """The items most like one, by the cosine of the default model's vectors."""
    return await _similar(service, item, k, None)


@model.get("/items", dependencies=READ)
async def items(service: TheService, search: SearchOf = "", limit: Limit = 20) -> ItemSearch:
    """Items of the default model whose title or id holds all words."""
    return await _items(service, search, limit, None)


@model.get("/model", dependencies=READ)
async def described(service: TheService) -> About:
    """What the default model is, and what it was trained on."""
    return about(service, service.models.get(service.settings.default))


@named.post("/recommend", dependencies=READ)
async def recommend_of(service: TheService, model: str, wanted: Wanted) -> RecommendedList:
    """A list by the named model."""
    return await _recommend(service, wanted, model)


@named.post("/recommend/batch", dependencies=READ)
async def recommend_batch_of(service: TheService, model: str, wanted: WantedBatch) -> RecommendedLists:
    """Several lists by the named model."""
    return await _recommend_batch(service, wanted, model)


@named.get("/similar", dependencies=READ)
async def similar_of(service: TheService, model: str, item: Item, k: K = 10) -> Similar:
    """The items most like one, by the named model's vectors."""
    return await _similar(service, item, k, model)


@named.get("/items", dependencies=READ)
async def items_of(service: TheService, model: str, search: SearchOf = "", limit: Limit = 20) -> ItemSearch:
    """Items of the named model whose title or id holds all words."""
    return await _items(service, search, limit, model)


@named.get("", dependencies=READ)
async def described_of(service: TheService, model: str) -> About:
    """What the named model is, and what it was trained on."""
    return about(service, service.models.get(model))
