"""`python -m recodiff`."""

import os
import sys
from pathlib import Path

import recodiff


def _leave_the_path() -> None:
    """Take the folder of the call off Python's path, where `-m` has put it first: libraries would run its files.

    A checkout's own folder stays, as the package itself comes from there.
    """
    here = sys.path[0] if sys.path and not sys.flags.safe_path else None
    if here in ("", os.getcwd()) and Path(recodiff.__file__).resolve().parents[1] != Path.cwd():
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_path()
    from recodiff.cli import main

    main()
