"""Squared distances and covariances without users x items, against the plain sums in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from recodiff.diffusion.codecs import ClusteredVAE
from recodiff.tensors import gram
from recodiff.tensors.rows import Rows

ROWS, WIDTH, H = 7, 40, 5


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_rows(seed: int, width: int = WIDTH) -> Rows:
    """Weighted rows in no order, one of them empty, one full."""
    draw = np.random.default_rng(seed)
    columns = [draw.permutation(width)[: n % 9] for n in draw.integers(1, 9, ROWS)]
    columns[2], columns[4] = columns[2][:0], draw.permutation(width)
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in columns])])
    values = torch.tensor(draw.uniform(-1, 1, int(offsets[-1])), dtype=torch.float32)
    return Rows(offsets, torch.tensor(np.concatenate(columns)), values, width)


def leaves(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.randn(shape, dtype=torch.float64, generator=rng(i)).requires_grad_() for i, shape in enumerate(shapes)]


def plain(weight: Tensor, bias: Tensor, g: Tensor, target: Rows, seen: Rows | None) -> Tensor:
    difference = g @ weight.T + bias - target.dense().double()
    if seen is not None:
        kept = torch.ones_like(difference)
        kept[seen.row_of(), seen.columns] = 0
        difference = difference * kept
    return difference.square().sum(1)


@pytest.mark.parametrize("seen", [None, some_rows(1), some_rows(2)], ids=["all", "seen", "other seen"])
def test_the_squared_distance_and_its_gradients_are_the_plain_ones(seen: Rows | None) -> None:
    weight, bias, g = leaves((WIDTH, H), (WIDTH,), (ROWS, H))
    target, counts = some_rows(1), torch.rand(ROWS, dtype=torch.float64, generator=rng(9))
    ours, truth = (f(weight, bias, g, target, seen) for f in (gram.squared_distance, plain))
    torch.testing.assert_close(ours, truth, rtol=1e-12, atol=1e-12)
    gradients = (torch.autograd.grad((found * counts).sum(), (weight, bias, g)) for found in (ours, truth))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_many_entries_go_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, bias, g = leaves((WIDTH, H), (WIDTH,), (ROWS, H))
    whole = gram.squared_distance(weight, bias, g, some_rows(1), some_rows(2))
    monkeypatch.setattr(gram, "ENTRIES_AT_ONCE", 3)
    torch.testing.assert_close(gram.squared_distance(weight, bias, g, some_rows(1), some_rows(2)), whole, rtol=0, atol=1e-12)


def test_rows_without_any_entry_are_as_far_as_the_estimate_is_long() -> None:
    weight, bias, g = leaves((WIDTH, H), (WIDTH,), (ROWS, H))
    nothing = Rows(torch.zeros(ROWS + 1, dtype=torch.int64), torch.empty(0, dtype=torch.int64), torch.empty(0), WIDTH)
    found = gram.squared_distance(weight, bias, g, nothing, nothing)
    torch.testing.assert_close(found, (g @ weight.T + bias).square().sum(1))
    found.sum().backward()
    assert weight.grad is not None


def test_products_and_covariance_have_the_plain_gradients() -> None:
    (weight,) = leaves((H, WIDTH))
    x = some_rows(3)
    a, b = (torch.randn(shape, dtype=torch.float64, generator=rng(4)) for shape in ((ROWS, H), (H, H)))
    product, covariance = gram.rows_and_gram(weight.T, x)
    assert covariance is not None
    torch.testing.assert_close(product, x.dense().double() @ weight.T)
    torch.testing.assert_close(covariance, weight @ weight.T)
    (ours,) = torch.autograd.grad((product * a).sum() + (covariance * b).sum(), weight)
    truth = (x.dense().double() @ weight.T * a).sum() + (weight @ weight.T * b).sum()
    torch.testing.assert_close(ours, torch.autograd.grad(truth, weight)[0], rtol=1e-12, atol=1e-12)
    assert gram.rows_and_gram(weight.T, x, covariance=False)[1] is None


def test_a_covariance_is_factored_to_its_ridge_and_what_is_none_gives_nan() -> None:
    (weight,) = leaves((H, WIDTH))
    covariance = weight @ weight.T
    root = gram.factor(covariance)
    torch.testing.assert_close(root @ root.T, covariance, rtol=0, atol=2 * gram.RIDGE * float(covariance.detach().trace()))
    flat = torch.ones(H, H)  # of rank 1, as where hidden units have become alike
    for fine in (flat, torch.zeros(H, H)):
        assert gram.factor(fine).isfinite().all()
    for none in (torch.diag(torch.tensor([1.0, -1.0])), torch.full((H, H), torch.nan), torch.full((H, H), torch.inf)):
        assert gram.factor(none).isnan().all()


@pytest.mark.parametrize("settings", [{}, {"decoder_hidden": (9,)}, {"decoder": "per_cluster", "hidden": (12,)}], ids=str)
@pytest.mark.parametrize("seen", [None, some_rows(2)], ids=["all", "seen"])
def test_a_codecs_squared_error_is_that_of_what_it_decodes(settings: dict, seen: Rows | None) -> None:
    clusters = torch.tensor(np.random.default_rng(0).permutation(np.arange(WIDTH) % 3))
    codec = ClusteredVAE(clusters, 8, generator=rng(1), **settings).double()
    z, x = torch.randn(ROWS, 8, dtype=torch.float64, generator=rng(2)).requires_grad_(), some_rows(1)
    decoded = codec.decode(z)
    ours, truth = codec.squared_error(z, x, seen), plain(torch.eye(WIDTH).double(), torch.zeros(WIDTH), decoded, x, seen)
    torch.testing.assert_close(ours, truth, rtol=1e-12, atol=1e-12)
    parameters = [z, *codec.decoders.parameters()]
    gradients = (torch.autograd.grad(found.sum(), parameters) for found in (ours, truth))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
