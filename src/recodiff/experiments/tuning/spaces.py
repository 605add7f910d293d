"""What is searched, method by method.

The paper's methods have the paper's ranges (*Diffusion Recommender Model*, SIGIR 2023), the others those of the reproducibility
studies made at the Politecnico di Milano, put into our settings; EDLAE, RLAE, the forecasting and the sequence models, IRGAN,
GiffCF and weightings by recency have our own. All are joined with the released settings and with this library's defaults and
presets. So what lies near the start of a search is searched as well. The learning rate is searched for every network. How long
training goes on is not: more patience is never worse on validation, only slower.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from recodiff.config import check
from recodiff.errors import ConfigError
from recodiff.experiments.tuning.dimensions import Choices, Dimension, Range, Space, without
from recodiff.models.registry import build
from recodiff.moved import old_names
from recodiff.runtime import files


def _log(low: float, high: float, **more: Any) -> Range:
    return Range(low=low, high=high, log=True, **more)


def _even(low: float, high: float, **more: Any) -> Range:
    return Range(low=low, high=high, **more)


def _among(*choices: Any, **more: Any) -> Choices:
    return Choices(choices=choices, **more)


def _noise(group: str) -> Space:
    """Steps and noise of Eq. (4): s, and the pairs of alpha_min < alpha_max."""
    linear = {f"{group}.schedule.kind": "linear_variance"}
    ends = [(low, high) for low in (1e-4, 5e-4, 1e-3, 5e-3) for high in (5e-4, 5e-3, 1e-2, 2e-2) if low < high]
    return {
        f"{group}.steps": _among(2, 5, 10, 40, 50, 100),
        f"{group}.schedule.kind": _among("linear_variance", "none"),  # none is the paper's s = 0
        f"{group}.schedule.noise_scale": _among(1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 0.1, 0.5, 0.7, 1.0, when=linear),
        f"{group}.schedule": _among(*({"noise_min": low, "noise_max": high} for low, high in ends), when=linear),
    }


LEARNING: Space = {"training.lr": _log(1e-5, 1e-2)}
AVERAGE: Space = {"training.ema": _among(None, 0.99, 0.995, 0.998)}
DIFFREC: Space = {
    **LEARNING,
    "training.weight_decay": _among(0.0, 0.1, 1.0, 5.0, 10.0, 20.0),
    "denoiser.hidden": _among([64], [100], [200], [300], [600], [1000], [600, 200, 600]),
    "denoiser.dropout": _among(0.1, 0.2, 0.3, 0.5),
    **_noise("diffusion"),
    "sampling.noise_steps": _among(0.0, 0.25, 0.5, share_of="diffusion.steps"),
}
LINEAR: Space = {"weighting.w_min": _among(0.1, 0.3, 0.5, when={"weighting.kind": "linear"})}
LATENT_SPACE: Space = {
    "codec.clusters": _even(1, 5),
    "codec.lr": _log(1e-5, 1e-2),
    "codec.diffusion_weight": _among(0.003, 0.01, 0.03, 0.05, 0.07),
}
AGES: Space = {
    "weighting.half_life": _log(1.0, 50.0, when={"weighting.kind": "half_life"}),
    "weighting.floor": _even(0.0, 0.3, when={"weighting.kind": "half_life"}),
    "pairs.target.half_life": _log(1.0, 50.0, when={"pairs.target.kind": "half_life"}),
}
FORECAST_SPACE: Space = {
    **LEARNING,
    **AVERAGE,
    "denoiser.hidden": _among([100], [200], [300], [600]),
    "denoiser.dropout": _among(0.1, 0.3, 0.5),
    **AGES,
    "pairs.reach": _among(None, 0.2, 0.4, 1.0),
}
FACTORS: Space = {
    "training.lr": _log(1e-5, 0.1),
    "width": _among(64, 100, 200),
    "negatives": _among(1, 4, 8),
    "dropout": _even(0.0, 0.5),
    "l2": _log(1e-6, 0.1),
}
DENOISING: Space = {
    "loss.drop_rate": _among(0.05, 0.1, 0.2, 0.3, when={"loss.kind": "truncated"}),
    "loss.drop_anneal_steps": _among(500, 2000, 10000, when={"loss.kind": "truncated"}),
    "loss.exponent": _among(0.05, 0.1, 0.2, 0.3, when={"loss.kind": "reweighted"}),
}
"""Of ADT's losses, where one is set."""
DECAY: Space = {**LEARNING, "training.weight_decay": _among(0.0, 1e-3, 0.1, 0.2)}
AUTOENCODER: Space = {**DECAY, "network.dropout": _among(0.1, 0.3, 0.5)}
NEIGHBOURS_SPACE: Space = {"neighbours": _even(5, 1000), "shrink": _even(0.0, 1000.0), "alpha": _even(0.0, 1.0)}

SEQUENCE_SPACE: Space = {
    **LEARNING,
    **AVERAGE,
    "dropout": _among(0.1, 0.3, 0.5),
    "width": _among(32, 64, 128),
    "layers": _even(1, 3),
    "length": _among(32, 50, 64, 128),
    "horizon": _among(1, 2, 4, 10),
}

NEXT_ITEMS: Space = {**SEQUENCE_SPACE, "loss_over": _among("all", "unmet")}
DRAWN: Space = {
    **NEXT_ITEMS,
    "dropout": _among(0.1, 0.2, 0.3, 0.5),
    "length": _among(50, 64, 128, 200),
    "objective.negatives": _among(64, 128, 256, 512, 1024),
    "widening": _among(1, 2, 4),
}


def _within(place: str, space: Space) -> Space:
    """The space of a model that is a part of another, its settings under `place`."""
    return {
        f"{place}.{key}": one.model_copy(update={"when": {f"{place}.{other}": value for other, value in one.when.items()}})
        for key, one in space.items()
    }


SPACES: Mapping[str, Space] = {
    "diffrec": DIFFREC,
    "t-diffrec": {**DIFFREC, **LINEAR},
    "l-diffrec": {**DIFFREC, **LATENT_SPACE},
    "lt-diffrec": {**DIFFREC, **LATENT_SPACE, **LINEAR},
    "f-diffrec": FORECAST_SPACE,
    "lf-diffrec": {**FORECAST_SPACE, **LATENT_SPACE},
    "f-ridge": {"l2": _log(1.0, 1e4), **AGES},
    "fs-diffrec": {  # the shares it finds on validation itself
        **_within("parts.rows.settings", FORECAST_SPACE),
        **_within("parts.sequence.settings", NEXT_ITEMS),
        **_within("parts.items.settings", {"l2": _log(1.0, 1e7)}),
    },
    "fs-ridge": {  # likewise
        **_within("parts.rows.settings", {"l2": _log(1.0, 1e4)}),
        **_within("parts.sequence.settings", DRAWN),
        **_within("parts.items.settings", {"l2": _log(1.0, 1e7)}),
    },
    "sasrec": NEXT_ITEMS,
    "esasrec": DRAWN,
    "gsasrec": {**DRAWN, "objective.calibration": _even(0.0, 1.0)},
    "bert4rec": {
        **{key: one for key, one in SEQUENCE_SPACE.items() if key != "horizon"},
        "hidden_share": _among(0.15, 0.2, 0.4, 0.6),
    },
    "gru4rec": NEXT_ITEMS,
    "acvae": {
        **SEQUENCE_SPACE,
        "latent": _among(32, 64, 128),
        "adversarial_weight": _log(1e-3, 0.5),
        "contrastive_weight": _log(1e-3, 1.0),
    },
    "ease": {"l2": _log(1.0, 1e7)},
    "edlae": {"l2": _log(1.0, 1e4), "dropout": _even(0.1, 0.9)},
    "rlae": {"l2": _log(1.0, 1e4), "xi": _even(0.0, 1.0)},
    "itemknn": NEIGHBOURS_SPACE,
    "userknn": NEIGHBOURS_SPACE,
    "rp3beta": {"neighbours": _even(5, 3000), "alpha": _even(0.0, 2.0), "beta": _even(0.0, 2.0)},
    "puresvd": {"factors": _even(1, 350)},
    "gf-cf": {"factors": _even(1, 350), "low_pass": _log(1e-3, 1e3)},
    "bspm": {
        "factors": _even(1, 500),
        "low_pass": _log(1e-3, 10.0),
        "merge": _among("early", "late"),
        "sharpen_time": _even(0.0, 3.0),
        "solver": _among("euler", "rk4"),
    },
    # The studies weigh an interaction with 1 + alpha times a missing one, alpha from 1e-3 to 50; `unobserved` is 1 / alpha.
    "ials": {
        "factors": _even(1, 200),
        "unobserved": _log(0.02, 1e3),
        "l2": _log(1e-5, 1e-2),
        "epochs": Range(low=1, high=300, log=True),
    },
    "implicit-als": {
        "factors": _even(1, 200),
        "alpha": _log(1.0, 50.0),
        "l2": _log(1e-3, 1e2),
        "epochs": Range(low=1, high=50, log=True),
    },
    "implicit-bpr": {
        "factors": _even(1, 200),
        "lr": _log(1e-3, 0.3),
        "l2": _log(1e-5, 0.1),
        "epochs": Range(low=20, high=300, log=True),
    },
    "implicit-bm25": {"neighbours": _even(5, 1000), "k1": _even(0.0, 10.0), "b": _even(0.0, 1.0)},
    "mf": {**FACTORS, **DENOISING},
    "lightgcn": {**FACTORS, "layers": _even(1, 3)},
    "irgan": {
        **LEARNING,
        "discriminator_lr": _log(1e-3, 0.3),
        "l2": _log(1e-5, 0.1),
        "width": _among(16, 64, 200),
        "warmup_epochs": _among(0, 10, 25),
        "met_share": _even(0.1, 0.5),
    },
    "cdae": {**DECAY, "dropout": _among(0.1, 0.3, 0.5), "activation": _among("sigmoid", "relu", "tanh"), **DENOISING},
    "multidae": AUTOENCODER,
    "multidae++": {**AUTOENCODER, **_noise("noise")},
    "multivae": {
        **AUTOENCODER,
        "posterior.kl_weight": _among(0.0, 0.05, 0.2, 0.3, 0.5, 0.7, when={"posterior.kind": "gaussian"}),
        "posterior.kl_anneal_steps": _among(0, 200, 500, when={"posterior.kind": "gaussian"}),
    },
    "giffcf": {
        **LEARNING,
        "steps": _even(1, 5),
        "smoothing": _even(0.5, 2.5),
        "width": _among(100, 200, 400),
        "channels": _among(0, 4, 16),
        "dropout": _among(0.3, 0.5, 0.7),
        "user_exponent": _even(0.0, 0.5),
        "item_exponent": _even(0.25, 0.75),
        "length_exponent": _among(0.0, 0.5, 1.0),
    },
    "codigem": {**LEARNING, "steps": _among(2, 3, 5, 10, 40, 50, 100), "beta": _among(5e-5, 1e-4, 5e-4)},
}
"""By the model's name in MODELS."""

_DECAYING = {"weighting.kind": ["half_life", "power_law"]}
RECENCY: Space = {
    "weighting.kind": _among("uniform", "half_life", "power_law"),
    "weighting.half_life": _log(1.0, 50.0, when={"weighting.kind": "half_life"}),
    "weighting.exponent": _even(0.2, 3.0, when={"weighting.kind": "power_law"}),
    "weighting.floor": _even(0.0, 0.3, when=_DECAYING),
    "weighting.on": _among("history", "fit+history", when=_DECAYING),
}
"""Weightings by recency, for any model on data with order, in place of what its own space says of the weighting."""


def space_of(model: str, own: Space | None = None, *, recency: bool = False, fixed: Collection[str] = ()) -> Space:
    """The space that a study of a model begins with.

    Args:
        model: its name.
        own: in place of the declared one.
        recency: whether weightings by recency are searched too.
        fixed: dotted keys that are held, and leave the space.

    Raises:
        ConfigError: none is declared for the model, and none given.
    """
    if own is None and not recency and model not in SPACES:
        has = [key for key in type(build(model).config).model_fields if key != "weighting"]
        if not has:
            raise ConfigError(f"'{model}' has no settings to search but its weighting; search that with --recency")
        raise ConfigError(
            f"no search space is declared for '{model}', whose settings are {', '.join(has)}; "
            "give one with --space FILE.toml, or search --recency alone"
        )
    space = SPACES.get(model, {}) if own is None else own
    if recency:
        space = {**without(space, ("weighting",)), **RECENCY}
    return without(space, fixed)


def read_space(path: Path) -> Space:
    """Read a space: TOML with lines such as `"training.lr" = { low = 1e-4, high = 1e-2, log = true }`.

    Args:
        path: of the file.

    Raises:
        ConfigError: the file cannot be read, or a line is neither a range nor choices.
    """
    with files.reading(path, ConfigError, "give ranges and choices as TOML; see docs/how-to/tune.md for the form"):
        text = path.read_text("utf-8")
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error}); see docs/how-to/tune.md for the form") from None
    return _dimensions(found, path, "")


def _dimensions(found: Mapping[str, Any], path: Path, prefix: str) -> Space:
    space: dict[str, Dimension] = {}
    for key, value in found.items():
        name = prefix + key
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path}: '{name}' = {value!r} is nothing to draw from; give {{ low, high }} or {{ choices }}")
        if value.keys() & {"low", "high", "choices"}:
            space[name] = check(Choices if "choices" in value else Range, value, where=f"{path}: '{name}'")
        else:
            space |= _dimensions(value, path, f"{name}.")  # written without quotes: training.lr = { ... }
    return space


__getattr__ = old_names(__name__)
