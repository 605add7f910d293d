"""What every route needs of a request: the service that is asked, the right to ask it, and an end to waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from recodiff.serving.errors import RefusedError
from recodiff.serving.service import Service
from recodiff.serving.tokens import Right


async def asked(request: Request) -> Service:
    """The service that a request is made to; in the loop, as a dependency that is no coroutine goes through a thread.

    Args:
        request: as the server has it.
    """
    return request.app.state.service


TheService = Annotated[Service, Depends(asked)]


def needs(right: Right) -> Callable[..., Awaitable[None]]:
    """A dependency that refuses who lacks a right.

    Args:
        right: `read`, or `write`, which may read too.

    Raises:
        RefusedError: by the dependency, where a token is lacking or does not have the right.
    """

    async def check(service: TheService, authorization: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
        if not service.tokens:
            return
        scheme, _, token = (authorization or "").partition(" ")
        has = service.tokens.right(token.strip()) if scheme.lower() == "bearer" else None
        if has is None:
            raise RefusedError(
                401, "this service needs a token; send the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
            )
        if right == "write" and has == "read":
            raise RefusedError(403, "this token may read alone; use one that may write")

    return check


READ, WRITE = [Depends(needs("read"))], [Depends(needs("write"))]


async def in_time(service: Service, work: Any) -> Any:
    """An answer, or TimeoutError once a request has taken too long."""
    async with asyncio.timeout(service.settings.limits.seconds):
        return await work
