"""Pages run as they stand, and what they show is compared with what came out.

python tests/shown.py PAGE...       runs pages and writes what came out into them; lines of `...` stay where they still fit

A page is a sequence of blocks: a file (its fence names it: ```toml title="my.toml"), commands (```console, each after `$ `, what
they print below), and Python (```python, what it prints in the ```text block behind it). Other blocks are not run.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import call

FENCE = re.compile(r"^```(?P<kind>\w+)(?P<about>[^\n]*)\n(?P<body>.*?)^```$", flags=re.M | re.S)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
WITHIN_SHARE, WITHIN = 0.1, 0.02
"""How far a number with a decimal point may be from the one shown: machines round differently. Whole numbers agree."""
SKIP = "..."


class Page:
    """A page that is run block by block in the current folder; `ran` is the page with what really came out."""

    def __init__(self, text: str) -> None:
        self.text, self.ran = text, text
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.wrong: list[str] = []

    def run(self) -> Page:
        """Run every block, and note where what came out is not what the page shows."""
        blocks = list(FENCE.finditer(self.text))
        out = [self.text[: blocks[0].start()]] if blocks else [self.text]
        printed: str | None = None
        for number, block in enumerate(blocks):
            body, printed = self._block(block, printed)
            until = blocks[number + 1].start() if number + 1 < len(blocks) else len(self.text)
            out.append(f"```{block['kind']}{block['about']}\n{body}```" + self.text[block.end() : until])
        self.ran = "".join(out)
        return self

    def _block(self, block: re.Match[str], printed: str | None) -> tuple[str, str | None]:
        """The block as it should stand, and what Python printed where the next block should show that."""
        if title := re.search(r'title="([^"]+)"', block["about"]):
            Path(title[1]).write_text(block["body"], "utf-8")
        elif block["kind"] == "console":
            return "".join(self._command(command, shown) for command, shown in commands_of(block["body"])), None
        elif block["kind"] == "python":
            return block["body"], captured(lambda: exec(compile(block["body"], "<page>", "exec"), self.names))
        elif block["kind"] == "text" and printed is not None:
            return self._compared(block["body"], printed, "the Python block"), None
        return block["body"], None

    def _command(self, command: str, shown: str) -> str:
        words = shlex.split(command.replace("\\\n", " "))
        if words[0] == "recodiff":
            printed = captured(lambda: call(*words[1:]))
        elif words[0] == "cat":
            printed = Path(words[1]).read_text("utf-8")
        else:
            raise ValueError(f"a page may call recodiff and cat, not {words[0]}")
        return f"$ {command}\n" + self._compared(shown, printed, command)

    def _compared(self, shown: str, printed: str, what: str) -> str:
        if fits(shown.splitlines(), printed.splitlines()):
            return shown
        self.wrong.append(f"{what}\n--- shown\n{shown}--- came out\n{printed}")
        return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


def commands_of(body: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, continuation lines included, and what is shown below it."""
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", part)
        assert command is not None
        yield command[0].rstrip("\n"), part[command.end() :]


def captured(act: Any) -> str:
    """What `act` prints, both streams in order."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        act()
    return stream.getvalue()


def fits(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines shown are those printed; a line `...` stands for any lines, also for none."""
    if not shown:
        return not printed
    if shown[0].strip() == SKIP:
        return any(fits(shown[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and same(shown[0], printed[0]) and fits(shown[1:], printed[1:])


def same(shown: str, printed: str) -> bool:
    """Whether two lines agree, but for spaces, the last digits of numbers, and what `...` at the end stands for."""
    if shown.rstrip().endswith(SKIP) and shown.strip() != SKIP:
        begun = " ".join(shown.split()).removesuffix(SKIP)
        return " ".join(printed.split()).startswith(begun)
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (shown, printed)]
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=False)
    return words[0] == words[1] and all(_near(one, other) for one, other in pairs)


def _near(shown: str, printed: str) -> bool:
    if shown == printed:
        return True
    one, other = float(shown.replace(",", "")), float(printed.replace(",", ""))
    return "." in shown and abs(one - other) <= max(WITHIN, WITHIN_SHARE * abs(one))


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    for path in map(Path.resolve, map(Path, sys.argv[1:])):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            page = Page(path.read_text("utf-8")).run()
        path.write_text(page.ran, "utf-8")
        print(f"{path.name}: {len(page.wrong)} blocks changed")
