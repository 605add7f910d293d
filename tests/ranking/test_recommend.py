"""Weight, score, mask, top-k."""

from __future__ import annotations

from collections.abc import Mapping
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recodiff import Run, build, history_of, recommend
from recodiff.data.interactions import IdMap, Interactions
from recodiff.data.weighting import HalfLife
from recodiff.errors import DataError, ModelError
from recodiff.models.base import ModelConfig, Recommender, Validate, batches
from recodiff.models.batch import Batch
from recodiff.ranking import recommend as ranking
from recodiff.runtime import memory
from toy import checkerboard


class Echo(Recommender):
    """Scores an item by its place in the catalogue, plus ten times its weight in the history."""

    Config = ModelConfig

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        self.base = torch.arange(train.n_items, dtype=torch.float32)

    def score(self, batch: Batch) -> Tensor:
        return self.base + 10 * batch.history.dense()

    def state(self) -> dict[str, Tensor]:
        return {"base": self.base}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.base = state["base"]


ITEMS = IdMap([f"i{n}" for n in range(6)])
X = Interactions.from_arrays([0, 0, 1], [5, 3, 4], IdMap(["a", "b", "c"]), ITEMS, times=[1, 2, 3], time_kind="order")


@pytest.fixture
def echo() -> Echo:
    return Echo().fit(X, Run(device="cpu"))


def test_the_best_unseen_come_first(echo: Echo) -> None:
    lists = recommend(echo, X, 3)
    assert lists.items.tolist() == [[4, 2, 1], [5, 3, 2], [5, 4, 3]]
    frame = lists.to_frame([f"Title {n}" for n in range(6)])
    assert frame.columns == ["user", "rank", "item", "score", "title"]
    assert frame.row(0) == ("a", 1, "i4", 4.0, "Title 4")


def test_seen_items_may_be_asked_for(echo: Echo) -> None:
    assert recommend(echo, X, 2, exclude_seen=False).items.tolist() == [[5, 3], [4, 5], [5, 4]]


def test_further_items_are_left_out_user_by_user(echo: Echo) -> None:
    exclude = Interactions.from_arrays([0, 2], [4, 5], X.users, ITEMS, times=[9, 9], time_kind="order")
    assert recommend(echo, X, 2, exclude=exclude).items.tolist() == [[2, 1], [5, 3], [4, 3]]


def test_candidates_are_the_only_items_ranked(echo: Echo) -> None:
    assert recommend(echo, X, 3, candidates=[0, 3]).items.tolist() == [[0, -1, -1], [3, 0, -1], [3, 0, -1]]


def test_the_models_weighting_is_applied_to_the_history() -> None:
    model = Echo(ModelConfig(weighting=HalfLife(half_life=1, floor=0))).fit(X, Run(device="cpu"))
    scores = recommend(model, X.take([0]), 6, exclude_seen=False)
    assert scores.scores[0, :2].tolist() == [13.0, 10.0]  # newest: 3 + 10; one before: 5 + 10 / 2
    assert scores.items[0, :2].tolist() == [3, 5]


def test_an_item_of_weight_zero_is_still_seen(echo: Echo) -> None:
    zero = X.with_values(np.zeros(X.nnz))
    assert recommend(echo, zero, 3).items.tolist() == [[4, 2, 1], [5, 3, 2], [5, 4, 3]]


def test_the_batch_size_changes_nothing(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recommend(echo, X, 4)
    monkeypatch.setattr(memory, "MOST_USERS", 2)
    assert recommend(echo, X, 4).items.tolist() == whole.items.tolist()


def test_several_masks_are_ranked_from_one_scoring(echo: Echo) -> None:
    nothing = Interactions.from_arrays([], [], X.users, ITEMS)
    batches = list(ranking.rank(echo, X, 2, {"seen": X, "all": nothing, "again": X}))
    assert batches[0]["seen"][0].tolist() == batches[0]["again"][0].tolist() == [[4, 2], [5, 3], [5, 4]]
    assert batches[0]["all"][0].tolist() == [[5, 3], [4, 5], [5, 4]]


def test_nobody_gets_no_lists(echo: Echo) -> None:
    assert recommend(echo, X.take([]), 3).to_frame().height == 0


def test_typed_histories_keep_their_order_and_refuse_repeats(echo: Echo) -> None:
    x = history_of(echo, ["i3", "i0"], [], ["i5"])
    assert x.matrix.indices.tolist() == [3, 0, 5]
    assert x.lengths().tolist() == [2, 0, 1]
    with pytest.raises(DataError, match="stand together twice"):
        history_of(echo, ["i3", "i3"])


def test_masks_of_another_shape_are_refused(echo: Echo) -> None:
    with pytest.raises(DataError, match="take both from one data folder"):
        list(ranking.rank(echo, X, 2, {"mask": X.take([0])}))


@pytest.mark.parametrize("candidates", [[-1, 2], [6], [1.7], ["i1"], [True, False, True]])
def test_candidates_that_are_no_positions_are_refused(echo: Echo, candidates: list) -> None:
    with pytest.raises(DataError, match="candidates are positions"):
        recommend(echo, X, 2, candidates=candidates)


def test_scores_that_are_nan_or_of_another_shape_are_refused(echo: Echo) -> None:
    echo.base[2] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        recommend(echo, X, 2)
    echo.score = lambda batch: torch.zeros(1, 3)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="scores of shape"):
        recommend(echo, X, 2)


def test_a_history_is_a_sequence(echo: Echo) -> None:
    with pytest.raises(DataError, match="sequence of item ids"):
        history_of(echo, "i3")


def test_histories_before_their_newest_interaction() -> None:
    before = ranking.without_newest(X)
    assert before.matrix.toarray().tolist() == [[0, 0, 0, 0, 0, 1], [0] * 6, [0] * 6]
    assert before.users == X.users


@given(st.integers(1, 70), st.integers(1, 6), st.booleans(), st.integers(0, 2**16))
def test_the_largest_of_many_columns_are_those_of_topk(items: int, k: int, tied: bool, seed: int) -> None:
    k = min(k, items)
    scores = torch.randn(5, items, generator=torch.Generator().manual_seed(seed))
    scores = scores.round() if tied else scores
    scores[0, ::2] = -torch.inf
    with mock.patch.multiple(ranking, BLOCK=3, LEAST_BLOCKS=1):
        values, columns = ranking.largest(scores, k)
    theirs = scores.topk(k)
    assert torch.equal(values, theirs.values)
    assert torch.equal(scores.gather(1, columns), values)
    assert all(len(set(row)) == k for row in columns.tolist())
    if not tied:
        assert torch.equal(columns[1:], theirs.indices[1:])


def test_a_score_that_is_no_number_is_seen_in_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "BLOCK", 2)
    monkeypatch.setattr(ranking, "LEAST_BLOCKS", 1)
    scores = torch.arange(12.0)[None].clone()
    scores[0, 1] = torch.nan
    assert ranking.largest(scores, 2)[0].isnan().any()


def test_batches_and_masks_in_one_room_are_those_of_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = checkerboard(30)
    model = build("diffrec", {"denoiser": {"hidden": [8]}, "training": {"epochs": 1}}).fit(x, Run(progress=False, device="cpu"))
    masks = {"seen": x, "some": x.only(np.arange(x.nnz) % 3 == 0)}
    whole = ranking.ranked(model, x, 5, masks)
    monkeypatch.setattr(memory, "MOST_USERS", 4)
    parts = ranking.ranked(model, x, 5, masks)
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
