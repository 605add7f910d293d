"""The registry of models, the only one. Importing it imports no model and no torch."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recodiff.config import Settings, check, merge
from recodiff.errors import ConfigError, MissingExtraError
from recodiff.runtime.user_code import import_user_module

if TYPE_CHECKING:
    from recodiff.models.base import ModelConfig, Recommender


@dataclass(frozen=True)
class Entry:
    """A model's class and the settings in which it differs from the class's own defaults.

    Args:
        path: `module:Class`.
        title: how tables name it.
        about: what it is, in a few words.
        settings: laid upon the defaults of the class.
    """

    path: str
    title: str
    about: str = ""
    settings: Settings = field(default_factory=dict)


LATENT: Settings = {
    "codec": {"kind": "clustered_vae"},
    "denoiser": {"hidden": [300], "initialisation": "xavier"},
}
FORECAST: Settings = {
    "pairs": {"kind": "forecast"},
    "weighting": {"kind": "half_life", "half_life": 5.0, "floor": 0.1},
    "diffusion": {"steps": 1, "schedule": {"kind": "none"}, "loss": "multinomial", "timesteps": "uniform"},
    "denoiser": {"hidden": [200], "activation": "silu"},
    "training": {"batch_size": 200, "patience_epochs": 30},
}
# With several steps of small noise the SNR weights, 10^3 and more, would drown the likelihood.
LATENT_FORECAST: Settings = {"diffusion": {"step_weights": "none"}}
PUBLISHED_STEPS: Settings = {"batch_size": 128, "lr": 1e-3, "metric": "ndcg@10", "check_every_epochs": 3, "patience_epochs": 9}
ESASREC: Settings = {
    "block": "gated",
    "objective": {"kind": "sampled_softmax", "negatives": 256},
    "layers": 1,
    "length": 50,
    "dropout": 0.2,
    "training": PUBLISHED_STEPS,
}
GSASREC: Settings = {
    "objective": {"kind": "gbce", "negatives": 256, "calibration": 0.75},
    "width": 128,
    "length": 200,
    "dropout": 0.2,
    "training": PUBLISHED_STEPS,
}
FS_RIDGE: Settings = {
    "parts": {"rows": {"model": "f-ridge", "share": 0.05}, "sequence": {"model": "esasrec"}, "items": {"share": 0.05}},
    "start": "best",
    "search": (0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    "metric": "ndcg@10",
}
MODELS: dict[str, Entry] = {
    "popularity": Entry("recodiff.models.popularity:Popularity", "Popularity", "how many interactions an item has; the floor"),
    "itemknn": Entry(
        "recodiff.models.linear.neighbours:ItemKnn", "ItemKNN", "items like those of the history, by asymmetric cosine"
    ),
    "userknn": Entry("recodiff.models.linear.neighbours:UserKnn", "UserKNN", "what similar users interacted with"),
    "rp3beta": Entry(
        "recodiff.models.linear.neighbours:Rp3Beta", "RP3beta", "random walks of three steps, popular items held back"
    ),
    "puresvd": Entry("recodiff.models.linear.lowrank:PureSvd", "PureSVD", "truncated SVD"),
    "gf-cf": Entry("recodiff.models.linear.lowrank:GfCf", "GF-CF", "graph filter: linear and ideal low-pass"),
    "bspm": Entry(
        "recodiff.models.linear.bspm:Bspm", "BSPM", "histories blurred over the graph of items and sharpened again, in closed form"
    ),
    "ials": Entry("recodiff.models.factors.ials:Ials", "iALS", "weighted matrix factorisation by alternating least squares"),
    "implicit-als": Entry(
        "recodiff.models.factors.implicit:ImplicitAls", "ALS (implicit)", "ALS of the package implicit (extra baselines)"
    ),
    "implicit-bpr": Entry(
        "recodiff.models.factors.implicit:ImplicitBpr",
        "BPR (implicit)",
        "BPR of the package implicit (extra baselines); remembers users",
    ),
    "implicit-bm25": Entry(
        "recodiff.models.factors.implicit:ImplicitBm25",
        "BM25 (implicit)",
        "items like those of the history, by BM25 (extra baselines)",
    ),
    "ease": Entry("recodiff.models.linear.ease:Ease", "EASE", "linear item-item weights in closed form; seconds, and hard to beat"),
    "edlae": Entry("recodiff.models.linear.ease:Edlae", "EDLAE", "EASE with a ridge that dropout amounts to"),
    "rlae": Entry("recodiff.models.linear.ease:Rlae", "RLAE", "EASE with a relaxed diagonal"),
    "mf": Entry("recodiff.models.factors.mf:MF", "MF", "matrix factorisation by BPR; remembers users"),
    "irgan": Entry(
        "recodiff.models.factors.irgan:IRGAN", "IRGAN", "MF that a discriminator rewards for what it draws; remembers users"
    ),
    "lightgcn": Entry("recodiff.models.factors.lightgcn:LightGCN", "LightGCN", "graph convolution by BPR; remembers users"),
    "cdae": Entry(
        "recodiff.models.autoencoders.cdae:CDAE", "CDAE", "denoising autoencoder with a vector per user; remembers users"
    ),
    "diffrec": Entry("recodiff.models.diffrec.diffrec:DiffRec", "DiffRec", "diffusion over rows of items (SIGIR 2023)"),
    "t-diffrec": Entry(
        "recodiff.models.diffrec.diffrec:DiffRec",
        "T-DiffRec",
        "the same on rows weighted by recency",
        {"weighting": {"kind": "linear"}},
    ),
    "l-diffrec": Entry(
        "recodiff.models.diffrec.diffrec:DiffRec", "L-DiffRec", "diffusion over latent codes of clustered items", LATENT
    ),
    "lt-diffrec": Entry(
        "recodiff.models.diffrec.diffrec:DiffRec",
        "LT-DiffRec",
        "the same on rows weighted by recency",
        LATENT | {"weighting": {"kind": "linear"}},
    ),
    "f-diffrec": Entry(
        "recodiff.models.diffrec.diffrec:DiffRec",
        "F-DiffRec",
        "what comes later from what came before (ours); needs time",
        FORECAST,
    ),
    "lf-diffrec": Entry(
        "recodiff.models.diffrec.diffrec:DiffRec",
        "LF-DiffRec",
        "the same over latent codes (ours); needs time",
        merge(FORECAST, LATENT) | LATENT_FORECAST,
    ),
    "f-ridge": Entry(
        "recodiff.models.linear.forecast_ridge:ForecastRidge",
        "F-ridge",
        "the same pairs in closed form (ours); needs time",
        {"weighting": FORECAST["weighting"]},
    ),
    "fs-diffrec": Entry(
        "recodiff.models.mixture:Mixture",
        "FS-DiffRec",
        "F-DiffRec's rows, a sequence encoder and an item-item path as one model (ours); needs time",
    ),
    "fs-ridge": Entry(
        "recodiff.models.mixture:Mixture",
        "FS-ridge",
        "F-ridge's rows, eSASRec and an item-item path as one model (ours), for short histories; needs time",
        FS_RIDGE,
    ),
    "sasrec": Entry("recodiff.models.sequences.sasrec:SASRec", "SASRec", "self-attention over the newest items; needs time"),
    "esasrec": Entry(
        "recodiff.models.sequences.sasrec:SASRec",
        "eSASRec",
        "SASRec with gated layers, learned against many negatives; needs time",
        ESASREC,
    ),
    "gsasrec": Entry(
        "recodiff.models.sequences.sasrec:SASRec",
        "gSASRec",
        "SASRec learned by calibrated cross-entropy (gBCE); needs time",
        GSASREC,
    ),
    "bert4rec": Entry(
        "recodiff.models.sequences.bert4rec:BERT4Rec",
        "BERT4Rec",
        "attention both ways over the newest items, some of them hidden; needs time",
    ),
    "gru4rec": Entry("recodiff.models.sequences.gru4rec:GRU4Rec", "GRU4Rec", "recurrent network over the newest items; needs time"),
    "acvae": Entry(
        "recodiff.models.sequences.acvae:ACVAE", "ACVAE", "adversarial variational autoencoder of sequences; needs time"
    ),
    "multidae": Entry("recodiff.models.autoencoders.multivae:MultiAutoencoder", "MultiDAE", "autoencoder, multinomial likelihood"),
    "multivae": Entry(
        "recodiff.models.autoencoders.multivae:MultiAutoencoder",
        "MultiVAE",
        "variational autoencoder, multinomial likelihood",
        {"posterior": {"kind": "gaussian"}},
    ),
    "multidae++": Entry(
        "recodiff.models.autoencoders.multivae:MultiAutoencoder",
        "MultiDAE++",
        "MultiDAE that undoes DiffRec's noise in one pass",
        {"noise": {"schedule": {"kind": "linear_variance"}}},
    ),
    "giffcf": Entry("recodiff.models.diffrec.giffcf:GiffCF", "GiffCF", "diffusion by smoothing over the graph of items"),
    "codigem": Entry("recodiff.models.diffrec.codigem:Codigem", "CODIGEM", "chain of networks over a few noised steps"),
}
"""Every model by its name: what `build`, settings files and the command line take."""


def build(name: str, settings: Mapping[str, Any] | None = None, *, where: str | None = None) -> Recommender:
    """A fresh model.

    Args:
        name: one of MODELS, or `module:Class` for a `Recommender` of your own.
        settings: of its config, nested; what is not given keeps its default.
        where: named in error messages, the model's name unless given.

    Raises:
        ConfigError: the name or a setting is unknown, or a value out of range.
        MissingExtraError: the model is another package's, which is not installed.
    """
    if not isinstance(settings, Mapping | None):
        raise ConfigError(
            f"settings are of type {type(settings).__name__}; give a mapping such as {{'training': {{'epochs': 20}}}}"
        )
    entry = _entry(name)
    cls = _load(entry.path)
    defaults = merge(cls.Config().model_dump(), entry.settings)
    model = cls(check(cls.Config, merge(defaults, settings or {}), where=where or name))
    model.registered = name
    return model


def config_of(name: str) -> type[ModelConfig]:
    """The class of a model's settings.

    Args:
        name: one of MODELS, or `module:Class`.

    Raises:
        ConfigError: there is no such model.
        MissingExtraError: the model is another package's, which is not installed.
    """
    return _load(_entry(name).path).Config


def title(name: str) -> str:
    """The name of a model in tables.

    Args:
        name: one of MODELS, or `module:Class`.
    """
    return _entry(name).title


def _entry(name: str) -> Entry:
    if ":" in name:
        return Entry(name, name.rpartition(":")[2])
    if name in MODELS:
        return MODELS[name]
    close = difflib.get_close_matches(name, MODELS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "give 'module:Class' for a model of your own."
    raise ConfigError(f"unknown model '{name}'; {hint} Models are: {', '.join(MODELS)}")


def _load(path: str) -> type[Recommender]:
    from recodiff.models.base import Recommender

    module_name, _, class_name = path.partition(":")
    try:
        found = getattr(import_user_module(module_name), class_name)
    except MissingExtraError:
        raise
    except Exception as error:  # the module is a user's own, and may fail in any way
        raise ConfigError(
            f"model '{path}' cannot be imported ({type(error).__name__}: {error}); give module:Class of an importable module"
        ) from None
    if not (inspect.isclass(found) and issubclass(found, Recommender)):
        raise ConfigError(f"model '{path}' is not a Recommender; derive the class from recodiff.Recommender")
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(found.__abstractmethods__))
        raise ConfigError(f"model '{path}' does not define {lacking}; see examples/add_a_model.py")
    return found
