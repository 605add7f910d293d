"""Docstrings say what a name is in a form that readers and the reference rely on: what of it can be counted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import recodiff

SOURCE = Path(recodiff.__file__).parent
FRAGMENTS = frozenset(
    [
        "what",
        "how",
        "which",
        "who",
        "whose",
        "why",
        "where",
        "when",
        "if",
        "whether",
        "as",
        "for",
        "of",
        "over",
        "with",
        "in",
        "some",
        "has",
        "is",
        "are",
        "does",
        "left",
        "spent",
        "this",
    ]
)
"""First words that make a fragment of a docstring; an imperative or a noun phrase begins otherwise."""
PLURALS = frozenset(
    [
        "ages",
        "arrays",
        "batches",
        "betas",
        "bounds",
        "bytes",
        "cells",
        "class",
        "codes",
        "columns",
        "embeddings",
        "equations",
        "evaluations",
        "events",
        "facts",
        "fields",
        "figures",
        "files",
        "groups",
        "histories",
        "ids",
        "interactions",
        "items",
        "keys",
        "labels",
        "less",
        "lines",
        "lists",
        "loss",
        "means",
        "methods",
        "metrics",
        "names",
        "notes",
        "numbers",
        "objects",
        "pairs",
        "parts",
        "pass",
        "places",
        "positions",
        "process",
        "products",
        "records",
        "remarks",
        "results",
        "rows",
        "scores",
        "seconds",
        "settings",
        "sizes",
        "states",
        "steps",
        "studies",
        "tables",
        "tasks",
        "tensors",
        "tests",
        "times",
        "trainings",
        "transactions",
        "trials",
        "users",
        "values",
        "vectors",
        "warnings",
        "weightings",
        "weights",
    ]
)
"""Words in s that are no verbs of the third person; a new noun is added here."""
SAID_ELSEWHERE = {
    "cli": "a command's parameters stand in a section of their own, which its help shows",
    "testing": "what a test takes are fixtures",
    "experiments": "not described yet",
}
"""Rooms whose parameters this does not count, and why."""
TORCH = {"forward", "train"}
"""Methods that PyTorch describes; the forward of a model's network is described in `TorchRecommender.build`."""


class Documented(NamedTuple):
    place: str
    node: ast.FunctionDef | ast.ClassDef
    text: str
    inside: str
    """The class that it is a method of."""


def documented() -> Iterator[Documented]:
    """Public functions, classes and methods, with their docstrings."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield from _within(ast.parse(path.read_text("utf-8")), path.relative_to(SOURCE).as_posix(), "")


def _within(tree: ast.AST, place: str, inside: str) -> Iterator[Documented]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (not node.name.startswith("_") or node.name == "__call__"):
            text = ast.get_docstring(node)
            if text:
                yield Documented(f"{place}::{f'{inside}.' if inside else ''}{node.name}", node, text, inside)
            if isinstance(node, ast.ClassDef):
                yield from _within(node, place, node.name)


EVERY = list(documented())
BASES = {
    one.node.name: [base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in map(_plain, one.node.bases)]
    for _plain in [lambda base: base.value if isinstance(base, ast.Subscript) else base]
    for one in EVERY
    if isinstance(one.node, ast.ClassDef)
}
METHODS = {(one.inside, one.node.name) for one in EVERY if one.inside}


def first_word(text: str) -> str:
    return re.match(r"[A-Za-z'-]*", text.replace("`", "")).group(0).lower()  # pyright: ignore[reportOptionalMemberAccess]


def is_fragment(one: Documented) -> bool:
    """Whether the first line is no imperative and no noun phrase, as far as its first word tells."""
    word = first_word(one.text)
    noun = isinstance(one.node, ast.ClassDef) or any("property" in ast.unparse(each) for each in one.node.decorator_list)
    if noun and word == "whether":  # of a property that is true or false
        return False
    third = not noun and word.endswith("s") and not word.endswith("ss") and word not in PLURALS
    return not word or (not one.text[0].isupper() and not one.text[0].isdigit()) or word in FRAGMENTS or third


def inherits(kind: str, method: str) -> bool:
    """Whether a base of a class, in this package, describes the method."""
    return any((base, method) in METHODS or inherits(base, method) for base in BASES.get(kind, []))


def undescribed(one: Documented) -> list[str]:
    """Parameters that a docstring neither lists nor names; none of a method that its base describes."""
    if not isinstance(one.node, ast.FunctionDef) or one.text.startswith("See `"):
        return []
    if one.inside and (one.node.name in TORCH or inherits(one.inside, one.node.name)):
        return []
    a = one.node.args
    extra = [each for each in (a.vararg, a.kwarg) if each]
    names = [each.arg for each in (*a.posonlyargs, *a.args, *a.kwonlyargs, *extra) if each.arg not in ("self", "cls", "_")]
    return [name for name in names if not re.search(rf"^ *(?:\w+, )*{name}(?:, \w+)*: |`{name}`", one.text, re.M)]


def test_a_docstring_begins_with_an_imperative_or_a_noun_phrase() -> None:
    assert len(EVERY) > 1000
    wrong = [f"{one.place}: {one.text.splitlines()[0]}" for one in EVERY if is_fragment(one) and not one.text.startswith("See `")]
    assert not wrong, "\n".join(wrong)


def test_every_parameter_is_described() -> None:
    wrong = [
        f"{one.place}: {', '.join(names)}"
        for one in EVERY
        if not one.place.startswith(tuple(SAID_ELSEWHERE)) and (names := undescribed(one))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_parameter_of_a_public_name_is_described() -> None:
    """Of what `import recodiff` offers in all rooms, methods included."""
    public = [one for one in EVERY if (one.inside or one.node.name) in recodiff.__all__ and not one.place.startswith("cli/")]
    assert len(public) > 150
    wrong = [f"{one.place}: {', '.join(names)}" for one in public if (names := undescribed(one))]
    assert not wrong, "\n".join(wrong)


def one_of(source: str) -> Documented:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    return Documented("x", node, ast.get_docstring(node) or "", "")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Writes the file.", True),
        ("What is written.", True),
        ("[B, I].", True),
        ("x B, [B, I].", True),
        ("Whether it is so.", True),
        ("Write the file.", False),
        ("The file's content.", False),
        ("Scores of all items.", False),
        ("Pass it on.", False),
    ],
)
def test_a_fragment_is_known_by_its_first_word(text: str, wrong: bool) -> None:
    assert is_fragment(one_of(f'def f(x):\n    """{text}"""')) is wrong


def test_a_parameter_is_described_in_a_list_or_named() -> None:
    body = 'def f(x, y, *z):\n    """Add `x`.\n\n    Args:\n        y: a number.\n    """'
    assert undescribed(one_of(body)) == ["z"]
