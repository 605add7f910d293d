"""The process that serves: its socket, its log and its end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from recodiff.errors import ConfigError
from recodiff.serving.app import LOCAL, create_app
from recodiff.serving.service import Service

GRACE_SECONDS = 30
"""For which requests under way may go on once the service is asked to stop."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(service: Service, host: str, port: int, say: Callable[[str], None]) -> None:
    """Answer until Ctrl-C or SIGTERM; requests under way are answered first.

    Args:
        service: loaded.
        host: to listen on.
        port: to listen on; 0 takes a free one.
        say: gets the address once it answers.

    Raises:
        ConfigError: the address cannot be had.
    """
    listening = listen(host, port)
    port = listening.getsockname()[1]
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("recodiff.serving").setLevel(logging.INFO)
    hosts = None if service.tokens or host not in LOOPBACK else LOCAL
    config = uvicorn.Config(
        create_app(service, hosts),
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    shown = f"[{host}]" if ":" in host else host
    server = _Server(config, lambda: say(f"http://{shown}:{port}"))
    with listening:
        asyncio.run(server.serve([listening]))


class _Server(uvicorn.Server):
    """Says when it answers, and ends when it is asked to: uvicorn would raise the signal once more."""

    def __init__(self, config: uvicorn.Config, answers: Callable[[], None]) -> None:
        super().__init__(config)
        self._answers = answers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._answers()

    def handle_exit(self, sig: int, frame: object) -> None:
        with suppress(AttributeError):
            self.config.app.state.service.stopping = True  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        super().handle_exit(sig, frame)  # pyright: ignore[reportArgumentType]
        self._captured_signals.clear()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: a name or an address.
        port: 0 takes a free one.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"'{host}' port {port} cannot be listened on ({reason}); choose another with --host and --port") from None
