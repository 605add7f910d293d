"""Tests lie where their modules lie: which module is tested where, found and not listed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import recodiff

SOURCE, TESTS = Path(recodiff.__file__).parent, Path(__file__).parent
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.stem not in ("__init__", "__main__"))
SMALL = 60
"""Lines up to which a module needs no test file of its own or that imports it."""
THROUGH_COMMANDS = "cli"
"""Modules that tests call as a user types them."""
OTHERWISE = {
    "testing": "every model's test inherits it",
    "serving": "requests to a running service, in `tests/serving/`",
    "stores": "one table of situations for all stores, in `tests/stores/`",
    "data/readers": "the table of situations, `data/readers/test_matrix.py` and `test_meaning.py`, reads a file of each format",
}
"""Rooms whose modules are tested by one table, and which."""
ELSEWHERE = {
    "experiments/compare/studies.py": "cli/test_compare.py",
    "experiments/demo.py": "cli/test_demo.py",
    "experiments/reproduce/questions.py": "experiments/reproduce/test_catalogue.py",
    "evaluation/cutoffs.py": "experiments/runs/test_train.py",
    "experiments/runs/deciding_metric.py": "experiments/runs/test_train.py",
    "experiments/runs/details.py": "cli/test_compare.py",
    "experiments/runs/provenance.py": "cli/test_commands.py",
    "models/diffrec/codec_settings.py": "models/diffrec/test_item_clusters.py",
    "models/diffrec/networks.py": "diffusion/test_codecs.py",
    "models/network.py": "training/test_loop.py",
    "models/sequences/encoder.py": "models/sequences/test_sasrec.py",
    "runtime/mapped.py": "data/test_mapped.py",
    "runtime/run.py": "training/test_loop.py",
}
"""Modules that are tested through public names or in another room: where to look, and where to add."""
ROOTS = {"benchmarks": SOURCE.parents[1], "examples": SOURCE.parents[1]}
"""Folders of tests whose modules lie outside the package, and above which folder."""
NO_MODULE = {
    "what holds everywhere": {
        "": "absurd_sizes architecture docstrings layout lengths mistakes names older_builds public words",
        "docs": "pages peer_pages reference references results tutorials",
    },
    "all commands, formats, models or stores in one situation": {
        "cli": "bad_input cold_start commands endings few_items foreign_files kills kills_of_results mount_point received_folder "
        "torchrun warnings",
        "data/readers": "border handed matrix matrix_files matrix_frames meaning",
        "models": "contract contradictions events",
        "stores": "stores",
    },
    "the service, asked over HTTP": {"serving": "api events fuzz"},
}
"""Why a test file mirrors no module -> folder of tests -> names of those files."""


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports, with the names that it takes from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("recodiff"):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


IMPORTED = {path.relative_to(TESTS): imported(path) for path in TESTS.rglob("test_*.py")}
TEXTS = "".join(path.read_text("utf-8") for path in (TESTS / "cli").glob("*.py"))


def covered_by(module: Path) -> list[str]:
    """The test file of a module's name in the mirrored folder, else those of its room that import it."""
    own = module.with_name(f"test_{module.name}")
    if own in IMPORTED:
        return [own.as_posix()]
    name = ".".join(("recodiff", *module.with_suffix("").parts))
    return [path.as_posix() for path, names in IMPORTED.items() if path.parts[0] == module.parts[0] and name in names]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.as_posix())
def test_a_module_of_substance_is_tested_in_its_room(module: Path) -> None:
    if module.parts[0] == THROUGH_COMMANDS and f'"{module.stem}"' in TEXTS:
        return
    if module.as_posix() in ELSEWHERE:
        assert (TESTS / ELSEWHERE[module.as_posix()]).is_file()
        assert not covered_by(module), "an exception that nothing needs"
        return
    small = len((SOURCE / module).read_text("utf-8").splitlines()) <= SMALL
    if small or len(module.parts) == 1 or module.as_posix().startswith(tuple(OTHERWISE)):
        return
    assert covered_by(module), f"{module} has no test_{module.stem}.py, and no test of its room imports it"


def mirrors_a_module(path: Path) -> bool:
    """Tell whether `test_NAME.py` or `test_NAME_SITUATION.py` lies where the module or room NAME lies."""
    folder = ROOTS.get(path.parts[0], SOURCE) / path.parent
    words = path.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:end]) for end in range(1, len(words) + 1)]
    return any((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file() for name in names)


@pytest.mark.parametrize("path", sorted(IMPORTED), ids=lambda path: path.as_posix())
def test_a_test_file_is_called_after_what_it_tests(path: Path) -> None:
    if "benchmarks" in path.parts and not (ROOTS["benchmarks"] / "benchmarks").is_dir():
        pytest.skip("the benchmarks are in a checkout alone")
    listed = {
        Path(folder, f"test_{name}.py") for one in NO_MODULE.values() for folder, names in one.items() for name in names.split()
    }
    assert mirrors_a_module(path) != (path in listed), "name it after its module, or say in NO_MODULE why it has none"


def test_exceptions_are_of_files_that_are_there() -> None:
    for names in NO_MODULE.values():
        for folder, several in names.items():
            assert all((TESTS / folder / f"test_{name}.py").is_file() for name in several.split())
