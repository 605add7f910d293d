"""One contract for every entry of MODELS, and for the example of a model of a user's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from recodiff import build
from recodiff.testing import ModelContract, ModelUnderTest, scores_of
from recodiff.testing.model_under_test import BOARD, QUICK, RUN
from toy import every_model

# Where QUICK is not enough: more capacity and less regularisation, so that 50 users can be learned in a second.
NETWORK = {
    "denoiser": {"hidden": [32], "dropout": 0.2},
    "diffusion": {"steps": 3},
    "training": {"epochs": 60, "batch_size": 10, "lr": 3e-3},
}
LATENT = {
    "codec": {"latent": 24, "lr": 1e-2, "kl_weight": 0.0, "dropout": 0.05},
    "denoiser": {"hidden": [24], "dropout": 0.1},
    "diffusion": {"steps": 3},
    "training": {"epochs": 80, "batch_size": 10, "lr": 1e-2},
}
FACTORS = {"width": 16, "negatives": 4, "dropout": 0.1, "training": {"epochs": 60, "batch_size": 25, "lr": 2e-2}}
AUTOENCODER = {
    "network": {"hidden": [], "latent": 32, "dropout": 0.2},
}
SEQUENCE = {
    "width": 32,
    "layers": 1,
    "dropout": 0.1,
    "horizon": 8,
    "training": {"epochs": 80, "batch_size": 10, "lr": 1e-2},
}
FORECAST = NETWORK | {"diffusion": {"steps": 1}}
TOY: dict[str, dict[str, Any]] = {
    # The board has two colours, hence two factors; a third would be any of 48 equally good ones.
    "puresvd": {"factors": 2},
    "gf-cf": {"factors": 2},
    "bspm": {"factors": 2},
    "ials": {"factors": 2},
    "implicit-als": {"factors": 2, "epochs": 300},
    "implicit-bpr": {"factors": 16, "epochs": 300},
    "ease": {"l2": 1.0},
    "edlae": {"l2": 1.0, "dropout": 0.2},
    "rlae": {"l2": 1.0},
    "mf": FACTORS,
    "cdae": {"hidden": 32, "dropout": 0.2, "training": {"epochs": 80, "batch_size": 10, "lr": 1e-2}},
    "lightgcn": FACTORS | {"layers": 2},
    "irgan": FACTORS | {"warmup_epochs": 30},
    "diffrec": NETWORK,
    "t-diffrec": NETWORK,
    "l-diffrec": LATENT,
    "lt-diffrec": LATENT,
    "f-diffrec": FORECAST,
    "fs-diffrec": {
        "parts": {"rows": {"settings": FORECAST}, "sequence": {"settings": SEQUENCE}, "items": {"settings": {"l2": 1.0}}}
    },
    "fs-ridge": {
        "parts": {
            "rows": {"settings": {"l2": 1.0}},
            "sequence": {"settings": SEQUENCE | {"objective": {"negatives": 25}}},
            "items": {"settings": {"l2": 1.0}},
        }
    },
    "lf-diffrec": LATENT,
    "f-ridge": {"l2": 1.0},
    "sasrec": SEQUENCE,
    "esasrec": SEQUENCE | {"objective": {"negatives": 25}},
    "gsasrec": SEQUENCE | {"objective": {"negatives": 25}},
    "bert4rec": {key: one for key, one in SEQUENCE.items() if key != "horizon"} | {"hidden_share": 0.5},
    "gru4rec": SEQUENCE,
    "acvae": SEQUENCE | {"latent": 16},
    "multidae": AUTOENCODER,
    "multivae": AUTOENCODER,
    "multidae++": AUTOENCODER,
    "giffcf": {"width": 32, "dropout": 0.2},
    "codigem": {"hidden": [32], "beta": 0.05},
}

SEQUENCES = ("sasrec", "esasrec", "gsasrec", "bert4rec", "gru4rec", "acvae")

# Who cannot learn from a catalogue of one item, and what is said.
ONE_ITEM_IS_TOO_FEW = {
    **dict.fromkeys(("mf", "lightgcn", "irgan", "cdae"), "has all 1 items, so there is none to compare them with"),
    **dict.fromkeys(("f-diffrec", "fs-diffrec", "fs-ridge", "f-ridge", *SEQUENCES), "no user has the 2 interactions"),
    **dict.fromkeys(("l-diffrec", "lt-diffrec", "lf-diffrec"), "item embeddings need 2 users and 2 items"),
}

# Whose fit takes no weights, and what is said; on the history alone they take any.
NO_WEIGHTS_IN_THE_FIT = {"implicit-bpr": "draws interactions without weights"}  # the package has no place for them


class TestEveryModel(ModelContract):
    @pytest.fixture(scope="class", params=every_model())
    @classmethod
    def subject(cls, request: pytest.FixtureRequest) -> ModelUnderTest:
        name: str = request.param
        refused = ONE_ITEM_IS_TOO_FEW.get(name), NO_WEIGHTS_IN_THE_FIT.get(name)
        return ModelUnderTest(name, TOY.get(name, {}), *refused, starts_by_position=name == "implicit-bpr")


def test_a_network_without_settings_is_trained_quickly() -> None:
    """So a new model needs no line above."""
    network: Any = ModelUnderTest("cdae").build(epochs=3)
    assert (network.training.epochs, network.training.batch_size) == (3, QUICK["training"]["batch_size"])
    own: Any = ModelUnderTest("cdae", {"training": {"lr": 0.5}}).build()
    assert (own.training.lr, own.training.epochs) == (0.5, QUICK["training"]["epochs"])
    assert ModelUnderTest("ease", {"l2": 2.0}).build().config.l2 == 2.0


class TestExample(ModelContract):
    """As its author would test it."""

    model = "add_a_model:CoOccurrence"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _beside_the_example(cls) -> Any:
        sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
        yield
        sys.path.pop(0)


def test_noise_while_ranking_belongs_to_the_history_not_to_its_place_in_the_batch() -> None:
    settings = NETWORK | {"sampling": {"noise_steps": 2, "noise": True}, "training": {"epochs": 1}}
    noisy = build("diffrec", settings).fit(BOARD, RUN)
    together = scores_of(noisy, BOARD)
    torch.testing.assert_close(together[7:8], scores_of(noisy, BOARD.take([7])), rtol=1e-5, atol=1e-5)
    plain = build("diffrec", NETWORK | {"training": {"epochs": 1}}).fit(BOARD, RUN)
    assert not torch.allclose(together, scores_of(plain, BOARD))
