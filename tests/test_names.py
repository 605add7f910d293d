"""One meaning a name: what a reader finds under a name in one room is not something else in the next."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import recodiff

SOURCE = Path(recodiff.__file__).parent

SAME_MEANING = {
    "AGAIN": "what to do with a damaged folder, of that kind of folder",
    "CANDIDATES": "of a graph of a store: candidates while it is built",
    "COLLECTION": "of a store: what its engine calls the items",
    "DENSE_ARRAYS": "[B, I] alive at once in a step of that model",
    "ENDINGS": "of files of that format",
    "FILE": "of a store: its file in the folder",
    "FORMAT": "what the manifest of that kind of folder calls it",
    "Id": "an external id as requests hold it",
    "LOGGER": "the one of the service",
    "NEIGHBOURS": "of a graph of a store: edges of an item",
    "OWNED": "files of that kind of folder",
    "T": "whatever a function gives",
    "VERSION": "of the format of that kind of folder",
}
"""Names that mean the same wherever they stand; each module has its own value."""
CALLED_ALIKE = ("cli/{}.py", "serving/routes.py")
"""Where a command or a route is called as the library's function that it calls."""


def defined() -> dict[str, list[str]]:
    """Name -> modules that define it at their top, the names within a module left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            names: list[str] = []
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            for name in names:
                if not name.startswith("_"):
                    found[name].append(path.relative_to(SOURCE).as_posix())
    return found


def test_a_name_is_defined_once() -> None:
    names = defined()
    assert len(names) > 1000
    twice = {}
    for name, places in names.items():
        alike = {place.format(name) for place in CALLED_ALIKE}
        beside = [place for place in places if place not in alike]
        if len(beside) > 1 and name not in SAME_MEANING:
            twice[name] = places
    assert not twice
    assert all(len(names[name]) > 1 for name in SAME_MEANING), "an exception that nothing needs"


def test_a_file_has_a_name_of_its_own_in_its_room() -> None:
    for room in SOURCE.iterdir():
        stems = [path.stem for path in room.rglob("*.py") if path.stem != "__init__"]
        assert sorted(set(stems)) == sorted(stems), room.name
