"""Errors: the classes, and every message with the place that raises it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import recodiff
from recodiff import errors
from reference_pages.markdown import cell, code, first_paragraph, table

NAMES = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, errors.RecodiffError)}


def page() -> str:
    """The classes, then the messages of each."""
    head = (
        "# Errors\n\nWhatever a user can cause raises one of these, with a sentence that names the value and the remedy. The "
        "command line prints the sentence and ends with exit code 1. In a message, `{...}` stands for a value.\n\n"
    )
    classes = table(["class", "when"], [(code(name), first_paragraph(value)) for name, value in NAMES.items()])
    found = messages()
    body = [f"## {name}\n\n" + table(["message", "raised by"], found[name]) for name in NAMES if found.get(name)]
    return head + classes + "\n\n" + "\n\n".join(body) + "\n"


def messages() -> dict[str, list[tuple[str, str]]]:
    """Class -> (message, module) of every `raise Class("...")` in the sources."""
    root = Path(inspect.getfile(recodiff)).parent
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES and node.args:
                said = _template(node.args[0])
                if said:
                    found.setdefault(node.func.id, []).append((cell(said), code(module)))
    return found


def _template(node: ast.expr) -> str:
    """The text of a string or f-string, values as {what}; empty where it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _plain(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _plain(part.value) if isinstance(part, ast.Constant) and isinstance(part.value, str) else "`{...}`"
            for part in node.values
        )
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    return ""


def _plain(text: str) -> str:
    return "".join("\\" + letter if letter in "*_<>[]`" else letter for letter in str(text))
