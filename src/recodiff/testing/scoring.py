"""The half of the contract about a fitted model: scores, lists, folders.

Shapes: `B` users, `I` items.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import DataError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.registry import build
from recodiff.models.saving import USERS, load_model, save_model
from recodiff.ranking.recommend import history_of, recommend
from recodiff.ranking.vectors import similar_items
from recodiff.testing.model_under_test import BOARD, ModelUnderTest
from recodiff.testing.tiny_data import scores_of, unnamed


class ScoringContract:
    """Tests of one fitted model."""

    def test_the_withheld_diagonal_is_ranked_first(self, fitted: Recommender) -> None:
        """Each user's one right next item is first for 95 % of the users."""
        if not fitted.traits.personalised:
            pytest.skip("declared not personalised")
        first = recommend(fitted, BOARD, 1).items[:, 0]
        assert (first == np.arange(len(first))).mean() >= 0.95

    def test_only_personalised_models_score_users_differently(self, fitted: Recommender) -> None:
        """Scores differ between users exactly where `traits.personalised` says so."""
        scores = scores_of(fitted, BOARD)
        assert bool((scores != scores[0]).any()) == fitted.traits.personalised

    def test_a_batch_scores_as_its_users_one_by_one(self, fitted: Recommender) -> None:
        """A user's scores do not depend on who else is in the batch."""
        together = scores_of(fitted, BOARD)
        alone = torch.cat([scores_of(fitted, BOARD.take([user])) for user in range(5)])
        torch.testing.assert_close(together[:5], alone, rtol=1e-5, atol=1e-5)

    def test_a_user_never_seen_in_training_gets_what_a_known_user_with_that_history_gets(self, fitted: Recommender) -> None:
        """A typed history is served as that history of a known user is."""
        known = BOARD.take([7])
        typed = history_of(fitted, known.items.externals(known.matrix.indices).to_list())
        if fitted.traits.remembers_users:  # what was learned of a user is more than the history says, but points the same way
            same = recommend(fitted, unnamed(BOARD), 1).items == recommend(fitted, BOARD, 1).items
            assert same.mean() >= 0.9
        else:
            torch.testing.assert_close(scores_of(fitted, typed), scores_of(fitted, known))
        assert recommend(fitted, typed, 5).items.tolist() == recommend(fitted, unnamed(known), 5).items.tolist()

    def test_a_model_remembers_the_users_it_learned_from_if_it_says_so(self, fitted: Recommender) -> None:
        """Known users are found by their ids, exactly where `traits.remembers_users` says so."""
        if not fitted.traits.remembers_users:
            assert len(fitted.users) == 0
            return
        assert fitted.users == BOARD.users
        assert not torch.allclose(scores_of(fitted, BOARD), scores_of(fitted, unnamed(BOARD)))
        backwards = np.arange(50)[::-1]
        torch.testing.assert_close(scores_of(fitted, BOARD.take(backwards)), scores_of(fitted, BOARD).flip(0), rtol=1e-5, atol=1e-5)
        one_new = Interactions.from_arrays(
            [0, 1], [3, 3], IdMap(["user-009", "unseen"]), BOARD.items, times=[1, 2], time_kind="order"
        )
        torch.testing.assert_close(scores_of(fitted, one_new)[1:], scores_of(fitted, unnamed(one_new))[1:], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(scores_of(fitted, one_new)[0], scores_of(fitted, one_new)[1])

    @pytest.mark.parametrize("length", [0, 1, 49, 50])
    def test_an_extreme_history_is_scored(self, fitted: Recommender, length: int) -> None:
        """Histories of no item, one item and all items have finite scores [1, I]."""
        scores = scores_of(fitted, history_of(fitted, fitted.items.ids[:length].to_list()))
        assert scores.shape == (1, 50)
        assert scores.isfinite().all()

    def test_scores_are_finite_and_never_masked(self, fitted: Recommender) -> None:
        """Scores are finite for every item, those of the history included."""
        scores = scores_of(fitted, BOARD)
        assert scores.shape == (50, 50)
        assert scores.isfinite().all()

    def test_lists_leave_out_what_was_seen_unless_asked(self, fitted: Recommender) -> None:
        """Lists hold no item of the history, and all items where that is asked for."""
        seen = BOARD.matrix.toarray() > 0
        lists = recommend(fitted, BOARD, 26).items
        for user in range(50):
            found = lists[user][lists[user] >= 0]
            assert not seen[user, found].any()
            assert len(found) == 26
        everything = recommend(fitted, BOARD, 50, exclude_seen=False).items
        assert (np.sort(everything, axis=1) == np.arange(50)).all()

    def test_a_list_ends_early_where_nothing_is_left(self, fitted: Recommender) -> None:
        """Lists end where no item is left."""
        lists = recommend(fitted, BOARD, 50)
        assert ((lists.items >= 0).sum(1) == 26).all()
        assert lists.to_frame().height == 50 * 26

    def test_ranking_twice_gives_the_same_lists(self, fitted: Recommender) -> None:
        """Ranking draws nothing that changes from call to call."""
        one = BOARD.take([3])
        assert recommend(fitted, one, 10).items.tolist() == recommend(fitted, one, 10).items.tolist()

    def test_k_beyond_the_catalogue_is_refused(self, fitted: Recommender) -> None:
        """A list length k outside 1..I is refused."""
        for k in (0, 51):
            with pytest.raises(ModelError, match=rf"k = {k} lies outside 1\.\.50"):
                recommend(fitted, BOARD, k)

    def test_an_unknown_item_is_refused_by_name(self, fitted: Recommender) -> None:
        """An item id that the model does not know is refused by name."""
        with pytest.raises(DataError, match="unknown item 'nonsense'"):
            history_of(fitted, ["item-001", "nonsense"])

    def test_a_history_over_another_catalogue_is_refused(self, fitted: Recommender) -> None:
        """A history over other items is refused."""
        other = Interactions.from_arrays([0], [0], IdMap.range(1), IdMap.range(50))
        with pytest.raises(DataError, match="not the model's 50"):
            recommend(fitted, other, 3)

    def test_saved_and_loaded_it_scores_the_same(self, fitted: Recommender, tmp_path: Path) -> None:
        """A model folder gives back settings, users and the very scores, without pickle."""
        save_model(fitted, tmp_path / "model", item_table=pl.DataFrame({"title": [f"Title {i}" for i in range(50)]}))
        loaded = load_model(tmp_path / "model", trust_code=True)
        assert loaded.config == fitted.config
        assert loaded.registered == fitted.registered
        assert loaded.parameters == fitted.parameters
        assert loaded.users == fitted.users
        assert (tmp_path / "model" / USERS).exists() == fitted.traits.remembers_users
        assert torch.equal(scores_of(loaded, BOARD), scores_of(fitted, BOARD))
        assert not list(tmp_path.rglob("*.pkl"))

    def test_item_vectors_are_there_where_declared_and_refused_elsewhere(self, fitted: Recommender) -> None:
        """Similar items are found exactly where `traits.item_vectors` says that there are vectors."""
        if fitted.traits.item_vectors:
            near = similar_items(fitted, ["item-004"], 3)
            assert near["rank"].to_list() == [1, 2, 3]
            assert "item-004" not in near["similar"].to_list()
        else:
            with pytest.raises(ModelError, match="no item vectors"):
                similar_items(fitted, ["item-004"], 3)

    def test_an_unfitted_model_says_so(self, subject: ModelUnderTest) -> None:
        """A model that is not fitted says so."""
        with pytest.raises(ModelError, match="not fitted"):
            recommend(build(subject.model), BOARD, 3)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_a_gpu_scores_as_the_cpu(self, fitted: Recommender, subject: ModelUnderTest) -> None:
        """A GPU's scores are the CPU's within rounding."""
        there = subject.build()
        there = there.restore(fitted.state(), fitted.items, "cuda", users=fitted.users)
        for x in (BOARD, unnamed(BOARD)):
            torch.testing.assert_close(scores_of(there, x).cpu(), scores_of(fitted, x), rtol=1e-3, atol=1e-3)
