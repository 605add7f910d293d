"""The model card says what is in the folder, and nothing that data holds is markup in it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from markdown_it import MarkdownIt

import recodiff
from recodiff.experiments.runs.model_card import CardFigures, CardNotes, write_card
from recodiff.experiments.runs.results import Mean
from recodiff.experiments.runs.run_folder import forget_run
from recodiff.experiments.runs.train import train_run
from recodiff.models.model_files import model_files
from recodiff.models.saving import CARD, CONFIG, read_config

HOSTILE = "<script>alert(1)</script> [x](http://evil) | `y` \x1b[31m\n# heading\n```\n![i](http://evil/i.png)"


def data_named(name: str = "clicks", **info: Any) -> recodiff.Dataset:
    made = recodiff.prepare(recodiff.synthesise(40, 30, 600, seed=1), split=recodiff.Temporal(0.1, 0.2), name=name)
    return replace(made, info=made.info | info)


def run_of(out: Path) -> recodiff.Run:
    return recodiff.Run(device="cpu", progress=False, out=out, threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recodiff.train("ease", data_named(terms="For research only."), out=tmp_path / "m", device="cpu", progress=False)
    return tmp_path / "m"


def test_a_trained_folder_says_what_it_is(folder: Path) -> None:
    text = (folder / CARD).read_text("utf-8")
    assert text.startswith("# EASE on clicks\n")
    for words in ("temporal (valid 0.1, test 0.2)", "> For research only.", "| seed | 0 |", 'model = "ease"', "the training part"):
        assert words in text
    figures = {row[0]: row[1:] for row in re.findall(r"^\| (\w+@\d+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)}
    found = recodiff.evaluate(recodiff.load_model(folder), recodiff.stages(data_named()).valid)
    assert figures["recall@20"] == (f"{found.mean('recall@20'):.4f}", f"{found.standard_error('recall@20'):.4f}")


def test_its_python_runs_in_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / CARD).read_text("utf-8"), flags=re.S)
    exec(code, {})
    assert "shape: (10," in capsys.readouterr().out


def test_the_test_part_is_not_read_for_it(tmp_path: Path) -> None:
    data = data_named()
    for number, each in enumerate((data, replace(data, test=data.valid))):
        recodiff.train("ease", each, out=tmp_path / str(number), device="cpu", progress=False)
    one, other = (
        (tmp_path / str(number) / CARD).read_text("utf-8").split("## Figures")[1].split("## Where")[0] for number in (0, 1)
    )
    assert one == other


def test_what_data_holds_is_no_markup(tmp_path: Path) -> None:
    items = pl.DataFrame(
        {"user": [u for u in range(9) for _ in range(6)], "item": [f"{HOSTILE}{i}" for _ in range(9) for i in range(6)]}
    )
    log = items.with_columns(time=pl.int_range(pl.len()))
    data = recodiff.prepare(log, name=HOSTILE)
    data = replace(data, info=data.info | {"terms": HOSTILE, "source": f"/secret/place/{HOSTILE}"})
    train_run("ease", {}, data, run_of(tmp_path), card=CardNotes(remarks=[HOSTILE]))
    text = (tmp_path / CARD).read_text("utf-8")
    assert "\x1b" not in text
    assert "/secret" not in text
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child.type for token in tokens for child in token.children or ()]
    assert not {"html_inline", "link_open", "image"} & set(inline)
    assert not [token for token in tokens if token.type == "html_block"]
    assert [token.content for token in tokens if token.type == "heading_open"] == [""] * 7
    assert len([token for token in tokens if token.type == "fence"]) == 3


def test_figures_of_several_seeds_have_their_errors(tmp_path: Path) -> None:
    figures = [CardFigures("test part, from train", "3 seeds", {"recall@20": Mean(0.25, 0.0123), "ndcg@20": Mean(0.1, None)})]
    train_run("popularity", {}, data_named(), run_of(tmp_path), card=CardNotes(figures, ["EASE is less accurate."]))
    text = (tmp_path / CARD).read_text("utf-8")
    assert "| recall@20 | 0.2500 | 0.0123 |" in text
    assert "| ndcg@20 | 0.1000 |  |" in text
    assert "standard error (3 seeds)" in text
    assert "\nEASE is less accurate.\n" in text


@pytest.mark.parametrize("refit", [False, True])
def test_a_refit_says_what_its_figures_are_of(tmp_path: Path, refit: bool) -> None:
    recodiff.train("popularity", data_named(), out=tmp_path, refit=refit, device="cpu", progress=False)
    text = (tmp_path / CARD).read_text("utf-8")
    assert ("Measured before the last training" in text) is refit
    assert ("training and validation parts" in text) is refit


def test_data_without_validation_or_terms_is_said_to_lack_them(tmp_path: Path) -> None:
    data = replace(data_named(), valid=None)
    model = recodiff.train("popularity", data, out=tmp_path, device="cpu", progress=False)
    text = (tmp_path / CARD).read_text("utf-8")
    assert "no validation part" in text
    assert "none stood beside it" in text
    assert write_card(model, data, read_config(tmp_path)["info"], ()) == text


def test_a_card_that_was_changed_by_hand_stays_and_is_told_of(folder: Path) -> None:
    (folder / CARD).write_text("mine")
    recodiff.load_model(folder)
    with pytest.warns(recodiff.errors.RecodiffWarning, match=r"README.md' is not of this program and stays"):
        recodiff.train("popularity", data_named(), out=folder, device="cpu", progress=False, overwrite=True)
    assert (folder / CARD).read_text() == "mine"
    (folder / CARD).unlink()
    assert recodiff.load_model(folder).registered == "popularity"
    recodiff.train("ease", data_named(), out=folder, device="cpu", progress=False, overwrite=True)
    assert (folder / CARD).read_text("utf-8").startswith("# EASE")


def test_a_run_that_is_forgotten_takes_its_own_card_alone(folder: Path) -> None:
    assert CARD in model_files(folder)
    forget_run(folder, "ease", {})
    assert not folder.exists()
    folder.mkdir()
    (folder / CARD).write_text("mine")
    forget_run(folder, "ease", {})
    assert [path.name for path in folder.iterdir()] == [CARD]


def test_saving_without_a_card_takes_the_old_one_away(folder: Path) -> None:
    model = recodiff.load_model(folder)
    recodiff.save_model(model, folder, overwrite=True)
    assert not (folder / CARD).exists()
    assert CARD not in read_config(folder)["hashes"]
    assert (folder / CONFIG).exists()
