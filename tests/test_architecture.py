"""Rules of the design that a machine can hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import recodiff

SOURCE = Path(recodiff.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# Lower layers never import higher ones; a name on a line may import the lines above it.
LAYERS = [
    ("errors",),
    ("allocator", "averaging", "config", "files", "float32", "optimizer", "progress", "metrics", "beyond"),
    ("data", "diffusion"),
    ("weighting",),
    ("pairs",),
    ("distributed", "memory", "resuming"),
    ("run",),
    ("training",),
    ("models",),
    ("checkpoint", "ranking"),
    ("evaluation", "export"),
    ("experiments", "report", "figures"),
    ("cli", "__init__", "__main__"),
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def home(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Top-level modules of recodiff that a file imports when it runs (not for types alone)."""
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "recodiff":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names if alias.name in LEVEL}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    here = home(path)
    for there in imported(path) - {here}:
        assert LEVEL[there] <= LEVEL[here], f"{path.name} ({here}) imports {there}, which stands above it"


def test_the_diffusion_imports_torch_and_nothing_else_of_ours() -> None:
    for path in (SOURCE / "diffusion").glob("*.py"):
        assert imported(path) <= {"diffusion", "errors"}


@pytest.mark.parametrize(("one", "other"), [("compare", "reproduce"), ("reproduce", "compare")])
def test_what_two_kinds_of_experiment_share_belongs_to_neither(one: str, other: str) -> None:
    for path in (SOURCE / "experiments" / one).glob("*.py"):
        assert f"recodiff.experiments.{other}" not in path.read_text("utf-8")


def test_importing_recodiff_loads_nothing_heavy() -> None:
    code = (
        "import sys, recodiff, recodiff.models, recodiff.cli; print([m for m in ('torch', 'polars', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in recodiff.__all__:
        assert getattr(recodiff, name) is not None
    assert set(recodiff.__all__) == set(recodiff._HOME_OF)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        recodiff.nonsense  # noqa: B018


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_short_and_safe(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= 330
    for construct in ("import pickle", "pickle.load", "allow_pickle=True", "torch.load(", "torch.save(", "shell=True", " eval("):
        assert construct not in text
