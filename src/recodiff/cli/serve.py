"""`recodiff serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from recodiff.cli.output import say, warn
from recodiff.cli.parameters import Whole, use_threads
from recodiff.config import check
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError, MissingExtraError
from recodiff.runtime.sql import shown

if TYPE_CHECKING:
    from recodiff.serving.settings import ServiceSettings
    from recodiff.serving.store.base import HistoryStore
    from recodiff.serving.tokens import Tokens

STORE_URL = "sqlite:///events.db"


def serve(
    *runs: str,
    store: str = STORE_URL,
    data: Path | None = None,
    table: str | None = None,
    columns: str | None = None,
    split: Annotated[list[str] | None, Parameter(name="--split")] = None,
    shadow: str | None = None,
    choices: Path | None = None,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    token_file: Path | None = None,
    wait_ms: float = 2.0,
    device: str = "cpu",
    workers: Whole = 1,
    threads: Whole | None = None,
    trust_code: bool = False,
) -> None:
    """Serve models over HTTP, with a store of histories and a page to look at.

    Example: recodiff serve runs/demo/f-diffrec-ml-100k --data runs/demo/data

    Parameters
    ----------
    runs
        Model folders, each RUN or NAME=RUN; the first answers where a request names none. A newer model in a folder is taken up.
    store
        The database of histories and events: sqlite:///FILE, or postgresql://USER@HOST/DATABASE.
    data
        A data folder whose histories are written into the store, once.
    table
        A table of yours to read histories from, in place of tables of our own; it is never written.
    columns
        The columns of --table: user=NAME,item=NAME,time=NAME.
    split
        NAME=SHARE: a model that answers a share of the users in place of the default, by a hash of their id; may be repeated.
    shadow
        A model that is asked beside the one that answers; its lists are compared and logged alone.
    choices
        A file that gets a line of JSON for each list of a split or shadow; the log on standard error unless given.
    host
        The address to listen on; other machines reach it only at an address of the network, such as 0.0.0.0.
    port
        The port to listen on; 0 takes a free one.
    token_file
        Lines of `read TOKEN` and `write TOKEN`: requests need one of them.
    wait_ms
        How long a list may wait for others to be scored with, in milliseconds.
    device
        auto, cpu, cuda...
    workers
        Processes that answer, at one address and with the weights in memory once.
    threads
        CPU threads of each; all cores, shared out among the workers, unless given.
    trust_code
        Allow a model class from outside recodiff.

    Raises
    ------
    ConfigError
        There is no run, or the port or the number of workers cannot be.
    MissingExtraError
        A package of the extra `serve` is not installed.
    """
    try:
        from recodiff.serving.server import LOOPBACK
        from recodiff.serving.settings import ServiceSettings, named_runs, traffic_shares
        from recodiff.serving.tokens import read_tokens
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"serving needs the package {error.name}; run pip install 'recodiff[serve]'") from None
    if not runs:
        raise ConfigError("name a model folder to serve, such as: recodiff serve runs/mine")
    if not 0 <= port <= 65535:
        raise ConfigError(f"port {port} lies outside 0..65535; give another, such as 8000")
    if workers < 1:
        raise ConfigError(f"--workers {workers} lies below 1; give the number of processes that are to answer")
    use_threads(threads)
    tokens = None if token_file is None else read_tokens(token_file)
    settings = check(
        ServiceSettings,
        {
            "runs": named_runs(list(runs)),
            "split": traffic_shares(split or []),
            "shadow": shadow,
            "wait_ms": wait_ms,
            "device": device,
            "trust_code": trust_code,
        },
        where="the service",
    )
    if host not in LOOPBACK and tokens is None:
        warn(f"whoever reaches {host} may read and write histories; give --token-file FILE unless the network is your own")
    asked = _Asked(settings, (store, table, columns), data, tokens, choices, host, port)
    _alone(asked) if workers == 1 else _together(asked, workers, threads)
    say("stopped; every request that had come was answered")


@dataclass(frozen=True)
class _Asked:
    """What was typed, checked."""

    settings: ServiceSettings
    store: tuple[str, str | None, str | None]
    data: Path | None
    tokens: Tokens | None
    choices: Path | None
    host: str
    port: int

    def say_served(self, sizes: dict[str, int], address: str, by: str = "") -> None:
        names = ", ".join(f"{name} ({size:,} items)" for name, size in sizes.items())
        say(f"serving {names}{by} at {address}; Ctrl-C ends it")

    def opened_store(self) -> HistoryStore:
        """The store, with the histories of a data folder."""
        from recodiff.serving.store.open import open_histories, take_over

        opened = open_histories(*self.store)
        if self.data is not None and (taken := take_over(opened, self.store[0], load_dataset(self.data))):
            say(f"wrote {taken:,} interactions of {self.data} into {shown(self.store[0])}")
        return opened


def _alone(asked: _Asked) -> None:
    """This process answers."""
    from recodiff.serving.models import Models
    from recodiff.serving.server import serve as answer
    from recodiff.serving.server import set_modules_aside
    from recodiff.serving.service import Service
    from recodiff.serving.worker import opened_choices

    set_modules_aside()
    with opened_choices(asked.choices) as lines:
        models = Models(asked.settings)  # before the store, which a mistake in a name should not leave behind
        service = Service(models, asked.opened_store(), asked.tokens, lines)
        sizes = {name: served.size for name, served in models.served.items()}
        answer(service, asked.host, asked.port, lambda address: asked.say_served(sizes, address))


def _together(asked: _Asked, count: int, threads: int | None) -> None:
    """Several processes answer."""
    import torch

    from recodiff.serving.copies import folder_of_copies
    from recodiff.serving.server import address_of, hosts_of, listen, log_as_a_service
    from recodiff.serving.worker import WorkerOrder, opened_choices
    from recodiff.serving.workers import WATCH_SECONDS, Workers, refuse_several

    refuse_several(asked.settings, asked.store[0])
    log_as_a_service()
    with folder_of_copies() as folder, listen(asked.host, asked.port) as listening:
        settings = asked.settings.model_copy(update={"device": "cpu", "watch_seconds": WATCH_SECONDS})
        each = threads or max(1, torch.get_num_threads() // count)
        hosts = hosts_of(asked.host, asked.tokens)
        order = WorkerOrder(settings, folder, asked.store, asked.tokens, asked.choices, hosts, each)
        workers = Workers(order, asked.settings, count, listening)
        sizes = workers.take_all()
        asked.opened_store().close()
        with opened_choices(asked.choices):
            pass
        address = address_of(asked.host, listening)
        workers.run(lambda: asked.say_served(sizes, address, f" by {count} workers"))
