"""Model folders: whole or refused, never half written, no code run unasked."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from recodiff import Run, build, load_model, save_model
from recodiff.errors import CheckpointError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.popularity import Popularity
from recodiff.models.saving import CONFIG, ITEMS, USERS, WEIGHTS, classes_outside, load_titles, seal
from recodiff.runtime import files
from toy import checkerboard

BOARD = checkerboard(12)


class Mine(Popularity):
    """A user's own class."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(fitted(), tmp_path / "model")
    return tmp_path / "model"


def fitted(name: str = "ease") -> Recommender:
    return build(name).fit(BOARD, Run(progress=False, device="cpu"))


def test_a_folder_holds_json_safetensors_and_ids_only(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, ITEMS, WEIGHTS]


def remembering() -> Recommender:
    return build("mf", {"width": 2, "training": {"epochs": 1}}).fit(BOARD, Run(progress=False, device="cpu"))


def test_a_model_that_remembers_its_users_keeps_their_ids(tmp_path: Path) -> None:
    save_model(remembering(), tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [CONFIG, ITEMS, USERS, WEIGHTS]
    assert load_model(tmp_path / "model").users == BOARD.users
    save_model(fitted(), tmp_path / "model", overwrite=True)
    assert not (tmp_path / "model" / USERS).exists()
    assert len(load_model(tmp_path / "model").users) == 0


def test_damaged_or_missing_users_are_refused_by_name(tmp_path: Path) -> None:
    save_model(remembering(), tmp_path)
    (tmp_path / USERS).write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"{USERS}' is not what was saved"):
        load_model(tmp_path)
    described = json.loads((tmp_path / CONFIG).read_text())
    del described["hashes"][USERS]
    write_sealed(tmp_path, described)
    with pytest.raises(CheckpointError, match=r"MF remembers its users; restore it with their ids"):
        load_model(tmp_path)


def write_sealed(folder: Path, described: dict[str, Any]) -> None:
    """As a program of another version would have written it."""
    (folder / CONFIG).write_text(json.dumps(described | {"seal": seal(described)}))


def test_a_config_that_was_edited_is_refused_and_one_of_0_1_has_no_seal(folder: Path) -> None:
    described = json.loads((folder / CONFIG).read_text())
    described["config"]["l2"] = 1.5
    (folder / CONFIG).write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=r"config.json' is not what was saved"):
        load_model(folder)
    del described["seal"]
    (folder / CONFIG).write_text(json.dumps(described))
    assert load_model(folder).config.l2 == 1.5


def test_notes_and_figures_beside_a_model_stay_where_they_are(folder: Path) -> None:
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("keep")
    before = (folder / "notes").stat().st_ino
    save_model(fitted("popularity"), folder, overwrite=True)
    assert (folder / "notes" / "mine.txt").read_text() == "keep"
    assert (folder / "notes").stat().st_ino == before


@pytest.mark.parametrize(
    "settings", [{"parts": [{"model": "os:system"}]}, {"a": {"model": "os:system", "b": ({"model": "ease"},)}}]
)
def test_classes_of_components_however_deep_are_seen_by_the_gate(settings: dict[str, Any]) -> None:
    assert classes_outside("ease", settings) == {"os:system"}


def test_trust_may_be_for_named_classes_alone(folder: Path) -> None:
    described = json.loads((folder / CONFIG).read_text())
    write_sealed(folder, described | {"model": "recodiff.models.linear.ease:Ease"})
    for trusted in (False, (), ["other:Class"]):
        with pytest.raises(CheckpointError, match=r"asks to import 'recodiff\.models\.linear\.ease:Ease'"):
            load_model(folder, trust_code=trusted)
    for trusted in (True, ["recodiff.models.linear.ease:Ease", "other:Class"]):
        assert load_model(folder, trust_code=trusted).config.l2 == load_model(folder, trust_code=True).config.l2


def test_titles_come_back_in_catalogue_order(tmp_path: Path) -> None:
    table = pl.DataFrame({"title": [f"Film {i}" for i in range(12)], "genres": ["Drama"] * 12})
    save_model(fitted(), tmp_path / "m", item_table=table)
    assert load_titles(tmp_path / "m") == table["title"].to_list()
    save_model(fitted(), tmp_path / "plain")
    assert load_titles(tmp_path / "plain") is None


def test_a_model_is_not_overwritten_unless_told(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="already holds a model"):
        save_model(fitted("popularity"), folder)
    assert load_model(folder).registered == "ease"
    save_model(fitted("popularity"), folder, overwrite=True)
    assert load_model(folder).registered == "popularity"


def test_a_full_disk_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_tensors", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_model(fitted("popularity"), folder, overwrite=True)
    assert load_model(folder).registered == "ease"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", [WEIGHTS, ITEMS])
def test_a_damaged_or_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-7])
    with pytest.raises(CheckpointError, match=rf"{name}' is not what was saved"):
        load_model(folder)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{name}' is missing"):
        load_model(folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a recodiff model"),
        ('{"format": "other"}', "is not a recodiff model"),
        ('{"format": "recodiff-model", "version": 99}', "format version 99"),
    ],
)
def test_a_foreign_or_broken_config_is_refused(folder: Path, text: str, sentence: str) -> None:
    (folder / CONFIG).write_text(text)
    with pytest.raises(CheckpointError, match=sentence):
        load_model(folder)


def test_missing_keys_of_a_config_are_refused_in_one_sentence(folder: Path) -> None:
    described = json.loads((folder / CONFIG).read_text())
    for key in ("model", "config", "hashes"):
        (folder / CONFIG).write_text(json.dumps({name: value for name, value in described.items() if name != key}))
        with pytest.raises(CheckpointError, match=key):
            load_model(folder)


def test_settings_that_no_longer_exist_are_refused(folder: Path) -> None:
    described = json.loads((folder / CONFIG).read_text())
    described["config"]["lambda"] = 3
    write_sealed(folder, described)
    with pytest.raises(CheckpointError, match="unknown setting 'lambda'"):
        load_model(folder)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no model"):
        load_model(tmp_path)


def test_code_from_outside_is_imported_only_when_trusted(tmp_path: Path) -> None:
    model = Mine().fit(BOARD, Run(progress=False, device="cpu"))
    save_model(model, tmp_path / "mine")
    with pytest.raises(CheckpointError, match=r"asks to import '.*Mine'; say --trust-code"):
        load_model(tmp_path / "mine")
    assert isinstance(load_model(tmp_path / "mine", trust_code=True), Mine)


def test_code_from_outside_that_a_part_of_a_mixture_names_is_no_less_foreign(tmp_path: Path) -> None:
    parts = {"mine": {"model": f"{__name__}:Mine"}} | {name: {"share": 0} for name in ("rows", "sequence", "items")}
    inner = {"model": "fs-diffrec", "settings": {"parts": parts}}
    outer = {"parts": {"inner": inner} | {name: {"share": 0} for name in ("rows", "sequence", "items")}}
    for settings in (inner["settings"], outer):
        model = build("fs-diffrec", settings).fit(BOARD, Run(progress=False, device="cpu"))  # type: ignore[arg-type]
        save_model(model, tmp_path / "mixed", overwrite=True)
        with pytest.raises(CheckpointError, match=r"asks to import '.*Mine'; say --trust-code"):
            load_model(tmp_path / "mixed")
        assert load_model(tmp_path / "mixed", trust_code=True).items == BOARD.items


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    small = {"denoiser": {"hidden": [4]}, "training": {"epochs": 1}}
    model = build("diffrec", small).fit(BOARD, Run(progress=False, device="cpu"))
    state = model.state() | {"extra": torch.zeros(1)}
    with pytest.raises(ModelError, match="extra"):
        build("diffrec", small).restore(state, BOARD.items)
    state.pop("extra")
    state.pop("diffusion.denoiser.last.bias")
    with pytest.raises(ModelError, match=r"last\.bias"):
        build("diffrec", small).restore(state, BOARD.items)


@pytest.mark.parametrize("name", ["ease", "puresvd", "itemknn", "popularity", "diffrec"])
def test_a_loaded_model_outlives_its_file(name: str, tmp_path: Path) -> None:
    """A copy over the file writes into it in place; what was loaded is not the file."""
    settings = {"diffrec": {"denoiser": {"hidden": [4]}, "training": {"epochs": 1}}, "puresvd": {"factors": 2}}.get(name)
    save_model(build(name, settings).fit(BOARD, Run(progress=False, device="cpu")), tmp_path / "m")
    model = load_model(tmp_path / "m")
    before = {key: tensor.clone() for key, tensor in model.state().items()}
    size = (tmp_path / "m" / WEIGHTS).stat().st_size
    with (tmp_path / "m" / WEIGHTS).open("r+b") as file:
        file.write(b"\1" * size)
    for key, tensor in model.state().items():
        assert torch.equal(tensor, before[key]), key
