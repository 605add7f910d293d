"""`recodiff serve`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from recodiff.cli.output import say, warn
from recodiff.cli.parameters import Whole, use_threads
from recodiff.config import check
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError, MissingExtraError
from recodiff.runtime.sql import shown

USUAL = "sqlite:///events.db"


def serve(
    *runs: str,
    store: str = USUAL,
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
    threads
        CPU threads; all cores unless given.
    trust_code
        Allow a model class from outside recodiff.
    """
    try:
        from recodiff.serving.models import Models
        from recodiff.serving.server import LOOPBACK
        from recodiff.serving.server import serve as answer
        from recodiff.serving.service import Service
        from recodiff.serving.settings import ServiceSettings, named_runs, traffic_shares
        from recodiff.serving.store.open import open_store, take_over
        from recodiff.serving.tokens import read_tokens
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"serving needs the package {error.name}; run pip install 'recodiff[serve]'") from None
    if not runs:
        raise ConfigError("name a model folder to serve, such as: recodiff serve runs/mine")
    if not 0 <= port <= 65535:
        raise ConfigError(f"port {port} lies outside 0..65535; give another, such as 8000")
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
    with nullcontext() if choices is None else choices.open("a", encoding="utf-8") as lines:
        models = Models(settings)  # before the store, which a mistake in a name should not leave behind
        opened = open_store(store, table, columns)
        service = Service(models, opened, tokens, lines)
        if data is not None and (taken := take_over(opened, store, load_dataset(data))):
            say(f"wrote {taken:,} interactions of {data} into {shown(store)}")
        names = ", ".join(f"{name} ({served.size:,} items)" for name, served in models.served.items())
        answer(service, host, port, lambda address: say(f"serving {names} at {address}; Ctrl-C ends it"))
    say("stopped; every request that had come was answered")
