"""The k best of many scores, batch by batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from echo import ITEMS, X, fitted
from recodiff import Run, build, recommend
from recodiff.data.interactions import Interactions
from recodiff.models.base import batches
from recodiff.models.batch import Batch
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.ranking import topk
from recodiff.runtime import memory
from toy import checkerboard


def test_several_masks_are_ranked_from_one_scoring() -> None:
    nothing = Interactions.from_arrays([], [], X.users, ITEMS)
    blocks = list(topk.rank(fitted(), X, 2, {"seen": X, "all": nothing, "again": X}))
    assert blocks[0]["seen"][0].tolist() == blocks[0]["again"][0].tolist() == [[4, 2], [5, 3], [5, 4]]
    assert blocks[0]["all"][0].tolist() == [[5, 3], [4, 5], [5, 4]]


def test_batches_and_masks_in_one_room_are_those_of_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = checkerboard(30)
    model = build("diffrec", {"denoiser": {"hidden": [8]}, "training": {"epochs": 1}}).fit(x, Run(progress=False, device="cpu"))
    masks = {"seen": x, "some": x.only(np.arange(x.nnz) % 3 == 0)}
    whole = topk.ranked(model, x, 5, masks)
    monkeypatch.setattr(memory, "MOST_USERS", 4)
    parts = topk.ranked(model, x, 5, masks)
    for name, (items, scores) in whole.items():
        np.testing.assert_array_equal(parts[name][0], items)
        np.testing.assert_allclose(parts[name][1], scores, rtol=1e-5)
    assert (whole["seen"][0] != whole["some"][0]).any()


def test_nobody_has_no_lists() -> None:
    x = checkerboard(10)
    model = build("puresvd", {"factors": 2}).fit(x, Run(progress=False))
    nobody = x.take(np.empty(0, np.int64))
    assert [batch.history.dense().shape for _, batch in batches(model, nobody, 4)] == [(0, 10)]
    assert recommend(model, nobody, 3).items.shape == (0, 3)


def test_lists_follow_vectors_that_changed() -> None:
    x = checkerboard(30)
    model = build("diffrec", {"denoiser": {"hidden": [8]}, "training": {"epochs": 1}}).fit(x, Run(progress=False, device="cpu"))
    before = recommend(model, x, 3)
    vectors = model.vectors()
    with torch.no_grad():
        vectors.vectors.mul_(-100)
    after = recommend(model, x, 3)
    expected = model.user_vectors(next(batches(model, x, 30))[1]).detach() @ vectors.vectors.T + vectors.bias
    best = expected.masked_fill(torch.from_numpy(x.matrix.toarray() > 0), -torch.inf).topk(3).values
    np.testing.assert_allclose(after.scores, best.numpy(), rtol=1e-5)
    assert (before.scores != after.scores).any()


class Reversed(DiffRec):
    """Writes its score anew, above the vectors of its base."""

    def score(self, batch: Batch) -> torch.Tensor:
        return -super().score(batch)


def test_a_score_that_is_written_anew_is_what_ranks() -> None:
    x = checkerboard(30)
    model = Reversed(DiffRec.Config.model_validate({"denoiser": {"hidden": [8]}, "training": {"epochs": 1}}))
    model.fit(x, Run(progress=False, device="cpu"))
    assert topk.factors_of(model) is None
    scores = model.score(next(batches(model, x, 30))[1]).detach()
    best = scores.masked_fill(torch.from_numpy(x.matrix.toarray() > 0), -torch.inf).topk(3).values
    np.testing.assert_array_equal(recommend(model, x, 3).scores, best.numpy())
