"""Windows of events: several items at one time have one place, are read as a set, and are foreseen whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recodiff import build, recommend
from recodiff.data.interactions import Events, IdMap, Interactions
from recodiff.data.weighting import HalfLife, Uniform
from recodiff.models.sequences.windows import EventWindow, ItemWindow, Window, windows
from recodiff.runtime.run import Run
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import InOrder

SEQUENCES = ["sasrec", "esasrec", "gsasrec", "bert4rec", "gru4rec", "acvae"]


def baskets(*users: list[list[int]], n_items: int = 9, events: Events = "whole") -> Interactions:
    """Each user's events, oldest first."""
    user = [u for u, history in enumerate(users) for event in history for _ in event]
    time = [t for history in users for t, event in enumerate(history) for _ in event]
    item = [i for history in users for event in history for i in event]
    return Interactions.from_arrays(
        user, item, IdMap.range(len(users)), IdMap.range(n_items), times=time, time_kind="clock", events=events
    )


def rows_of(x: Interactions) -> Rows:
    return Rows.from_csr(x.matrix, places=x.shared_places())


def window_of(*users: list[list[int]], length: int = 3) -> Window:
    return windows(rows_of(baskets(*users)), length)


HISTORIES = ([[5], [1, 7], [2, 8, 3], [0]], [[3, 4]], [], [[6], [2, 1]])


def test_an_event_has_one_place() -> None:
    window = window_of(*HISTORIES)
    assert isinstance(window, EventWindow)
    assert window.lengths.tolist() == [3, 1, 0, 2]
    shown = [sorted(row.nonzero()[:, 0].tolist()) for row in window.events.dense()]
    assert shown == [[1, 7], [2, 3, 8], [0], [3, 4], [], [], [], [], [], [6], [1, 2], []]
    before = window.before_last()
    assert isinstance(before, EventWindow)
    assert [sorted(row.nonzero()[:, 0].tolist()) for row in before.events.dense()][:2] == [[1, 7], [2, 3, 8]]
    assert (before.size, before.lengths.tolist()) == (2, [2, 1, 0, 2])


def test_an_event_is_read_as_the_mean_of_its_items() -> None:
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    read = window_of(*HISTORIES).read(table, 3.0)
    torch.testing.assert_close(read[0, 1], 3 * table[[2, 8, 3]].mean(0))
    torch.testing.assert_close(read[0, 2], 3 * table[0])
    assert read[2].abs().sum() == 0


def test_what_follows_a_place_is_the_whole_next_event() -> None:
    places, target = window_of(*HISTORIES).following(2, HalfLife(half_life=1, floor=0.0), 9)
    assert places.tolist() == [[True, True, False], [False] * 3, [False] * 3, [True, False, False]]
    expected = np.zeros((3, 9))
    expected[0, [2, 3, 8]], expected[0, 0] = 1 / 3, 0.5
    expected[1, 0] = 1
    expected[2, [1, 2]] = 1 / 2
    np.testing.assert_allclose(target.dense(), expected, rtol=1e-6)


def test_a_place_knows_its_own_event_and_those_before() -> None:
    window = window_of(*HISTORIES)
    known = window.known(torch.tensor([[True, True, False], [False] * 3, [False] * 3, [False, True, False]]), 9)
    assert [sorted(row.nonzero()[:, 0].tolist()) for row in known.dense()] == [[1, 7], [1, 2, 3, 7, 8], [1, 2, 6]]


def test_what_stands_at_a_place_and_a_place_behind_the_newest() -> None:
    window = window_of(*HISTORIES)
    places = torch.tensor([[False, True, False], [True, False, False], [False] * 3, [False, True, False]])
    expected = np.zeros((3, 9))
    expected[0, [2, 3, 8]], expected[1, [3, 4]], expected[2, [1, 2]] = 1 / 3, 1 / 2, 1 / 2
    np.testing.assert_allclose(window.at(places, 9).dense(), expected, rtol=1e-6)
    longer = window.with_empty_place()
    assert (longer.size, longer.lengths.tolist()) == (4, [4, 2, 1, 3])
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(longer.read(table, 1.0)[:, :3], window.read(table, 1.0))
    assert longer.read(table, 1.0)[:, 3].abs().sum() == 0


def test_in_training_any_run_of_events_is_shown() -> None:
    rows, generator = rows_of(baskets(*[HISTORIES[0]] * 400)), torch.Generator().manual_seed(0)
    window = windows(rows, 3, generator)
    assert isinstance(window, EventWindow)
    first = window.events.dense().view(400, 3, 9)[:, 0].sum(1)
    assert set(first.tolist()) == {1.0, 2.0}
    assert abs(float((first == 1).float().mean()) - 0.5) < 0.1


def test_single_interactions_are_read_as_they_were() -> None:
    alone = baskets([[5], [1], [7]])
    assert alone.shared_places() is None
    assert isinstance(windows(rows_of(alone), 3), ItemWindow)
    assert baskets([[5, 1], [7]], events="ordered").shared_places() is None
    whole = window_of([[5], [1], [7]], [[2, 3]])  # another's event of two makes all of them events
    table = torch.randn(9, 4)
    torch.testing.assert_close(whole.read(table, 2.0)[0], windows(rows_of(alone), 3).read(table, 2.0)[0])
    places, target = whole.following(1, Uniform(), 9)
    assert places[0].tolist() == [True, True, False]
    assert target.dense()[:2].nonzero().tolist() == [[0, 1], [1, 7]]


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_order_within_an_event_is_not_read(name: str) -> None:
    users = [[[0, 1, 2], [3, 4], [5, 6, 7]], [[4], [5, 1, 0], [2]], [[8, 7], [6, 2], [1, 0]]] * 4
    turned = [[event[::-1] for event in history] for history in users]
    settings = {"width": 8, "training": {"epochs": 3, "batch_size": 4}}
    one, other = (build(name, settings).fit(baskets(*given), Run(seed=1, progress=False)) for given in (users, turned))
    first, second = (recommend(one, baskets(*given), 5) for given in (users, turned))
    assert first.items.tolist() == second.items.tolist()
    assert all(torch.equal(tensor, other.state()[key]) for key, tensor in one.state().items())


@pytest.mark.parametrize("name", SEQUENCES)
def test_items_of_an_event_may_have_any_numbers(name: str) -> None:
    """A set has no order of its own either: renumbered items give the same scores."""
    x = baskets([[0, 1, 2], [3, 4], [5, 6, 7]], [[4], [5, 1, 0], [2]], [[8, 7], [6, 2], [1, 0]])
    model = build(name, {"width": 8, "training": {"epochs": 1}}).fit(x, Run(seed=1, progress=False))
    rows = rows_of(x)
    assert rows.places is not None
    backwards = torch.from_numpy(np.lexsort((-rows.columns.numpy(), rows.places.numpy(), rows.row_of().numpy())))
    turned = Rows(rows.offsets, rows.columns[backwards], rows.values[backwards], rows.width, places=rows.places)
    assert not torch.equal(turned.columns, rows.columns)
    torch.testing.assert_close(model.module.last_states(turned), model.module.last_states(rows))  # type: ignore[attr-defined]


def test_a_user_of_one_event_teaches_no_sequence() -> None:
    x = baskets([[0, 1, 2]], [[3, 4], [5]], [[1, 2, 3, 4]])
    assert (x.event_counts() >= InOrder.min_events).tolist() == [False, True, False]


def test_batches_of_a_sequence_model_carry_the_places() -> None:
    rows = rows_of(baskets(*HISTORIES))
    assert rows.places is not None
    taken = rows.take(torch.tensor([3, 0]))
    assert taken.places is not None
    assert taken.places.tolist() == [0, 1, 1, 0, 1, 1, 2, 2, 2, 3]
    assert torch.equal(torch.cat([part.places for part in rows.split(2) if part.places is not None]), rows.places)
    part = rows.part(1, 4).places
    assert part is not None
    assert part.tolist() == [0, 0, 0, 1, 1]
