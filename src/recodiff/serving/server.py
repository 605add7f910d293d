"""The process that serves: its socket, its log and its end."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Callable, Collection
from contextlib import suppress

import uvicorn

from recodiff.errors import ConfigError
from recodiff.serving.app import LOCAL, create_app
from recodiff.serving.service import Service
from recodiff.serving.tokens import Tokens

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
    log_as_a_service()
    with listen(host, port) as listening:
        answer(service, listening, hosts_of(host, service.tokens), lambda: say(address_of(host, listening)))


def address_of(host: str, listening: socket.socket) -> str:
    """The address to ask at.

    Args:
        host: as it was given.
        listening: the socket.
    """
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def hosts_of(host: str, tokens: Tokens | None) -> Collection[str] | None:
    """The names by which a service may be asked; any where the network or a token guards it.

    Args:
        host: that it listens on.
        tokens: who may ask.
    """
    return None if tokens or host not in LOOPBACK else LOCAL


def set_modules_aside() -> None:
    """Leave what is there out of garbage collections from now on: going through the modules holds up a request for .14 s.

    To be called before models are loaded, which are to go when newer ones come.
    """
    gc.collect()
    gc.freeze()


def log_as_a_service() -> None:
    """Log warnings of all, and what the service does, with the time."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("recodiff.serving").setLevel(logging.INFO)


def answer(service: Service, listening: socket.socket, hosts: Collection[str] | None, answers: Callable[[], None]) -> None:
    """Answer requests at a socket until Ctrl-C or SIGTERM.

    Args:
        service: loaded.
        listening: the socket; it may be shared with other processes.
        hosts: see `create_app`.
        answers: called once requests are answered.
    """
    config = uvicorn.Config(
        create_app(service, hosts),
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    _Server(config, answers).run([listening])


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
