"""What names a result and an unfinished training: hashes of model, settings, data and seed.

A name must not change from build to build, or finished runs would be repeated. The words that are hashed keep their spelling.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from recodiff.config import Settings, merge, without_added
from recodiff.experiments.runs.cases import ResolvedCase
from recodiff.models.registry import config_of
from recodiff.runtime import files


def result_key(resolved: ResolvedCase, fingerprint: str, seed: int, *, memory: str | None, detailed: bool) -> str:
    """The name of a result; cases that are the same have the same.

    Args:
        resolved: model and settings. A cap on the epochs is one of the settings.
        fingerprint: of the data.
        seed: of the training.
        memory: what kind of peak memory is measured, None where none is.
        detailed: whether the result holds more than means.
    """
    more = ["closely"] if detailed else []
    return digest([*_made_by(resolved), fingerprint, seed, memory, *more])


def training_name(resolved: ResolvedCase, fingerprint: str, seed: int, *, own_process: bool) -> str:
    """The name of the folder that a training has until it ends; arguments as for `result_key`.

    Args:
        resolved: the case with its settings.
        fingerprint: of the data.
        seed: of the training.
        own_process: whether it has a process of its own, whose peak memory is measured.
    """
    made_by = [resolved.case.model, resolved.train, fingerprint, seed, own_process, *_unless_valid(resolved)]
    return f"training-{digest(made_by)}"


def naming(model: str, settings: Settings) -> Settings:
    """Settings as they name a run.

    Files go in by name and content, so that they mean the same wherever the data is. What is marked `Added` is left out at its
    default, so that a new setting renames no old run.

    Args:
        model: its name in MODELS, or `module:Class`.
        settings: of the model; those of its components are looked through, however deep.
    """
    return _by_content(_as_before(model, settings))


def digest(value: Any) -> str:
    """A hash of 16 hexadecimal digits of anything that JSON can hold.

    Args:
        value: plain: numbers, text, lists and mappings of these.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _made_by(resolved: ResolvedCase) -> list[Any]:
    # A model trained with T = 1 is another than one of T steps that takes a single one when lists are made.
    trained = [] if resolved.rank is None else [{"trained": naming(resolved.case.model, resolved.train)}]
    ranked = naming(resolved.case.model, resolved.rank or resolved.train)
    return [resolved.case.model, ranked, *_unless_official(resolved), *trained, *_unless_valid(resolved)]


def _unless_official(resolved: ResolvedCase) -> list[str]:
    return [] if resolved.case.protocol == "official" else [resolved.case.protocol]


def _unless_valid(resolved: ResolvedCase) -> list[str]:
    return [] if resolved.case.choose_on == "valid" else [f"chosen on {resolved.case.choose_on}"]


def _as_before(model: str, settings: Settings) -> Settings:
    return _components_as_before(without_added([config_of(model)], settings))


def _components_as_before(settings: Settings) -> Settings:
    inner = {key: _components_as_before(value) if isinstance(value, dict) else value for key, value in settings.items()}
    model, of_component = inner.get("model"), inner.get("settings")
    if isinstance(model, str) and isinstance(of_component, dict):
        inner["settings"] = _as_before(model, of_component)
    return inner


def _by_content(settings: Settings) -> Settings:
    embeddings = (settings.get("codec") or {}).get("embeddings") or {}
    if embeddings.get("kind") != "file":
        return settings
    path = Path(embeddings["path"])
    content = files.sha256(path)[:16] if path.is_file() else "missing"
    return merge(settings, {"codec": {"embeddings": {"path": path.name, "content": content}}})
