"""What is input, truth and masked: worked out in one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recodiff import Task, stages
from recodiff.data.dataset import Dataset
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.protocol import Protocol, looks_ahead

USERS, ITEMS = IdMap.range(4), IdMap.range(12)


def part(pairs: list[tuple[int, int]], first: int) -> Interactions:
    """Interactions as user, item, one second apart."""
    user, item = ([pair[column] for pair in pairs] for column in (0, 1))
    times = list(range(first, first + len(pairs)))
    return Interactions.from_arrays(user, item, USERS, ITEMS, times=times, time_kind="clock")


TRAIN = part([(0, 0), (0, 1), (1, 2)], 0)
VALID = part([(0, 3), (2, 4), (3, 5)], 100)
TEST = part([(0, 6), (1, 7), (2, 8)], 200)
FOLD_IN = part([(2, 9), (3, 10)], 50)
DATA = Dataset(TRAIN, VALID, TEST, FOLD_IN, None, {"name": "small"})


def pairs(x: Interactions) -> set[tuple[int, int]]:
    return set(zip(x.rows().tolist(), x.matrix.indices.tolist(), strict=True))


def test_by_the_official_protocol_both_parts_are_ranked_from_train_and_fold_in() -> None:
    found = stages(DATA)
    known = pairs(TRAIN) | pairs(FOLD_IN)
    assert (pairs(found.valid.history), pairs(found.valid.mask), found.valid.truth) == (known, known, VALID)
    assert (pairs(found.test.history), pairs(found.test.mask), found.test.truth) == (known, known | pairs(VALID), TEST)
    assert found.test.history is found.valid.history, "so that both are scored once"
    assert found.choice is found.valid
    assert found.train is TRAIN
    assert list(found.tasks("test", "valid").items()) == [("test", found.test), ("valid", found.valid)]


def test_the_other_protocols_rank_the_later_part_from_both_earlier_ones() -> None:
    known = pairs(TRAIN) | pairs(FOLD_IN)
    swapped = replace(DATA, valid=TEST, test=VALID)
    for data, protocol, truth, earlier in (
        (DATA, "chronological", TEST, VALID),
        (swapped, "chronological", TEST, VALID),
        (swapped, "leaking", VALID, TEST),
    ):
        found = stages(data, protocol=protocol)  # pyright: ignore[reportArgumentType]
        assert found.test.truth is truth
        assert pairs(found.test.history) == pairs(found.test.mask) == known | pairs(earlier)
        assert found.valid.truth is earlier
        assert pairs(found.valid.history) == known
    assert stages(swapped, protocol="chronological").data.name == "small, in order of time"
    assert stages(DATA, protocol="chronological").data is DATA


def test_an_inner_choice_leaves_the_validation_part_alone() -> None:
    whole = part([(1, n) for n in range(10)] + [(0, 11)], 0)
    data = replace(DATA, train=whole, fold_in=None, valid=part([(1, 10)], 100), test=part([(1, 11)], 200))
    found = stages(data, choose_on="inner")
    assert pairs(found.train) == pairs(whole) - {(1, 9)}
    assert found.choice is not None
    assert pairs(found.choice.truth) == {(1, 9)}
    assert pairs(found.choice.history) == pairs(found.choice.mask) == pairs(found.train)
    assert pairs(found.valid.history) == pairs(found.data.train) == pairs(whole)


def test_the_last_training_has_whole_histories_of_users_held_out_for_validation() -> None:
    assert pairs(stages(DATA).train_and_valid) == pairs(TRAIN) | pairs(VALID) | pairs(FOLD_IN)
    others = replace(DATA, fold_in=part([(1, 9)], 50))
    assert pairs(stages(others).train_and_valid) == pairs(TRAIN) | pairs(VALID)
    assert pairs(stages(replace(DATA, fold_in=None)).train_and_valid) == pairs(TRAIN) | pairs(VALID)


@pytest.mark.parametrize("protocol", ["official", "leaking"])
def test_what_the_data_lacks_is_said_when_it_is_asked_for(protocol: Protocol) -> None:
    found = stages(replace(DATA, valid=None, test=None), protocol=protocol)
    assert found.choice is None
    assert found.train is TRAIN
    for ask in (lambda: found.valid, lambda: found.test, lambda: found.train_and_valid):
        with pytest.raises(DataError, match="there is no part"):
            ask()


def test_a_part_is_not_ranked_from_itself() -> None:
    found = stages(DATA)
    with pytest.raises(ConfigError, match="gives away the part 'valid'"):
        found.task("valid", "train + valid")
    assert pairs(found.task("test", "valid").mask) == pairs(TRAIN) | pairs(VALID) | pairs(FOLD_IN)


def test_a_task_of_several_users_or_items_is_refused() -> None:
    other = Interactions.from_arrays([0], [0], USERS, IdMap.range(13))
    with pytest.raises(DataError, match="the truth is over 4 users and 13 items"):
        Task(TRAIN, other, TRAIN)
    with pytest.raises(DataError, match=r"the mask is of type NoneType, .*recodiff\.stages"):
        Task(TRAIN, TEST, None)  # pyright: ignore[reportArgumentType]


def test_leave_one_out_ranks_the_last_item_from_all_before_it() -> None:
    one_each = replace(DATA, fold_in=None)
    found = stages(one_each, protocol="leave-one-out")
    assert pairs(found.test.history) == pairs(found.test.mask) == pairs(TRAIN) | pairs(VALID)
    assert found.test.truth is TEST
    assert pairs(found.valid.history) == pairs(TRAIN)
    several = replace(one_each, test=part([(0, 6), (0, 7)], 200))
    with pytest.raises(DataError, match="one item a user in each later part, and data 'small' has up to 2; prepare the log"):
        stages(several, protocol="leave-one-out")


def test_a_time_split_leaves_out_users_without_an_earlier_interaction_unless_all_are_wanted() -> None:
    data = replace(DATA, fold_in=None, test=part([(0, 6), (1, 7), (2, 8), (3, 9)], 200))
    earlier = replace(data, train=part([(0, 0), (1, 2)], 0), valid=part([(0, 3), (2, 4)], 100))
    found = stages(earlier, protocol="time-split")
    assert pairs(found.test.truth) == {(0, 6), (1, 7), (2, 8)}
    assert pairs(found.valid.truth) == {(0, 3)}, "the moment of validation is the earlier one"
    assert pairs(found.test.history) == pairs(found.test.mask) == pairs(earlier.train) | pairs(earlier.part("valid"))
    everyone = stages(earlier, protocol="time-split-all")
    assert pairs(everyone.test.truth) == {(0, 6), (1, 7), (2, 8), (3, 9)}
    assert pairs(everyone.valid.truth) == {(0, 3), (2, 4)}


@pytest.mark.parametrize("protocol", ["time-split", "time-split-all"])
def test_parts_that_overlap_in_time_are_no_time_split(protocol: Protocol) -> None:
    overlapping = replace(DATA, test=part([(0, 6)], 50))
    with pytest.raises(DataError, match=f"overlap in time; prepare the log with --protocol {protocol}"):
        stages(overlapping, protocol=protocol)
    train, valid, test = (replace(x, times=None, time_kind=None) for x in (TRAIN, VALID, TEST))
    with pytest.raises(DataError, match="has none; take leave-one-out"):
        stages(Dataset(train, valid, test, None, None, {"name": "small"}), protocol=protocol)


# Looking ahead


def histories(rows: list[list[int]], times: list[int] | None) -> Interactions:
    user = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    items = [item for row in rows for item in row]
    return Interactions.from_arrays(
        user, items, IdMap.range(len(rows)), IdMap.range(3), times=times, time_kind=None if times is None else "clock"
    )


def test_looking_ahead_by_hand() -> None:
    """Newest of the history against the earliest to be found; equal times do not count."""
    history = histories([[0, 1], [0], [0], [], [0]], [1, 9, 5, 5, 1])
    truth = histories([[2], [2], [1, 2], [1], []], [8, 6, 5, 7, 3])
    assert looks_ahead(history, truth).tolist() == [True, False, False, False, False]
    earlier = histories([[2], [2], [1, 2], [1], []], [10, 4, 4, 99, 3])
    assert Task(history, earlier, history).looks_ahead().tolist() == [False, True, True, False, False]


def test_without_time_no_user_is_known_to_look_ahead() -> None:
    timed, timeless = histories([[0]], [9]), histories([[1]], None)
    assert looks_ahead(timed, timeless).tolist() == looks_ahead(timeless, timed).tolist() == [False]
