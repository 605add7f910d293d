from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import reference
from noise import SCHEDULES
from recodiff.data.interactions import IdMap, Interactions
from recodiff.diffusion import hidden
from recodiff.diffusion.denoisers import MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.timesteps import UniformTimesteps
from recodiff.errors import ConfigError
from recodiff.models.batch import Batch
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.registry import build
from recodiff.runtime.run import Run
from recodiff.tensors.networks import ACTIVATIONS, Activation
from recodiff.tensors.rows import Rows

LAYERS = [(12,), (12, 7), (12, 7, 9)]
ROWS, WIDTH, K = 8, 60, 20


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(betas: Tensor, layers: tuple[int, ...], activation: Activation = "tanh", **settings: Any) -> Diffusion:
    normalise = settings.pop("normalise", False)
    net = MLPDenoiser(WIDTH, layers, activation=activation, normalise=normalise, generator=rng(1))
    return Diffusion(GaussianProcess(betas), net, UniformTimesteps(len(betas)), **settings).eval()


def some_rows() -> Rows:
    """Weighted rows; one is empty, and one holds an explicit zero."""
    draw = np.random.default_rng(0)
    columns = [draw.permutation(WIDTH)[:n] for n in (5, 0, 1, 30, 2, 9, 60, 3)]
    values = torch.tensor(draw.uniform(0.1, 1, sum(map(len, columns))), dtype=torch.float32)
    values[0] = 0
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in columns])])
    return Rows(offsets, torch.tensor(np.concatenate(columns)), values, WIDTH)


def assert_same_lists(ours: Tensor, truth: Tensor) -> None:
    """Top-20 lists are equal, but where the scores of the two items differ by rounding alone."""
    for row, other, scores in zip(ours.topk(K).indices, truth.topk(K).indices, truth, strict=True):
        slack = 1e-5 * float(scores.abs().max())
        for a, b in zip(row.tolist(), other.tolist(), strict=True):
            assert a == b or abs(float(scores[a] - scores[b])) <= slack


def assert_hidden_is_plain(diffusion: Diffusion) -> None:
    assert hidden.holds(diffusion)
    rows = some_rows()
    plain, chain = diffusion.denoise(rows), hidden.HiddenChain(diffusion)
    for x0 in (rows, rows.dense()):
        ours = chain.denoise(x0)
        assert float((ours - plain).abs().max() / plain.abs().max()) < 1e-5
        assert_same_lists(ours, plain)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 5, 40])
@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_the_hidden_chain_is_the_plain_one_for_every_schedule_and_depth(name: str, steps: int, layers: tuple[int, ...]) -> None:
    assert_hidden_is_plain(make(SCHEDULES[name].betas(steps), layers))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_the_hidden_chain_is_the_plain_one_for_every_activation(activation: Activation, layers: tuple[int, ...]) -> None:
    assert_hidden_is_plain(make(SCHEDULES["linear_variance"].betas(5), layers, activation))
    assert_hidden_is_plain(make(SCHEDULES["released"].betas(40), layers, activation))


def test_the_hidden_chain_holds_with_one_hidden_unit_and_with_more_than_items() -> None:
    for layers in [(1,), (1, 1), (100,), (100, 3)]:
        assert_hidden_is_plain(make(SCHEDULES["cosine"].betas(5), layers))


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_hidden_chain_is_algorithm_2_in_float64(name: str) -> None:
    betas = SCHEDULES[name].betas(5)
    diffusion, rows = make(betas, (12, 7), "silu"), some_rows()
    net = reference.ConcatMLP({key: p.detach().double().numpy() for key, p in diffusion.denoiser.state_dict().items()}, "silu")
    x0 = rows.dense().double().numpy()
    if name == "none":
        truth = x0
        for t in range(4, -1, -1):
            truth = net(truth, [t] * ROWS)
    else:
        truth = reference.chain(net, x0, betas.numpy())
    np.testing.assert_allclose(hidden.HiddenChain(diffusion).denoise(rows).numpy(), truth, atol=1e-5 * abs(truth).max())


def test_a_user_is_one_vector_whose_decoding_is_the_score() -> None:
    diffusion, rows = make(SCHEDULES["binomial"].betas(5), (12, 7)), some_rows()
    chain = hidden.HiddenChain(diffusion)
    g, last = chain.user_vectors(rows), diffusion.denoiser.last
    assert g.shape == (ROWS, 7)
    torch.testing.assert_close(g @ last.weight.T + last.bias, diffusion.denoise(rows), rtol=1e-4, atol=1e-5)


def test_a_row_does_not_depend_on_its_batch() -> None:
    chain, rows = hidden.HiddenChain(make(SCHEDULES["cosine"].betas(5), (12,))), some_rows()
    together = chain.denoise(rows)
    alone = torch.cat([chain.denoise(rows.take(torch.tensor([i]))) for i in range(ROWS)])
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


def test_the_chain_leaves_its_input_and_the_weights_alone() -> None:
    diffusion, rows = make(SCHEDULES["cosine"].betas(5), (1,)), some_rows()
    before, dense = [p.detach().clone() for p in diffusion.parameters()], rows.dense()
    chain = hidden.HiddenChain(diffusion)
    first = chain.denoise(dense)
    torch.testing.assert_close(chain.denoise(rows.dense()), first, rtol=0, atol=0)
    assert torch.equal(dense, rows.dense())
    assert all(torch.equal(a, b) for a, b in zip(before, diffusion.parameters(), strict=True))


# Where it does not hold


def test_it_does_not_hold_for_eps_normalised_input_or_noise_in_sampling() -> None:
    betas = SCHEDULES["linear_variance"].betas(5)
    assert hidden.holds(make(betas, (12,)))
    assert not hidden.holds(make(betas, (12,), prediction="eps"))
    assert not hidden.holds(make(betas, (12,), normalise=True))
    assert not hidden.holds(make(betas, (12,)), noise_steps=1)
    assert not hidden.holds(make(betas, (12,)), sampling_noise=True)


def data() -> Interactions:
    draw = np.random.default_rng(3)
    pairs = [(u, int(i)) for u in range(12) for i in draw.permutation(30)[:6]]
    user, item = zip(*pairs, strict=True)
    return Interactions.from_arrays(user, item, IdMap.range(12), IdMap.range(30), times=np.arange(len(pairs)), time_kind="order")


def fitted(**settings: Any) -> DiffRec:
    small = {
        "diffusion": {"steps": 4, "schedule": {"kind": "linear_variance", "noise_scale": 0.5, "noise_max": 0.9}},
        "denoiser": {"hidden": [8]},
        "training": {"epochs": 2},
    }
    for path, value in settings.items():
        group, _, key = path.partition("__")
        small.setdefault(group, {})[key] = value
    model = build("diffrec", small).fit(data(), Run(device="cpu", progress=False))
    assert isinstance(model, DiffRec)
    return model


class Refused(Exception):  # noqa: N818
    """Says that the hidden chain was asked for."""


@pytest.fixture
def no_hidden_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Diffusion) -> None:
        raise Refused

    monkeypatch.setattr(hidden, "HiddenChain", refuse)


@pytest.mark.usefixtures("no_hidden_chain")
def test_a_model_scores_through_the_hidden_space_where_it_holds() -> None:
    with pytest.raises(Refused):
        fitted().score(Batch(Rows.from_csr(data().matrix)))


@pytest.mark.usefixtures("no_hidden_chain")
@pytest.mark.parametrize(
    "settings",
    [{"diffusion__prediction": "eps"}, {"denoiser__normalise": True}, {"sampling__noise_steps": 2}, {"sampling__noise": True}],
    ids=str,
)
def test_a_model_takes_the_plain_path_where_it_does_not(settings: dict[str, Any]) -> None:
    model, batch = fitted(**settings), Batch(Rows.from_csr(data().matrix))
    scores, sampling = model.score(batch), model.config.sampling
    assert scores.shape == (12, 30)
    assert bool(scores.isfinite().all())
    torch.testing.assert_close(model.score(batch), scores, rtol=0, atol=0)  # seeded, so lists can be had again
    if sampling.noise_steps or sampling.noise:
        noiseless = model.module.diffusion.denoise(batch.history)
        assert not torch.allclose(scores, noiseless)
    else:
        torch.testing.assert_close(scores, model.module.diffusion.denoise(batch.history), rtol=0, atol=0)


def test_a_model_refuses_more_noise_steps_than_steps_before_it_is_trained() -> None:
    with pytest.raises(ConfigError, match=r"sampling.noise_steps=5 lies outside 0\.\.4"):
        build("diffrec", {"diffusion": {"steps": 4}, "sampling": {"noise_steps": 5}}).fit(data(), Run(device="cpu"))


def test_a_models_scores_are_those_of_the_plain_chain() -> None:
    model, batch = fitted(), Batch(Rows.from_csr(data().matrix))
    plain = model.module.diffusion.denoise(batch.history)
    torch.testing.assert_close(model.score(batch), plain, rtol=1e-5, atol=1e-6)


def test_the_chain_follows_the_weights_through_training_and_evaluation() -> None:
    model, batch = fitted(), Batch(Rows.from_csr(data().matrix))
    before = model.score(batch)
    model.module.train()
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.mul_(1.5)
    model.module.eval()
    after = model.score(batch)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, model.module.diffusion.denoise(batch.history), rtol=1e-5, atol=1e-6)
