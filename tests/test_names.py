"""One meaning a name: what a reader finds under a name in one room is not something else in the next."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import recodiff

SOURCE = Path(recodiff.__file__).parent

SAME_MEANING = {
    "AGAIN": "what to do with a damaged folder",
    "DENSE_UP_TO_ITEMS": "items up to which a graph is held dense",
    "DENSE_ARRAYS": "arrays [B, I] alive at once in a dense step",
    "ENDINGS": "endings of the files of a format",
    "FORMAT": "what a manifest says it is",
    "ITEMS": "the file of the items of a folder",
    "Id": "an external id as requests hold it",
    "LOGGER": "the logger of the service",
    "NOTHING": "a cell without a figure",
    "OWNED": "files of a folder that are ours",
    "VERSION": "of the format of a folder",
    "USERS": "the file of the users of a folder",
    "T": "a type variable",
}
"""Constants that mean the same wherever they stand, each with the value of its module."""


def defined() -> dict[str, list[str]]:
    """Name -> modules that define it at their top, the names within a module left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            names: list[str] = []
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            for name in names:
                if not name.startswith("_"):
                    found[name].append(path.relative_to(SOURCE).as_posix())
    return found


def test_a_name_is_defined_once() -> None:
    """A command is called as the library's function that it calls, which `cli/` tells apart."""
    names = defined()
    assert len(names) > 800
    twice = {}
    for name, places in names.items():
        beside = [place for place in places if place != f"cli/{name}.py"]
        if len(beside) > 1 and name not in SAME_MEANING:
            twice[name] = places
    assert not twice
    assert all(len(names[name]) > 1 for name in SAME_MEANING), "an exception that nothing needs"


def test_a_file_has_a_name_of_its_own_in_its_room() -> None:
    for room in SOURCE.iterdir():
        stems = [path.stem for path in room.rglob("*.py") if path.stem != "__init__"]
        assert sorted(set(stems)) == sorted(stems), room.name
