"""Docstrings say what a name is in a form that readers and the reference rely on: what of it can be counted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import recodiff
from recodiff import errors

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
}
"""Rooms whose parameters this does not count, and why."""
TORCH = {"forward", "train"}
"""Methods that PyTorch describes; the forward of a model's network is described in `TorchRecommender.build`."""


OURS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.RecodiffError)}
ARRAYS = re.compile(r"\b(?:Tensor|NDArray|ndarray|csr_array)\b")
BY_NAME = re.compile(r"\b(?:Mapping|dict)\[str, (?:Tensor|NDArray\[Any\])\]")
"""Arrays of several names have as many shapes."""
SHAPE = re.compile(r"\[[^\]]+\]|\bshape\b")
WORDS = 30
"""What a sentence may have."""


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
OURS |= {name for name, bases in BASES.items() if OURS & set(bases)}  # those that a room defines for itself
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


def raised_in(function: ast.AST) -> set[str]:
    """Our errors that a function raises itself, functions inside it left out."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found |= {node.exc.func.id} & OURS
        found |= raised_in(node)
    return found


def unnamed_errors(one: Documented) -> set[str]:
    """Errors that a function, or a class when it is made, raises and its docstring does not name."""
    if isinstance(one.node, ast.ClassDef):
        made = [each for each in one.node.body if isinstance(each, ast.FunctionDef) and each.name in ("__init__", "__post_init__")]
        return {error for each in made for error in raised_in(each) if error not in one.text}
    if one.inside and inherits(one.inside, one.node.name):
        return set()
    return {error for error in raised_in(one.node) if error not in one.text}


def test_every_error_of_ours_that_a_public_function_raises_is_named() -> None:
    wrong = [f"{one.place}: {', '.join(sorted(names))}" for one in EVERY if (names := unnamed_errors(one))]
    assert not wrong, "\n".join(wrong)


def is_shapeless(one: Documented) -> bool:
    """Whether a function takes or gives an array whose shape its docstring does not say; not one that its base describes."""
    if not isinstance(one.node, ast.FunctionDef) or one.text.startswith("See `"):
        return False
    if one.inside and (one.node.name in TORCH or inherits(one.inside, one.node.name)):
        return False
    a = one.node.args
    annotations = [each.annotation for each in (*a.posonlyargs, *a.args, *a.kwonlyargs)] + [one.node.returns]
    written = [BY_NAME.sub("", ast.unparse(each)) for each in annotations if each]
    return any(map(ARRAYS.search, written)) and not SHAPE.search(one.text)


def test_every_array_that_a_public_function_takes_or_gives_has_a_shape() -> None:
    assert not (wrong := [one.place for one in EVERY if is_shapeless(one)]), "\n".join(wrong)


def long_sentences(text: str) -> list[str]:
    """Sentences of more than WORDS words. Formulas, in blocks of their own, and the legend of shapes are none; `;` ends one."""
    blocks = re.split(r"\n\s*\n", text)
    prose = [block for block in blocks if not all(line.startswith("    ") for line in block.splitlines())]
    parts = re.split(r"(?<=[.!?;])\s+|\n\n|\n *[*-] |\n *\w+(?:, \w+)*: |\n *(?:Args|Raises|Returns):|-{4,}\n", "\n\n".join(prose))
    return [part for part in parts if len(part.split()) > WORDS and not part.startswith("Shapes:")]


def test_no_docstring_has_a_long_sentence() -> None:
    wrong: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                found = long_sentences(ast.get_docstring(node) or "")
                wrong += [f"{path.relative_to(SOURCE)}: {' '.join(sentence.split())}" for sentence in found]
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


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('"""Read."""\n    raise DataError("x")', {"DataError"}),
        ('"""Read."""\n    if x:\n        raise ConfigError("x") from None', {"ConfigError"}),
        ('"""Read.\n\n    Raises:\n        DataError: always.\n    """\n    raise DataError("x")', set[str]()),
        ('"""Read."""\n    def inner():\n        raise DataError("x")', set[str]()),
        ('"""Read."""\n    raise ValueError("x")', set[str]()),
    ],
)
def test_an_error_that_is_not_named_is_noticed(body: str, names: set[str]) -> None:
    assert unnamed_errors(one_of(f"def f(x):\n    {body}")) == names


@pytest.mark.parametrize(
    ("signature", "text", "wrong"),
    [
        ("x: Tensor", "Add.", True),
        ("x: Tensor", "Add `x`, [B].", False),
        ("x: Tensor", "Add `x`, of any shape.", False),
        ("x: Mapping[str, Tensor]", "Add.", False),
        ("x: int", "Add.", False),
        ("x: int, y: NDArray[np.float64] | None", "Add.", True),
    ],
)
def test_an_array_without_a_shape_is_noticed(signature: str, text: str, wrong: bool) -> None:
    assert is_shapeless(one_of(f'def f({signature}):\n    """{text}"""')) is wrong


def test_a_long_sentence_of_a_docstring_is_noticed() -> None:
    long = "word " * WORDS + "word."
    assert long_sentences(f"Short. {long} Short.\n\n    x = {long}\n\nArgs:\n    x: {long}") == [long, long]
    assert long_sentences(f"Two halves: {'word ' * 16}; {'word ' * 16}.") == []
