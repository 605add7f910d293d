"""What the paper leaves open, as data: which ingredient earns the accuracy, what the protocol does to the figures."""

from __future__ import annotations

from typing import Any

from recodiff.config import Settings, merge
from recodiff.evaluation.protocol import Protocol
from recodiff.experiments.reproduce.experiment import Experiment
from recodiff.experiments.runs.cases import Case


def _without(key: str, label: str, settings: Settings | None = None, **more: Any) -> Case:
    return Case(key, label, "diffrec", settings or {}, **more)


def _weights(key: str, label: str, weighting: Settings) -> Case:
    return Case(key, label, "t-diffrec", {"weighting": weighting}, needs_order=True)


_HALF_LIFE = {"kind": "half_life", "half_life": 5.0, "floor": 0.1}
_PROTOCOLS: dict[Protocol, str] = {
    "official": "official",
    "chronological": "chronological: chosen on the earlier part, reported on the later",
    "leaking": "official, but with the validation part in the history",
}


def _protocols(model: str, title: str, *, needs_order: bool = False, seeded: bool = True) -> tuple[Case, ...]:
    return tuple(
        Case(f"{model} {name}", f"{title}, {what}", model, protocol=name, needs_order=needs_order, seeded=seeded)
        for name, what in _PROTOCOLS.items()
    )


def _embeddings(key: str, label: str, embeddings: Settings | None = None) -> Case:
    return Case(key, label, "l-diffrec", {"codec": {"embeddings": embeddings}} if embeddings else {})


def _forecast(key: str, label: str, settings: Settings | None = None) -> Case:
    return Case(key, label, "f-diffrec", merge(settings or {}, _FAST), needs_order=True)


_FAST = {"training": {"precision": "bfloat16"}}
_TARGET_NEXT = {"kind": "half_life", "half_life": 0.05, "floor": 0.0}
_RELEASED_SCALE, _RELEASED_FIRST_BETA = 5e-3, 1e-5


def _noise(times: float) -> Settings:
    """The released noise at so many times its variance, beta_1 included, without the weights that would change with it."""
    schedule = {"noise_scale": _RELEASED_SCALE * times, "first_beta": _RELEASED_FIRST_BETA * times}
    return {"diffusion": {"step_weights": "none", "schedule": schedule}}


_GAUSSIAN = {"schedule": {"kind": "linear_variance", "noise_scale": 0.5}, "step_weights": "none"}
_CHAIN = _GAUSSIAN | {"loss": "squared", "steps": 3}

QUESTIONS = (
    Experiment(
        "ablation",
        "which ingredient earns the accuracy",
        (
            _without("released", "DiffRec, as released"),
            _without("one pass", "one pass in place of T when lists are made", passes=1),
            _without("T = 1", "T = 1: no chain, in training either", {"diffusion": {"steps": 1}}),
            _without("no weights", "no SNR weights on the loss", {"diffusion": {"step_weights": "none"}}),
            _without("no noise", "no Gaussian noise (and no SNR weights)", {"diffusion": {"schedule": {"kind": "none"}}}),
            _without("more noise", "a hundred times the noise's variance", {"diffusion": {"schedule": {"noise_scale": 0.5}}}),
            _without("weights off, no noise", "no SNR weights, and a ten-thousandth of the noise's variance", _noise(1e-4)),
            _without("weights off, more noise", "no SNR weights, and a hundred times the noise's variance", _noise(100)),
            _without("no dropout", "no input dropout", {"denoiser": {"dropout": 0.0}}),
            _without("less dropout", "input dropout .25", {"denoiser": {"dropout": 0.25}}),
            _without("uniform t", "t drawn uniformly", {"diffusion": {"timesteps": "uniform"}}),
            _without("weight decay", "weight decay 10", {"training": {"weight_decay": 10.0}}),
        ),
        published="",
        notes=(
            "One factor at a time from the released settings. `one pass` ranks the same trained models again, by f(x_0, t = 0) "
            "alone.",
        ),
        paired=True,
    ),
    Experiment(
        "weights",
        "where time weights earn their accuracy",
        (
            _weights("flat", "no weights: DiffRec", {"kind": "uniform"}),
            _weights("both", "linear weights on fit and history, as the paper has them", {"kind": "linear", "w_min": 0.1}),
            _weights("history", "linear weights on the history alone", {"kind": "linear", "w_min": 0.1, "on": "history"}),
            _weights("half-life", "half-life 5 on fit and history", _HALF_LIFE),
            _weights("half-life history", "half-life 5 on the history alone", _HALF_LIFE | {"on": "history"}),
        ),
        published="",
        notes=("One factor at a time from T-DiffRec at DiffRec's released settings.",),
        paired=True,
    ),
    Experiment(
        "protocols",
        "the official protocol, a chronological one, and a leak",
        (
            *_protocols("ease", "EASE", seeded=False),
            *_protocols("diffrec", "DiffRec"),
            *_protocols("t-diffrec", "T-DiffRec", needs_order=True),
            *_protocols("l-diffrec", "L-DiffRec"),
            *_protocols("f-diffrec", "F-DiffRec", needs_order=True),
        ),
        published="",
        notes=(
            'In the released files the part called "test" lies between train and "valid" in time. The official protocol chooses '
            "on the later part and reports on the earlier. The chronological one chooses on the earlier part and reports on the "
            "later, ranked from train and the earlier part together. The leak ranks the official test part from train and valid, "
            "hence from the future, which no recommender in use has.",
        ),
    ),
    Experiment(
        "embeddings",
        "what L-DiffRec's items are clustered by",
        (
            _embeddings("file", "embeddings of the data folder, or the preset's own"),
            _embeddings("svd", "truncated SVD, made here", {"kind": "svd"}),
            _embeddings("lightgcn", "LightGCN, made here", {"kind": "lightgcn"}),
            Case("one cluster", "one cluster, no embeddings", "l-diffrec", {"codec": {"clusters": 1}}),
        ),
        published="",
        notes=("The first row clusters by `item_emb.npy` of the data folder; where there is none, as the preset says.",),
        paired=True,
    ),
    Experiment(
        "forecast",
        "what F-DiffRec's accuracy is made of",
        (
            _forecast("f-diffrec", "F-DiffRec, rows"),
            _forecast("reconstruct", "a row made from itself, as T-DiffRec learns", {"pairs": {"kind": "reconstruct"}}),
            _forecast("flat history", "history not weighted by age", {"weighting": {"kind": "uniform"}}),
            _forecast("flat target", "all that follows counts alike", {"pairs": {"target": {"kind": "uniform"}}}),
            _forecast("next item", "the next item alone counts", {"pairs": {"target": _TARGET_NEXT}}),
            _forecast("near target", "what follows counts as far as .4 of the history", {"pairs": {"reach": 0.4}}),
            _forecast("squared", "squared loss", {"diffusion": {"loss": "squared"}}),
            _forecast("tanh", "tanh in place of SiLU", {"denoiser": {"activation": "tanh"}}),
            _forecast("linear", "no activation", {"denoiser": {"activation": "identity"}}),
            _forecast("narrow", "hidden layer of 100", {"denoiser": {"hidden": [100]}}),
            _forecast("wide", "hidden layer of 600", {"denoiser": {"hidden": [600]}}),
            _forecast("no dropout", "no input dropout", {"denoiser": {"dropout": 0.0}}),
            _forecast("noise", "Gaussian noise on the input, standard deviation .05", {"diffusion": _GAUSSIAN}),
            _forecast("T = 3", "T = 3 plain passes", {"diffusion": {"steps": 3}}),
            _forecast("T = 3 by loss", "the same, t drawn by its loss", {"diffusion": {"steps": 3, "timesteps": "loss_aware"}}),
            _forecast("squared, T = 3", "squared loss, T = 3 with Gaussian noise", {"diffusion": _CHAIN}),
        ),
        published="",
        notes=(
            "One factor at a time from F-DiffRec's preset, or its defaults where the data has none; all of them multiply in "
            "bfloat16 while they learn, which gives F-DiffRec the accuracy of float32 (benchmarks/notebook/speed.md).",
        ),
        paired=True,
    ),
)
