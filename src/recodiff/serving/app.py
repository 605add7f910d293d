"""The application: routes, rights and refusals around a service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from recodiff.errors import DataError, ModelError
from recodiff.serving import page, routes
from recodiff.serving.errors import RefusedError
from recodiff.serving.guard import Guard
from recodiff.serving.schemas import Mistake
from recodiff.serving.service import Service

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""Names of this machine."""
ROUTERS = (
    (page.router, ""),
    (routes.health, ""),
    (routes.service, ""),
    (routes.model, "/v1"),
    (routes.named, "/v1/models/{model}"),
)
"""What is answered, and below which prefix."""
ABOUT = 'Lists for known users and for histories, from recodiff models. Refusals are `{"error": "one sentence"}`.'


def create_app(service: Service, hosts: Collection[str] | None = None) -> FastAPI:
    """Make the application of a service.

    Args:
        service: it is started and stopped with the application.
        hosts: names by which it may be asked; any unless given.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="recodiff",
        version="1",
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its page fetches scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses={
            code: {"model": Mistake, "description": "Refused, with one sentence"} for code in (400, 401, 403, 404, 413, 422, 503)
        },
    )
    app.state.service = service
    declared: dict[Any, str] = {}
    for router, prefix in ROUTERS:
        app.include_router(router, prefix=prefix)
        declared |= {route.endpoint: prefix + route.path for route in router.routes if isinstance(route, APIRoute)}
    _handle(app)
    most, models = service.settings.limits.body_bytes, service.settings.runs
    app.add_middleware(Guard, most=most, hosts=hosts, metrics=service.metrics, routes=declared, models=models)
    return app


def _handle(app: FastAPI) -> None:
    """What is said of each kind of failure."""

    def said(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": sentence}, status, headers)

    @app.exception_handler(RefusedError)
    async def _(_: Request, error: RefusedError) -> JSONResponse:
        return said(error.status, error.sentence, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> JSONResponse:
        return said(422, _sentence(error))

    @app.exception_handler(DataError)
    @app.exception_handler(ModelError)
    async def _(_: Request, error: Exception) -> JSONResponse:
        return said(422, str(error))

    @app.exception_handler(HTTPException)
    async def _(_: Request, error: HTTPException) -> JSONResponse:
        sentences = {
            404: "there is no such path; see /v1/openapi.json",
            405: "this path does not take that method; see /v1/openapi.json",
        }
        return said(
            error.status_code, sentences.get(error.status_code, "the request cannot be read; send JSON"), dict(error.headers or {})
        )

    @app.exception_handler(TimeoutError)
    async def _(_: Request, __: Exception) -> JSONResponse:
        return said(503, "the answer took too long; ask for less, or again later", {"Retry-After": "1"})

    @app.exception_handler(Exception)
    async def _(_: Request, error: Exception) -> JSONResponse:
        return said(500, "the service failed at this request; its log says why")


def _sentence(error: RequestValidationError) -> str:
    """The first of what is wrong with a request; what was sent is not repeated."""
    first: Any = error.errors()[0]
    if first["type"] == "json_invalid":
        return "the body is no JSON; send an object as /v1/openapi.json has it"
    if first["loc"] == ("body",) and first["type"].endswith("attributes_type"):
        return "the body is no object of JSON, or lacks the header Content-Type: application/json; see /v1/openapi.json"
    place = ".".join(
        str(part) for part in first["loc"] if part not in ("body", "int", "str") and not str(part).startswith("constrained")
    )
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place or 'the body'}: {message[:1].lower()}{message[1:]}; see /v1/openapi.json"
