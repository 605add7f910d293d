"""Codecs against slow float64 truths, and the released program's check values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import reference
from recodiff import build
from recodiff.diffusion.codecs import ClusteredVAE, in_proportion
from recodiff.errors import ConfigError
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.diffrec.networks import LatentDiffRecNet
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress
from toy import random_interactions

CLUSTERS = [1, 0, 0, 2, 1, 0, 2, 0, 1, 0, 2, 0]


def rows(seed: int = 0, users: int = 7) -> Rows:
    return Rows.from_csr(random_interactions(np.random.default_rng(seed), users, len(CLUSTERS), 0.4).matrix)


def vae(seed: int = 0, **options: object) -> ClusteredVAE:
    made = ClusteredVAE(torch.tensor(CLUSTERS), 9, generator=torch.Generator().manual_seed(seed), **options)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=torch.Generator().manual_seed(seed + 1))
    return made


def float64(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def test_the_release_shares_its_latent_as_we_do_and_has_as_many_parameters() -> None:
    clusters = torch.cat([torch.zeros(1850, dtype=torch.int64), torch.ones(960, dtype=torch.int64)])
    model = build("l-diffrec")
    assert isinstance(model, DiffRec)
    model.derived = {"clusters": clusters}
    module = model.build(2810, torch.Generator())
    assert isinstance(module.codec, ClusteredVAE)
    assert module.codec.latents == [197, 103]
    assert sum(parameter.numel() for parameter in module.parameters()) == 1_956_780


@given(st.integers(1, 400), st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_shares_add_up_and_nobody_goes_without(width: int, sizes: list[int]) -> None:
    if width < len(sizes):
        with pytest.raises(ConfigError, match="cannot be shared"):
            in_proportion(width, sizes)
        return
    try:
        shares = in_proportion(width, sizes)
    except ConfigError:  # the least share of 1 may leave nothing for the last
        assert width < sum(sizes)
        return
    assert sum(shares) == width
    assert min(shares) >= 1


def test_the_encoders_are_the_papers_on_their_own_columns() -> None:
    codec, x = vae().eval(), rows()
    mu, logvar = reference.vae_encode(x.dense().double().numpy(), CLUSTERS, float64(codec))
    code = codec.encode(x)
    assert isinstance(code.z, Tensor)
    assert code.kl is not None
    np.testing.assert_allclose(code.z.detach().numpy(), mu, atol=1e-6)
    np.testing.assert_allclose(code.kl.detach().numpy(), reference.kl_from_standard_normal(mu, logvar), atol=1e-5)


def test_training_draws_the_code_around_its_mean() -> None:
    codec, x = vae(dropout=0.0), rows()
    mu, logvar = reference.vae_encode(x.dense().double().numpy(), CLUSTERS, float64(codec))
    generator = torch.Generator().manual_seed(3)
    draws = torch.stack([codec.encode(x, generator).z for _ in range(1500)]).detach().numpy()  # pyright: ignore[reportCallIssue, reportArgumentType]
    np.testing.assert_allclose(draws.mean(0), mu, atol=0.13)
    np.testing.assert_allclose(draws.std(0), np.exp(logvar / 2), rtol=0.12)


def test_dropout_takes_entries_from_input_and_target_alike() -> None:
    codec, x = vae(dropout=0.5), rows()
    code = codec.encode(x, torch.Generator().manual_seed(0))
    dropped, whole = code.x.dense(), x.dense()
    assert 0 < int((dropped != 0).sum()) < int((whole != 0).sum())
    torch.testing.assert_close(dropped[dropped != 0], 2 * whole[dropped != 0])
    mu, logvar = reference.vae_encode(dropped.double().numpy(), CLUSTERS, float64(codec))
    np.testing.assert_allclose(code.kl.detach().numpy(), reference.kl_from_standard_normal(mu, logvar), atol=1e-5)  # pyright: ignore[reportOptionalMemberAccess]


def test_the_whole_row_is_the_target_where_asked_for() -> None:
    codec, x = vae(dropout=0.5, target="whole"), rows()
    code = codec.encode(x, torch.Generator().manual_seed(0))
    torch.testing.assert_close(code.x.dense(), x.dense())
    dropped = vae(dropout=0.5).encode(x, torch.Generator().manual_seed(0))
    torch.testing.assert_close(code.z, dropped.z)  # the input is the same, and so are the draws


def test_per_cluster_decoders_answer_in_catalogue_order() -> None:
    codec = vae(decoder="per_cluster").eval()
    z = torch.randn(5, 9, generator=torch.Generator().manual_seed(1))
    truth = reference.vae_decode_per_cluster(z.double().numpy(), CLUSTERS, float64(codec))
    np.testing.assert_allclose(codec.decode(z).detach().numpy(), truth, atol=1e-6)


@pytest.mark.parametrize("decoder", ["shared", "per_cluster"])
@pytest.mark.parametrize("hidden", [(), (8, 5)])
def test_hidden_widths_are_mirrored_and_items_stay_in_place(decoder: str, hidden: tuple[int, ...]) -> None:
    codec = vae(decoder=decoder, hidden=hidden).eval()
    assert codec.decode(codec.encode(rows()).z).shape == (7, len(CLUSTERS))  # pyright: ignore[reportArgumentType]
    assert (codec.item_layer is not None) == (decoder == "shared")
    if decoder == "per_cluster":
        assert [len(list(one.parameters())) for one in codec.decoders] == [2 * (len(hidden) + 1)] * 3


def test_one_cluster_is_a_plain_autoencoder() -> None:
    codec = ClusteredVAE(torch.zeros(12, dtype=torch.int64), 4).eval()
    mu, _ = reference.vae_encode(rows().dense().double().numpy(), [0] * 12, float64(codec))
    np.testing.assert_allclose(codec.encode(rows()).z.detach().numpy(), mu, atol=1e-6)  # pyright: ignore[reportAttributeAccessIssue]


def test_hidden_widths_of_a_decoder_belong_to_the_shared_one() -> None:
    with pytest.raises(ConfigError, match="leave decoder_hidden empty"):
        vae(decoder="per_cluster", decoder_hidden=(5,))


def test_annealing_counts_epochs_for_lambda_and_batches_for_gamma() -> None:
    codec = build("l-diffrec").config.codec
    assert [codec.lambda_at(epoch) for epoch in (0, 100, 490, 1000)] == pytest.approx([0.03, 0.024, 0.005, 0.005])
    assert [codec.gamma_at(step) for step in (0, 1, 59, 60, 5000)] == pytest.approx([0, 0.005, 0.295, 0.3, 0.3])
    still = build("l-diffrec", {"codec": {"anneal_epochs": 0, "kl_anneal_steps": 0}}).config.codec
    assert (still.lambda_at(900), still.gamma_at(0)) == (0.03, 0.3)


def latent(**settings: object) -> LatentDiffRecNet:
    model = build("l-diffrec", {"codec": {"latent": 9, "dropout": 0.0}, "denoiser": {"hidden": [6], "dropout": 0.0}, **settings})
    assert isinstance(model, DiffRec)
    model.derived = {"clusters": torch.tensor(CLUSTERS)}
    module = model.build(len(CLUSTERS), torch.Generator().manual_seed(0))
    assert isinstance(module, LatentDiffRecNet)
    return module


def test_the_joint_loss_is_the_released_one_term_by_term() -> None:
    module, x = latent(), rows()
    module.diffusion.timesteps.sample = lambda n, generator: (torch.arange(n) % 5, torch.full((n,), 0.5))  # pyright: ignore[reportAttributeAccessIssue]
    found = module(Pair(x), Progress(epoch=200, step=10), torch.Generator().manual_seed(5)).detach().numpy()

    again = torch.Generator().manual_seed(5)  # the order of the draws: the code, then the diffusion's noise
    own, noise = (torch.empty(7, 9).normal_(generator=again).double().numpy() for _ in range(2))
    p, dense = float64(module), x.dense().double().numpy()
    codec = {name.removeprefix("codec."): value for name, value in p.items()}
    mu, logvar = reference.vae_encode(dense, CLUSTERS, codec)
    z0 = mu + np.exp(logvar / 2) * own
    betas, t = reference.linear_variance(5, 0.005, 0.005, 0.01), [row % 5 for row in range(7)]
    f = reference.ConcatMLP({name.removeprefix("diffusion.denoiser."): value for name, value in p.items()})
    estimate = f(reference.q_sample(z0, t, noise, betas), t)
    diffusion = reference.x0_weights(betas)[t] * reference.squared(estimate, z0) / 0.5
    logits = estimate @ codec["decoders.0.last.weight"].T + codec["decoders.0.last.bias"]
    missed, kl = reference.multinomial(logits, dense), reference.kl_from_standard_normal(mu, logvar)
    np.testing.assert_allclose(found, 0.018 * diffusion + missed + 0.05 * kl, rtol=2e-4)


def test_the_encoders_learn_from_the_diffusion_too() -> None:
    """The code is not detached: with the other terms silenced the encoders still have a gradient."""
    module = latent(codec={"latent": 9, "dropout": 0.0, "kl_weight": 0.0})
    module._missed = lambda *_: torch.zeros(())  # pyright: ignore[reportAttributeAccessIssue]
    module(Pair(rows()), Progress(0, 0), keyed_generator(0)).mean().backward()
    learned = [p for name, p in module.codec.named_parameters() if name.startswith("encoders") and name.endswith("weight")]
    assert len(learned) == 3
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in learned)


def test_codec_and_denoiser_have_their_own_rate_and_decay() -> None:
    model = build("l-diffrec", {"codec": {"lr": 0.5, "weight_decay": 0.25}, "training": {"lr": 0.125, "weight_decay": 0.0625}})
    assert isinstance(model, DiffRec)
    model.derived = {"clusters": torch.tensor(CLUSTERS)}
    module = model.build(len(CLUSTERS), torch.Generator())
    denoiser, codec = model.parameter_groups(module)
    assert (denoiser["lr"], denoiser["weight_decay"], codec["lr"], codec["weight_decay"]) == (0.125, 0.0625, 0.5, 0.25)
    assert {*map(id, denoiser["params"]), *map(id, codec["params"])} == {*map(id, module.parameters())}


def test_a_latent_has_no_multinomial_distance() -> None:
    with pytest.raises(ConfigError, match="codes need loss='squared'"):
        build("l-diffrec", {"diffusion": {"loss": "multinomial"}})


@given(st.integers(0, 2**31), st.floats(0, 0.9))
def test_dropping_entries_is_dropout_of_the_dense_row(seed: int, p: float) -> None:
    x = rows(seed % 5)
    dropped = x.drop(p, torch.Generator().manual_seed(seed)).dense()
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], x.dense()[kept] / (1 - p))
    assert not (kept & (x.dense() == 0)).any()


def test_picking_columns_is_indexing_the_dense_rows() -> None:
    x, columns = rows(), [8, 2, 5]
    place = torch.full((len(CLUSTERS),), -1)
    place[columns] = torch.arange(3)
    assert torch.equal(x.pick(place, 3).dense(), x.dense()[:, columns])
