"""Work counted before it is done, and the rates that turn it into seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recodiff import build
from recodiff.data.interactions import IdMap, Interactions
from recodiff.runtime.work import SLOWEST, Work, measured_rates


def test_work_adds_up_and_takes_what_its_kinds_take_at_their_rates() -> None:
    both = Work(double=6.0, sparse=2.0) + Work(double=2.0, single=5.0)
    assert both == Work(8.0, 5.0, 2.0)
    assert both.seconds(Work(4.0, 5.0, 1.0)) == 5.0


def test_no_machine_is_slower_than_the_slowest() -> None:
    rates = measured_rates(torch.device("cpu"))
    assert rates.double > SLOWEST.double
    assert rates.single > SLOWEST.single
    assert rates.sparse > SLOWEST.sparse


def interactions(users: int, items: int, each: int) -> Interactions:
    chosen = [(7 * user + at) % items for user in range(users) for at in range(each)]
    return Interactions.from_arrays(np.repeat(np.arange(users), each), chosen, IdMap.range(users), IdMap.range(items))


def test_a_closed_form_grows_with_the_cube_of_the_smaller_side() -> None:
    model = build("ease")
    small, large = (model.work(interactions(1000, items, 5)) for items in (200, 400))
    assert large.double / small.double == pytest.approx(8)
    assert small.sparse == 25_000
    few = model.work(interactions(100, 2000, 5))
    assert few.double < 100 * 2000**2
    many = model.work(interactions(200, 13_000, 5))
    assert (many.double, many.single > 0) == (0.0, True)


@pytest.mark.parametrize(("name", "one_step"), [("itemknn", True), ("f-ridge", True), ("popularity", False), ("f-diffrec", False)])
def test_only_what_goes_in_one_step_has_work(name: str, one_step: bool) -> None:
    assert (build(name).work(interactions(50, 40, 5)) != Work()) is one_step


def test_a_mixture_has_the_work_of_its_components() -> None:
    x = interactions(50, 40, 5)
    mixture = build("fs-diffrec")
    assert mixture.work(x) == sum((part.work(x) for part in mixture.components().values()), Work())
    assert mixture.work(x) != Work()
