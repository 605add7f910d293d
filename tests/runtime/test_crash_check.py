"""Reading that ends its process is a sentence; all other reading is as if it were not tried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from recodiff.errors import DataError
from recodiff.runtime import crash_check
from recodiff.runtime.crash_check import crash_checked

FRESH = """
import os, sys
from pathlib import Path
import polars as pl
from recodiff.errors import DataError
from recodiff.runtime import crash_check

path = Path(sys.argv[1])
assert crash_check._may_fork(), "polars has not worked here yet"
found = crash_check.crash_checked([path], lambda: 7, DataError, "do so")
assert found == 7
for end in (os.abort, lambda: os.kill(os.getpid(), 11)):
    try:
        crash_check.crash_checked([path], end, DataError, "do so")
    except DataError as error:
        assert str(error) == f"'{path}' is damaged in a way that ends the program that reads it; do so"
    else:
        raise AssertionError
try:
    crash_check.crash_checked([path], lambda: 1 / 0, DataError, "do so")
except ZeroDivisionError:
    pass
assert crash_check.crash_checked([path], lambda: pl.read_parquet(path, glob=False), DataError, "do so").height == 3
assert not crash_check._may_fork(), "a copy would wait for threads that it has not"
print("whole")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pl.DataFrame({"user": [1, 2, 3]}).write_parquet(tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


@pytest.mark.skipif(not crash_check.TASKS.exists(), reason="elsewhere a new process is begun")
def test_a_process_that_polars_has_not_worked_in_tries_in_a_copy(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FRESH, str(path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("whole\n", "")


def test_elsewhere_a_new_process_tries(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_check, "_may_fork", lambda: False)
    assert crash_checked([path], lambda: 7, DataError, "do so") == 7
    monkeypatch.setattr(crash_check, "DECODE", "import os; os.abort()")
    with pytest.raises(DataError, match=r"a\.parquet' is damaged in a way that ends the program that reads it; do so"):
        crash_checked([path], lambda: pytest.fail("it would end this process"), DataError, "do so")


def test_whoever_stops_the_trial_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, waitpid = [], os.waitpid

    def interrupted(child: int, options: int) -> tuple[int, int]:
        begun.append(child)
        if len(begun) == 1:
            raise KeyboardInterrupt
        return waitpid(child, options)

    monkeypatch.setattr(os, "waitpid", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crash_check._in_a_copy(lambda: subprocess.run(["sleep", "60"], check=False), 60)
    with pytest.raises(ProcessLookupError):
        os.kill(begun[0], 0)


SLOW = """
import os, sys, time
from pathlib import Path
from recodiff.errors import DataError
from recodiff.runtime import crash_check

crash_check.LEAST, own = 0.2, os.getpid()
assert crash_check._may_fork()
assert crash_check.crash_checked([Path(sys.argv[1])], lambda: time.sleep(600) if os.getpid() != own else 7, DataError, "") == 7
print("whole")
"""


@pytest.mark.skipif(not crash_check.TASKS.exists(), reason="elsewhere a new process is begun")
def test_a_copy_that_takes_too_long_is_not_waited_for(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SLOW, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("whole\n", "")


def test_a_new_process_that_takes_too_long_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_check, "_may_fork", lambda: False)
    monkeypatch.setattr(crash_check, "DECODE", "import time; time.sleep(600)")
    monkeypatch.setattr(crash_check, "LEAST", 0.2)
    assert crash_checked([path], lambda: 7, DataError, "do so") == 7
