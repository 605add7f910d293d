"""The half of the contract about fitting: data of any shape, weightings, seeds, precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.batch import Batch
from recodiff.models.registry import build
from recodiff.ranking.recommend import recommend
from recodiff.tensors.rows import Rows
from recodiff.testing.model_under_test import BOARD, RUN, ModelUnderTest, has_network
from recodiff.testing.tiny_data import checkerboard, scores_of, unnamed, with_gaps


class FittingContract:
    """Tests that fit the model again."""

    def test_a_user_without_interactions_in_training_is_an_unseen_user(self, fitted: Recommender, subject: ModelUnderTest) -> None:
        """A user without interactions in training is served as an unseen user."""
        rest = BOARD.take(np.arange(1, 50))
        with_empty = Interactions.from_arrays(
            rest.rows() + 1, rest.matrix.indices, BOARD.users, BOARD.items, times=rest.times, time_kind="order"
        )
        again = subject.build(epochs=1).fit(with_empty, RUN)
        assert len(again.users) == (49 if fitted.traits.remembers_users else 0)
        first = BOARD.take([0])
        torch.testing.assert_close(scores_of(again, first), scores_of(again, unnamed(first)))

    def test_a_second_fit_forgets_the_first(self, fitted: Recommender, subject: ModelUnderTest) -> None:
        """A second fit gives the model of a fresh one."""
        twice = subject.build().fit(checkerboard(30), RUN).fit(BOARD, RUN)
        torch.testing.assert_close(scores_of(twice, BOARD), scores_of(fitted, BOARD))

    def test_half_the_bytes_cost_a_network_a_rounding_in_training(self, fitted: Recommender, subject: ModelUnderTest) -> None:
        """Training in bfloat16 changes a network's loss by a rounding, and leaves float32 weights."""
        if not has_network(fitted):
            pytest.skip("no network is trained")
        exact, rounded = (subject.build(epochs=1, precision=precision).fit(BOARD, RUN) for precision in ("float32", "bfloat16"))
        assert _first_losses(rounded) == pytest.approx(_first_losses(exact), rel=0.01)
        assert all(tensor.dtype != torch.bfloat16 for tensor in rounded.state().values())
        assert not torch.equal(scores_of(exact, BOARD), scores_of(rounded, BOARD))

    def test_a_model_that_draws_no_random_numbers_is_the_same_for_every_seed(
        self, fitted: Recommender, subject: ModelUnderTest
    ) -> None:
        """Every seed gives the same model exactly where `traits.seeded` is false."""
        if fitted.traits.seeded:
            pytest.skip("declared to draw random numbers")
        again = subject.build().fit(BOARD, replace(RUN, seed=1))
        assert torch.equal(scores_of(again, BOARD), scores_of(fitted, BOARD))

    def test_a_model_needs_time_exactly_if_it_says_so(self, fitted: Recommender, subject: ModelUnderTest) -> None:
        """Data without time is refused exactly where `traits.order_aware` says so."""
        timeless = replace(BOARD, times=None, time_kind=None)
        again = subject.build(epochs=1)
        if fitted.traits.order_aware:
            with pytest.raises(DataError, match="no time"):
                again.fit(timeless, RUN)
            with pytest.raises(DataError, match="no time"):
                recommend(fitted, timeless, 3)
        else:
            assert recommend(again.fit(timeless, RUN), timeless, 3).items.shape == (50, 3)

    def test_fitting_to_nothing_is_refused(self, subject: ModelUnderTest) -> None:
        """A fit to no interactions is refused."""
        nothing = Interactions.from_arrays([], [], IdMap.range(2), IdMap.range(3))
        with pytest.raises(ModelError, match="no interactions"):
            build(subject.model).fit(nothing, RUN)

    def test_permuting_the_items_permutes_the_scores(self, fitted: Recommender, subject: ModelUnderTest) -> None:
        """The order of the catalogue changes no score."""
        if has_network(fitted) or subject.starts_by_position:
            pytest.skip("initial weights belong to positions")
        order = np.random.default_rng(0).permutation(50)
        place = np.argsort(order)
        x = BOARD
        moved = Interactions.from_arrays(
            x.rows(), place[x.matrix.indices], x.users, x.items.take(order), times=x.times, time_kind="order"
        )
        again = subject.build().fit(moved, RUN)
        torch.testing.assert_close(scores_of(again, moved), scores_of(fitted, x)[:, torch.from_numpy(order)], rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("kind", ["linear", "half_life", "power_law"])
    def test_any_model_takes_any_weighting_on_the_history_alone(
        self, fitted: Recommender, subject: ModelUnderTest, kind: str
    ) -> None:
        """Each kind of weighting can be on the history alone, and changes scores."""
        weighted = subject.build({"weighting": {"kind": kind, "on": "history"}}, epochs=1).fit(BOARD, RUN)
        assert recommend(weighted, BOARD, 5).items.shape == (50, 5)
        if fitted.traits.personalised:  # a model need not look at the history of a user it remembers
            uniform = weighted.score(Batch(Rows.from_csr(BOARD.matrix)))
            assert not torch.allclose(scores_of(weighted, unnamed(BOARD)), uniform)

    @pytest.mark.parametrize("kind", ["linear", "half_life"])
    def test_any_model_takes_any_weighting_on_the_fit(self, fitted: Recommender, subject: ModelUnderTest, kind: str) -> None:
        """Each kind of weighting can be on the fit, and changes the model; or is refused."""
        if refusal := subject.fit_weights_refused:
            with pytest.raises(ConfigError, match=refusal):
                subject.build({"weighting": {"kind": kind}}, epochs=1).fit(BOARD, RUN)
            return
        plain, weighted = (
            subject.build({"weighting": {"kind": kind, "on": on}}, epochs=1).fit(BOARD, RUN) for on in ("history", "fit+history")
        )
        assert scores_of(weighted, BOARD).isfinite().all()
        # What comes before a cut is a history, wherever the weighting is placed.
        forecasts = getattr(getattr(fitted.config, "pairs", None), "needs_order", False)
        assert torch.allclose(scores_of(plain, BOARD), scores_of(weighted, BOARD)) == forecasts

    def test_users_and_items_without_interactions_are_no_trouble(
        self, subject: ModelUnderTest, recwarn: pytest.WarningsRecorder
    ) -> None:
        """Users and items without interactions cause neither error nor warning."""
        x = with_gaps()
        scores = scores_of(subject.build(epochs=1).fit(x, RUN), x)
        assert scores.shape == (x.n_users, x.n_items)
        assert scores.isfinite().all()
        assert not recwarn.list

    def test_a_catalogue_of_one_item_is_no_trouble(self, subject: ModelUnderTest, recwarn: pytest.WarningsRecorder) -> None:
        """A catalogue of one item is served, or refused as declared."""
        x = Interactions.from_arrays([0, 1], [0, 0], IdMap.range(3), IdMap.range(1), times=[1, 2], time_kind="order")
        if refusal := subject.one_item_refused:
            with pytest.raises((DataError, ModelError), match=refusal):
                subject.build(epochs=1).fit(x, RUN)
            return
        again = subject.build(epochs=1).fit(x, RUN)
        assert scores_of(again, x).isfinite().all()
        assert recommend(again, x, 1).items.tolist() == [[-1], [-1], [0]]
        assert not recwarn.list

    def test_weights_that_are_all_zero_are_no_trouble(self, subject: ModelUnderTest, recwarn: pytest.WarningsRecorder) -> None:
        """Weights of zero cause neither error nor warning."""
        x = BOARD.with_values(np.zeros(BOARD.nnz, np.float32))
        assert scores_of(subject.build(epochs=1).fit(x, RUN), x).isfinite().all()
        assert not recwarn.list


def _first_losses(model: Recommender) -> list[float]:
    """The loss of the first epoch of the model, or of each component that has one."""
    logs = [model.summary.get("log"), *(model.summary.get(name, {}).get("log") for name in model.components())]
    return [log[0]["loss"] for log in logs if log]
