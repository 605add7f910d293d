"""Functions are short enough to be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import recodiff

SOURCE = Path(recodiff.__file__).parent
LINES = 40
"""Of a body, without signature and docstring."""


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_function_is_long(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {one.name: lines for one in functions if (lines := body_lines(one)) > LINES} == {}


def test_a_body_is_counted_without_signature_and_docstring() -> None:
    text = 'def f(\n    a,\n    b,\n):\n    """What.\n\n    More.\n    """\n    g(\n        a,\n    )\n    return b\n'
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 4
