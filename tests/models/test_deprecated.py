from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from recodiff import Recommender, Run, Traits, build
from recodiff.data.interactions import Interactions
from recodiff.models.batch import Batch
from recodiff.models.popularity import Popularity
from recodiff.models.sequences.sasrec import SASRec
from toy import checkerboard


class Own(Recommender):
    """A model with nothing declared."""

    def _fit(self, train: Interactions, run: Run, validate: Any) -> None:
        self.counts = torch.from_numpy(train.matrix.sum(0).astype("float32")).flatten()

    def score(self, batch: Batch) -> torch.Tensor:
        return self.counts.repeat(len(batch.history), 1)

    def state(self) -> dict[str, torch.Tensor]:
        return {"counts": self.counts}

    def _restore(self, state: Mapping[str, torch.Tensor]) -> None:
        self.counts = state["counts"]


def test_flags_of_a_class_written_for_0_1_are_its_traits_and_warn() -> None:
    with pytest.warns(DeprecationWarning, match=r"'Old\.\w+' is 'Traits\.\w+, which Old\._traits\(\) returns' now.*0\.3") as found:

        class Old(Own):
            personalised = False
            remembers_users = True  # pyright: ignore[reportAssignmentType]

    assert [warning.filename for warning in found] == [__file__] * 2
    assert Old().traits == Traits(personalised=False, remembers_users=True)
    with pytest.warns(DeprecationWarning, match=r"Older\.seeded"):

        class Older(Old):
            @property
            def seeded(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
                return self.config.weighting.kind != "uniform"

    assert Older().traits == Traits(personalised=False, remembers_users=True, seeded=False)
    model = Old().fit(checkerboard(), Run(progress=False))
    assert model.users == checkerboard().users


def test_a_flag_laid_over_a_built_in_model_wins() -> None:
    with pytest.warns(DeprecationWarning, match=r"Shared\.shares_items"):

        class Shared(SASRec):
            shares_items = True  # pyright: ignore[reportAssignmentType]

    assert Shared().traits == Traits(item_vectors=True, order_aware=True, reads_order=True, shares_items=True)


@pytest.mark.parametrize("flag", ["personalised", "item_vectors", "remembers_users", "shares_items", "order_aware", "seeded"])
def test_flags_can_still_be_read(flag: str) -> None:
    for name in ("popularity", "mf", "diffrec", "f-diffrec"):
        model = build(name)
        with pytest.warns(DeprecationWarning, match=rf"traits\.{flag}' now"):
            assert getattr(model, flag) == getattr(model.traits, flag)
    with pytest.warns(DeprecationWarning, match=rf"Popularity\.{flag}"):
        assert getattr(Popularity, flag) == getattr(Popularity().traits, flag)


def test_methods_under_their_old_names_count_and_can_be_read() -> None:
    with pytest.warns(DeprecationWarning, match=r"'Old\.judged_by' is 'Old\.validation_metrics' now") as found:

        class Old(SASRec):
            @property
            def judged_by(self) -> tuple[str, ...]:
                return (*super().judged_by, "ndcg@5")  # pyright: ignore[reportAttributeAccessIssue]

    assert [warning.filename for warning in found] == [__file__]
    with pytest.warns(DeprecationWarning, match="validation_metrics"):
        assert Old().validation_metrics == ("recall@20", "ndcg@5")
    with pytest.warns(DeprecationWarning, match=r"Own\.chosen|Recommender\.chosen"):
        assert Own().chosen() == Own().refit_settings()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.warns(DeprecationWarning, match=r"Mixture\.views' is 'Mixture\.history_views"):
        assert build("fs-diffrec").views == build("fs-diffrec").history_views  # pyright: ignore[reportAttributeAccessIssue]


def test_a_model_of_today_causes_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class New(Own):
            def _traits(self) -> Traits:
                return Traits(seeded=False)

        assert not New().traits.seeded
