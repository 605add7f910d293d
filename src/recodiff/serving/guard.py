"""What stands before every request: its host, the size of its body, headers of its answer, its time and its status."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from recodiff.serving.metrics import Metrics

Scope = Message = dict[str, Any]
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class TooLargeError(Exception):
    """A body that grew beyond the limit while it was read."""


class Guard:
    """An ASGI middleware.

    Args:
        app: what is guarded.
        most: bytes of a body.
        hosts: names by which the service may be asked, without port; any unless given. It keeps a page from elsewhere, whose name
            was turned to this machine, from asking.
        metrics: counts every request.
        routes: paths as they are declared, by what answers at them: the labels of what is counted.
        models: names of the models that are served.
    """

    def __init__(
        self,
        app: Any,
        *,
        most: int,
        hosts: Collection[str] | None,
        metrics: Metrics,
        routes: Mapping[Callable[..., Any], str],
        models: Collection[str],
    ) -> None:
        self.app, self.most, self.hosts, self.metrics, self.routes, self.models = app, most, hosts, metrics, routes, models

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                have = {name for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in have]
                message = message | {"headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        finally:
            route, model = self._labels(scope)
            self.metrics.requests.labels(route, model, str(status)).inc()
            self.metrics.seconds.labels(route, model).observe(time.perf_counter() - began)

    def _labels(self, scope: Scope) -> tuple[str, str]:
        """The route and the model of a request. The scope's own `route` may lack the prefix that its router was included under."""
        model = scope.get("path_params", {}).get("model", "")
        route = self.routes[scope["endpoint"]] if scope.get("endpoint") in self.routes else "none"
        return route, model if model in self.models else ""

    async def _answer(self, scope: Scope, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self.hosts is not None and _name(host) not in self.hosts:
            await send_refusal(send, 421, "this service is not asked by that name; ask it by the address that it was started with")
            return
        length = headers.get(b"content-length", b"0")
        too_large = f"the body is larger than {self.most} bytes; send less at once"
        if not length.isdigit() or int(length[:20]) > self.most:
            await send_refusal(send, 413 if length.isdigit() else 400, too_large)
            return
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.most:
                raise TooLargeError
            return message

        async def sending(message: Message) -> None:
            if read <= self.most:
                await send(message)
            elif message["type"] == "http.response.start":  # whatever was made of the body that broke off
                await send_refusal(send, 413, too_large)

        await self.app(scope, receiving, sending)


def _name(host: str) -> str:
    """A host without its port: `localhost`, `[::1]`."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.rpartition(":")[0] if ":" in host else host


async def send_refusal(send: Any, status: int, sentence: str) -> None:
    """Send a refusal.

    Args:
        send: of ASGI.
        status: of HTTP.
        sentence: what is wrong.
    """
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
