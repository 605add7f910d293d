"""The paper's tables and figures as data: the cases of each, and no code but what spells them shorter."""

from __future__ import annotations

from dataclasses import replace

from recodiff.experiments.reproduce.experiment import Experiment, Panel
from recodiff.experiments.runs.cases import Case
from recodiff.models.registry import MODELS

BESIDE = (
    Case("popularity", "Popularity, not in the paper's table", "popularity", seeded=False),
    Case("ease", "EASE, not in the paper's table", "ease", seeded=False),
)
"""The simple methods that every table should be read beside."""


def _models(*names: str) -> tuple[Case, ...]:
    return tuple(Case(name, MODELS[name].title, name) for name in names)


def _noise(model: str, share: float, quick: bool) -> Case:
    title = MODELS[model].title
    percent = f"{100 * share:.0f} %"
    return Case(
        f"{model} {share}", f"{title}, {percent}", model, noise=share, quick=quick, panel="random noise", line=title, point=percent
    )


def _timesteps(key: str, kind: str) -> Case:
    panel = "a: how t is sampled"
    return Case(key, f"{key} sampling", "diffrec", {"diffusion": {"timesteps": kind}}, panel=panel, line="DiffRec", point=key)


def _start(point: str, share: float) -> Case:
    return Case(f"T' = {point}", f"T' = {point}", "diffrec", start=share, panel="b: inference steps", line="DiffRec", point=point)


def _scale(point: str, quick: bool) -> Case:
    schedule = {"noise_scale": float(point)} if float(point) else {"kind": "none"}
    settings = {"diffusion": {"schedule": schedule}}
    key = f"s = {point}"
    return Case(key, key, "diffrec", settings, quick=quick, panel="a: noise scale", line="DiffRec", point=point)


def _steps(steps: int, quick: bool) -> Case:
    key, settings = f"T = {steps}", {"diffusion": {"steps": steps}}
    return Case(key, key, "diffrec", settings, quick=quick, panel="b: diffusion steps", line="DiffRec", point=str(steps))


def _clusters(clusters: int, quick: bool) -> Case:
    key, settings = f"C = {clusters}", {"codec": {"clusters": clusters}}
    return Case(key, key, "l-diffrec", settings, quick=quick, panel="clusters", line="L-DiffRec", point=str(clusters))


_TABLE_3 = Experiment(
    "table3",
    "natural noise",
    (*_models("lightgcn", "multivae", "diffrec", "l-diffrec"), *BESIDE),
    published="table3",
    notes=("Natural noise is in the data itself: give a folder whose train and validation parts have it (ml-1m_noisy).",),
    tuned_rows=True,
    noisy=True,
)
_MEMORY = (
    "Memory is the peak of a process that does nothing but this training and its ranking: on a CPU the growth of its resident "
    "memory beyond what it held once everything was imported, data included; on a GPU the peak of CUDA's allocator. The published "
    "figures are of the authors' program on their GPU: compare the methods with each other, not the columns."
)

PAPER = (
    Experiment(
        "table2",
        "clean training, all methods",
        (
            *_models("mf", "lightgcn", "cdae", "multidae", "multidae++", "multivae", "codigem", "diffrec"),
            *(replace(case, label=f"{case.label}, not in the paper's table") for case in _models("irgan")),
            *BESIDE,
        ),
        published="table2",
        tuned_rows=True,
    ),
    _TABLE_3,
    replace(_TABLE_3, name="table4"),
    Experiment(
        "figure4",
        "random noise",
        tuple(
            _noise(model, share, quick=share in (0.1, 0.3, 0.5))
            for share in (0.1, 0.2, 0.3, 0.4, 0.5)
            for model in ("diffrec", "multivae", "lightgcn")
        ),
        published="figure4",
        notes=("Noise goes into train and validation, never into test; it is drawn anew for each seed.",),
        panels=(Panel("random noise", "random interactions"),),
    ),
    Experiment(
        "table5",
        "predicting x_0 or the noise",
        (
            Case("x0", "x_0-ELBO", "diffrec", {"diffusion": {"prediction": "x0"}}),
            Case("eps", "eps-ELBO", "diffrec", {"diffusion": {"prediction": "eps"}}),
        ),
        published="table5",
        notes=("On Amazon-book and Yelp the paper calls the eps-ELBO close to zero and gives no figures.",),
        paired=True,
    ),
    Experiment(
        "figure5",
        "importance sampling of t, and inference steps",
        (
            _timesteps("importance", "loss_aware"),
            _timesteps("uniform", "uniform"),
            *(_start(point, share) for point, share in (("0", 0), ("T/4", 0.25), ("T/2", 0.5), ("T", 1))),
        ),
        published="figure5",
        notes=("T' makes the lists and not the model: the points of panel b are the same trained models, ranked again.",),
        panels=(Panel("a: how t is sampled", "sampling", ordered=False), Panel("b: inference steps", "T'")),
        paired=True,
    ),
    Experiment(
        "figure6",
        "noise scale and diffusion steps",
        (
            *(_scale(point, point in ("0", "1e-4", "5e-3", "1e-1")) for point in ("0", "1e-5", "1e-4", "5e-3", "1e-2", "1e-1")),
            *(_steps(steps, steps in (2, 5, 40)) for steps in (2, 5, 10, 40, 50, 100)),
        ),
        published="figure6",
        notes=(
            's = 0 is the released program\'s own path, schedule = { kind = "none" }: nothing is noised, all steps weigh the '
            "same, and lists come from T plain applications of the network. It is not the limit of s -> 0.",
        ),
        panels=(Panel("a: noise scale", "s"), Panel("b: diffusion steps", "T")),
        paired=True,
    ),
    Experiment(
        "table6",
        "L-DiffRec, accuracy and resources",
        _models("multivae", "diffrec", "l-diffrec"),
        published="table6",
        notes=(_MEMORY,),
        memory=True,
    ),
    Experiment(
        "figure7",
        "clusters of L-DiffRec",
        tuple(_clusters(clusters, quick=clusters in (1, 2, 5)) for clusters in (1, 2, 3, 4, 5)),
        published="figure7",
        notes=(_MEMORY,),
        panels=(Panel("clusters", "C"),),
        paired=True,
        memory=True,
    ),
    Experiment(
        "table7",
        "temporal training",
        _models("diffrec", "t-diffrec", "l-diffrec", "lt-diffrec", "acvae"),
        published="table7",
        notes=("The paper leaves ML-1M out of this table. Its parameters and memory were measured on the authors' GPUs.",),
        paired=True,
        tuned_rows=True,
    ),
)
