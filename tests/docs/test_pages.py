"""What the documents show runs, and what they name exists."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = [ROOT / "README.md", ROOT / "README.zh.md"]
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES, WORDS = 60, 30
"""What the README may have: lines, and words a sentence."""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def sentences(text: str, ends: str = ".!?") -> list[str]:
    """Sentences of the prose: code, tables and the targets of links are none. A colon ends none unless `ends` has it."""
    text = re.sub(r"^(```.*?^```|    .*?)$", "", text, flags=re.M | re.S)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    lines = ["" if line.startswith("|") else line for line in text.splitlines()]
    parts = re.split(rf"(?<=[{ends}])\s+|(?<=[{ends}]\*\*)\s+|\n\s*\n|\n *[*-] |\n *\d+\. | · ", "\n".join(lines))
    return [part for part in parts if part.strip()]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_every_example_runs(name: str, tmp_path: Path) -> None:
    found = run(str(ROOT / "examples" / name), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "recall@20" in found.stdout


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    """Its blocks, in order, in one program, on synthetic clicks under the name that the README uses."""
    blocks = re.findall(r"```python\n(.*?)```", READMES[0].read_text("utf-8"), flags=re.S)
    assert blocks
    before = (
        "from recodiff.data import synthesise\n"
        "import polars as pl\n"
        "synthesise(users=200, items=80, interactions=6000, seed=0).write_csv('clicks.csv')\n"
    )
    (tmp_path / "readme.py").write_text(before + "\n".join(blocks))
    found = run("readme.py", cwd=tmp_path)
    assert found.returncode == 0, found.stderr


def test_the_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from commands import call
    from recodiff.data import synthesise

    monkeypatch.chdir(tmp_path)
    synthesise(users=60, items=40, interactions=1000, seed=0).write_csv("clicks.csv")
    commands = re.findall(r"^    recodiff (.*?)(?: +#.*)?$", READMES[0].read_text("utf-8"), flags=re.M)
    assert len(commands) >= 4
    for command in commands:
        if command.startswith("serve"):  # goes on until it is ended; see tests/serving/test_server.py
            continue
        few = ["--set", "training.epochs=2"] if command.startswith("train") else []
        typed = command.replace("ID ID ID", "1 2 3").replace("--minutes 30", "--minutes 0.1")
        assert call(*typed.split(), *few) == 0, command


def test_the_readme_is_short() -> None:
    text = READMES[0].read_text("utf-8")
    assert len(text.splitlines()) <= LINES
    long = [sentence for sentence in sentences(text) if len(sentence.split()) > WORDS]
    assert not long


OF_THE_PROJECT = ["CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "CHANGELOG.md", "findings/README.md"]
PROSE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if "zh" not in path.parts)


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    assert list((ROOT / "docs" / "reference").rglob("*")) == []


NOTEBOOK = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "benchmarks" / "notebook").glob("*.md"))


def prose(name: str, ends: str = ".!?") -> list[str]:
    text = (ROOT / name).read_text("utf-8")
    if name == "CHANGELOG.md":  # what is released stays as it was
        text = re.split(r"^## ", text, flags=re.M)[1]
    return sentences(re.sub(r"\$\$?[^$]*\$\$?", "x", text), ends)


@pytest.mark.parametrize("name", PROSE + OF_THE_PROJECT)
def test_no_page_has_a_long_sentence(name: str) -> None:
    """Pages in Chinese have no words to count; those of the reference are made by `scripts/reference_pages/`."""
    assert [sentence for sentence in prose(name) if len(sentence.split()) > WORDS] == []


@pytest.mark.parametrize("name", NOTEBOOK)
def test_no_entry_of_the_notebook_has_a_long_sentence(name: str) -> None:
    """A list of figures is no sentence: what has a letter is a word, and a colon before the list ends one."""
    assert [one for one in prose(name, ".!?:") if sum(bool(re.search("[A-Za-z]", word)) for word in one.split()) > WORDS] == []


def test_a_long_sentence_is_counted_whatever_is_around_it() -> None:
    long = " ".join(["word"] * (WORDS + 1))
    text = f"# Title\n\nShort one. {long}.\n\n    code {long}\n"
    assert [part for part in sentences(text) if len(part.split()) > WORDS] == [f"{long}."]
    halves = f"{'word ' * 20}so: {'word ' * 20}"
    assert max(len(part.split()) for part in sentences(halves)) > WORDS
    assert max(len(part.split()) for part in sentences(halves, ".!?:")) <= WORDS


@pytest.mark.parametrize("name", ["README.md", "docs/tutorials/first-model.md", "docs/tutorials/your-own-data.md"])
def test_a_translation_shows_the_same_code_and_figures(name: str) -> None:
    """Files, commands and output block by block; of the README also its commands and the figures of its tables."""
    here = ROOT / name
    there = ROOT / "README.zh.md" if name == "README.md" else ROOT / name.replace("docs/", "docs/zh/")
    blocks = [re.findall(r"```.*?^```$", path.read_text("utf-8"), flags=re.S | re.M) for path in (here, there)]
    assert blocks[0] == blocks[1]
    shown = [re.findall(r"^    recodiff [^#\n]*|\.\d{4}", path.read_text("utf-8"), flags=re.M) for path in (here, there)]
    assert shown[0] == shown[1]


def test_every_command_and_preset_that_the_documents_name_exists() -> None:
    from recodiff.cli import COMMANDS
    from recodiff.configs import presets
    from recodiff.models.registry import MODELS

    for page in PAGES:
        text = page.read_text("utf-8")
        for command in re.findall(r"^(?: *|\$ )recodiff ([a-z]+)", text, flags=re.M):
            assert command in COMMANDS, f"{page.name} names the command {command}"
        for preset in re.findall(r"recodiff train ([a-z][\w./-]+)", text):
            known = preset.endswith(".toml") or preset in presets() or preset in MODELS or preset == "easy"
            assert known, f"{page.name} names the preset or model {preset}"


def test_every_link_inside_the_documents_leads_somewhere() -> None:
    """In a checkout, but for pages of the reference, which the site makes."""
    from reference_pages import PAGES as MADE

    made = {ROOT / "docs" / path for path in MADE}
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8")):
            place = (page.parent / target).resolve()
            assert place.exists() or place in made, f"{page.relative_to(ROOT)} links to {target}"


def test_every_file_that_the_documents_name_exists() -> None:
    """A path in backquotes is of the project or of its sources; a name without a folder is a file of the user."""
    for page in PAGES:
        for path in re.findall(r"`((?:\w+/)+\w+\.(?:py|toml))`", page.read_text("utf-8")):
            known = any((base / path).exists() for base in (ROOT, ROOT / "src" / "recodiff"))
            assert known or "NAME" in path or path.startswith(("tuned/", "runs/")), f"{page.name} names {path}"


def test_no_table_of_contributing_says_a_thing_twice() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = [name for row in re.findall(r"^\| (.*?) \|", text, flags=re.M) for name in re.split(r"[;,] ", row)]
    assert len(named) > 100
    assert {name for name in named if named.count(name) > 1} == set()


def defined_names() -> set[str]:
    """Functions, classes, parameters, fields, attributes and modules of the package."""
    names: set[str] = set()
    for path in (ROOT / "src" / "recodiff").rglob("*.py"):
        names |= {path.stem, path.parent.name}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
    return names


def test_every_name_of_the_program_that_the_explanation_gives_is_defined() -> None:
    names = defined_names()
    for page in (ROOT / "docs" / "explanation").glob("*.md"):
        prose = re.sub(r"^(```|    ).*?^(```|$)", "", page.read_text("utf-8"), flags=re.M | re.S)
        for code in re.findall(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\([^`]*\))?`", prose):
            if not code.endswith((".py", ".toml", ".md", ".parquet", ".json")):
                missing = [part for part in code.split(".") if part not in names and part not in {"recodiff", "testing"}]
                assert not missing, f"{page.name} names {code}"


def test_no_comment_cites_a_document_that_is_not_here() -> None:
    documents = {path.name for path in ROOT.rglob("*.md")}
    for folder in ("src", "tests", "benchmarks", "examples", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"^ *# .*?\b([\w-]+\.md)\b", path.read_text("utf-8"), flags=re.M):
                assert name in documents, f"{path.relative_to(ROOT)} cites {name}"
