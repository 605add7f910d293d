"""Item embeddings and the clusters made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recodiff import Run, build, load_model, recommend, save_model
from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.diffrec.item_clusters import FileEmbeddings, LightGCNEmbeddings, SvdEmbeddings, cluster
from toy import checkerboard, random_interactions

RUN = Run(seed=0, progress=False, device="cpu")
SMALL: dict[str, Any] = {"codec": {"latent": 8}, "denoiser": {"hidden": [8]}, "training": {"epochs": 2}}


def data() -> Interactions:
    return random_interactions(np.random.default_rng(1))


def test_svd_embeddings_are_the_right_singular_vectors_of_the_normalised_matrix() -> None:
    x = data()
    dense = (x.matrix.toarray() > 0).astype(np.float64)
    scaled = dense / np.sqrt(np.maximum(dense.sum(1, keepdims=True), 1)) / np.sqrt(np.maximum(dense.sum(0, keepdims=True), 1))
    found = SvdEmbeddings(dimensions=5).vectors(x, RUN)
    _, values, vt = np.linalg.svd(scaled)
    truth = vt[:5].T * values[:5]
    np.testing.assert_allclose(found @ found.T, truth @ truth.T, atol=1e-5)  # signs and order are free


def test_weights_do_not_change_the_embeddings() -> None:
    x = data()
    weighted = x.with_values(np.linspace(0.1, 1, x.nnz))
    np.testing.assert_allclose(SvdEmbeddings().vectors(weighted, RUN), SvdEmbeddings().vectors(x, RUN), atol=1e-5)


@pytest.mark.parametrize("embeddings", [SvdEmbeddings(dimensions=2), LightGCNEmbeddings(dimensions=8)], ids=lambda one: one.kind)
def test_the_two_colours_of_the_board_are_two_clusters(embeddings: SvdEmbeddings | LightGCNEmbeddings) -> None:
    found = cluster(embeddings.vectors(checkerboard(), RUN), 2, seed=0).numpy()
    assert np.ptp(found[::2]) == 0
    assert np.ptp(found[1::2]) == 0
    assert found[0] != found[1]


def test_more_clusters_than_different_embeddings_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 different embeddings cannot fall into 3 clusters"):
        cluster(np.repeat([[0.0], [1.0]], 4, axis=0), 3, seed=0)


def save(path: Path, array: object) -> FileEmbeddings:
    np.save(path, array, allow_pickle=True)  # pyright: ignore[reportArgumentType]
    return FileEmbeddings(path=path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((19, 3)), "have 19 rows for 20 items"),
        (np.zeros(20), "not a matrix of numbers"),
        (np.full((20, 2), np.nan), "not finite"),
        (np.array([["a"] * 2] * 20), "not a matrix of numbers"),
        (np.zeros((20, 0)), "not a matrix of numbers"),
        (np.zeros((20, 2), complex), "not a matrix of numbers"),
        (np.array([[{}] * 2] * 20, dtype=object), r"it should hold .* give a \.npy file of floats"),
    ],
)
def test_a_bad_file_of_embeddings_is_refused(array: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        save(tmp_path / "bad.npy", array).vectors(data(), RUN)


def test_a_missing_file_of_embeddings_is_named(tmp_path: Path) -> None:
    model = build("l-diffrec", SMALL | {"codec": {"embeddings": {"kind": "file", "path": str(tmp_path / "none.npy")}}})
    with pytest.raises(ConfigError, match=r"none\.npy' is missing"):
        model.fit(data(), RUN)


def test_a_given_file_decides_the_clusters_and_is_not_needed_again(tmp_path: Path) -> None:
    path = tmp_path / "given.npy"
    np.save(path, np.arange(20)[:, None] // 10 * 5.0)
    settings = SMALL | {"codec": SMALL["codec"] | {"embeddings": {"kind": "file", "path": str(path)}}}
    model = build("l-diffrec", settings).fit(data(), RUN)
    assert isinstance(model, DiffRec)
    first, second = model.derived["clusters"][:10].unique().tolist(), model.derived["clusters"][10:].unique().tolist()
    assert sorted(first + second) == [0, 1]
    save_model(model, tmp_path / "model")
    path.unlink()
    loaded = load_model(tmp_path / "model")
    assert recommend(loaded, data(), 5).items.tolist() == recommend(model, data(), 5).items.tolist()


def test_clusters_are_not_counted_as_learned() -> None:
    model = build("l-diffrec", SMALL).fit(data(), RUN)
    assert isinstance(model, DiffRec)
    assert model.parameters == sum(parameter.numel() for parameter in model.module.parameters())


def test_lt_diffrec_with_uniform_weights_is_l_diffrec() -> None:
    plain = build("l-diffrec", SMALL).fit(data(), RUN)
    level = build("lt-diffrec", SMALL | {"weighting": {"w_min": 1.0}}).fit(data(), RUN)
    weighted = build("lt-diffrec", SMALL).fit(data(), RUN)
    for name, tensor in plain.state().items():
        assert torch.equal(level.state()[name], tensor)
    assert not torch.equal(weighted.state()["codec.encoders.0.0.last.weight"], plain.state()["codec.encoders.0.0.last.weight"])
