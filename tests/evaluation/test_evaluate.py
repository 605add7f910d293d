from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import reference
from recodiff import build, evaluate
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError, ModelError
from recodiff.evaluation import list_metrics
from recodiff.evaluation.evaluate import Evaluation, find_hits, measure
from recodiff.evaluation.hit_metrics import HIT_METRICS
from recodiff.evaluation.item_facts import ItemFacts
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.protocol import Task
from recodiff.models.base import ModelConfig, Recommender
from recodiff.models.batch import Batch
from toy import random_interactions

LENGTHS = (1, 3, 5)
NAMES = [f"{metric.name}@{k}" for metric in HIT_METRICS for k in LENGTHS]


class Fixed(Recommender):
    """Gives user u the u-th row of a table of scores; it knows the user by the row's first weight, u + 1."""

    Config = ModelConfig

    def __init__(self, scores: Any, items: IdMap) -> None:
        super().__init__()
        self.table, self._items = torch.tensor(np.asarray(scores), dtype=torch.float32), items
        self.asked = 0

    def _fit(self, train: Interactions, run: Any, validate: Any) -> None: ...

    def score(self, batch: Batch) -> Tensor:
        self.asked += len(batch.history)
        return self.table[batch.history.values[batch.history.offsets[:-1]].long() - 1].clone()

    def state(self) -> dict[str, Tensor]:
        return {"table": self.table}

    def _restore(self, state: Mapping[str, Tensor]) -> None: ...


def interactions(
    rows: Sequence[Sequence[int]], n_items: int, times: Sequence[int] | None = None, kind: Any = "clock"
) -> Interactions:
    """One user per row of items, each entry of weight u + 1."""
    user = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    item = [i for row in rows for i in row]
    return Interactions.from_arrays(
        user, item, IdMap.range(len(rows)), IdMap.range(n_items), weights=user + 1, times=times, time_kind=kind if times else None
    )


def ranking_of(lists: Sequence[Sequence[int]], n_items: int) -> np.ndarray:
    """Scores that rank each row's items in the order given, the others below."""
    scores = np.full((len(lists), n_items), -1.0)
    for u, row in enumerate(lists):
        scores[u, row] = np.arange(len(row), 0, -1)
    return scores


# Small lists with known figures; item 10 is every user's history
TRUTH = [[3, 7], [1], [], [0, 2, 4, 5, 6, 9]]
LISTS = [[7, 8, 3, 1, 2], [0, 2, 3, 4, 5], [0, 1, 2, 3, 4], [9, 1, 0, 2, 3]]
HISTORY = interactions([[10]] * 4, 11)
MODEL = Fixed(ranking_of(LISTS, 11), IdMap.range(11))
SAID = {
    "precision": [0.5, 0.3333, 0.25],
    "recall": [0.1667, 0.3333, 0.375],
    "ndcg": [0.5, 0.4059, 0.3936],
    "mrr": [0.5, 0.5, 0.5],
}


@pytest.mark.parametrize("name", SAID)
def test_the_check_values_of_the_released_program(name: str) -> None:
    names = [f"{name}@{k}" for k in LENGTHS]
    found = evaluate(MODEL, HISTORY, interactions(TRUTH, 11), names, users_without_truth="zero")
    assert [round(found.mean(metric), 4) for metric in names] == SAID[name]
    assert found.users.tolist() == [0, 1, 2, 3]


def test_users_with_nothing_to_find_are_skipped_or_count_as_zero() -> None:
    truth, model = interactions(TRUTH, 11), Fixed(ranking_of(LISTS, 11), IdMap.range(11))
    skip = evaluate(model, HISTORY, truth, NAMES)
    assert model.asked == 3  # nobody is ranked for nothing
    zero = evaluate(model, HISTORY, truth, NAMES, users_without_truth="zero")
    assert skip.users.tolist() == [0, 1, 3]
    for name in NAMES:
        np.testing.assert_array_equal(zero.values[name][[0, 1, 3]], skip.values[name])
        assert zero.values[name][2] == 0
        assert zero.mean(name) == pytest.approx(skip.mean(name) * 3 / 4)


def test_masked_items_are_in_no_list() -> None:
    """User 0 would be offered 7 first; masked, the next moves up. The history is masked unless a mask is given."""
    model = Fixed(ranking_of([[7, 3, 5]], 8), IdMap.range(8))
    truth = interactions([[7, 3]], 8)
    history = interactions([[0]], 8)
    assert evaluate(model, history, truth, ["mrr@1", "recall@2"]).flat()["recall@2"] == 1
    masked = evaluate(model, history, truth, ["mrr@1", "recall@2"], mask=interactions([[7, 0]], 8))
    assert (masked.mean("mrr@1"), masked.mean("recall@2")) == (1, 0.5)  # 7 is still to be found, and cannot be
    own = evaluate(model, interactions([[7]], 8), truth, ["mrr@1", "recall@2"])
    assert (own.mean("mrr@1"), own.mean("recall@2")) == (1, 0.5)


def test_a_mask_that_is_given_replaces_the_history() -> None:
    model, nothing = Fixed(ranking_of([[7, 3, 5]], 8), IdMap.range(8)), interactions([[]], 8)
    found = evaluate(model, interactions([[7]], 8), interactions([[7]], 8), ["mrr@3"], mask=nothing)
    assert found.mean("mrr@3") == 1


def test_a_list_that_ends_early_has_no_hits_at_its_end() -> None:
    model = Fixed(ranking_of([[1, 2, 0]], 3), IdMap.range(3))
    found = evaluate(model, interactions([[0, 1]], 3), interactions([[2]], 3), ["recall@3", "precision@3"])
    assert found.mean("recall@3") == 1
    assert found.mean("precision@3") == pytest.approx(1 / 3)
    assert found.coverage == pytest.approx(1 / 3)


def test_ties_fill_the_list_with_different_items() -> None:
    model = Fixed(np.zeros((1, 6)), IdMap.range(6))
    found = evaluate(model, interactions([[0]], 6), interactions([[1, 2, 3, 4, 5]], 6), ["recall@5", "precision@5"])
    assert (found.mean("recall@5"), found.mean("precision@5"), found.coverage) == (1, 1, pytest.approx(5 / 6))


def test_coverage_is_the_share_of_items_in_some_list_of_the_longest_length() -> None:
    truth = interactions([[3], [1], [5], [0]], 11)
    shown = {item for row in LISTS for item in row}
    assert evaluate(MODEL, HISTORY, truth, ["recall@1", "mrr@5"]).coverage == pytest.approx(len(shown) / 11)
    assert evaluate(MODEL, HISTORY, truth, ["recall@1"]).coverage == pytest.approx(3 / 11)  # 7, 0, 0 and 9


def test_an_explicit_zero_is_masked_and_is_to_be_found() -> None:
    weightless = interactions([[7]], 8)
    weightless = weightless.with_values(np.zeros(1))
    model = Fixed(ranking_of([[7, 3, 5]], 8), IdMap.range(8))
    hidden = evaluate(model, interactions([[0]], 8), interactions([[3]], 8), ["mrr@3"], mask=weightless)
    assert hidden.mean("mrr@3") == 1
    found = evaluate(model, interactions([[0]], 8), weightless, ["mrr@3"])
    assert found.mean("mrr@3") == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from(["skip", "zero"]))
def test_evaluation_equals_a_naive_loop(seed: int, without: Any) -> None:
    draw, users, items = np.random.default_rng(seed), 7, 9
    where = draw.integers(0, 4, (users, items))  # 0: nothing, 1: history, 2: mask, 3: truth
    where[0, :2] = (3, 1)
    where[:, 1] = 1
    history, mask, truth = (
        interactions([np.flatnonzero(np.isin(row, part)).tolist() for row in where], items) for part in ([1], [1, 2], [3])
    )
    scores = draw.permutation(users * items).reshape(users, items)
    found = evaluate(Fixed(scores, IdMap.range(items)), history, truth, NAMES, mask=mask, users_without_truth=without)
    asked = [u for u in range(users) if without == "zero" or (where[u] == 3).any()]
    assert found.users.tolist() == asked
    for name in NAMES:
        kind, _, k = name.partition("@")
        for row, u in enumerate(asked):
            ranked = sorted(np.flatnonzero(~np.isin(where[u], [1, 2])).tolist(), key=lambda i: -scores[u, i])
            places: list[int] = (ranked + [-1] * items)[: int(k)]
            expected = reference.METRICS[kind](places, set(np.flatnonzero(where[u] == 3).tolist()))
            assert found.values[name][row] == pytest.approx(expected), (name, u)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(["skip", "zero"]))
def test_several_tasks_at_once_equal_one_at_a_time(seed: int, without: Any) -> None:
    """One scoring serves all masks: what one hides must not be hidden from the other."""
    draw, users, items = np.random.default_rng(seed), 6, 10
    where = draw.integers(0, 5, (users, items))
    where[0, :4] = (1, 2, 3, 4)
    where[:, 0] = 1
    rows = {n: [np.flatnonzero(row == n).tolist() for row in where] for n in (1, 2, 3, 4)}
    history, valid, test = (interactions(rows[n], items) for n in (1, 2, 3))
    tasks = {
        "valid": Task(history, valid, history),
        "longer": Task(history.union(valid), test, history.union(valid)),
        "test": Task(history, test, history.union(valid)),
        "other": Task(history, interactions(rows[4], items), interactions([[]] * users, items)),
    }
    scores = draw.normal(size=(users, items))
    model = Fixed(scores, IdMap.range(items))
    together = measure(model, tasks, NAMES, users_without_truth=without)
    assert list(together) == list(tasks)
    np.testing.assert_array_equal(model.table, scores.astype(np.float32))
    for name, task in tasks.items():
        alone = evaluate(model, task.history, task.truth, NAMES, mask=task.mask, users_without_truth=without)
        assert evaluate(model, task, metrics=NAMES, users_without_truth=without).flat() == alone.flat()
        for metric in NAMES:
            np.testing.assert_array_equal(together[name].values[metric], alone.values[metric])
        np.testing.assert_array_equal(together[name].users, alone.users)
        assert together[name].flat() == alone.flat()


def test_tasks_with_one_history_score_each_user_once() -> None:
    history, model = interactions([[0]] * 3, 5), Fixed(np.random.default_rng(0).normal(size=(3, 5)), IdMap.range(5))
    a, b = interactions([[1], [2], []], 5), interactions([[3], [], []], 5)
    measure(model, {"a": Task(history, a, history), "b": Task(history, b, history)}, ["recall@2"])
    assert model.asked == 2
    measure(model, {"a": Task(history, a, history), "b": Task(interactions([[0]] * 3, 5), b, history)}, ["recall@2"])
    assert model.asked == 2 + 2 + 1


def test_batches_do_not_change_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    x = random_interactions(draw, 30, 20)
    truth = random_interactions(draw, 30, 20)
    model = build("ease", {"l2": 10.0}).fit(x)
    whole = evaluate(model, x, truth, NAMES)
    monkeypatch.setattr("recodiff.runtime.memory.MOST_USERS", 4)
    pieces = evaluate(model, x, truth, NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(pieces.values[name], whole.values[name])


# Hits


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10_000))
def test_hits_are_found_as_by_a_naive_loop(seed: int) -> None:
    draw = np.random.default_rng(seed)
    users, items, k = (int(n) for n in draw.integers(1, 8, 3))
    true = [draw.permutation(items)[: draw.integers(0, items + 1)].tolist() for _ in range(users)]
    true[0] = true[0] or [items - 1]
    lists = np.array([(draw.permutation(items).tolist() + [-1] * k)[:k] for _ in range(users)])
    asked = draw.permutation(users)
    found = find_hits(lists[asked], interactions(true, items), asked)
    expected = [[i >= 0 and i in true[u] for i in lists[u]] for u in asked]
    assert found.tolist() == expected


def test_the_end_of_a_list_is_no_hit_of_the_user_before() -> None:
    """-1 stands one place before a user's first item, where the last item of the user before could be taken for it."""
    truth = interactions([[2], [0, 2]], 3)
    assert find_hits(np.array([[-1, 0, 2], [-1, 1, 2]]), truth, np.array([0, 1])).tolist() == [
        [False, False, True],
        [False, False, True],
    ]


def test_an_evaluation_counts_the_measured_users_who_look_ahead() -> None:
    history = interactions([[0], [0], [0]], 4, times=[9, 9, 1])
    truth = interactions([[1], [2], [3]], 4, times=[1, 2, 3])
    model = Fixed(np.zeros((3, 4)), IdMap.range(4))
    found = evaluate(model, history, truth, ["recall@1"])
    assert found.looks_ahead == found.flat()["users_looking_ahead"] == 2


# Figures


def test_mean_and_standard_error_by_hand() -> None:
    found = Evaluation({"recall@1": np.array([0.0, 1.0, 1.0, 0.0])}, np.arange(4), 0.5, 0)
    assert found.mean("recall@1") == 0.5
    assert found.standard_error("recall@1") == pytest.approx(np.sqrt(1 / 3) / 2)
    assert found.flat() == {"recall@1": 0.5, "coverage": 0.5, "users": 4, "users_looking_ahead": 0}


def test_one_user_has_no_standard_error() -> None:
    assert Evaluation({"mrr@1": np.array([0.7])}, np.arange(1), 0.5, 0).standard_error("mrr@1") == 0.0


# Metrics of the lists themselves


FACTS = ItemFacts(
    interactions([[0, 1, 2], [0, 1], [0], [9]], 11),
    pl.DataFrame({"genres": ["a", "b", "a|b", "b", "a", "b", "a", "b", "a", "b", None]}),
    np.random.default_rng(0).normal(size=(11, 3)),
)


def test_metrics_of_lists_are_those_of_the_lists_cut_at_their_length() -> None:
    task = Task(HISTORY, interactions(TRUTH, 11), HISTORY, FACTS)
    names = [f"{metric.name}@{k}" for metric in LIST_METRICS for k in (2, 5)]
    found = evaluate(MODEL, task, metrics=["recall@5", *names])
    assert found.users.tolist() == [0, 1, 3]
    lists = np.array(LISTS)[found.users]
    for k in (2, 5):
        cut = lists[:, :k]
        assert found.mean(f"coverage@{k}") == len(set(cut.ravel().tolist())) / 11
        assert found.mean(f"gini@{k}") == list_metrics.gini(cut, 11)
        novelty = list_metrics.novelty(cut, np.array([3, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0]), 4)
        np.testing.assert_array_equal(found.values[f"novelty@{k}"], novelty)
        assert found.mean(f"novelty@{k}") == novelty.mean()
        assert FACTS.genres is not None
        np.testing.assert_array_equal(found.values[f"genre_diversity@{k}"], list_metrics.diversity(cut, FACTS.genres))
    assert found.flat()["gini@5"] == found.totals["gini@5"]
    assert np.isnan(found.standard_error("coverage@2"))
    assert found.mean("recall@5") == evaluate(MODEL, task, metrics=["recall@5"]).mean("recall@5")


def test_a_mean_is_over_the_users_for_whom_the_metric_is_defined() -> None:
    """Item 10, the only one in the histories, has no genres: nothing can be miscalibrated. Lists of one item have no pairs."""
    task = Task(HISTORY, interactions(TRUTH, 11), HISTORY, FACTS)
    found = evaluate(MODEL, task, metrics=["miscalibration@5", "genre_diversity@1"])
    assert np.isnan(found.mean("miscalibration@5"))
    assert found.flat()["miscalibration@5"] is None
    assert found.flat()["genre_diversity@1"] is None
    some = Evaluation({"novelty@5": np.array([1.0, np.nan, 3.0])}, np.arange(3), 0.5, 0)
    assert (some.mean("novelty@5"), some.standard_error("novelty@5")) == (2.0, 1.0)


def test_a_metric_is_refused_before_anything_is_scored_where_facts_are_lacking() -> None:
    model = Fixed(ranking_of(LISTS, 11), IdMap.range(11))
    with pytest.raises(DataError, match=r"novelty@5 needs the popularity .*recodiff\.stages\(data\)"):
        evaluate(model, HISTORY, interactions(TRUTH, 11), ["recall@5", "novelty@5"])
    with pytest.raises(DataError, match=r"embedding_diversity@20 needs the embeddings .*item_emb\.npy"):
        evaluate(model, HISTORY, interactions(TRUTH, 11), ["embedding_diversity"])
    assert model.asked == 0
    assert evaluate(model, HISTORY, interactions(TRUTH, 11), ["coverage@5"]).mean("coverage@5") > 0


# Refusals


def test_lists_longer_than_the_catalogue_end_in_misses() -> None:
    truth = interactions(TRUTH, 11)
    whole, longer = (evaluate(MODEL, HISTORY, truth, [f"{name}@{k}" for name in ("recall", "precision")]) for k in (11, 22))
    assert longer.mean("recall@22") == whole.mean("recall@11")
    assert longer.mean("precision@22") == pytest.approx(whole.mean("precision@11") / 2)


def test_what_cannot_be_measured_is_refused() -> None:
    truth = interactions(TRUTH, 11)
    with pytest.raises(ConfigError, match="no metric 'recal@5'"):
        evaluate(MODEL, HISTORY, truth, ["recal@5"])
    with pytest.raises(DataError, match="no user has an interaction in 'truth'"):
        evaluate(MODEL, HISTORY, interactions([[]] * 4, 11), ["recall@5"])
    with pytest.raises(DataError, match="not the model's"):
        evaluate(MODEL, interactions([[0]] * 4, 12), interactions([[1]] * 4, 12), ["recall@5"])
    with pytest.raises(ConfigError, match="no metric is asked for"):
        evaluate(MODEL, HISTORY, truth, [])


def test_truth_and_mask_of_other_users_or_items_are_refused() -> None:
    """As many rows and columns are not enough: rows are matched by position, so the ids must be the same."""
    truth = interactions(TRUTH, 11)
    renamed = Interactions.from_arrays([0], [1], IdMap(["a", "b", "c", "d"]), truth.items)
    renumbered = Interactions.from_arrays([0], [1], truth.users, IdMap(range(10, -1, -1)))
    for foreign in (interactions([[1]] * 5, 11), interactions([[1]] * 3, 11), interactions([[1]] * 4, 12), renamed, renumbered):
        with pytest.raises(DataError, match="the mask is over"):
            evaluate(MODEL, HISTORY, truth, ["recall@5"], mask=foreign)
        with pytest.raises(DataError, match="the truth is over"):
            evaluate(MODEL, HISTORY, foreign, ["recall@5"])


def test_a_task_says_all_so_nothing_may_stand_beside_it() -> None:
    truth = interactions(TRUTH, 11)
    task = Task(HISTORY, truth, HISTORY)
    for beside in ({"truth": truth}, {"mask": HISTORY}, {"truth": ["recall@5"]}):
        with pytest.raises(ConfigError, match=r"evaluate\(model, task, metrics="):
            evaluate(MODEL, task, **beside)  # pyright: ignore[reportArgumentType]


def test_a_model_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(ModelError, match="not fitted"):
        evaluate(build("ease"), HISTORY, interactions(TRUTH, 11), ["recall@5"])
