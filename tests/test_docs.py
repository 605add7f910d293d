"""What the documents show runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_every_example_runs(name: str, tmp_path: Path) -> None:
    found = run(str(ROOT / "examples" / name), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "recall@20" in found.stdout


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    """Its blocks, in order, in one program, on synthetic clicks under the name that the README uses."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.S)
    assert blocks
    before = (
        "from recodiff.data import synthesise\n"
        "import polars as pl\n"
        "synthesise(users=200, items=80, interactions=6000, seed=0).write_csv('clicks.csv')\n"
    )
    (tmp_path / "readme.py").write_text(before + "\n".join(blocks))
    found = run("readme.py", cwd=tmp_path)
    assert found.returncode == 0, found.stderr


def test_every_command_and_preset_that_the_documents_name_exists() -> None:
    from recodiff.cli import COMMANDS
    from recodiff.configs import presets
    from recodiff.models.registry import MODELS

    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text("utf-8")
        for command in re.findall(r"^ *recodiff ([a-z]+)", text, flags=re.M):
            assert command in COMMANDS, f"{page.name} names the command {command}"
        for preset in re.findall(r"recodiff train ([a-z][\w./-]+)", text):
            known = preset.endswith(".toml") or preset in presets() or preset in MODELS
            assert known, f"{page.name} names the preset or model {preset}"


def test_every_link_inside_the_documents_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_file_that_the_documents_name_exists() -> None:
    """A path in backquotes is of the project or of its sources; a name without a folder is a file of the user."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for path in re.findall(r"`((?:\w+/)+\w+\.(?:py|toml))`", page.read_text("utf-8")):
            assert any((base / path).exists() for base in (ROOT, ROOT / "src" / "recodiff")), f"{page.name} names {path}"
