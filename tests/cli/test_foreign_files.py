"""No command loses a file that is not of this program: it refuses, with --overwrite too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Cli
from recodiff import load_model
from recodiff.data.saving import MANIFEST
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG, LOG

FOREIGN = b"not of this program"
HUGGING_FACE = json.dumps({"architectures": ["BertModel"], "model_type": "bert"}).encode()


def put(folder: Path, *names: str, content: bytes = FOREIGN) -> dict[str, bytes]:
    """Files of the user's in a folder, and what is in it."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return everything(folder)


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


Command = Callable[[Path, Path, Path, Path], tuple[object, ...]]
"""Of the place to write, the data, a model and a settings file."""
TRAIN: Command = lambda out, data, run, tiny: ("train", tiny, "--data", data, "--out", out)  # noqa: E731
WRITING: dict[str, tuple[Command, str]] = {
    "train weights": (TRAIN, "weights.safetensors"),
    "train items": (TRAIN, "items.parquet"),
    "train config": (TRAIN, "config.json"),
    "train log": (TRAIN, LOG),
    "train checkpoint": (TRAIN, CHECKPOINT),
    "train growing log": (TRAIN, GROWING_LOG),
    "train refit": (TRAIN, f"refit/{LOG}"),
    "train users": (lambda out, data, run, tiny: ("train", "mf", "--data", data, "--out", out), "users.parquet"),
    "train part": (
        lambda out, data, run, tiny: ("train", "fs-diffrec", "--data", data, "--out", out, "--set", "parts.items.share=0"),
        f"parts/rows/{CHECKPOINT}",
    ),
    "prepare": (lambda out, data, run, tiny: ("prepare", data / "train.parquet", out), "users.parquet"),
    "prepare manifest": (lambda out, data, run, tiny: ("prepare", data / "train.parquet", out), MANIFEST),
    "corrupt": (lambda out, data, run, tiny: ("corrupt", data, out, "--share", 0.3), MANIFEST),
    "export": (lambda out, data, run, tiny: ("export", run, out, "--data", data), "users.parquet"),
    "export store": (lambda out, data, run, tiny: ("export", run, out, "--to", "faiss"), "store.json"),
    "tune": (lambda out, data, run, tiny: ("tune", "ease", "--data", data, "--out", out, "--trials", 1), "best.toml"),
    "tune study": (lambda out, data, run, tiny: ("tune", "ease", "--data", data, "--out", out, "--trials", 1), "study.json"),
    **{
        f"compare {name}": (lambda out, data, run, tiny: ("compare", "ease", "--data", data, "--out", out, "--seeds", 1), name)
        for name in ("compare.md", "compare.csv", "compare.html", "compare.json")
    },
    "compare tuned": (
        lambda out, data, run, tiny: ("compare", "ease", "--data", data, "--out", out, "--seeds", 1, "--tune-trials", 1),
        "tuned/ease.toml",
    ),
    **{
        f"reproduce {name}": (lambda out, data, run, tiny: ("reproduce", "figure5", "--data", data, "--out", out, "--quick"), name)
        for name in ("figure5.md", "figure5.json", "figure5.png", "figure5.svg")
    },
    **{
        f"auto {name}": (lambda out, data, run, tiny: ("auto", data, "--out", out, "--minutes", 1), name)
        for name in ("weights.safetensors", "auto.json", "comparison/compare.md")
    },
    "demo": (lambda out, data, run, tiny: ("demo", "--out", out), "report.html"),
    "demo results": (lambda out, data, run, tiny: ("demo", "--out", out), "results.json"),
    "recommend": (lambda out, data, run, tiny: ("recommend", run, "--data", data, "--out", out / "l.csv"), "l.csv"),
    "evaluate": (lambda out, data, run, tiny: ("evaluate", run, "--data", data, "--per-user", out / "u.csv"), "u.csv"),
}
NAMED_BY_THE_USER = ("recommend", "evaluate")
"""Their --overwrite is about the very file that was typed."""
WITHOUT_OVERWRITE = ("tune", "compare", "reproduce", "auto")


@pytest.mark.parametrize("what", WRITING)
def test_a_file_of_the_user_s_is_refused_by_name(cli: Cli, data: Path, run: Path, tiny: Path, tmp_path: Path, what: str) -> None:
    command, name = WRITING[what]
    before = put(tmp_path / "own", name)
    done = cli(*command(tmp_path / "own", data, run, tiny))
    assert everything(tmp_path / "own").items() >= before.items()
    assert done.code == 1, done.err
    assert "Traceback" not in done.err
    assert done.err.strip().splitlines()[-1].startswith("recodiff: ")


@pytest.mark.parametrize("what", [what for what in WRITING if what.split()[0] not in (*NAMED_BY_THE_USER, *WITHOUT_OVERWRITE)])
@pytest.mark.parametrize("content", [FOREIGN, HUGGING_FACE], ids=["bytes", "json"])
def test_overwrite_is_for_folders_of_ours(
    cli: Cli, data: Path, run: Path, tiny: Path, tmp_path: Path, what: str, content: bytes
) -> None:
    command, name = WRITING[what]
    before = put(tmp_path / "own", name, content=content)
    done = cli(*command(tmp_path / "own", data, run, tiny), "--overwrite")
    assert everything(tmp_path / "own") == before
    assert done.code == 1, done.err


def test_a_foreign_config_protects_what_stands_beside_it(cli: Cli, data: Path, tiny: Path, tmp_path: Path) -> None:
    put(tmp_path / "hf", "config.json", content=HUGGING_FACE)
    before = put(tmp_path / "hf", "users.parquet")
    for more in ((), ("--overwrite",), ("--resume",)):
        cli("train", tiny, "--data", data, "--out", tmp_path / "hf", *more).refused("config.json", "left alone")
    assert everything(tmp_path / "hf") == before


def test_a_foreign_manifest_protects_what_stands_beside_it(cli: Cli, data: Path, tmp_path: Path) -> None:
    put(tmp_path / "own", MANIFEST, content=b'{"dataset": "mine"}')
    before = put(tmp_path / "own", "train.parquet", "fold_in.parquet")
    cli("prepare", data / "train.parquet", tmp_path / "own", "--overwrite").refused(MANIFEST, "of another program")
    assert everything(tmp_path / "own") == before


def test_what_a_model_or_a_dataset_does_not_tell_of_is_the_user_s(
    cli: Cli, data: Path, run: Path, tiny: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "m")
    put(tmp_path / "m", "users.parquet", f"refit/{LOG}", "parts/rows/notes.txt")
    cli("train", tiny, "--data", data, "--out", tmp_path / "m", "--overwrite").refused(f"refit/{LOG}", "left alone")
    (tmp_path / "m" / "refit" / LOG).unlink()
    cli("train", "mf", "--data", data, "--out", tmp_path / "m", "--overwrite").refused("users.parquet", "left alone")
    cli("train", tiny, "--data", data, "--out", tmp_path / "m", "--overwrite", "--seed", 3).succeeded()
    assert (tmp_path / "m" / "users.parquet").read_bytes() == FOREIGN
    assert (tmp_path / "m" / "parts" / "rows" / "notes.txt").read_bytes() == FOREIGN
    shutil.copytree(data, tmp_path / "d")
    put(tmp_path / "d", "fold_in.parquet")
    cli("corrupt", data, tmp_path / "d", "--share", 0.3, "--overwrite").succeeded()
    assert (tmp_path / "d" / "fold_in.parquet").read_bytes() == FOREIGN


def test_refresh_keeps_what_is_not_its_own(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "m")
    put(tmp_path / "m", "refresh.json", "refresh/notes.txt")
    cli("corrupt", data, tmp_path / "newer", "--share", 0.3).succeeded()
    command = ("refresh", tmp_path / "m", "--data", tmp_path / "newer", "--promote-if", "always", "--threads", 1)
    cli(*command).refused("refresh.json", "left alone")
    (tmp_path / "m" / "refresh.json").unlink()
    cli(*command).succeeded()
    assert sorted(path.name for path in (tmp_path / "m" / "refresh").rglob("*")) == ["notes.txt"]


def test_a_folder_of_a_name_that_would_be_written_is_refused(cli: Cli, data: Path, run: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "m" / "weights.safetensors").mkdir(parents=True)
    cli("train", tiny, "--data", data, "--out", tmp_path / "m").refused("weights.safetensors", "left alone")


def test_what_lies_behind_a_link_is_left_alone(cli: Cli, data: Path, run: Path, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "m")
    before = put(tmp_path / "elsewhere", LOG, content=(run / LOG).read_bytes())
    (tmp_path / "m" / "refit").symlink_to(tmp_path / "elsewhere")
    cli("train", tiny, "--data", data, "--out", tmp_path / "m", "--refit", "--overwrite").refused("refit' is a link")
    cli("train", "popularity", "--data", data, "--out", tmp_path / "m", "--overwrite").succeeded()
    assert everything(tmp_path / "elsewhere") == before


def test_a_log_of_the_earlier_model_goes_with_it(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "m")
    assert (tmp_path / "m" / LOG).exists()
    cli("train", "popularity", "--data", data, "--out", tmp_path / "m", "--overwrite").succeeded()
    assert not (tmp_path / "m" / LOG).exists()


def test_an_interrupted_replacement_leaves_the_old_model_and_its_log_and_is_told(
    cli: Cli, data: Path, run: Path, tiny: Path, tmp_path: Path, interrupted: None
) -> None:
    shutil.copytree(run, tmp_path / "m")
    before = everything(tmp_path / "m")
    command = ("train", tiny, "--data", data, "--out", tmp_path / "m", "--seed", 7)
    assert cli(*command, "--overwrite").code == 130
    assert {name: content for name, content in everything(tmp_path / "m").items() if not name.startswith("checkpoint")} == before
    for words in (
        ("evaluate", tmp_path / "m", "--data", data),
        ("info", tmp_path / "m"),
        ("recommend", tmp_path / "m", "--data", data),
    ):
        said = cli(*words).succeeded().err
        assert said.count("stands an unfinished training") == 1
        assert "--resume" in said
    cli(*command).refused("unfinished training", "--resume")
    cli(*command, "--overwrite", "--resume").succeeded()
    assert sorted(everything(tmp_path / "m")) == sorted(before)
    cli("train", tiny, "--data", data, "--out", tmp_path / "whole", "--seed", 7).succeeded()
    ours, whole = (load_model(tmp_path / name).state() for name in ("m", "whole"))
    assert all(ours[name].equal(tensor) for name, tensor in whole.items())
