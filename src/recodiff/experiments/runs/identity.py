"""What names a result and an unfinished training: hashes of model, settings, data and seed.

A name must not change from build to build, or finished runs would be repeated. The words that are hashed keep their spelling.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from recodiff.config import Settings, merge
from recodiff.experiments.runs.cases import ResolvedCase
from recodiff.runtime import files

LATER: tuple[tuple[str, str, Any], ...] = (
    ("pairs", "reach", None),
    ("diffusion", "space", "auto"),
    ("diffusion", "sampled_items", None),
    ("diffusion", "sampled_by", "uniform"),
    ("codec", "likelihood", "multinomial"),
    ("codec", "target", "dropped"),
    ("training", "precision", "float32"),
    ("training", "ema", None),
)
"""Settings that came after runs had been published, and the values at which a run is what it was without them."""


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
    """The name of the folder that a training has until it ends; arguments as for `result_key`."""
    made_by = [resolved.case.model, resolved.train, fingerprint, seed, own_process, *_unless_valid(resolved)]
    return f"training-{digest(made_by)}"


def naming(settings: Settings) -> Settings:
    """Settings as they name a run.

    Files go in by name and content, so that they mean the same wherever the data is. What came LATER is left out at its neutral
    value, so that a new setting renames no old run.
    """
    return _by_content(_without_later(settings))


def digest(value: Any) -> str:
    """A hash of 16 hexadecimal digits of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _made_by(resolved: ResolvedCase) -> list[Any]:
    # A model trained with T = 1 is another than one of T steps that takes a single one when lists are made.
    trained = [] if resolved.rank is None else [{"trained": naming(resolved.train)}]
    ranked = naming(resolved.rank or resolved.train)
    return [resolved.case.model, ranked, *_unless_official(resolved), *trained, *_unless_valid(resolved)]


def _unless_official(resolved: ResolvedCase) -> list[str]:
    return [] if resolved.case.protocol == "official" else [resolved.case.protocol]


def _unless_valid(resolved: ResolvedCase) -> list[str]:
    return [] if resolved.case.choose_on == "valid" else [f"chosen on {resolved.case.choose_on}"]


def _without_later(settings: Settings) -> Settings:
    inner = {name: _without_later(value) if isinstance(value, dict) else value for name, value in settings.items()}
    for group, key, neutral in LATER:
        held = inner.get(group)
        if isinstance(held, dict) and key in held and held[key] == neutral:
            inner[group] = {name: value for name, value in held.items() if name != key}
    return inner


def _by_content(settings: Settings) -> Settings:
    embeddings = (settings.get("codec") or {}).get("embeddings") or {}
    if embeddings.get("kind") != "file":
        return settings
    path = Path(embeddings["path"])
    content = files.sha256(path)[:16] if path.is_file() else "missing"
    return merge(settings, {"codec": {"embeddings": {"path": path.name, "content": content}}})
