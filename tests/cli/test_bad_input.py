"""Mistakes and mishaps: one sentence each, an exit code that says so, and nothing lost."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import safetensors.torch
from safetensors import SafetensorError

from commands import Cli
from recodiff.models.saving import CONFIG, ITEMS, WEIGHTS, seal
from recodiff.training.checkpoint import CHECKPOINT


def content(folder: Path) -> dict[str, bytes]:
    """What a folder holds, to see that it still does."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


# What was typed.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trian",), ("trian", "train")),
        (("train",), ("CONFIG", "recodiff train --help")),
        (("evaluate", "r", "--data", "d", "--part", "tests"), ("tests", "valid")),
        (("recommend", "r", "-k", "ten"), ("ten", "whole number")),
        (("evaluate", "r", "--datta", "d"), ("--datta",)),
        (("train", "ease", "l2=3", "--data", "d", "--out", "m"), ("l2=3", "A setting comes after --set: --set l2=3.")),
        (("tune", "ease", "--data", "d", "l2=3", "--out", "m"), ("--set l2=3",)),
    ],
)
def test_a_command_line_that_makes_no_sense(cli: Cli, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert cli(*arguments).refused(*words).code == 2


def test_a_value_with_an_equals_sign_is_no_forgotten_setting(cli: Cli) -> None:
    assert "--set" not in cli("train", "ease", "--data", "a=b", "--out", "m", "--sed", "1").refused("--sed").err


def test_info_says_what_it_can_tell_of(cli: Cli) -> None:
    cli("info").refused("a data folder, a model folder, a preset or a model", "recodiff info presets")
    cli("info", "diffrek").refused("'diffrek'", "did you mean 'diffrec'?")


def test_ids_parted_by_commas_are_told_to_be_parted_by_spaces(cli: Cli, run: Path) -> None:
    cli("recommend", run, "--history", "101,102", "103").refused("--history 101 102 103")
    cli("recommend", run, "--history", "no,such").refused("no,such")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.lrr=0.1", ("training.lrr", "did you mean 'lr'")),
        ("trainin.lr=0.1", ("trainin", "did you mean 'training'")),
        ("training.lr", ("training.lr", "key=value")),
        ("training.lr=fast", ("training.lr", "'fast'")),
        ("training.epochs=0", ("training.epochs", "0")),
        ("training.lr.deep=1", ("training.lr", "number")),
        ("denoiser.hidden=[]", ("denoiser.hidden",)),
        ("weighting.kind=halflife", ("halflife", "half_life")),
        ("training.metric=recal@20", ("recal@20", "recall")),
    ],
)
def test_a_setting_that_cannot_be(cli: Cli, data: Path, tiny: Path, tmp_path: Path, override: str, words: tuple[str, ...]) -> None:
    cli("train", tiny, "--data", data, "--out", tmp_path / "m", "--set", override).refused(*words)
    assert not (tmp_path / "m" / CONFIG).exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model = "difrec"', ("difrec", "did you mean 'diffrec'")),
        ('model = "no_such_module:Class"', ("no_such_module:Class", "module:Class")),
        ('model = "json:JSONDecoder"', ("json:JSONDecoder", "Recommender")),
        ('modle = "diffrec"', ("no model named", 'model = "diffrec"')),
        ("model = diffrec", ("not a TOML file", "line 1")),
        ('model = "diffrec"\n[trainig]\nlr = 1', ("trainig", "did you mean 'training'")),
        ("\x00\xff", ("mine.toml",)),
    ],
)
def test_a_settings_file_that_cannot_be(cli: Cli, data: Path, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "mine.toml").write_text(text, "latin-1")
    cli("train", tmp_path / "mine.toml", "--data", data, "--out", tmp_path / "m").refused(*words)


@pytest.mark.parametrize(
    ("name", "word"),
    [("t-diffrec-ml-1m-clean", "did you mean 't-diffrec-ml-1m_clean'"), ("eas", "'ease'"), ("no.toml", "presets are: ")],
)
def test_a_preset_that_is_not_there(cli: Cli, data: Path, tmp_path: Path, name: str, word: str) -> None:
    cli("train", name, "--data", data, "--out", tmp_path / "m").refused(name, word)


@pytest.mark.parametrize("option", [("--threads", 0), ("--threads", -2), ("--device", "cuda:77"), ("--device", "tpu9")])
def test_a_machine_that_is_not_there(cli: Cli, data: Path, tmp_path: Path, option: tuple[str, object]) -> None:
    cli("train", "ease", "--data", data, "--out", tmp_path / "m", *option).refused(str(option[1]))


@pytest.mark.parametrize("command", ["evaluate", "recommend"])
def test_a_device_is_the_one_that_training_takes(cli: Cli, run: Path, data: Path, command: str) -> None:
    cli(command, run, "--data", data, "--device", "auto").succeeded()
    cli(command, run, "--data", data, "--device", "cuda:77").refused("cuda:77", "cannot be used on this machine")


@pytest.mark.parametrize("command", ["train", "evaluate", "recommend", "export"])
def test_data_that_is_not_there(cli: Cli, run: Path, tiny: Path, tmp_path: Path, command: str) -> None:
    missing, first = tmp_path / "missing", tiny if command == "train" else run
    out = {"train": ("--out", tmp_path / "m"), "export": ()}.get(command, ())
    place = (tmp_path / "v",) if command == "export" else ()
    done = cli(command, first, *place, "--data", missing, *out)
    assert done.code == 1
    assert f"{missing} does not exist" in done.err.splitlines()[-1]
    assert "recodiff prepare" in done.err.splitlines()[-1]


def test_a_folder_that_is_no_data(cli: Cli, run: Path) -> None:
    cli("evaluate", run, "--data", run).refused("no data folder", "recodiff prepare")
    cli("info", run.parent).refused("no data folder")


def test_refit_without_a_validation_part(cli: Cli, log: Path, tiny: Path, tmp_path: Path) -> None:
    cli("prepare", log, tmp_path / "d", "--split", "leave-last", "--valid", 0).succeeded()
    cli("train", tiny, "--data", tmp_path / "d", "--out", tmp_path / "m", "--refit").refused("validation part")


# Logs.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("log.csv", "empty")),
        ("user,item,time\n", ("log.csv", "no interactions")),
        ("who,what,when\n1,2,3\n", ("'who'", "--user-column")),
        ("user,item,time\n1,2,3\n1,,4\n", ("log.csv", "line 3", "--drop-bad-rows")),
        ("user,item,rating\n1,2,4\n1,3,nan\n", ("line 3", "rating")),
        ("user,item,time\n1,2,3\n1,4,soon\n", ("line 3", "'soon'")),
    ],
)
def test_a_log_that_cannot_be_read(cli: Cli, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "log.csv").write_text(text)
    cli("prepare", tmp_path / "log.csv", tmp_path / "d").refused(*words)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--min-rating", 50), ("nothing is left", "50")),
        (("--user-core", 99), ("nothing is left",)),
        (("--split", "temporal", "--valid", 0.6, "--test", 0.6), ("0.6",)),
        (("--split", "temporal-at"), ("temporal-at", "test_from")),
        (("--split", "temporal-at", "--test-from", "someday"), ("someday", "ISO")),
        (("--split", "random", "--test-from", "2024-01-01"), ("--split random", "--test-from")),
        (("--valid", 0.2), ("--split",)),
        (("--format", "excel"), ("excel", "movielens")),
        (("--user-column", "nobody"), ("nobody", "userId")),
        (("--duplicates", "keep"), ("keep", "refuse")),
        (("--natural-noise", "half", "--min-rating", 4), ("half", "same")),
        (("--natural-noise", "same"), ("natural noise", "--min-rating")),
        (("--natural-noise", "same", "--min-rating", 4, "--split", "random"), ("'random'", "'temporal'")),
        (("--natural-noise", "same", "--min-rating", 3), ("no natural noise", "raise the threshold")),
        (("--natural-noise", "all", "--min-rating", 4, "--noise-seed", 1), ("--noise-seed 1", "--natural-noise same")),
        (("--noise-seed", 0), ("--noise-seed 0", "--natural-noise same")),
        (("--natural-noise", "same", "--min-rating", 4, "--noise-seed", -1), ("seed=-1",)),
    ],
)
def test_a_preparation_that_cannot_be(
    cli: Cli, log: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]
) -> None:
    cli("prepare", log, tmp_path / "d", *options).refused(*words)
    assert not (tmp_path / "d").exists()


def test_prepare_replaces_data_when_told_and_other_folders_never(cli: Cli, log: Path, run: Path, tmp_path: Path) -> None:
    cli("prepare", log, tmp_path / "d").succeeded()
    before = content(tmp_path / "d")
    cli("prepare", log, tmp_path / "d").refused("already holds data", "--overwrite")
    cli("prepare", tmp_path / "missing.csv", tmp_path / "d", "--overwrite").refused("does not exist")
    assert content(tmp_path / "d") == before
    cli("prepare", log, run, "--overwrite").refused("left alone")
    cli("prepare", log, tmp_path / "d", "--overwrite", "--min-rating", 4).succeeded()
    assert content(tmp_path / "d") != before


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("userId", "movieId", "timestamp"), ("ratings", "--weight-column")),
        (("userId", "movieId", "rating"), ("times", "--time-column")),
    ],
)
def test_natural_noise_without_ratings_or_times(
    cli: Cli, log: Path, tmp_path: Path, columns: tuple[str, ...], words: tuple[str, ...]
) -> None:
    pl.read_csv(log / "ratings.csv").select(columns).write_csv(tmp_path / "log.csv")
    cli("prepare", tmp_path / "log.csv", tmp_path / "d", "--min-rating", 4, "--natural-noise", "same").refused(*words)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--share", "corrupt --help")),
        (("--share", "some"), ("some", "--share")),
        (("--share", 0), ("share=0", "at most")),
        (("--share", 30), ("share=30", "at most")),
        (("--share", 1e-6), ("share=1e-06", "ask for more")),
        (("--share", 0.3, "--seed", -1), ("seed=-1",)),
        (("--share", 0.3, "--seed", 1.5), ("1.5", "whole number")),
    ],
)
def test_random_noise_that_cannot_be(
    cli: Cli, data: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]
) -> None:
    cli("corrupt", data, tmp_path / "d", *options).refused(*words)
    assert not (tmp_path / "d").exists()


def test_random_noise_for_what_is_no_data_folder_or_into_one_that_is_taken(cli: Cli, log: Path, data: Path, tmp_path: Path) -> None:
    cli("corrupt", log, tmp_path / "d", "--share", 0.3).refused("no data folder", "recodiff prepare")
    before = content(data)
    for more in ((), ("--overwrite",)):
        cli("corrupt", data, data, "--share", 0.3, *more).refused("its own noisy copy", "a folder of its own")
    cli("corrupt", data, tmp_path / "d", "--share", 0.3).succeeded()
    cli("corrupt", data, tmp_path / "d", "--share", 0.3).refused("already holds data", "--overwrite")
    assert content(data) == before


# Model folders.


@pytest.mark.parametrize(
    "command", [("evaluate", "--data", "DATA"), ("recommend", "--history", "101"), ("similar", "101"), ("info",)]
)
@pytest.mark.parametrize(
    ("damage", "word"),
    [("cut config", "cannot be read"), ("foreign config", "not a recodiff model"), ("later version", "format version 99")],
)
def test_a_folder_that_is_no_model(cli: Cli, copy: Path, data: Path, command: tuple[str, ...], damage: str, word: str) -> None:
    described = json.loads((copy / CONFIG).read_text())
    texts = {
        "cut config": (copy / CONFIG).read_text()[:200],
        "foreign config": '{"architectures": ["Bert"]}',
        "later version": json.dumps(described | {"version": 99}),
    }
    (copy / CONFIG).write_text(texts[damage])
    name, *rest = command
    cli(name, copy, *(data if word == "DATA" else word for word in rest)).refused(str(copy), word)


@pytest.mark.parametrize("file", [WEIGHTS, ITEMS])
@pytest.mark.parametrize("how", ["cut", "missing", "changed"])
def test_a_damaged_model(cli: Cli, copy: Path, file: str, how: str) -> None:
    whole = (copy / file).read_bytes()
    if how == "missing":
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(whole[: len(whole) // 2] if how == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    cli("recommend", copy, "--history", 101).refused(file, "train anew")


def test_a_folder_without_a_model(cli: Cli, data: Path, tmp_path: Path) -> None:
    cli("recommend", tmp_path / "nowhere", "--history", 101).refused("nowhere", "config.json is missing")
    cli("evaluate", data, "--data", data).refused("config.json is missing", "recodiff train")


def test_a_model_whose_class_is_no_more(cli: Cli, copy: Path) -> None:
    described = json.loads((copy / CONFIG).read_text())
    described |= {"model": "u-diffrec"}
    (copy / CONFIG).write_text(json.dumps(described | {"seal": seal(described)}))
    cli("recommend", copy, "--history", 101).refused("u-diffrec", "update recodiff")


# Lists.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--data", "--history")),
        (("--history",), ("--history", "ids")),
        (("--history", 101, "--data", "DATA"), ("either --data", "or --history")),
        (("--history", 101, "--user", "u01"), ("--user", "--data")),
        (("--history", 101, 102, 101), ("101", "more than once")),
        (("--history", 7), ("unknown item '7'", "101")),
        (("--history", 101, 7, "--unknown", "refuse"), ("unknown item '7'", "101")),
        (("--history", 101, "--unknown", "drop"), ("--unknown", "skip", "refuse")),
        (("--history", 101, "-k", 41), ("k = 41", "40")),
        (("--history", 101, "-k", 0), ("k = 0",)),
        (("--history", 101, "--candidates", "EMPTY"), ("holds no ids", "one id per line")),
        (("--history", 101, "--exclude", "MISSING"), ("missing.txt", "one id per line")),
        (("--history", 101, "--candidates", "STRANGE"), ("unknown item '9999'",)),
        (("--data", "DATA", "--user", "nobody"), ("unknown user 'nobody'", "u00")),
        (("--data", "DATA", "--users", "EMPTY"), ("holds no ids",)),
        (("--data", "DATA", "--users", "BINARY"), ("binary.txt",)),
        (("--data", "DATA", "--parts", "train+dev"), ("'dev'", "train, valid, test")),
        (("--data", "DATA", "--out", "lists.xlsx"), ("lists.xlsx", ".parquet")),
    ],
)
def test_a_request_that_cannot_be(
    cli: Cli, data: Path, run: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]
) -> None:
    places: dict[object, Path] = {"DATA": data, "MISSING": tmp_path / "missing.txt"}
    for name, text in (("EMPTY", b" \n\n"), ("STRANGE", b"9999\n"), ("BINARY", b"\xff\xfe\x00")):
        places[name] = tmp_path / f"{name.lower()}.txt"
        places[name].write_bytes(text)
    cli("recommend", run, *(places.get(option, option) for option in options)).refused(*words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--metrics", "recal@20"), ("recal@20", "recall")),
        (("--metrics", "recall"), ("recall@20",)),
        (("--metrics", ","), ("metric",)),
        (("--part", "valid", "--history", "train+valid"), ("gives away", "'valid'")),
        (("--per-user", "users.txt"), ("users.txt", ".parquet")),
    ],
)
def test_a_measurement_that_cannot_be(cli: Cli, data: Path, run: Path, options: tuple[object, ...], words: tuple[str, ...]) -> None:
    cli("evaluate", run, "--data", data, *options).refused(*words)


def test_similar_and_export_where_there_are_no_vectors(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    cli("train", "ease", "--data", data, "--out", tmp_path / "ease").succeeded()
    cli("similar", tmp_path / "ease", 101).refused("ease has no item vectors", "diffrec")
    cli("export", tmp_path / "ease", tmp_path / "v").refused("no item vectors")
    cli("export", tmp_path / "ease", tmp_path / "v", "--to", "faiss").refused("no item vectors")
    cli("export", run, tmp_path / "v", "--index", "hnsw").refused("--index", "--to faiss")
    cli("export", run, tmp_path / "v", "--to", "duckdb", "--index", "hnsw").refused("duckdb has no index 'hnsw'", "exact")
    cli("export", run, tmp_path / "v", "--to", "pgvector").refused("pgvector needs the URL")
    cli("export", run, "postgresql://me:secret@127.0.0.1:9/x", "--to", "faiss").refused("--to pgvector")
    cli("export", run, "postgresql://me:secret@127.0.0.1:9/x").refused("--to pgvector")
    cli("similar", run, 7).refused("unknown item '7'")
    cli("similar", run, 101, "-k", 40).refused("k = 40", "39")
    assert not (tmp_path / "v").exists()


# Disks.


@pytest.mark.parametrize("command", ["prepare", "train", "recommend", "export", "demo"])
def test_a_place_that_cannot_be_written(cli: Cli, log: Path, data: Path, run: Path, tmp_path: Path, command: str) -> None:
    place = tmp_path / "file" / "below"  # as good as a read-only folder, which does not stop root
    (tmp_path / "file").write_text("a file")
    arguments = {
        "prepare": (log, place),
        "train": ("ease", "--data", data, "--out", place),
        "recommend": (run, "--data", data, "--out", place / "lists.csv"),
        "export": (run, place),
        "demo": ("--out", place),
    }
    cli(command, *arguments[command]).refused(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "a file"


FULL: dict[str, tuple[object, str, Exception]] = {
    "tensors": (
        safetensors.torch,
        "save_file",
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ),
    "parquet": (
        pl.DataFrame,
        "write_parquet",
        pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)"),
    ),
    "csv": (pl.DataFrame, "write_csv", OSError("No space left on device (os error 28)")),
    "text": (Path, "write_text", OSError(errno.ENOSPC, "No space left on device")),
}
"""Each library says in its own words that a disk is full; these were taken from one that was."""


def full_disk(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    """Files of some kinds can no longer be written; of all kinds unless given."""
    for kind in kinds or FULL:
        place, name, error = FULL[kind]
        monkeypatch.setattr(place, name, _raising(error))


def _raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_full_disk_while_lists_are_written(
    cli: Cli, data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    out = tmp_path / f"lists.{ending}"
    out.write_text("yesterday's")
    full_disk(monkeypatch)
    cli("recommend", run, "--data", data, "--out", out, "--overwrite").refused(f"'{out}'", "No space left", "free space")
    assert out.read_text() == "yesterday's"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_full_disk_while_a_checkpoint_is_written(
    cli: Cli, data: Path, tiny: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(copy)
    full_disk(monkeypatch)
    cli("train", tiny, "--data", data, "--out", copy, "--overwrite").refused(CHECKPOINT, "No space left")
    assert content(copy) == before


@pytest.mark.parametrize("kind", ["tensors", "parquet", "text"])
def test_a_full_disk_while_a_model_is_written(cli: Cli, data: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    before = content(copy)
    full_disk(monkeypatch, kind)
    cli("train", "ease", "--data", data, "--out", copy, "--overwrite").refused(str(copy), "No space left")
    assert content(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_full_disk_while_data_is_written(cli: Cli, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("prepare", log, tmp_path / "d").succeeded()
    before = content(tmp_path / "d")
    full_disk(monkeypatch)
    cli("prepare", log, tmp_path / "d", "--overwrite", "--min-rating", 4).refused("No space left", "nothing was changed")
    assert content(tmp_path / "d") == before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


# Interruptions.


def test_an_interruption_says_how_to_go_on(cli: Cli, data: Path, tiny: Path, tmp_path: Path, interrupted: None) -> None:
    assert cli("train", tiny, "--data", data, "--out", tmp_path / "m").refused("interrupted", "--resume").code == 130


def test_an_interrupted_overwrite_keeps_the_old_model(cli: Cli, data: Path, tiny: Path, copy: Path, interrupted: None) -> None:
    names = (CONFIG, WEIGHTS, ITEMS)
    before = {name: (copy / name).read_bytes() for name in names}
    changed = ("--overwrite", "--set", "training.lr=0.01")
    assert cli("train", tiny, "--data", data, "--out", copy, *changed).code == 130
    assert {name: (copy / name).read_bytes() for name in names} == before
    assert cli("recommend", copy, "--history", 101).succeeded().out


@pytest.mark.parametrize("what", ["run", "data"])
def test_a_folder_that_holds_something_else_is_not_written_into(
    cli: Cli, data: Path, copy: Path, tmp_path: Path, what: str
) -> None:
    place = copy if what == "run" else Path(shutil.copytree(data, tmp_path / "data"))
    before = content(place)
    cli("export", copy, place).refused("the vectors to another folder")
    if what == "data":
        cli("train", "popularity", "--data", data, "--out", place, "--overwrite").refused("is a data folder")
    assert content(place) == before


def test_a_file_is_not_replaced_unasked(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("my log")
    cli("recommend", run, "--data", data, "--out", mine).refused("already there", "--overwrite")
    cli("evaluate", run, "--data", data, "--per-user", mine).refused("already there", "--overwrite")
    assert mine.read_text() == "my log"


@pytest.mark.parametrize("option", ["--seed", "--threads"])
def test_a_fraction_is_no_whole_number(cli: Cli, data: Path, tmp_path: Path, option: str) -> None:
    cli("train", "popularity", "--data", data, "--out", tmp_path / "m", option, "1.6").refused("1.6", "whole number")


def test_a_typed_history_has_no_parts_to_choose(cli: Cli, run: Path) -> None:
    cli("recommend", run, "--history", "i1", "--parts", "train").refused("--parts", "--history")
