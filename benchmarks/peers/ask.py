"""Asks every package anew and compares with what tests/evaluation/peers/ records: `python benchmarks/peers/ask.py [NAME ...]`.

`--record` writes the answers in place of comparing. Each package runs in an environment of its own, made on the first call:
minutes and some gigabytes for all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from environment import HERE, ROOT, EnvironmentMissingError, interpreter_of

RECORDS = ROOT / "tests" / "evaluation" / "peers"
TOLERANCE = 1e-6
ROOMS = {"figures": ("metrics", "lists.json"), "splits": ("splitters", "log.csv")}
"""By the name of the recorded file: where the scripts are, and what they are given."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="packages; all unless given")
    parser.add_argument("--record", action="store_true", help="write the answers down in place of comparing")
    parser.add_argument("--environments", type=Path, default=ROOT, help="where the environments lie or are made")
    asked = parser.parse_args()
    changed = 0
    for record in ROOMS:
        path = RECORDS / f"{record}.json"
        recorded = json.loads(path.read_text()) if path.is_file() else {}
        for name in asked.names or _scripts(record):
            if name not in _scripts(record):
                continue
            answer = _answer(record, name, asked.environments)
            difference = "no answer" if answer is None else _difference(recorded.get(name, {}), answer)
            print(f"{record} {name}: {'recorded' if asked.record else difference or 'as recorded'}")
            changed += bool(difference)
            if asked.record and answer is not None:
                recorded[name] = answer
        if asked.record:
            path.write_text(_text(recorded))
    return int(changed > 0 and not asked.record)


def _scripts(record: str) -> list[str]:
    return sorted(path.stem.removeprefix("ask_").replace("_", "-") for path in (HERE / ROOMS[record][0]).glob("ask_*.py"))


def _answer(record: str, name: str, environments: Path) -> Any:
    """What the package's script prints, or None after saying why there is nothing."""
    room, given = ROOMS[record]
    script = HERE / room / f"ask_{name.replace('-', '_')}.py"
    try:
        python = interpreter_of(name, environments)
    except EnvironmentMissingError as error:
        print(error, file=sys.stderr)
        return None
    done = subprocess.run([str(python), str(script), str(RECORDS / given)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def _difference(recorded: Any, answer: Any, where: str = "") -> str:
    """The first place where two answers are not the same, or nothing."""
    if isinstance(recorded, Mapping) and isinstance(answer, Mapping):
        for key in sorted({*recorded, *answer}):
            if found := _difference(recorded.get(key), answer.get(key), f"{where}/{key}"):
                return found
        return ""
    if isinstance(recorded, float | int) and isinstance(answer, float | int) and abs(recorded - answer) <= TOLERANCE:
        return ""
    return "" if recorded == answer else f"{where} was {recorded}, is {answer}"


def _text(recorded: Mapping[str, Any]) -> str:
    """One line for each case, so that a change shows where it is."""
    lines = []
    for name, answer in sorted(recorded.items()):
        inner = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value)}"
            if not isinstance(value, dict) or key == "versions"
            else f"  {json.dumps(key)}: {{\n"
            + ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            + "\n  }"
            for key, value in answer.items()
        )
        lines.append(f"{json.dumps(name)}: {{\n{inner}\n}}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
