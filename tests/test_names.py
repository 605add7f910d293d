"""One meaning a name: what a reader finds under a name in one room is not something else in the next."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import recodiff

SOURCE = Path(recodiff.__file__).parent

SAME_MEANING = {
    "Id": "an external id as requests hold it",
}
"""Names that mean the same wherever they stand."""
APART = ("serving", "stores")
"""Rooms whose names are compared within the room, and not yet with those of the others."""


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
                if not name.startswith("_") and not name.isupper():  # a constant is read beside its module
                    found[name].append(path.relative_to(SOURCE).as_posix())
    return found


def test_a_name_is_defined_once() -> None:
    """A command is called as the library's function that it calls, which `cli/` tells apart."""
    names = defined()
    assert len(names) > 600
    twice = {}
    for name, places in names.items():
        beside = [place for place in places if place != f"cli/{name}.py" and not place.startswith(APART)]
        for room in APART:
            beside = max(beside, [place for place in places if place.startswith(f"{room}/")], key=len)
        if len(beside) > 1 and name not in SAME_MEANING:
            twice[name] = places
    assert not twice
    assert all(len(names[name]) > 1 for name in SAME_MEANING), "an exception that nothing needs"


def test_a_file_has_a_name_of_its_own_in_its_room() -> None:
    for room in SOURCE.iterdir():
        stems = [path.stem for path in room.rglob("*.py") if path.stem != "__init__"]
        assert sorted(set(stems)) == sorted(stems), room.name
