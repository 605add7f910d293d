"""`recodiff compare` as a user types it: any settings side by side, resumable, with nothing hidden."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from commands import Cli, call, write_log
from recodiff import build, load_dataset
from recodiff.errors import ModelError
from recodiff.experiments.compare import Comparison, compare
from recodiff.experiments.runs import job
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.experiments.runs.options import RunOptions
from recodiff.models.linear.ease import Ease

ASKED = RunOptions(1, device="cpu", threads=1)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data with genres and with item embeddings beside them."""
    folder = tmp_path_factory.mktemp("films")
    log = write_log(folder / "log", list(range(101, 141)))
    movies = pl.read_csv(log / "movies.csv")
    movies.with_columns(genres=pl.Series([("Drama", "Action|Drama", "")[n % 3] for n in range(len(movies))])).write_csv(
        log / "movies.csv"
    )
    assert call("prepare", log, folder / "films", "--min-rating", 4, "--user-core", 3, "--item-core", 3) == 0
    items = len(load_dataset(folder / "films").items)
    np.save(folder / "films" / "item_emb.npy", np.random.default_rng(0).normal(size=(items, 4)).astype(np.float32))
    return folder / "films"


@pytest.fixture(scope="module")
def timeless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timeless")
    log = pl.read_csv(write_log(folder / "log", list(range(101, 141))) / "ratings.csv").drop("timestamp")
    log.write_csv(folder / "log.csv")
    assert call("prepare", folder / "log.csv", folder / "data", "--split", "random") == 0
    return folder / "data"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is trained, with which seed."""
    found: list[tuple[str, int]] = []
    really = job.train_run

    def train_run(name: str, settings: Any, data: Any, run: Any, **more: Any) -> Any:
        found.append((name, run.seed))
        return really(name, settings, data, run, **more)

    monkeypatch.setattr(job, "train_run", train_run)
    return found


def differences(found: Comparison) -> dict[tuple[str, str], float]:
    return {(one.label, one.metric): one.value for one in found.differences}


HOSTILE = "a\x1b[31m\x07b\u202ec\x9b"


@pytest.mark.parametrize("name", ["...toml", "....toml"])
def test_a_file_whose_name_leads_out_of_the_folder_is_refused(cli: Cli, data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('model = "ease"')
    cli("compare", tmp_path / name, "--data", data, "--out", tmp_path / "out", "--tune-trials", 1).refused("rename the file")


def test_no_control_character_of_a_name_is_in_a_file_for_people(cli: Cli, log: Path, tmp_path: Path) -> None:
    assert cli("prepare", log, tmp_path / "d", "--name", HOSTILE).code == 0
    (tmp_path / f"{HOSTILE}.toml").write_text('model = "ease"')
    command = ("compare", tmp_path / f"{HOSTILE}.toml", "popularity", "--data", tmp_path / "d", "--out", tmp_path / "c")
    cli(*command, "--seeds", 1, "--tune-trials", 1).succeeded()
    pages = [path for path in (tmp_path / "c").rglob("*") if path.suffix in (".md", ".csv", ".html", ".toml")]
    assert {path.suffix for path in pages} == {".md", ".csv", ".html", ".toml"}
    for path in pages:
        text = path.read_text("utf-8")
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\x9b"}, path
        assert "\\x1b" in text or path.suffix in (".csv", ".toml"), path


def test_everything_is_written_and_a_second_run_trains_nothing(
    cli: Cli, films: Path, tiny: Path, tmp_path: Path, trained: list[tuple[str, int]]
) -> None:
    out = tmp_path / "c"
    command = ("compare", "popularity", tiny, "ease", "--data", films, "--out", out, "--seeds", 2, "--threads", 1)
    done = cli(*command).succeeded()
    assert trained == [("popularity", 1), ("t-diffrec", 1), ("ease", 1), ("t-diffrec", 2)], "the others know no seeds"
    texts = {ending: (out / f"compare.{ending}").read_text("utf-8") for ending in ("md", "csv", "json", "html")}
    for text in (done.out, *texts.values()):
        assert all(label in text for label in ("popularity", "tiny", "ease"))
    assert texts["html"].count("<figure>") == 4
    assert "learning curves" in texts["html"]
    assert done.out.index("popularity") < done.out.index("ease") < done.out.index("tiny"), "order-aware ones stand apart"
    again = cli(*command).succeeded()
    assert len(trained) == 4
    assert again.out == done.out
    assert {ending: (out / f"compare.{ending}").read_text("utf-8") for ending in texts} == texts
    assert not list(out.rglob("*.partial"))
    described = json.loads(texts["json"])
    assert json.loads(cli(*command, "--json").succeeded().out) == described
    rows = list(csv.DictReader(texts["csv"].splitlines()))
    assert [(row["label"], row["order_aware"], row["seeds"]) for row in rows] == [
        ("popularity", "False", "1"),
        ("tiny", "True", "2"),
        ("ease", "False", "1"),
    ]
    for row, one in zip(rows, described["rows"], strict=True):
        assert float(row["test recall@20"]) == one["test"]["recall@20"]["mean"]
        assert bool(row["recall@20 difference"]) == (row["label"] != described["reference"])
    names = {"coverage", "gini", "novelty", "genre_diversity", "embedding_diversity", "miscalibration"}
    assert {name for name, mean in described["rows"][0]["beyond"].items() if mean} == names
    cost = described["rows"][1]["cost"]
    assert cost["inference s"] > 0
    assert cost["parameters"] > 0
    assert cost["memory MB"] is None
    assert len(described["rows"][1]["runs"][0]["log"]) == 3


def test_figures_are_those_of_the_official_protocol_and_differences_those_of_its_users(films: Path, tmp_path: Path) -> None:
    found = compare(["popularity", "ease"], films, tmp_path, ASKED, reference="popularity", say=lambda _: None)
    data = load_dataset(films)
    theirs = [measure_parts(build(name).fit(data.train), data, ("valid", "test")).parts for name in ("popularity", "ease")]
    for row, parts in zip(found.rows, theirs, strict=True):
        assert row.results[0].test["ndcg@20"] == parts["test"].mean("ndcg@20")
        assert row.results[0].valid["recall@20"] == parts["valid"].mean("recall@20")
        assert row.results[0].beyond["coverage"] == parts["test"].coverage
        np.testing.assert_array_equal(row.results[0].per_user["users"], parts["test"].users)
    for metric in ("recall@20", "ndcg@20"):
        mean = (theirs[1]["test"].values[metric] - theirs[0]["test"].values[metric]).mean()
        assert differences(found)["ease", metric] == pytest.approx(mean)
    assert set(differences(found)) == {("ease", "recall@20"), ("ease", "ndcg@20")}


def test_a_comparison_by_a_protocol_of_the_field(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{u},{i},{1_000_000_000 + 20 * u + n}\n" for u in range(20) for n, i in enumerate(rng.permutation(20)[:15])]
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(lines))
    cli("prepare", tmp_path / "log.csv", tmp_path / "one", "--protocol", "leave-one-out").succeeded()
    asked = ("--out", tmp_path / "compared", "--seeds", 1, "--protocol", "leave-one-out")
    cli("compare", "popularity", "ease", "--data", tmp_path / "one", *asked).succeeded()
    page = (tmp_path / "compared" / "compare.md").read_text("utf-8")
    assert "the last item of each user, input train and valid (the item before it), which are masked" in page
    assert "valid R@20" in page
    cli("prepare", tmp_path / "log.csv", tmp_path / "shares").succeeded()
    refused = cli("compare", "popularity", "--data", tmp_path / "shares", *asked[:1], tmp_path / "other", *asked[2:])
    refused.refused("prepare the log with --protocol leave-one-out")


def test_the_reference_is_the_best_by_validation(films: Path, tmp_path: Path) -> None:
    found = compare(["popularity", "ease"], films, tmp_path, ASKED, say=lambda _: None)
    by_label = {row.case.label: row.results[0].valid["recall@20"] for row in found.rows}
    assert found.reference == max(by_label, key=by_label.__getitem__)
    alone = compare(["popularity"], films, tmp_path, ASKED, say=lambda _: None)
    assert (alone.reference, alone.differences) == ("popularity", ())


def test_seeds_are_averaged_user_by_user(films: Path, tiny: Path, tmp_path: Path) -> None:
    found = compare([tiny, "popularity"], films, tmp_path, RunOptions(2, device="cpu"), reference="popularity", say=lambda _: None)
    ours, base = (row.results for row in found.rows)
    values = np.mean([result.per_user["ndcg@20"] for result in ours], axis=0) - base[0].per_user["ndcg@20"]
    assert differences(found)["tiny", "ndcg@20"] == pytest.approx(values.mean())


def test_a_page_says_where_test_begins_inside_events(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{u},{i},{1_000_000_000 + n // 4}\n" for u in range(20) for n, i in enumerate(rng.permutation(20)[:15])]
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(lines))
    for events, said in (("split", True), ("whole", False)):
        cli("prepare", tmp_path / "log.csv", tmp_path / events, "--events", events, "--split", "leave-last").succeeded()
        out = tmp_path / f"{events}-compared"
        cli("compare", "popularity", "--data", tmp_path / events, "--out", out, "--seeds", 1).succeeded()
        page = (out / "compare.md").read_text("utf-8")
        assert ("20 users' test begins inside an event that training has seen" in page) == said


def test_the_shares_of_a_sum_of_models_are_told_and_kept(cli: Cli, films: Path, tmp_path: Path) -> None:
    toml = tmp_path / "sum.toml"
    toml.write_text(
        'model = "recodiff.models.mixture:Mixture"\n[parts.rows]\nmodel = "ease"\n[parts.items]\nmodel = "itemknn"\n'
        "[parts.sequence]\nshare = 0.0\n"
    )
    done = cli("compare", toml, "popularity", "--data", films, "--out", tmp_path / "c", "--seeds", 1, "--json").succeeded()
    told = next(row for row in json.loads(done.out)["rows"] if row["label"] == "sum")["runs"][0]["shares"]
    assert set(told) == {"rows", "items"}
    assert told["rows"] == 1.0
    page = (tmp_path / "c" / "compare.md").read_text("utf-8")
    assert "## Shares" in page
    assert f"| sum | 1 | rows 1, items {told['items']:.3g} |" in page
    assert "popularity | 1 |" not in page


def test_data_without_time_names_what_needs_it_and_compares_the_rest(cli: Cli, timeless: Path, tiny: Path, tmp_path: Path) -> None:
    done = cli("compare", tiny, "popularity", "f-ridge", "--data", timeless, "--out", tmp_path / "c", "--seeds", 1).succeeded()
    for label in ("tiny", "f-ridge"):
        assert f"{label}: not run: it needs time, and this data has none" in done.err
        assert f"* {label}: not run" in (tmp_path / "c" / "compare.md").read_text()
    assert "novelty" in done.out
    assert "diversity" not in done.out


def test_time_that_is_over_is_told_and_nothing_is_measured(cli: Cli, films: Path, tmp_path: Path) -> None:
    done = cli("compare", "popularity", "--data", films, "--out", tmp_path / "c", "--minutes", 0).succeeded()
    assert "popularity: not run: --minutes 0 asks for what there is" in done.err
    assert (tmp_path / "c" / "compare.html").exists()


def test_a_model_that_fails_is_told_in_its_row(cli: Cli, films: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('model = "diffrec"\n[denoiser]\nhidden = [8]\n[training]\nlr = 1e30\nepochs = 3\n')
    done = cli("compare", bad, "ease", "--data", films, "--out", tmp_path / "c", "--seeds", 1, "--reference", "bad").succeeded()
    assert "bad: failed: the loss is" in done.err
    described = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert described["rows"][1]["differences"] == {}


def test_memory_is_measured_where_asked(films: Path, tmp_path: Path) -> None:
    found = compare(["popularity"], films, tmp_path, ASKED, memory=True, say=lambda _: None)
    (result,) = found.rows[0].results
    assert result.memory is not None
    assert result.per_user["users"].shape == result.per_user["recall@20"].shape


def test_without_matplotlib_the_rest_is_written(cli: Cli, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = cli("compare", "popularity", "--data", films, "--out", tmp_path / "c").succeeded()
    assert 'no figures in compare.html this time: figures need matplotlib; get it with pip install "recodiff[report]"' in done.err
    page = (tmp_path / "c" / "compare.html").read_text()
    assert "Accuracy and cost" in page
    assert "<figure>" not in page


def test_mistakes_are_told_in_one_sentence(cli: Cli, films: Path, tiny: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "r")
    cli("compare", "--data", films, *out).refused("nothing to compare", "ease diffrec")
    cli("compare", "eaze", "--data", films, *out).refused("'eaze'", "did you mean 'ease'?")
    cli("compare", "ease", "ease", "--data", films, *out).refused("'ease' and 'ease' are both called 'ease'")
    twin = tmp_path / "twin" / "tiny.toml"
    twin.parent.mkdir()
    twin.write_text(tiny.read_text())
    cli("compare", tiny, twin, "--data", films, *out).refused(f"'{tiny}' and '{twin}' are both called 'tiny'", "rename")
    twin.write_text('model = "ease"\nl2 = -1\n')
    cli("compare", twin, "--data", films, *out).refused(str(twin), "'l2' = -1")
    cli("compare", "ease", "--data", films, *out, "--reference", "mf").refused("'mf'", "choose one of ease")
    cli("compare", "ease", "--data", films, *out, "--seeds", 0).refused("seeds = 0")
    cli("compare", "ease", "--data", films, *out, "--test", "t").refused('"t"', "bootstrap")
    cli("compare", "ease", "--data", tmp_path / "nowhere", *out).refused("nowhere does not exist")
    assert not (tmp_path / "r").exists()
    cli("compare", "ease", "--data", films, "--out", films).refused("is a model or data folder", "the comparison", "another folder")


def test_data_without_validation_or_test_is_refused(cli: Cli, log: Path, tmp_path: Path) -> None:
    assert call("prepare", log, tmp_path / "d", "--split", "temporal", "--valid", 0) == 0
    cli("compare", "ease", "--data", tmp_path / "d", "--out", tmp_path / "r").refused("no valid part", "recodiff prepare")


def test_a_comparison_on_other_data_is_not_lost(cli: Cli, films: Path, timeless: Path, tmp_path: Path) -> None:
    cli("compare", "popularity", "--data", films, "--out", tmp_path / "c").succeeded()
    cli("compare", "popularity", "--data", timeless, "--out", tmp_path / "c").refused("other data, 'films'", "--out")
    (tmp_path / "c" / "compare.json").write_text("[]")
    cli("compare", "popularity", "--data", films, "--out", tmp_path / "c").refused("no page of ours")


def test_help_has_an_example(cli: Cli) -> None:
    text = " ".join(cli("compare", "--help").succeeded().out.split())
    assert "Example: recodiff compare popularity ease t-diffrec-ml-1m_clean mine.toml --data ml-1m_clean --out compared" in text


def test_a_chronological_comparison_ranks_the_later_part_from_all_before_it(cli: Cli, data: Path, tmp_path: Path) -> None:
    done = cli("compare", "ease", "popularity", "--data", data, "--out", tmp_path / "c", "--protocol", "chronological", "--json")
    official = cli("compare", "ease", "popularity", "--data", data, "--out", tmp_path / "o", "--json")
    figures = [json.loads(one.succeeded().out) for one in (done, official)]
    assert figures[0] != figures[1]
    assert "input train and the earlier" in (tmp_path / "c" / "compare.md").read_text()


def test_methods_are_tuned_before_they_are_compared_and_the_studies_go_on(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    arguments = ("compare", "ease", "popularity", "--data", data, "--out", out, "--tune-trials", 3, "--json")
    told = json.loads(cli(*arguments).succeeded().out)
    assert (out / "tuned" / "ease.toml").exists()
    assert not (out / "tuned" / "popularity.toml").exists()
    again = cli(*arguments).succeeded()
    assert json.loads(again.out) == told
    assert "measured before" in again.err


def test_the_page_says_how_settings_were_chosen(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    arguments = ("compare", "ease", "popularity", "--data", data, "--out", out, "--json", "--tune-trials")
    told = json.loads(cli(*arguments, 3).succeeded().out)["studies"]
    assert told["budget"] == "3 trials"
    assert told["methods"]["ease"]["trials"] == {"complete": 3}
    assert told["methods"]["ease"]["best"] >= told["methods"]["ease"]["as_given"]
    (searched,) = told["methods"]["ease"]["searched"]
    assert searched.startswith("l2: ")
    assert searched.endswith(", of 1 to 1e+07, by its logarithm")
    assert told["notes"] == {"popularity": "not tuned: nothing is declared to search"}
    pages = [(out / f"compare.{ending}").read_text("utf-8") for ending in ("md", "html")]
    for page in pages:
        assert "How settings were chosen" in page
        assert "A study of 3 trials for each method" in page
        assert searched in page
    assert "Searched:" in (out / "tuned" / "ease.toml").read_text()
    fewer = cli(*arguments, 2).succeeded()
    assert "ease: its study holds 3 trials of an earlier call, more than the 2 asked for now" in (out / "compare.md").read_text()
    assert "more than the 2 asked for now" in fewer.err


def test_no_study_and_no_trial_is_begun_after_the_minutes(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    arguments = ("compare", "ease", "itemknn", "--data", data, "--out", out, "--tune-trials")
    none = cli(*arguments, 2, "--minutes", 0).succeeded()
    assert "not tuned: --minutes 0 asks for what there is" in none.err
    assert not (out / "studies").exists()
    cli(*arguments, 2).succeeded()
    more = cli(*arguments, 4, "--minutes", 0, "--json").succeeded()
    told = json.loads(more.out)["studies"]
    assert [one["trials"] for one in told["methods"].values()] == [{"complete": 2}, {"complete": 2}]
    assert "its study is not finished" in more.err


def test_what_cannot_be_compared_is_told_before_anything_is_searched(cli: Cli, data: Path, timeless: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    tuned = ("--out", out, "--tune-trials", 2)
    cli("compare", "ease", "--data", data, *tuned, "--reference", "eese").refused("'eese'", "choose one of ease")
    assert not out.exists()
    told = cli("compare", "ease", "--data", timeless, *tuned, "--protocol", "chronological").succeeded()
    assert "ease: not run: needs time" in told.err
    assert not (out / "studies").exists()
    told = cli("compare", "ease", "--data", timeless, *tuned, "--recency", "--seeds", 1).succeeded()
    assert "weightings by recency are not searched: this data has no time" in told.err
    assert (out / "tuned" / "ease.toml").exists()


def test_a_study_that_took_more_than_is_asked_for_now_is_told(cli: Cli, data: Path, tmp_path: Path) -> None:
    arguments = ("compare", "ease", "--data", data, "--out", tmp_path / "c", "--seeds", 1, "--tune-seconds")
    cli(*arguments, 0.5).succeeded()
    cli(*arguments, 0.001).succeeded()
    assert "Beyond it, by a trial that was finished or by an earlier call: ease." in (tmp_path / "c" / "compare.md").read_text()


def test_what_studies_found_is_called_by_their_folders(cli: Cli, data: Path, tmp_path: Path) -> None:
    for folder, l2 in (("mild", 1.0), ("strong", 900.0)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "best.toml").write_text(f'model = "ease"\nl2 = {l2}\n')
    found = [tmp_path / folder / "best.toml" for folder in ("mild", "strong")]
    done = cli("compare", *found, "--data", data, "--out", tmp_path / "c", "--json").succeeded()
    assert [row["label"] for row in json.loads(done.out)["rows"]] == ["mild", "strong"]


def test_a_chronological_page_names_its_parts(cli: Cli, data: Path, tmp_path: Path) -> None:
    cli("compare", "ease", "popularity", "--data", data, "--out", tmp_path / "c", "--protocol", "chronological").succeeded()
    page = (tmp_path / "c" / "compare.md").read_text("utf-8")
    assert "The later part, user by user" in page
    assert "chosen on the earlier of the parts valid and test, the later part is read once" in page
    assert "| earlier R@20 |" in page
    assert json.loads((tmp_path / "c" / "compare.json").read_text())["protocol"] == "chronological"


def test_a_method_whose_every_trial_fails_stops_no_other(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise ModelError("it cannot fit")

    monkeypatch.setattr(Ease, "_fit", fails)
    out = tmp_path / "c"
    assert call("compare", "popularity", "ease", "itemknn", "--data", data, "--out", out, "--tune-trials", 2, "--seeds", 1) == 0
    assert (out / "tuned" / "itemknn.toml").exists()
    told = capsys.readouterr().err
    assert "not tuned: all 2 trials failed" in told
    assert "not tuned: nothing is declared to search" in told


def test_recency_without_a_study_is_refused(cli: Cli, data: Path, tmp_path: Path) -> None:
    cli("compare", "ease", "--data", data, "--out", tmp_path / "c", "--recency").refused("--tune-trials")


def test_a_study_of_another_space_is_not_passed_over(cli: Cli, data: Path, tmp_path: Path) -> None:
    arguments = ("compare", "ease", "--data", data, "--out", tmp_path / "c", "--tune-trials", 2)
    cli(*arguments).succeeded()
    assert "another" in cli(*arguments, "--recency").err
    assert cli(*arguments, "--recency").code != 0


def test_epochs_may_be_chosen_on_the_end_of_train(cli: Cli, data: Path, tiny: Path, tmp_path: Path) -> None:
    asked = (tiny, "popularity", "--data", data, "--threads", 1)
    cli("train", *asked[:1], *asked[2:], "--out", tmp_path / "run", "--seed", 1, "--choose-on", "inner").succeeded()
    theirs = json.loads(cli("evaluate", tmp_path / "run", "--data", data, "--json").succeeded().out)
    out = ("--out", tmp_path / "c", "--seeds", 1, "--json")
    plain = json.loads(cli("compare", *asked, *out).succeeded().out)
    done = cli("compare", *asked, *out, "--choose-on", "inner").succeeded()
    inner = json.loads(done.out)
    assert "measured before" not in done.err, "what was chosen otherwise is another run"
    assert inner["choose_on"] == "inner"
    assert inner["rows"][0]["runs"][0]["test"]["recall@20"] == pytest.approx(theirs["recall@20"])
    assert inner["rows"][0]["runs"][0]["test"] != plain["rows"][0]["runs"][0]["test"]
    page = (tmp_path / "c" / "compare.md").read_text("utf-8")
    assert page.count("newest tenth of each training history") == 2
    assert "chosen on the validation part" not in page
    assert "best of all on the validation part" in page
    again = cli("compare", *asked, *out, "--choose-on", "inner").succeeded()
    assert json.loads(again.out) == inner


def test_seconds_and_epochs_are_those_of_the_trainings_themselves(
    data: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infos: list[dict[str, Any]] = []
    really = job.read_config

    def read_config(folder: Path) -> dict[str, Any]:
        infos.append(really(folder)["info"])
        return really(folder)

    monkeypatch.setattr(job, "read_config", read_config)
    (row,) = compare([tiny], data, tmp_path, ASKED, choose_on="inner", say=lambda _: None).rows
    (info,) = infos
    assert row.results[0].seconds == info["chosen"]["seconds"] + info["training"]["seconds"]
    assert row.results[0].best_epoch == info["chosen"]["best_epoch"]


def test_the_end_of_train_needs_order_and_chooses_for_no_study(cli: Cli, timeless: Path, data: Path, tmp_path: Path) -> None:
    inner = ("--out", tmp_path / "c", "--choose-on", "inner")
    cli("compare", "ease", "--data", timeless, *inner).refused("an inner validation part")
    cli("compare", "ease", "--data", data, *inner, "--tune-trials", 2).refused("studies choose on the validation part")
    assert not (tmp_path / "c").exists()
