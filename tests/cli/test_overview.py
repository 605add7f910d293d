"""What `recodiff --help` says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from commands import Cli
from recodiff.cli import COMMANDS
from recodiff.cli.overview import WIDEST_TEXT, overview


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command_in_the_order_of_use(cli: Cli, arguments: list[str]) -> None:
    shown = cli(*arguments).succeeded().out
    named = [line.split()[0] for line in shown.split("Commands:")[1].splitlines() if line.startswith("  ") and line[2] != " "]
    assert named == [*COMMANDS, "--help", "--version"]
    for summary in COMMANDS.values():
        assert summary in " ".join(shown.split())


@pytest.mark.parametrize("columns", [1, 50, 80, 300])
def test_lines_fit_a_terminal_that_is_no_narrower_than_the_names(columns: int) -> None:
    longest = max(map(len, overview(COMMANDS, columns).splitlines()))
    assert longest <= max(min(columns, WIDEST_TEXT), 40)


def test_help_needs_no_library() -> None:
    code = (
        "import sys\nfrom recodiff.cli import main\nmain(['--help'])\n"
        "print([name for name in ('cyclopts', 'rich', 'polars', 'torch') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("[]\n")
