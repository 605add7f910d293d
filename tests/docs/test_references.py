"""What docstrings and messages send a reader to is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from recodiff.cli import COMMANDS

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "recodiff").rglob("*.py"))
PAGES = {str(page.relative_to(ROOT).with_suffix("")) for page in (ROOT / "docs").rglob("*.md")}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def names_of(path: Path) -> frozenset[str]:
    """All that a module defines or binds, `Class.member` included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            found |= {node.name, *(f"{node.name}.{name}" for inner in node.body for name in bound(inner))}
        found |= bound(node)
    return frozenset(found)


def bound(node: ast.AST) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign):
        return {node.target.id} if isinstance(node.target, ast.Name) else set()
    return {alias.asname or alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()


def resolves(reference: str) -> bool:
    """Whether a command, a name, `Class.member`, `module` or `module.name` of that spelling is there."""
    if reference.startswith("recodiff "):
        return reference.split()[1] in COMMANDS
    home, _, name = reference.rpartition(".")
    for path in SOURCES:
        module = "." + module_of(path)
        if module.endswith("." + reference) or reference in names_of(path):
            return True
        if home and module.endswith("." + home) and name in names_of(path):
            return True
    return False


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_what_a_docstring_names_is_there(path: Path) -> None:
    text = path.read_text()
    gone = [name for name in re.findall(r"\bsee `([^`]+)`", text) if not resolves(name)]
    assert not gone, f"{module_of(path)} sends its reader to {gone}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_the_page_that_a_message_names_is_there(path: Path) -> None:
    gone = [page for page in re.findall(r"\b(docs/[\w/-]+)", path.read_text()) if page not in PAGES]
    assert not gone, f"{module_of(path)} sends its reader to {gone}"
