"""The command line: every command with its arguments, from the functions that cyclopts calls."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any, get_args

import docstring_parser
from cyclopts import App

from recodiff.cli import COMMANDS
from reference_pages.markdown import cell, code, table


def page() -> str:
    """One section a command."""
    listed = table(["command", "what it does"], [(f"[`recodiff {name}`](#{name})", about) for name, about in COMMANDS.items()])
    head = (
        "# Commands\n\nEvery command answers `--help`. A mistake ends with one sentence and exit code 1, or 2 where the "
        "command line itself cannot be read; an interrupted command ends with 130.\n\n"
    )
    return head + listed + "\n\n" + "\n\n".join(section(name) for name in COMMANDS) + "\n"


def section(name: str) -> str:
    """A command: what it does, its examples, its arguments."""
    function = getattr(importlib.import_module(f"recodiff.cli.{name}"), name)
    app = App(name=name, help_format="plaintext")
    app.default(function)
    described = docstring_parser.parse(inspect.getdoc(function) or "").params
    meanings = {parameter.arg_name: parameter.description or "" for parameter in described}
    rows = [_row(argument, meanings.get(argument.field_info.name, "")) for argument in app.assemble_argument_collection()]
    return f"## {name}\n\n{_about(function)}\n\n{table(['argument', 'default', 'meaning'], rows)}"


def _about(function: Any) -> str:
    """The docstring before its parameters, its examples as code."""
    text = (inspect.getdoc(function) or "").split("\nParameters\n")[0].strip()
    parts = []
    for paragraph in text.split("\n\n"):
        if match := re.match(r"Examples?:\s*", paragraph):
            lines = [line.strip() for line in paragraph[match.end() :].splitlines()]
            parts.append("```console\n" + "\n".join(f"$ {line}" for line in lines) + "\n```")
        else:
            parts.append(" ".join(paragraph.split()))
    return "\n\n".join(parts)


def _row(argument: Any, meaning: str) -> tuple[str, str, str]:
    names = [name for name in argument.names if not name.startswith(("--no-", "--empty-"))]
    default = argument.field_info.default
    said = (
        "required"
        if argument.required
        else ""
        if default is None or default is False or default is inspect.Parameter.empty
        else code(default)
    )
    choices = [value for part in (argument.hint, *get_args(argument.hint)) for value in get_args(part) if isinstance(value, str)]
    return (
        ", ".join(map(code, names)),
        said,
        cell(argument.parameter.help or meaning) + (f" One of {', '.join(map(code, choices))}." if choices else ""),
    )
