"""Settings: every field of every config, its default, its bound and the docstring below it."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from recodiff.models.registry import MODELS, build
from reference_pages.markdown import anchor, code, first_paragraph, table
from reference_pages.sources import field_docstring

BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "min_length": "{} or more of them"}


def page() -> str:
    """Which groups a model has, and every group once."""
    roots = {name: type(build(name).config) for name in MODELS}
    groups: dict[type[BaseModel], None] = {}
    for root in roots.values():
        groups |= dict.fromkeys(walk(root))
    shared = {cls: [name for name, root in roots.items() if root is cls] for cls in groups}
    head = (
        "# Settings\n\nA settings file names a `model`; every other key is a field of its config, a group in brackets is a config "
        "of its own. Unknown keys and values out of bounds are refused. `recodiff info MODEL` shows a model's own defaults, which "
        "may differ from those of the group.\n\n"
    )
    rows = [(code(name), link(root)) for name, root in roots.items()]
    body = "\n\n".join(section(cls, names) for cls, names in shared.items())
    return head + table(["model", "its config"], rows) + "\n\n" + body + "\n"


def walk(cls: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The config and all that stand in its fields, each as often as it stands there."""
    yield cls
    for field in cls.model_fields.values():
        for inner in configs_in(field.annotation):
            yield from walk(inner)


def configs_in(annotation: Any) -> list[type[BaseModel]]:
    """The configs that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for part in get_args(annotation) for inner in configs_in(part)]


def link(cls: type[BaseModel]) -> str:
    """A link to the group's section."""
    return f"[{cls.__name__}](#{anchor(cls.__name__)})"


def section(cls: type[BaseModel], models: list[str]) -> str:
    """A group: its docstring and a table of its fields."""
    rows = [(code(name), _default(field), _bound(field), meaning(cls, name)) for name, field in cls.model_fields.items()]
    of = f" Models: {', '.join(map(code, models))}." if models else ""
    head = f"## {cls.__name__} {{#{anchor(cls.__name__)}}}\n\n{first_paragraph(cls)}{of}\n\n"
    return head + (table(["setting", "default", "bound", "meaning"], rows) if rows else "It has no settings.")


def meaning(cls: type[BaseModel], name: str) -> str:
    """The docstring below the field; of a discriminator, what it is."""
    said = field_docstring(cls, name)
    return said or ("Names this kind of group." if name == "kind" else "")


def undocumented() -> list[str]:
    """Fields of built-in configs without a docstring, `Class.field`; a group whose class has one needs none."""
    roots = [type(build(name).config) for name in MODELS]
    found = {
        f"{cls.__name__}.{name}" for root in roots for cls in walk(root) for name in cls.model_fields if not _explained(cls, name)
    }
    return sorted(found)


def _explained(cls: type[BaseModel], name: str) -> bool:
    return bool(meaning(cls, name) or any(first_paragraph(inner) for inner in configs_in(cls.model_fields[name].annotation)))


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    if field.is_required():
        return "required"
    if isinstance(default, BaseModel):
        return link(type(default))
    if isinstance(default, Enum):
        default = default.value
    if isinstance(default, dict) and any(isinstance(value, BaseModel) for value in default.values()):
        return ", ".join(code(key) for key in default)
    return "none" if default is None else code(list(default) if isinstance(default, tuple) else default)


def _bound(field: FieldInfo) -> str:
    said = [form.format(getattr(rule, name)) for rule in field.metadata for name, form in BOUNDS.items() if hasattr(rule, name)]
    return ", ".join([_kind(field.annotation), *said])


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin is Literal:
        return " or ".join(code(value) for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in inner))
    if origin in (tuple, list):
        return f"list of {_kind(inner[0])}"
    if origin is not None:
        return "table of groups" if any(configs_in(part) for part in inner) else "table"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return link(annotation)
    names = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "none"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))
