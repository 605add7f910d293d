"""Environments of the packages asked here: each has its own, of exact versions, in `.venv-peer-NAME` beside this repository's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements"
STEP = "# then:"


class EnvironmentMissingError(Exception):
    """An environment could not be made; the message says what failed."""


def names() -> list[str]:
    """The packages that have an environment."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def interpreter_of(name: str, folder: Path = ROOT) -> Path:
    """The interpreter of the package's environment, which is made where it is missing or of other versions.

    Args:
        name: of a file in `requirements/`, whose first line names the Python and whose comments `# then: FLAGS` begin another
            call of pip with these flags.
        folder: where `.venv-peer-NAME` lies.

    Raises:
        EnvironmentMissingError: there is no such Python, or pip failed.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text()
    made = folder / f".venv-peer-{name}"
    python, ready = made / "bin" / "python", made / ".ready"
    if ready.is_file() and ready.read_text() == wanted:
        return python
    shutil.rmtree(made, ignore_errors=True)
    _run([_python(wanted), "-m", "venv", str(made)], f"no environment could be made for {name}")
    flags = ""
    for number, step in enumerate(re.split(f"^{re.escape(STEP)}(.*)$", wanted, flags=re.MULTILINE)):
        if number % 2:
            flags = step
            continue
        step_file = made / f"step-{number}.txt"
        step_file.write_text(step)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", *flags.split(), "--requirement", str(step_file)]
        _run(command, f"the packages of {name} could not be installed")
    ready.write_text(wanted)
    return python


def _python(wanted: str) -> str:
    """The interpreter of the version in the first line: PYTHON3_13, say, or python3.13 on the path."""
    version = re.search(r"for Python (\d+\.\d+)", wanted.splitlines()[0])
    if version is None:
        raise EnvironmentMissingError(f"no Python is named in '{wanted.splitlines()[0]}'")
    name = f"python{version[1]}"
    found = os.environ.get(name.upper().replace(".", "_")) or shutil.which(name)
    if found is None:
        raise EnvironmentMissingError(f"there is no {name}; name it as {name.upper().replace('.', '_')}")
    return found


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentMissingError(f"{what}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else command}")
