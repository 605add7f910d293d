"""Noise: what it adds and where, and that the test part never changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recodiff.data import Dataset, IdMap, Interactions, corrupt, load_dataset, prepare, read_log
from recodiff.data.noise import NaturalNoise
from recodiff.data.split import HeldOutUsers, LeaveLast, Random, Split, Temporal, TemporalAt, TemporalGlobal
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.protocol import looks_ahead

MIN = 4
Row = tuple[Any, Any, int]


def entries(dataset: Dataset, part: str) -> list[Row]:
    """(user, item, time) with external ids, in the order in which the part holds them."""
    x = dataset.part(part)
    times = [0] * x.nnz if x.times is None else x.times.tolist()
    return list(zip(x.users.externals(x.rows()), x.items.externals(x.matrix.indices), times, strict=True))


def pairs(dataset: Dataset, *parts: str) -> set[tuple[Any, Any]]:
    return {(user, item) for part in parts if part in dataset.parts() for user, item, _ in entries(dataset, part)}


@st.composite
def logs(draw: st.DrawFn) -> pl.DataFrame:
    """Few users, items and moments, so that repeats, ties and short histories abound."""
    cell = st.tuples(st.integers(0, 2), st.integers(0, 12), st.sampled_from([1, 3, 4, 5]), st.integers(0, 12))
    return pl.DataFrame(draw(st.lists(cell, min_size=25, max_size=60)), schema=["user", "item", "rating", "time"], orient="row")


in_time = st.sampled_from([Temporal(0.2, 0.2), Temporal(0, 0.3), LeaveLast(), TemporalGlobal(0.2, 0.2), TemporalAt(5, 9)])


def clean_and_noisy(log: pl.DataFrame, split: Split, noise: NaturalNoise) -> tuple[Dataset, Dataset]:
    """What `prepare` makes of the log without noise and with it; logs that leave a part empty or add nothing are passed over."""
    try:
        return prepare(log, min_weight=MIN, split=split), prepare(log, min_weight=MIN, split=split, noise=noise)
    except DataError as error:
        assume("empty" not in str(error) and "nothing is left" not in str(error) and "no natural noise" not in str(error))
        raise


# Natural noise.


def diary(*rows: tuple[str, int, int]) -> pl.DataFrame:
    """One user's ratings: item, rating, time."""
    return pl.DataFrame([("ann", *row) for row in rows], schema=["user", "item", "rating", "time"], orient="row")


HIGH = [("h1", 5, 10), ("h2", 4, 20), ("h3", 5, 30), ("h4", 4, 40), ("h5", 5, 50)]
SPLIT = Temporal(0.2, 0.2)


def test_low_ratings_fall_into_the_part_of_their_time() -> None:
    low = [("early", 1, 5), ("gap", 3, 35), ("tie", 2, 40), ("late valid", 2, 49), ("at test", 1, 50), ("after", 1, 60)]
    made = prepare(diary(*low, *HIGH), min_weight=MIN, split=SPLIT, noise=NaturalNoise("all"), events="ordered")
    assert [item for _, item, _ in entries(made, "train")] == ["early", "h1", "h2", "h3", "gap"]
    assert [item for _, item, _ in entries(made, "valid")] == ["tie", "h4", "late valid"]  # a tie stands as in the log
    assert entries(made, "test") == [("ann", "h5", 50)]
    (noise,) = made.info["noise"]
    assert noise == {
        "kind": "natural",
        "scale": "all",
        "seed": 0,
        "added": {"train": 2, "valid": 2},
        "removed": {"train": 0, "valid": 0},
        "too_late": 2,
        "threshold": MIN,
        "added_to": prepare(diary(*HIGH), min_weight=MIN, split=SPLIT).fingerprint(),
    }


def test_an_item_that_a_clean_part_holds_is_not_added_again() -> None:
    again = [("h5", 1, 5), ("h1", 2, 15), ("low", 3, 1), ("low", 2, 2)]
    made = prepare(diary(*again, *HIGH), min_weight=MIN, split=SPLIT, noise=NaturalNoise("all"))
    assert entries(made, "train")[0] == ("ann", "low", 1)
    assert made.info["noise"][0]["added"] == {"train": 1, "valid": 0}
    last = prepare(diary(*again, *HIGH), min_weight=MIN, split=SPLIT, noise=NaturalNoise("all"), duplicates="last")
    assert entries(last, "train")[0] == ("ann", "low", 2)


def test_users_whom_the_clean_data_lacks_add_nothing_and_the_cores_are_those_of_the_clean_data() -> None:
    bob = diary(("h1", 5, 1), ("x", 1, 0)).with_columns(user=pl.lit("bob"))
    made = prepare(pl.concat([bob, diary(("y", 1, 0), *HIGH)]), min_weight=MIN, user_core=2, split=SPLIT, noise=NaturalNoise("all"))
    assert made.users.ids.to_list() == ["ann"]
    assert made.items.ids.to_list() == ["h1", "h2", "h3", "h4", "h5", "y"]
    assert made.info["noise"][0]["too_late"] == 0  # bob's is not counted either


def test_where_all_users_share_a_moment_it_bounds_those_too_who_have_no_test_part() -> None:
    bob = diary(("h1", 5, 1), ("x", 1, 2), ("y", 1, 45), ("z", 1, 70)).with_columns(user=pl.lit("bob"))
    log = pl.concat([bob, diary(*HIGH)])
    shared = prepare(log, min_weight=MIN, split=TemporalAt(40, 50), noise=NaturalNoise("all"))
    assert pairs(shared, "train") >= {("bob", "x")}
    assert pairs(shared, "valid") == {("ann", "h4"), ("bob", "y")}
    assert ("bob", "z") not in pairs(shared, "train", "valid", "test")
    own = prepare(log, min_weight=MIN, split=SPLIT, noise=NaturalNoise("all"))
    assert pairs(own, "train") >= {("bob", "x"), ("bob", "y"), ("bob", "z")}


def test_ratings_can_be_kept_as_weights() -> None:
    made = prepare(diary(("low", 2, 5), *HIGH), min_weight=MIN, split=SPLIT, keep_weights=True, noise=NaturalNoise("all"))
    assert made.train.matrix.data.tolist() == [2, 5, 4, 5]


@settings(deadline=None, max_examples=60)
@given(logs(), in_time, st.sampled_from(["same", "all"]), st.integers(0, 3))
def test_natural_noise(log: pl.DataFrame, split: Split, scale: Any, seed: int) -> None:
    clean, noisy = clean_and_noisy(log, split, NaturalNoise(scale, seed))
    (made,) = noisy.info["noise"]
    assert made["added_to"] == clean.fingerprint()
    assert ("test" in clean.parts()) == ("test" in noisy.parts())
    if clean.test is not None:
        assert entries(noisy, "test") == entries(clean, "test")
    assert set(clean.users.ids) == set(noisy.users.ids)
    assert set(clean.items.ids) <= set(noisy.items.ids)
    assert sum(part.nnz for part in noisy.parts().values()) == len(pairs(noisy, "train", "valid", "test"))

    had, below = pairs(clean, "train", "valid", "test"), set(log.filter(pl.col("rating") < MIN).select("user", "item").rows())
    ends = {user: time for user, _, time in reversed(entries(clean, "test"))} if clean.test is not None else {}
    for part in ("train", "valid"):
        before, after = (entries(data, part) if part in data.parts() else [] for data in (clean, noisy))
        added, kept = [row for row in after if row[:2] not in had], [row for row in after if row[:2] in had]
        assert {row[:2] for row in added} <= below
        assert all(time < ends[user] for user, _, time in added if user in ends)
        assert kept == [row for row in before if row in kept]  # of the same part, in the same order
        assert made["added"][part] == len(added)
        assert made["removed"][part] == len(before) - len(kept)
        assert len(after) == len(before) if scale == "same" else kept == before
    assert (noisy.train.lengths() >= np.minimum(clean.train.lengths(), 1)).all()


@settings(deadline=None, max_examples=40)
@given(logs(), st.sampled_from([Temporal(0.2, 0.2), LeaveLast(), TemporalGlobal(0.2, 0.2)]), st.randoms(use_true_random=False))
def test_natural_noise_does_not_depend_on_the_order_of_the_log(log: pl.DataFrame, split: Split, random: Any) -> None:
    log = log.with_columns(time=pl.col("time") * 100 + pl.int_range(pl.len()))  # without ties, which stand as in the log
    order = list(range(log.height))
    random.shuffle(order)
    _, one = clean_and_noisy(log, split, NaturalNoise(seed=1))
    _, other = clean_and_noisy(log[order], split, NaturalNoise(seed=1))
    assert one.fingerprint() == other.fingerprint()


def test_the_seed_decides_what_is_thinned_and_all_rows_are_equally_likely() -> None:
    rng = np.random.default_rng(0)
    n, each = 200, 40
    frame = pl.DataFrame({"user": np.repeat(np.arange(n), each), "item": np.tile(np.arange(each), n)})
    frame = frame.with_columns(rating=pl.Series(rng.choice([1, 5], n * each)), time=pl.int_range(pl.len()))
    one, same, other = (prepare(frame, min_weight=MIN, noise=NaturalNoise(seed=seed)) for seed in (0, 0, 1))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    every = prepare(frame, min_weight=MIN, noise=NaturalNoise("all"))
    for part in ("train", "valid"):
        low, sizes = every.info["noise"][0]["added"][part], every.info["parts"][part]
        assert one.info["noise"][0]["added"][part] / one.info["parts"][part] == pytest.approx(low / sizes, abs=0.04)


@pytest.mark.parametrize(
    ("log", "options", "error", "words"),
    [
        (diary(*HIGH), {}, DataError, "no natural noise"),
        (diary(("x", 1, 60), *HIGH), {}, DataError, "before their test part; raise the threshold"),
        (diary(*HIGH), {"min_weight": None}, ConfigError, r"none is set; give min_weight= \(--min-rating\)"),
        (diary(*HIGH).drop("rating"), {}, DataError, r"needs ratings, and the frame has none; .* weight= \(--weight-column\)"),
        (diary(*HIGH).drop("time"), {"split": None}, DataError, r"needs times, and the frame has none; .* time="),
        (diary(*HIGH), {"split": Random()}, ConfigError, "'random' is none; use 'temporal'"),
        (diary(*HIGH), {"split": HeldOutUsers()}, ConfigError, "'held-out-users' is none"),
    ],
)
def test_natural_noise_that_cannot_be(log: pl.DataFrame, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        prepare(log, **{"min_weight": MIN, "split": SPLIT, "noise": NaturalNoise(), **options})


@pytest.mark.parametrize(
    ("scale", "seed", "words"), [("half", 0, "no scale 'half'; choose 'same' or 'all'"), ("same", -1, "seed=-1")]
)
def test_settings_of_natural_noise_that_cannot_be(scale: Any, seed: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        NaturalNoise(scale, seed)


# Random noise.


def random_dataset(
    seed: int, users: int = 8, items: int = 14, share: float = 0.3, timed: bool = True, valid: bool = True
) -> Dataset:
    """Pairs at random in parts at random; few moments, so ties abound. Some users may have nothing in a part."""
    rng = np.random.default_rng(seed)
    row, col = np.nonzero(rng.random((users, items)) < share)
    part = rng.choice(["train", "valid", "test", "fold_in"] if valid else ["train", "test"], len(row))
    ids = IdMap([f"u{user}" for user in range(users)]), IdMap.range(items)

    def of(name: str) -> Interactions:
        mine = part == name
        times = rng.integers(0, 6, mine.sum()) if timed else None
        weights = rng.integers(1, 6, mine.sum())
        return Interactions.from_arrays(
            row[mine], col[mine], *ids, weights=weights, times=times, time_kind="clock" if timed else None
        )

    rest = (of("valid"), of("test"), of("fold_in")) if valid else (None, of("test"), None)
    return Dataset(of("train"), *rest, item_table=None, info={"name": "toy"})


def by_user(x: Interactions) -> list[list[tuple[int, float, int]]]:
    """Item, weight and time of each entry, a list for each user."""
    times = np.zeros(x.nnz, dtype=int) if x.times is None else x.times
    rows = list(zip(x.matrix.indices.tolist(), x.matrix.data.tolist(), times.tolist(), strict=True))
    return [rows[start:end] for start, end in zip(x.matrix.indptr[:-1], x.matrix.indptr[1:], strict=True)]


datasets = st.builds(random_dataset, st.integers(0, 10_000), share=st.floats(0.1, 0.6), timed=st.booleans(), valid=st.booleans())


@settings(deadline=None, max_examples=60)
@given(datasets, st.floats(0.05, 1), st.integers(0, 3))
def test_random_noise(clean: Dataset, share: float, seed: int) -> None:
    try:
        noisy = corrupt(clean, share=share, seed=seed)
    except (ConfigError, DataError) as error:
        assume("not even one" not in str(error) and "too many for" not in str(error))
        raise
    assert noisy.fingerprint() == corrupt(clean, share=share, seed=seed).fingerprint()
    (made,) = noisy.info["noise"]
    assert made["added_to"] == clean.fingerprint()
    assert noisy.parts().keys() == clean.parts().keys()
    for name in noisy.parts().keys() - {"train", "valid"}:
        assert noisy.part(name).fingerprint() == clean.part(name).fingerprint()
    everything = noisy.parts().keys()
    assert sum(part.nnz for part in noisy.parts().values()) == len(pairs(noisy, *everything))  # no pair twice in any parts
    for name in clean.parts().keys() & {"train", "valid"}:
        added = noisy.part(name).nnz - clean.part(name).nnz
        assert abs(added - share * clean.part(name).nnz) <= 0.5 + 1e-6
        assert made["added"][name] == added
        for before, after in zip(by_user(clean.part(name)), by_user(noisy.part(name)), strict=True):
            assert len(after) - len(before) in (np.floor(share * len(before)), np.ceil(share * len(before)))
            assert [row for row in after if row in before] == before
            assert {row[1:] for row in after} <= {row[1:] for row in before}  # times and weights are the user's own


@pytest.mark.parametrize("items", [12, 60], ids=["from lists", "by trial"])
def test_every_unseen_item_is_equally_likely(items: int) -> None:
    users = 1500
    ids = IdMap.range(users), IdMap.range(items)
    user = np.repeat(np.arange(users), 4)
    train = Interactions.from_arrays(
        user, np.tile([0, 3, 4, 7], users), *ids, times=np.tile(np.arange(4), users), time_kind="order"
    )
    test = Interactions.from_arrays(np.arange(users), np.full(users, 2), *ids, times=np.full(users, 4), time_kind="order")
    noisy = corrupt(Dataset(train, None, test, None, None, {}), share=1).train
    counts = np.bincount(noisy.matrix.indices, minlength=items)
    free = np.setdiff1d(np.arange(items), [0, 2, 3, 4, 7])
    assert counts[[0, 2, 3, 4, 7]].tolist() == [users, 0, users, users, users]
    expected = 4 * users / len(free)
    assert np.abs(counts[free] - expected).max() < 5 * np.sqrt(expected)
    places = noisy.positions()[np.isin(noisy.matrix.indices, [0, 3, 4, 7])].reshape(users, 4)
    in_gaps = np.diff(places, axis=1, prepend=-1, append=8) - 1
    assert in_gaps.sum(axis=0) / in_gaps.sum() == pytest.approx(np.full(5, 0.2), abs=0.03)  # and so is every gap


def test_a_full_catalogue_can_be_reached_exactly_and_not_passed() -> None:
    ids = IdMap(["ann", "bob"]), IdMap.range(6)
    train = Interactions.from_arrays([0, 0, 1], [5, 1, 2], *ids)
    test = Interactions.from_arrays([0, 0], [0, 2], *ids)
    made = Dataset(train, None, test, None, None, {})
    assert pairs(corrupt(made, share=1), "train") >= {("ann", item) for item in (1, 3, 4, 5)}
    crowded = replace(made, test=Interactions.from_arrays([0, 0, 0], [0, 2, 3], *ids))
    with pytest.raises(DataError, match=r"user 'ann' has 5 of the 6 items, too many for 2 more \(1 such users\)"):
        corrupt(crowded, share=1)
    assert corrupt(crowded, share=0.4).train.nnz == 4


def test_a_hand_worked_share() -> None:
    """Nine users of one interaction and one of eleven: 30 % is 6 in all, and 3 or 4 of them belong to the one."""
    ids = IdMap.range(10), IdMap.range(100)
    user = np.array([*range(9), *[9] * 11])
    train = Interactions.from_arrays(user, np.arange(20), *ids)
    one, other = (corrupt(Dataset(train, None, None, None, None, {}), share=0.3, seed=seed).train.lengths() for seed in (0, 1))
    for lengths in (one, other):
        assert lengths.sum() == 26
        assert lengths[9] - 11 in (3, 4)
        assert set(lengths[:9].tolist()) == {1, 2}
    assert one.tolist() != other.tolist()


def test_the_seed_decides_the_random_items() -> None:
    made = random_dataset(0, users=40, items=60)
    assert corrupt(made, share=0.5, seed=0).fingerprint() != corrupt(made, share=0.5, seed=1).fingerprint()


def test_a_folder_says_how_it_was_made_and_noise_adds_up(tmp_path: Path) -> None:
    made = random_dataset(1)
    once = corrupt(made, tmp_path / "noisy", share=0.5, seed=3)
    held = json.loads((tmp_path / "noisy" / "dataset.json").read_text("utf-8"))
    assert held["noise"] == [
        {"kind": "random", "share": 0.5, "seed": 3, "added": once.info["noise"][0]["added"], "added_to": made.fingerprint()}
    ]
    assert (held["name"], held["fingerprint"], held["interactions"]) == ("noisy", once.fingerprint(), sum(held["parts"].values()))
    loaded = load_dataset(tmp_path / "noisy")
    assert entries(loaded, "train") == entries(once, "train")  # ties keep their places
    twice = corrupt(tmp_path / "noisy", share=0.25)
    assert [noise["share"] for noise in twice.info["noise"]] == [0.5, 0.25]
    assert twice.name == "noisy-noise-0.25"
    assert "noise" not in made.info
    with pytest.raises(DataError, match="already holds data"):
        corrupt("not-even-there", tmp_path / "noisy", share=0.5)


def test_random_noise_goes_on_top_of_natural_noise() -> None:
    natural = prepare(diary(("low", 1, 5), *HIGH), min_weight=MIN, split=SPLIT, noise=NaturalNoise("all"))
    with pytest.raises(DataError, match="6 of the 6 items"):
        corrupt(natural, share=0.5)
    wider = diary(("low", 1, 5), *HIGH).vstack(diary(*[(f"o{n}", 5, n) for n in range(9)]).with_columns(user=pl.lit("bob")))
    both = corrupt(prepare(wider, min_weight=MIN, split=SPLIT, noise=NaturalNoise("all")), share=0.5)
    assert [noise["kind"] for noise in both.info["noise"]] == ["natural", "random"]


@pytest.mark.parametrize(
    ("share", "seed", "words"),
    [
        (0, 0, "share=0 is out of range"),
        (1.5, 0, "share=1.5"),
        (-0.1, 0, "share=-0.1"),
        (float("nan"), 0, "share=nan"),
        (1e-4, 0, "share=0.0001 of the interactions in toy is not even one; ask for more"),
        (0.5, -1, "seed=-1 is negative"),
    ],
)
def test_random_noise_that_cannot_be(share: float, seed: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        corrupt(random_dataset(0), share=share, seed=seed)


def test_what_is_no_data_folder_gets_no_random_noise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make one with `recodiff prepare`"):
        corrupt(tmp_path, share=0.5)


# Real data.


@pytest.mark.parametrize(
    ("folder", "threshold", "low"), [("ml-latest-small", 4, (0.47, 0.56)), ("movietweetings-100k", 8, (0.53, 0.52))]
)
def test_natural_noise_of_real_folders(shared: Path, folder: str, threshold: float, low: tuple[float, float]) -> None:
    log = read_log(shared / folder)
    clean = prepare(log, min_weight=threshold, user_core=5, item_core=5)
    noisy = prepare(log, min_weight=threshold, user_core=5, item_core=5, noise=NaturalNoise())
    assert noisy.info["parts"] == clean.info["parts"]
    assert entries(noisy, "test") == entries(clean, "test")
    assert not looks_ahead(noisy.history("train+valid"), noisy.part("test")).any()
    shares = [noisy.info["noise"][0]["added"][part] / noisy.info["parts"][part] for part in ("train", "valid")]
    assert shares == pytest.approx(low, abs=0.01)


def test_random_noise_of_a_release_folder(shared: Path) -> None:
    clean = load_dataset(shared / "ml-1m_clean")
    noisy = corrupt(clean, share=0.3)
    assert noisy.info["noise"][0]["added"] == {"train": 120_983, "valid": 33_217}
    assert noisy.part("test").fingerprint() == clean.part("test").fingerprint()
    assert not looks_ahead(noisy.train, noisy.part("test")).any()
    assert noisy.titles() == clean.titles()


def test_data_is_not_replaced_by_its_own_noisy_copy(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1, 1, 1, 2, 2, 2] * 5, "item": [*range(30)], "time": [*range(30)]})
    prepare(read_log(frame), tmp_path / "data", split=Temporal())
    before = load_dataset(tmp_path / "data").info
    with pytest.raises(DataError, match="replaced by its own noisy copy"):
        corrupt(tmp_path / "data", tmp_path / "." / "data", share=0.5, overwrite=True)
    assert load_dataset(tmp_path / "data").info == before
