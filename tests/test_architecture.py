"""Rules of the design that a machine can hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import recodiff
from recodiff.models.registry import MODELS

SOURCE = Path(recodiff.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
DEFINED = {node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
GROUND = {"errors", "config", "moved"}
"""Loose files that any room may import."""
TOP = GROUND | {"__init__", "__main__"}

# A room imports rooms above its own line and no other; imports for types alone count.
ROOMS = [
    "tensors",
    "runtime",
    "data",
    "diffusion",
    "configs",
    "training",
    "models",
    "ranking",
    "stores",
    "evaluation",
    "reports",
    "tracking",
    "experiments",
    "serving",
    "cli",
    "testing",
]
LEVEL = {name: level for level, name in enumerate(ROOMS)}


def home(module: str) -> str:
    """The room, or the loose file, that a dotted path of ours lies in."""
    return [*module.split("."), "__init__"][1]


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever the import stands and whatever it is for."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "recodiff"}
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "recodiff"):
            assert not node.level, f"{path}: relative import"
            assert node.module
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found


def test_the_rooms_are_these_and_few_files_are_loose() -> None:
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)
    assert {path.stem for path in SOURCE.glob("*.py")} == TOP


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    here = home(module_of(path))
    for module in imports_of(path):
        there = home(module)
        if here in ("__init__", "__main__") or there in GROUND or there == here:
            continue
        assert there != "__init__", f"{path} imports from the package itself; import from the module that has it"
        assert here not in GROUND, f"{path} is ground and imports {module}"
        assert LEVEL[there] < LEVEL[here], f"{path} ({here}) imports {module}, which stands above it"


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {name: imports_of(path) & set(MODULES) - {"recodiff"} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name] - {name}):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_benchmarks_import_each_other_in_no_circle() -> None:
    folder = SOURCE.parents[1] / "benchmarks"
    if not folder.is_dir():
        pytest.skip("the benchmarks are in a checkout alone")
    own = {path.stem: path for path in folder.glob("*.py")}
    trees = {name: list(ast.walk(ast.parse(path.read_text("utf-8")))) for name, path in own.items()}
    graph = {
        name: {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module in own}
        | {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names if alias.name in own}
        for name, nodes in trees.items()
    }
    assert any(graph.values())
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(("one", "other"), [("compare", "reproduce"), ("reproduce", "compare")])
def test_what_two_kinds_of_experiment_share_belongs_to_neither(one: str, other: str) -> None:
    for path in (SOURCE / "experiments" / one).glob("*.py"):
        assert f"recodiff.experiments.{other}" not in path.read_text("utf-8")


def test_importing_recodiff_loads_nothing_heavy() -> None:
    code = (
        "import sys, recodiff, recodiff.models.registry, recodiff.cli; "
        "print([m for m in ('torch', 'polars', 'scipy') if m in sys.modules])"
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


KINDS = {
    "codecs": {"Codec", "IdentityCodec", "ClusteredVAE", "Identity", "Clustered"},
    "weightings": {"Uniform", "LinearRecency", "HalfLife", "PowerLaw"},
    "pairs": {"Reconstruct", "Forecast", "InOrder", "Contrast"},
    "models": {entry.path.partition(":")[2] for entry in MODELS.values()},
    "losses": {"Loss", "SquaredError", "Multinomial", "BPR", "Logistic"},
}
"""Classes that are asked by their methods and traits, never for which of them they are."""


def classes_asked_for(tree: ast.AST) -> set[tuple[int, str]]:
    """Line and name of each class that a value is tested for, by `isinstance`, `issubclass` or a pattern of `match`."""
    found: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        tested: ast.AST | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            tested = node.args[1]
        if isinstance(node, ast.MatchClass):
            tested = node.cls
        if tested:
            names = [each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for each in ast.walk(tested)]
            found |= {(tested.lineno, name) for name in names}  # pyright: ignore[reportAttributeAccessIssue]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_asks_which_codec_weighting_model_or_loss_it_has(kind: str) -> None:
    assert KINDS[kind] <= DEFINED, "a class of another name is meant"
    for path in FILES:
        found = [(line, name) for line, name in classes_asked_for(TREES[path]) if name in KINDS[kind]]
        assert not found, f"{path} asks for {found}"


def test_a_class_that_is_asked_for_is_noticed() -> None:
    code = "isinstance(x, a.Uniform | Loss)\nmatch x:\n    case Forecast(): pass\nf(x, DiffRec)"
    assert {name for _, name in classes_asked_for(ast.parse(code))} >= {"Uniform", "Loss", "Forecast"}
    assert "DiffRec" not in {name for _, name in classes_asked_for(ast.parse(code))}
