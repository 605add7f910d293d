"""Old paths of modules and names still resolve, and say where the new ones are."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from recodiff import moved
from recodiff.data import synthesise
from recodiff.moved import FUNCTIONS, MODULES, NAMES, REMOVED_IN, warn_deprecated

BECAME_PACKAGES = [old for old in MODULES if importlib.util.find_spec(MODULES[old]) and MODULES[old].startswith(f"{old}.")]
"""Old modules whose path is a package's now: they import as the package, which answers for the old names."""


@pytest.fixture(autouse=True)
def aliases_as_if_new() -> Iterator[None]:
    """An alias warns when it is first imported, so each test begins without them."""
    kept = {name: module for name, module in sys.modules.items() if name in MODULES and name not in BECAME_PACKAGES}
    for name in kept:
        del sys.modules[name]
    yield
    sys.modules.update(kept)


def test_a_deprecation_names_old_new_and_the_version_of_removal() -> None:
    with pytest.warns(DeprecationWarning, match="7.8.9") as found:
        warn_deprecated("recodiff.old", "recodiff.new", removed_in="7.8.9", stacklevel=2)
    assert "'recodiff.old'" in str(found[0].message)
    assert "'recodiff.new'" in str(found[0].message)
    assert found[0].filename == __file__


@pytest.mark.parametrize("old", [old for old in MODULES if old not in BECAME_PACKAGES])
def test_an_old_module_is_the_new_one(old: str) -> None:
    with pytest.warns(DeprecationWarning, match=REMOVED_IN):
        found = importlib.import_module(old)
    assert found is importlib.import_module(MODULES[old])


def test_a_script_sees_the_warning_at_its_own_line(tmp_path: Path) -> None:
    script = tmp_path / "old.py"
    script.write_text("import recodiff\nimport recodiff.models.ease\nfrom recodiff import pairs\n")
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stderr
    assert f"{script}:2: DeprecationWarning: 'recodiff.models.ease'" in said
    assert f"{script}:3: DeprecationWarning: 'recodiff.pairs'" in said


@pytest.mark.parametrize("old", BECAME_PACKAGES)
def test_a_package_answers_for_the_names_of_its_old_module(old: str) -> None:
    package, home = importlib.import_module(old), importlib.import_module(MODULES[old])
    names = [name for name, value in vars(home).items() if getattr(value, "__module__", None) == home.__name__]
    lost = [name for name in names if name not in vars(package) and not moved._is_submodule(old, name)]
    for name in lost:
        with pytest.warns(DeprecationWarning, match=f"{old}.{name}.*{REMOVED_IN}"):
            assert getattr(package, name) is getattr(home, name)
    assert names, f"{home.__name__} defines nothing"


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_an_old_name_is_the_new_one(module: str, name: str) -> None:
    """It warns, unless the module itself still uses the name."""
    home, _, renamed = NAMES[module][name].partition(":")
    holder, new = importlib.import_module(module), getattr(importlib.import_module(home), renamed or name)
    if name in vars(holder):
        assert vars(holder)[name] is new
        return
    with pytest.warns(DeprecationWarning, match=f"{module}.{name}.*{REMOVED_IN}"):
        assert getattr(holder, name) is new


@pytest.mark.parametrize(("module", "function"), FUNCTIONS.items())
def test_a_module_answers_for_the_function_that_had_its_path(module: str, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`recodiff.evaluation.evaluate` was a function; importing `recodiff.data.corrupt` must not hide `recodiff.corrupt`."""
    holder = importlib.import_module(module)
    monkeypatch.setattr(holder, function, lambda *given, **named: (given, named))
    with pytest.warns(DeprecationWarning, match=rf"{function}\(\).*{REMOVED_IN}") as warned:
        assert holder(1, two=2) == ((1,), {"two": 2})  # pyright: ignore[reportCallIssue]
    assert warned[0].filename == __file__


def test_a_name_that_never_was_is_refused_as_python_does() -> None:
    for module in ("recodiff.config", "recodiff.training", "recodiff.models"):
        with pytest.raises(AttributeError, match="no attribute 'never_was'"):
            _ = importlib.import_module(module).never_was


def test_new_paths_and_public_names_warn_of_nothing() -> None:
    """In a process of its own, where nothing is imported yet."""
    script = "import recodiff\nfor name in recodiff.__all__: getattr(recodiff, name)\nimport recodiff.models.saving"
    ran = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-W", "error:.*the old name goes", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_model_saved_as_module_and_class_of_an_old_path_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder names its class by `module:Class`; the module of 0.1.0 may be an old path, and its base one too."""
    import recodiff
    from recodiff.models.linear.ease import Ease

    (tmp_path / "my_models.py").write_text(
        "from recodiff.models.ease import Ease\n\n\nclass Mine(Ease):\n    '''EASE under another name.'''\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    data = recodiff.prepare(synthesise(users=60, items=30, interactions=900, seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for path in ("my_models:Mine", "recodiff.models.ease:Ease"):
            folder = tmp_path / path.replace(":", "-")
            recodiff.save_model(recodiff.build(path, {"l2": 10}).fit(data.train), folder)
            loaded = recodiff.load_model(folder, trust_code=True)
            lists = recodiff.recommend(loaded, data.history("train"), k=5).to_frame()
            assert len(lists) > 0
            assert isinstance(loaded, Ease)


def test_the_package_itself_uses_no_old_name() -> None:
    """Type checkers take an old name for a new one, as the module answers for it."""
    source = Path(moved.__file__).parent
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in NAMES:
                old = {alias.name for alias in node.names} & NAMES[node.module].keys()
                own = {name for name in old if name in vars(importlib.import_module(node.module))}
                assert old == own, f"{path} imports {', '.join(old - own)} from {node.module}"
