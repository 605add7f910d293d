"""Events in data folders: what is recorded, what is said, and that the order of rows of equal time changes nothing."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recodiff
from recodiff.data import (
    AsPublished,
    Dataset,
    HeldOutUsers,
    LeaveLast,
    NaturalNoise,
    Random,
    corrupt,
    load_dataset,
    prepare,
    read_log,
)
from recodiff.data.events import inner_note, remarks
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Events, Interactions
from recodiff.errors import ConfigError, DataError, RecodiffWarning


def two_baskets(users: int = 30, items: int = 60) -> pl.DataFrame:
    """Every user buys twice, six items each time, in a log sorted by user, time and item."""
    rng = np.random.default_rng(5)
    bought = np.stack([rng.permutation(items)[:12] for _ in range(users)])
    frame = pl.DataFrame({"user": np.repeat(np.arange(users), 12), "item": bought.ravel()})
    frame = frame.with_columns(time=pl.Series(np.tile(np.repeat([1_600_000_000, 1_600_500_000], 6), users)))
    return frame.sort("user", "time", "item")


def rated(n: int = 400) -> pl.DataFrame:
    """Repeats of an item at one time that differ in their rating."""
    rng = np.random.default_rng(3)
    columns = {"user": rng.integers(0, 20, n), "item": rng.integers(0, 15, n), "rating": rng.integers(1, 6, n)}
    return pl.DataFrame(columns).with_columns(time=pl.Series(1_600_000_000 + rng.integers(0, 12, n)))


def shuffled(log: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of equal time in other orders."""
    return [log.sample(fraction=1, shuffle=True, seed=seed) for seed in range(3)] + [
        log.sort("item"),
        log.sort("item", descending=True),
    ]


def folder_of(tmp_path: Path, events: Events) -> Path:
    prepare(two_baskets(), tmp_path / "data", split=LeaveLast(valid=0, test=2), events=events)
    return tmp_path / "data"


def said(path: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_dataset(path)
    return [str(warning.message) for warning in caught if issubclass(warning.category, RecodiffWarning)]


def test_an_event_goes_to_one_part_unless_it_may_be_split() -> None:
    whole, split = (prepare(two_baskets(), split=LeaveLast(valid=0), events=events) for events in ("whole", "split"))
    assert whole.info["parts"] == {"train": 180, "test": 180}
    assert split.info["parts"] == {"train": 330, "test": 30}
    assert whole.info["events"] == {
        "kind": "whole",
        "sorted_by_item": True,
        "lost": {"valid": 0, "test": 0},
        "shared": 1.0,
        "times_per_user": 2.0,
        "users_of_one": 0,
        "test_seen": 0.0,
        "users_cut": 0,
    }
    assert split.info["events"]["test_seen"] == 1.0
    assert split.info["events"]["users_cut"] == 30


def test_events_are_whole_unless_published_or_asked_otherwise() -> None:
    last = LeaveLast(valid=0)
    assert prepare(two_baskets(), split=last).train.events == "whole"
    assert prepare(two_baskets(), split=last, events="ordered").train.events == "ordered"
    read = read_log(two_baskets())
    part = pl.when(pl.col("item") % 5 == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    published = replace(read, frame=read.frame.with_columns(part=part))
    assert prepare(published).train.events == "split"
    assert prepare(published, split=AsPublished(valid=0), events="whole").train.events == "whole"
    timeless = prepare(two_baskets().drop("time"), split=Random())
    assert (timeless.train.events, "events" in timeless.info) == ("split", False)
    with pytest.raises(ConfigError, match=r"events='whole' are of equal time, and .* has no time"):
        prepare(two_baskets().drop("time"), events="whole")


def test_users_who_lose_a_part_are_counted() -> None:
    log = two_baskets().with_columns(time=pl.when(pl.col("user") < 7).then(pl.lit(1_600_000_000)).otherwise("time"))
    made = prepare(log, split=LeaveLast(valid=0))
    assert made.info["events"]["lost"] == {"valid": 0, "test": 7}
    assert "7 users have no test part" in " ".join(remarks(made.info))


def test_users_who_lose_a_part_are_counted_where_parts_are_drawn_too() -> None:
    log = two_baskets().with_columns(time=pl.when(pl.col("user") < 7).then(pl.lit(1_600_000_000)).otherwise("time"))
    made = prepare(log, split=Random(valid=0, test=0.5))
    assert made.test is not None
    assert made.info["events"]["lost"] == {"valid": 0, "test": 7}
    assert (made.test.lengths() == 0).sum() == 7
    few = two_baskets().with_columns(time=pl.when(pl.col("user") > 2).then(pl.lit(1_600_000_000)).otherwise("time"))
    assert prepare(few, split=HeldOutUsers(valid=0, test=0.5)).info["events"]["lost"] == {"valid": 0, "test": 15 - 3}
    assert prepare(two_baskets(), split=HeldOutUsers(valid=0.2, test=0.5)).info["events"]["lost"] == {"valid": 0, "test": 0}


def test_where_every_history_is_one_event_it_is_said_that_all_stay_in_train() -> None:
    log = two_baskets().with_columns(time=pl.lit(1_600_000_000))
    with pytest.raises(DataError, match="all 30 users stay in train, since the whole history of each is one event"):
        prepare(log)
    among_others = log.with_columns(time=pl.when(pl.col("user") == 3).then("time").otherwise(two_baskets()["time"]))
    made = prepare(among_others, split=LeaveLast(valid=0))
    assert made.test is not None
    assert made.test.lengths()[3] == 0
    assert "1 users have no test part" in " ".join(remarks(made.info))


@pytest.mark.parametrize("keep_weights", [False, True])
@pytest.mark.parametrize("duplicates", ["first", "last"])
def test_the_order_of_rows_of_equal_time_changes_nothing(keep_weights: bool, duplicates: str) -> None:
    made = prepare(rated(), keep_weights=keep_weights, duplicates=duplicates)  # type: ignore[arg-type]
    again = [prepare(log, keep_weights=keep_weights, duplicates=duplicates) for log in shuffled(rated())]  # type: ignore[arg-type]
    assert {data.fingerprint() for data in again} == {made.fingerprint()}
    cut = {prepare(log, events="split").fingerprint() for log in shuffled(rated())}
    assert len(cut) > 1


def test_noise_cuts_no_event_and_does_not_depend_on_the_order_of_its_rows() -> None:
    made = [prepare(log, min_weight=4, noise=NaturalNoise("same")) for log in (rated(1500), *shuffled(rated(1500)))]
    assert {data.fingerprint() for data in made} == {made[0].fingerprint()}
    assert made[0].info["events"]["test_seen"] == 0
    noisy = corrupt(prepare(two_baskets(), split=LeaveLast(valid=0)), share=0.5)
    assert (noisy.train.events, noisy.train.nnz) == ("whole", 270)
    assert noisy.info["events"]["users_cut"] == 0


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "whole")
    loaded = load_dataset(folder)
    assert loaded.train.events == loaded.history("train+test").events == "whole"
    assert loaded.train.take([1, 0]).events == loaded.train.only(loaded.train.rows() > 2).events == "whole"
    assert not said(folder)
    manifest = json.loads((folder / "dataset.json").read_text("utf-8"))
    manifest["events"]["kind"] = "halved"
    (folder / "dataset.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DataError, match=r"the data's events are 'halved'"):
        load_dataset(folder)


def test_a_folder_of_before_whose_validation_alone_is_cut_says_so(tmp_path: Path) -> None:
    later = pl.DataFrame({"user": range(30), "item": [100] * 30, "time": [1_700_000_000] * 30})
    prepare(pl.concat([two_baskets(), later]), tmp_path / "data", split=LeaveLast(), events="split")
    path = tmp_path / "data" / "dataset.json"
    manifest = json.loads(path.read_text("utf-8"))
    assert manifest["events"]["valid_users_cut"] == 30
    assert manifest["events"]["users_cut"] == 0
    del manifest["events"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    (sentence,) = said(tmp_path / "data")
    assert "30 users' validation begins inside an event that training has seen" in sentence


def test_a_folder_of_before_acts_as_split_and_says_so(tmp_path: Path) -> None:
    prepare(two_baskets(), tmp_path / "data", split=LeaveLast(valid=0), events="split")
    path = tmp_path / "data" / "dataset.json"
    manifest = json.loads(path.read_text("utf-8"))
    del manifest["events"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    (sentence,) = said(tmp_path / "data")
    assert "before events were kept whole: 30 users' test begins inside an event that training has seen" in sentence
    assert load_dataset(tmp_path / "data").train.events == "split"


def test_order_by_item_is_recognised() -> None:
    last, falling = LeaveLast(valid=0), two_baskets().sort("user", "time", "item", descending=[False, False, True])
    assert "sorted_by_item" in prepare(two_baskets(), split=last).info["events"]
    assert "sorted_by_item" in prepare(falling, split=last).info["events"]
    assert "sorted_by_item" not in prepare(shuffled(two_baskets())[0], split=last).info["events"]
    assert "use --events whole" in " ".join(remarks(prepare(two_baskets(), split=last, events="ordered").info))


def test_the_remedy_of_an_order_by_item_is_one_that_the_protocol_takes() -> None:
    made = prepare(two_baskets(), protocol="leave-one-out")
    told = " ".join(remarks(made.info))
    assert "use --split leave-last in place of the protocol" in told
    assert "--events" not in told
    assert made.info["events"]["kind"] == "ordered"
    assert f"{made.info['events']['users_cut']} users' test begins inside an event" in told
    prepare(two_baskets(), split=LeaveLast(valid=0))


def history(*times: int, events: Events) -> Interactions:
    return Interactions.from_arrays(
        [0] * len(times),
        range(len(times) - 1, -1, -1),
        IdMap.range(1),
        IdMap.range(len(times)),
        times=times,
        time_kind="clock",
        events=events,
    )


@pytest.mark.parametrize(
    ("events", "held"),
    [("whole", [False, False, True, True]), ("ordered", [False, False, True, True]), ("split", [False] * 3 + [True])],
)
def test_the_inner_validation_part_takes_whole_events(events: Events, held: list[bool]) -> None:
    x = history(1, 2, 5, 5, events=events)
    data = Dataset(x, None, None, None, None, {})
    inner = data.inner(0.25)
    assert inner.valid is not None
    assert inner.train.nnz == held.count(False)
    assert inner.valid.nnz == held.count(True)
    assert inner.valid.events == events


def baskets(sizes: list[list[int]]) -> Dataset:
    """Users with one list of basket sizes each, items never twice."""
    user = np.repeat(np.arange(len(sizes)), [sum(own) for own in sizes])
    time = np.concatenate([np.repeat(np.arange(len(own)), own) for own in sizes])
    item = np.concatenate([np.arange(sum(own)) for own in sizes])
    x = Interactions.from_arrays(
        user, item, IdMap.range(len(sizes)), IdMap.range(int(item.max()) + 1), times=time, time_kind="clock", events="whole"
    )
    return Dataset(x, None, None, None, None, {"events": {"kind": "whole", "lost": {"test": 7}, "test_seen": 0.5}})


def test_the_inner_validation_part_holds_the_share_that_is_asked_for_whatever_the_size_of_baskets() -> None:
    rng = np.random.default_rng(0)
    small = [[int(size) for size in rng.integers(1, 4, 12)] for _ in range(400)]
    large = [[int(size) for size in rng.integers(20, 40, rng.integers(2, 6))] for _ in range(400)]
    data = baskets(small + large + [[30]] * 50)
    train, inner = data.train, data.inner()
    assert inner.valid is not None
    assert inner.train.nnz + inner.valid.nnz == train.nnz
    for users in (slice(0, 400), slice(400, 800)):
        asked = np.floor(train.lengths()[users] * 0.1).sum()
        assert inner.valid.lengths()[users].sum() == pytest.approx(asked, rel=0.05)
    assert inner.valid.times is not None
    assert inner.valid.times.min() > 0, "the oldest event is never among them"
    found = inner.info["inner"]
    assert found["held"] == pytest.approx(inner.valid.nnz / train.nnz, abs=1e-4)
    assert found["users"] + found["lacking"] == 850
    assert found["of_one_event"] == 50
    assert "others have none of it" in inner_note(inner.info)


def test_the_inner_dataset_describes_itself() -> None:
    inner = baskets([[3, 2], [2, 2, 2]] * 10).inner(0.4)
    assert inner.info["events"] == {"kind": "whole", "shared": 1.0, "times_per_user": 2.5, "users_of_one": 0, "valid_users_cut": 0}
    assert inner.info["parts"] == {name: part.nnz for name, part in inner.parts().items()}
    assert inner.info["fingerprint"] == inner.fingerprint()


def test_a_history_of_one_event_has_no_inner_validation_part() -> None:
    with pytest.raises(DataError, match=r"no training history has"):
        Dataset(history(5, 5, 5, 5, events="whole"), None, None, None, None, {}).inner(0.5)


def test_entries_of_a_whole_event_stand_by_item_and_share_a_place() -> None:
    whole, ordered, split = (history(1, 5, 5, 7, events=events) for events in ("whole", "ordered", "split"))
    assert whole.matrix.indices.tolist() == [3, 1, 2, 0]
    assert ordered.matrix.indices.tolist() == split.matrix.indices.tolist() == [3, 2, 1, 0]
    assert whole.event_positions().tolist() == ordered.event_positions().tolist() == [0, 1, 1, 2]
    assert split.event_positions().tolist() == [0, 1, 2, 3]
    assert [x.read_positions().tolist() for x in (whole, ordered)] == [[0, 1, 1, 2], [0, 1, 2, 3]]
    assert [x.event_counts().tolist() for x in (whole, ordered, split)] == [[3], [3], [4]]
    assert len({x.fingerprint() for x in (whole, ordered, split)}) == 3
    assert len({history(1, 5, 6, 7, events=events).fingerprint() for events in ("whole", "ordered", "split")}) == 1


def test_parts_of_other_events_do_not_join() -> None:
    whole, split = (history(1, 5, 5, events=events) for events in ("whole", "split"))
    with pytest.raises(DataError, match=r"is 'whole' in these interactions and 'split' in those"):
        whole.union(split)
    with pytest.raises(DataError, match=r"kind of time or events"):
        Dataset(whole, split, None, None, None, {})
    assert whole.union(history(1, 5, 7, events="split")).events == "whole"  # of distinct times it makes no difference


@pytest.mark.parametrize("events", ["whole", "ordered", "split"])
def test_a_dataset_made_by_hand_keeps_its_events(tmp_path: Path, events: Events) -> None:
    recodiff.save_dataset(Dataset(history(1, 5, 5, 7, events=events), None, None, None, None, {}), tmp_path / "mine")
    assert load_dataset(tmp_path / "mine").train.events == events
