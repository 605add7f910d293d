"""Datasets, and the folders they live in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recodiff.data import Dataset, IdMap, Interactions, load_dataset, save_dataset
from recodiff.errors import DataError
from recodiff.runtime import folders as atomic_module

USERS, ITEMS = IdMap(["ann", "bob", "eve"]), IdMap(["007", "08", "9", "99"])


def part(user: list[int], item: list[int], times: list[int] | None = None, weights: list[float] | None = None) -> Interactions:
    kind = None if times is None else "clock"
    return Interactions.from_arrays(user, item, USERS, ITEMS, times=times, time_kind=kind, weights=weights)


def dataset(titles: bool = True, times: bool = True) -> Dataset:
    def when(*moments: int) -> list[int] | None:
        return list(moments) if times else None

    return Dataset(
        train=part([0, 0, 0, 1], [3, 0, 1, 2], when(5, 5, 2, 7), [1, 0, 2.5, 1]),
        valid=part([0], [2], when(8)),
        test=part([0, 1, 2], [2, 0, 0], when(9, 9, 4)),
        fold_in=part([2], [1], when(3)),
        item_table=pl.DataFrame({"title": ["Bond", None, "Nine", "Löwe"], "year": [1962, 1999, None, 2000]}) if titles else None,
        info={"name": "toy", "source": "made up", "split": {"strategy": "none"}},
    )


def release(folder: Path, **parts: list[list[int]]) -> Path:
    for name in ("train", "valid", "test"):
        np.save(folder / f"{name}_list.npy", np.array(parts.get(name, []), dtype=np.int64).reshape(-1, 2))
    return folder


@pytest.mark.parametrize("titles", [True, False])
@pytest.mark.parametrize("times", [True, False])
def test_what_is_saved_is_loaded(tmp_path: Path, titles: bool, times: bool) -> None:
    made = dataset(titles, times)
    save_dataset(made, tmp_path / "deep" / "toy")
    loaded = load_dataset(tmp_path / "deep" / "toy")
    assert loaded.fingerprint() == made.fingerprint()
    assert loaded.titles() == made.titles() == (["Bond", "08", "Nine", "Löwe"] if titles else None)
    assert loaded.parts().keys() == made.parts().keys()
    for name, each in made.parts().items():
        other = loaded.parts()[name]
        assert (other.matrix.indices.tolist(), other.matrix.data.tolist()) == (
            each.matrix.indices.tolist(),
            each.matrix.data.tolist(),
        )
        assert (other.users, other.items, other.time_kind) == (each.users, each.items, each.time_kind)
    if titles:
        assert loaded.item_table is not None
        assert loaded.item_table.equals(made.item_table)  # type: ignore[arg-type]


def test_the_manifest_says_what_the_folder_holds(tmp_path: Path) -> None:
    save_dataset(dataset(), tmp_path / "toy")
    info = json.loads((tmp_path / "toy" / "dataset.json").read_text("utf-8"))
    assert info == load_dataset(tmp_path / "toy").info
    assert (info["format"], info["version"], info["name"], info["source"]) == ("recodiff-dataset", 1, "toy", "made up")
    assert (info["users"], info["items"], info["interactions"]) == (3, 4, 9)
    assert info["parts"] == {"train": 4, "valid": 1, "test": 3, "fold_in": 1}
    assert info["density"] == pytest.approx(9 / 12)
    assert info["time"] == {"kind": "clock", "first": "1970-01-01T00:00:02Z", "last": "1970-01-01T00:00:09Z"}
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == sorted(
        ["dataset.json", "items.parquet", "users.parquet", "train.parquet", "valid.parquet", "test.parquet", "fold_in.parquet"]
    )
    frame = pl.read_parquet(tmp_path / "toy" / "train.parquet")
    assert frame.schema == {"user": pl.UInt32, "item": pl.UInt32, "weight": pl.Float32, "time": pl.Int64}
    assert pl.read_parquet(tmp_path / "toy" / "valid.parquet").columns == ["user", "item", "time"]


def test_a_history_is_the_named_parts_and_always_what_is_folded_in() -> None:
    made = dataset()
    assert made.history().nnz == 5
    assert made.history("train+valid").nnz == 6
    assert made.history("train + valid").matrix[[2]].indices.tolist() == [1]
    assert made.history("fold_in").nnz == 1
    with pytest.raises(DataError, match=r"history 'train\+later': there is no part 'later' in toy; it has train, valid"):
        made.history("train+later")
    with pytest.raises(DataError, match=r"no part 'valid'"):
        replace(made, valid=None).history("train+valid")


def test_parts_that_do_not_fit_together_are_refused() -> None:
    made = dataset()
    with pytest.raises(DataError, match=r"number users or items differently"):
        replace(made, test=Interactions.from_arrays([0], [0], USERS, IdMap.range(4), times=[1], time_kind="clock"))
    with pytest.raises(DataError, match=r"another kind of time"):
        replace(made, test=part([0], [0]))
    with pytest.raises(DataError, match=r"2 rows for 4 items"):
        replace(made, item_table=pl.DataFrame({"title": ["a", "b"]}))


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    save_dataset(dataset(), tmp_path / "toy")
    with pytest.raises(DataError, match=r"toy already holds data; choose another folder, or say overwrite=True"):
        save_dataset(dataset(titles=False), tmp_path / "toy")
    assert load_dataset(tmp_path / "toy").titles() is not None
    save_dataset(dataset(titles=False), tmp_path / "toy", overwrite=True)
    assert load_dataset(tmp_path / "toy").titles() is None
    assert os.listdir(tmp_path) == ["toy"]


def test_a_foreign_folder_is_never_replaced_but_an_empty_one_may_be_used(tmp_path: Path) -> None:
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    save_dataset(dataset(), foreign)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "draft.txt").write_text("precious")
    for taken in (tmp_path / "notes", tmp_path / "notes" / "draft.txt"):
        with pytest.raises(DataError, match=r"not a folder of ours"):
            save_dataset(dataset(), taken, overwrite=True)
    assert (tmp_path / "notes" / "draft.txt").read_text() == "precious"


def fail_on(name: str, error: Exception) -> Callable[..., None]:
    original = pl.DataFrame.write_parquet

    def write(self: pl.DataFrame, file: Path, **options: object) -> None:
        if Path(file).name == name:
            raise error
        original(self, file, **options)  # type: ignore[arg-type]

    return write


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), pl.exceptions.ComputeError("disk full")])
@pytest.mark.parametrize("name", ["train.parquet", "items.parquet"])
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, name: str) -> None:
    save_dataset(dataset(), tmp_path / "toy")
    before = load_dataset(tmp_path / "toy").fingerprint()
    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail_on(name, error))
    with pytest.raises(DataError, match=r"cannot write .*toy \((No space left on device|disk full)\); nothing was changed there"):
        save_dataset(dataset(times=False), tmp_path / "toy", overwrite=True)
    assert load_dataset(tmp_path / "toy").fingerprint() == before
    assert os.listdir(tmp_path) == ["toy"]


def test_an_interrupt_cleans_up_and_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail_on("test.parquet", KeyboardInterrupt()))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        save_dataset(dataset(), tmp_path / "toy")
    assert os.listdir(tmp_path) == []


def test_if_the_new_folder_cannot_take_its_place_the_old_one_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_dataset(dataset(), tmp_path / "toy")
    rename = os.rename

    def only_away(source: Path, target: Path) -> None:
        if str(source).endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(atomic_module.os, "rename", only_away)
    with pytest.raises(DataError, match=r"Permission denied"):
        save_dataset(dataset(), tmp_path / "toy", overwrite=True)
    assert load_dataset(tmp_path / "toy").name == "toy"
    assert os.listdir(tmp_path) == ["toy"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot write .*file/toy"):
        save_dataset(dataset(), tmp_path / "file" / "toy")


def edit_json(folder: Path, **changes: object) -> None:
    path = folder / "dataset.json"
    info = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in info.items() if value is not None}))


def rewrite(folder: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    edit_json(folder, hashes=None)  # as in a folder of 0.1.0, or one that was made by hand
    change(pl.read_parquet(folder / name)).write_parquet(folder / name)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "train.parquet").unlink(), r"train.parquet' is missing; prepare the data again"),
        (lambda f: (f / "items.parquet").unlink(), r"items.parquet' is missing"),
        *(
            (lambda f, name=name: piped(f / name), rf"{name}' is no file")
            for name in ("dataset.json", "train.parquet", "users.parquet")
        ),
        (lambda f: truncate(f / "test.parquet"), r"test.parquet is not what was written"),
        (lambda f: (f / "users.parquet").write_bytes(b""), r"users.parquet is not what was written"),
        (lambda f: truncate(f / "dataset.json"), r"dataset.json' cannot be read"),
        (lambda f: edit_json(f, format="something"), r"dataset.json does not describe a recodiff-dataset"),
        (lambda f: edit_json(f, version=3), r"is of version 3, and this program reads versions 1 and 2"),
        (lambda f: edit_json(f, parts=None), r"does not say which parts"),
        (lambda f: edit_json(f, parts={"valid": 1}), r"does not say which parts"),
        (lambda f: edit_json(f, time=None), r"does not say which parts and times"),
        (lambda f: edit_json(f, fingerprint="0"), r"other data than its dataset.json says"),
        (lambda f: edit_json(f, parts={"train": 4}), r"other data than its dataset.json says"),
        (
            lambda f: rewrite(f, "items.parquet", lambda t: t.head(3)),
            r"train.parquet holds item positions beyond the 3 of items.parquet",
        ),
        (lambda f: rewrite(f, "train.parquet", lambda t: t.cast({"user": pl.Float32})), r"holds user positions beyond"),
        (
            lambda f: rewrite(f, "train.parquet", lambda t: t.cast({"user": pl.Int64}).with_columns(user=pl.col("user") - 1)),
            "outside",
        ),
        (
            lambda f: rewrite(f, "train.parquet", lambda t: pl.concat([t, t])),
            r"train.parquet: user 'ann' and item .* stand together",
        ),
        (lambda f: rewrite(f, "train.parquet", lambda t: t.drop("item")), r"train.parquet has no column 'item'"),
        (lambda f: rewrite(f, "train.parquet", lambda t: t.drop("time")), r"train.parquet: times and time_kind go together"),
        (lambda f: rewrite(f, "train.parquet", lambda t: t.with_columns(weight=None)), r"train.parquet has empty cells"),
        (lambda f: rewrite(f, "train.parquet", lambda t: t.with_columns(weight=pl.lit(5.0))), r"other data than"),
        (lambda f: rewrite(f, "users.parquet", lambda t: t.with_columns(user=pl.lit("x"))), r"'x' stands twice"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    save_dataset(dataset(), tmp_path / "toy")
    damage(tmp_path / "toy")
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(tmp_path / "toy")
    assert "\n" not in str(caught.value)


def test_what_is_no_data_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no data folder: it holds neither dataset.json nor train_list.npy"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match=r"nope does not exist"):
        load_dataset(tmp_path / "nope")


def test_a_release_folder_loads_as_it_is(tmp_path: Path) -> None:
    release(tmp_path, train=[[0, 4], [2, 0], [0, 2]], test=[[0, 1]], valid=[[0, 3], [2, 6]])
    (tmp_path / "items.csv").write_text("item,title\n4,Four\n")
    data = load_dataset(tmp_path)
    assert (len(data.users), len(data.items)) == (3, 7)
    assert (data.train.nnz, data.valid.nnz, data.test.nnz, data.fold_in) == (3, 2, 1, None)  # type: ignore[union-attr]
    assert data.train.time_kind == "order"
    assert data.titles() == ["0", "1", "2", "3", "Four", "5", "6"]
    assert data.history("train+test+valid").take([0]).matrix.indices.tolist() == [4, 2, 3, 1]
    save_dataset(data, tmp_path / "copy")
    assert load_dataset(tmp_path / "copy").fingerprint() == data.fingerprint()


def test_a_pair_may_stand_in_two_parts_of_a_release_but_not_twice_in_one(tmp_path: Path) -> None:
    release(tmp_path, train=[[0, 1]], valid=[[0, 1]])
    assert load_dataset(tmp_path).history("train+valid").nnz == 1
    release(tmp_path, train=[[0, 1], [0, 2], [0, 1]])
    with pytest.raises(DataError, match=r"user 0 and item 1 stand together twice"):
        load_dataset(tmp_path)
    release(tmp_path)
    with pytest.raises(DataError, match=r"holds no interactions"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("ml-1m_clean", (5949, 2810, 403_277, 110_722, 57_532)), ("ml-1m_noisy", (5949, 3494, 429_993, 130_772, 57_532))],
)
def test_the_real_releases(shared: Path, name: str, sizes: tuple[int, ...]) -> None:
    data = load_dataset(shared / name)
    assert data.name == name
    assert (len(data.users), len(data.items), *(each.nnz for each in data.parts().values())) == sizes
    first = np.load(shared / name / "train_list.npy")
    assert data.train.matrix[[0]].indices.tolist() == first[first[:, 0] == 0, 1].tolist()


def test_an_inner_validation_part_is_the_newest_tenth_of_train() -> None:
    rows = [0] * 20 + [1] * 9
    train = Interactions.from_arrays(
        rows, [*range(20), *range(9)], IdMap.range(2), IdMap.range(20), times=[*range(20), *range(9)], time_kind="order"
    )
    data = Dataset(train, valid=train, test=train, fold_in=None, item_table=None, info={"name": "x"})
    inner = data.inner()
    assert inner.valid is not None
    assert inner.valid.matrix[[0]].indices.tolist() == [18, 19]
    assert inner.train.lengths().tolist() == [18, 9]
    assert inner.valid.lengths().tolist() == [2, 0]
    assert inner.test is None


def test_an_inner_validation_part_needs_order_and_histories_long_enough() -> None:
    timeless = Interactions.from_arrays([0], [0], IdMap.range(1), IdMap.range(2))
    with pytest.raises(DataError, match="inner validation"):
        Dataset(timeless, None, None, None, None, {}).inner()
    short = Interactions.from_arrays([0], [0], IdMap.range(1), IdMap.range(2), times=[1], time_kind="order")
    with pytest.raises(DataError, match="10 interactions"):
        Dataset(short, None, None, None, None, {}).inner()
