"""F-ridge: the ridge regression of what came after on what came before."""

from __future__ import annotations

import numpy as np
import torch

from recodiff import Run, build, recommend
from recodiff.tensors.random import keyed_generator
from recodiff.training.pairs import Forecast
from toy import random_interactions, walk

CPU = torch.device("cpu")


def test_the_forecast_ridge_solves_the_normal_equations_of_its_pairs() -> None:
    x = random_interactions(np.random.default_rng(6))
    model = build("f-ridge", {"l2": 3.0, "cuts": 4}).fit(x, Run(seed=2, progress=False))
    bound = Forecast().bind(x, model.config.weighting, CPU)
    users = torch.from_numpy(np.flatnonzero(x.lengths() >= 2))
    gram, cross = 3.0 * np.eye(x.n_items), np.zeros((x.n_items, x.n_items))
    for cut in range(4):
        pair = bound(users, keyed_generator(2, "cut", cut))
        source, target = pair.source.dense().double().numpy(), pair.target.dense().double().numpy()  # pyright: ignore[reportOptionalMemberAccess]
        for before, after in zip(source, target, strict=True):
            gram += np.outer(before, before)
            cross += np.outer(before, after)
    np.testing.assert_allclose(model.state()["weights"], np.linalg.solve(gram, cross), atol=1e-5)


def test_the_forecast_ridge_knows_what_comes_next() -> None:
    settings_ = {"l2": 0.1, "weighting": {"half_life": 0.5, "floor": 0.0}, "pairs": {"target": {"half_life": 0.5}}}
    model = build("f-ridge", settings_).fit(walk(), Run(progress=False))
    assert (recommend(model, walk(), 1).items[:, 0] == (np.arange(12) + 6) % 12).all()
