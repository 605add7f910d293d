"""Which settings a case runs with: the preset for the data, else a stated fallback, and what the case changes in it."""

from __future__ import annotations

from pathlib import Path

from recodiff.config import Settings, merge
from recodiff.configs import presets, read_settings
from recodiff.data.dataset import Dataset
from recodiff.evaluation.item_facts import EMBEDDINGS
from recodiff.experiments.runs import protocols
from recodiff.experiments.runs.cases import Case, ResolvedCase
from recodiff.models.registry import MODELS, build
from recodiff.moved import old_names

FALLBACK = "ml-1m_clean"
"""The data whose preset stands in where a model has none for the data at hand."""


def resolve(case: Case, data: Dataset, folder: Path, *, cap: int | None = None) -> ResolvedCase | str:
    """The settings of a case, or why it cannot be run, in a few words.

    Args:
        case: of a plan.
        data: what it is to run on.
        folder: where the data stands; embeddings may stand beside it.
        cap: epochs at most.

    Raises:
        ConfigError: the model does not take the settings.
    """
    if case.model not in MODELS:
        return "not in this library yet"
    if why := protocols.refusal(case.protocol, data):
        return why
    preset, source = _preset(case, data.name)
    preset, with_embeddings = _with_embeddings(case, preset, folder)
    plain = _whole(case.model, preset, cap)
    train = _whole(case.model, merge(preset, case.settings), cap)
    if data.train.time_kind is None and (case.needs_order or build(case.model, train).traits.order_aware):
        return "needs time, this data has none"
    rank = None
    if case.start is not None:
        steps = int(case.start * train["diffusion"]["steps"])
        rank = merge(train, {"sampling": {"noise_steps": steps}})
        source += f", T' = {steps} of {train['diffusion']['steps']}"
    if case.passes is not None:
        rank = merge(train, {"diffusion": {"steps": case.passes}})
        source += f", {case.passes} of {train['diffusion']['steps']} steps back"
    if with_embeddings:
        source += f", item embeddings: {EMBEDDINGS} of the data folder"
    if rank == train:
        rank = None
    return ResolvedCase(case, source, train, rank, as_preset=train == plain and rank is None and case.protocol == "official")


def _preset(case: Case, data: str) -> tuple[Settings, str]:
    have = presets()
    own, fallback = f"{case.model}-{data}", f"{case.model}-{FALLBACK}"
    if case.tuned:
        return read_settings(case.tuned)[1], f"preset {case.tuned}"
    if own in have:
        return read_settings(own)[1], f"preset {own}"
    if fallback in have:
        return read_settings(fallback)[1], f"preset {fallback}, as there is none for {data}"
    return {}, "the model's defaults"


def _with_embeddings(case: Case, preset: Settings, folder: Path) -> tuple[Settings, bool]:
    """The released rows cluster items by the released embeddings, where the data folder holds them."""
    path = folder.resolve() / EMBEDDINGS
    codec = build(case.model, preset).config.model_dump().get("codec") or {}
    if case.tuned or codec.get("kind") != "clustered_vae" or not path.is_file():
        return preset, False
    return merge(preset, {"codec": {"embeddings": {"kind": "file", "path": str(path)}}}), True


def _whole(model: str, settings: Settings, cap: int | None) -> Settings:
    """All settings, defaults included: so a default that changes is another run."""
    whole = build(model, settings).config.model_dump(mode="json")
    if cap is not None and "training" in whole:
        whole["training"]["epochs"] = min(cap, whole["training"]["epochs"])
    return whole


__getattr__ = old_names(__name__)
