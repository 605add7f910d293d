"""Every command on tiny data, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recodiff
from commands import Cli
from recodiff.cli import COMMANDS
from recodiff.data import load_dataset
from recodiff.models.saving import CONFIG, WEIGHTS, read_config
from recodiff.training.checkpoint import CHECKPOINT, LOG

OWN_MODEL = '''
import torch
from recodiff.models.popularity import Popularity

class Upside(Popularity):
    """The least popular first."""

    def score(self, batch):
        return -super().score(batch)
'''


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / LOG).read_text().splitlines()]


# Help.


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(cli: Cli, command: str) -> None:
    shown = cli(command, "--help").succeeded().out
    assert f"recodiff {command}" in shown.split("Example", 1)[1]
    assert "None" not in shown


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom recodiff.cli import main\nmain(['--help'])\nprint([m for m in ('torch', 'polars') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(command in found.stdout for command in COMMANDS)
    assert found.stdout.endswith("[]\n")


def test_python_m_recodiff_is_the_same_command() -> None:
    found = subprocess.run([sys.executable, "-m", "recodiff", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == version("recodiff")


# Prepare and info.


def test_prepare_writes_a_folder_and_info_tells_of_it(cli: Cli, log: Path, tmp_path: Path) -> None:
    arguments = ("prepare", log, tmp_path / "d", "--min-rating", 4, "--user-core", 3, "--split", "temporal", "--valid", 0.2)
    shown = cli(*arguments, "--name", "films").succeeded()
    assert "films" in shown.out
    assert f"wrote {tmp_path / 'd'}" in shown.err
    held = json.loads(cli("info", tmp_path / "d", "--json").succeeded().out)
    assert held["split"] == {"strategy": "temporal", "valid": 0.2, "test": 0.2}
    assert held["interactions"] == sum(held["parts"].values())
    assert "fingerprint" in cli("info", tmp_path / "d").succeeded().out


def test_prepare_answers_with_json_alone(cli: Cli, log: Path, tmp_path: Path) -> None:
    held = json.loads(cli("prepare", log, tmp_path / "d", "--json").succeeded().out)
    assert held["users"] == 60


@pytest.mark.parametrize(
    ("split", "named"),
    [
        (("--split", "leave-last", "--valid", 2, "--test", 1), {"strategy": "leave-last", "valid": 2, "test": 1}),
        (("--split", "random", "--seed", 3), {"strategy": "random", "valid": 0.1, "test": 0.2, "seed": 3}),
        (("--split", "temporal-global"), {"strategy": "temporal-global", "valid": 0.1, "test": 0.2}),
        (("--protocol", "leave-one-out"), {"strategy": "leave-one-out"}),
        (("--protocol", "time-split"), {"strategy": "temporal-global", "valid": 0.1, "test": 0.2}),
    ],
)
def test_prepare_splits_as_told(cli: Cli, log: Path, tmp_path: Path, split: tuple[object, ...], named: dict[str, object]) -> None:
    assert json.loads(cli("prepare", log, tmp_path / "d", "--json", *split).succeeded().out)["split"] == named


@pytest.mark.parametrize(("moments", "told"), [(1, True), (3, False)])
def test_prepare_says_where_time_tells_no_order(cli: Cli, tmp_path: Path, moments: int, told: bool) -> None:
    lines = [f"{u},{i},{1_000_000_000 + i % moments}\n" for u in range(20) for i in range(30) if (u + i) % 4]
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(lines))
    said = cli("prepare", tmp_path / "log.csv", tmp_path / "d", "--events", "split").succeeded().err
    assert ("100% of the rows that follow another of the same user have the very same time" in said) == told


def test_prepare_cuts_no_basket_and_says_who_loses_a_part(cli: Cli, tmp_path: Path) -> None:
    lines = [f"{u},{i},{1_000_000_000 + i // (10 if u else 30)}\n" for u in range(20) for i in range(30)]
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(lines))
    asked = "prepare", tmp_path / "log.csv", tmp_path / "d", "--split", "temporal", "--valid", 0.1
    done = cli(*asked, "--test", 0.2, "--json")
    assert done.code == 1
    assert "part 'valid' empty" in done.err
    assert "where events (what a user does at one time) stay whole" in done.err
    done = cli(
        "prepare", tmp_path / "log.csv", tmp_path / "d", "--split", "temporal", "--valid", 0, "--test", 0.2, "--json"
    ).succeeded()
    events = json.loads(done.out)["events"]
    assert (events["kind"], events["test_seen"], events["lost"]) == ("whole", 0.0, {"valid": 0, "test": 1})
    assert "1 users have no test part, since what a user does at one time (an event) is not cut" in done.err
    assert "rows of equal time stand in the order of their items" in done.err
    done = cli("prepare", tmp_path / "log.csv", tmp_path / "d2", "--events", "split", "--json").succeeded()
    assert "20 users' test begins inside an event that training has seen" in done.err


def test_prepare_says_what_it_took_for_what(cli: Cli, tmp_path: Path) -> None:
    rows = [f"2020-01-{1 + day:02},{user},{item},0" for user in range(5) for day, item in enumerate(range(user, user + 10))]
    (tmp_path / "log.csv").write_text("\n".join(["t_dat,user,item,spare", *rows]) + "\n")
    said = cli("prepare", tmp_path / "log.csv", tmp_path / "d", "--split", "random").succeeded().err.splitlines()
    assert said[:2] == ["user = column 1 'user', first 0, 0 .. 4", "item = column 2 'item', first 0, 0 .. 13"]
    assert said[2:4] == ["unread = t_dat, spare", "51 lines became 50 rows (read as table)"]
    assert said[4].startswith("warning: log.csv: column 't_dat' looks like a time and is not used; use it with time='t_dat'")


def test_prepare_takes_a_table_without_names(cli: Cli, log: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.txt"
    bare.write_text((log / "ratings.csv").read_text().split("\n", 1)[1].replace(",", "|"))
    columns = ("--no-header", "--user-column", 0, "--item-column", 1, "--weight-column", 2, "--time-column", 3)
    found = cli("prepare", bare, tmp_path / "d", *columns, "--separator", "|", "--items", log / "movies.csv", "--json").succeeded()
    assert json.loads(found.out)["titles"] is True


def test_info_tells_of_runs_presets_and_models(cli: Cli, run: Path) -> None:
    assert json.loads(cli("info", run, "--json").succeeded().out)["model"] == "t-diffrec"
    listed = cli("info", "presets").succeeded().out
    assert "diffrec-ml-100k" in listed.split()
    assert max(map(len, listed.splitlines())) < 120, "a line that a screen can show"
    assert "ease" in cli("info", "models").succeeded().out.split()
    assert "closed form" in cli("info", "models").succeeded().out
    assert json.loads(cli("info", "ease-ml-100k", "--json").succeeded().out)["model"] == "ease"


# Noise.


def test_natural_noise_keeps_the_test_part_and_the_sizes(cli: Cli, log: Path, data: Path, tmp_path: Path) -> None:
    arguments = ("prepare", log, tmp_path / "d", "--min-rating", 4, "--user-core", 3, "--item-core", 3, "--json")
    clean = load_dataset(data)
    for scale, seed in (("same", ("--noise-seed", 5)), ("all", ())):
        held = json.loads(cli(*arguments, "--natural-noise", scale, *seed, "--overwrite").succeeded().out)
        (noise,) = held["noise"]
        assert (noise["kind"], noise["scale"], noise["seed"]) == ("natural", scale, 5 if seed else 0)
        assert (noise["threshold"], noise["added_to"]) == (4, clean.fingerprint())
        noisy = load_dataset(tmp_path / "d")
        assert noisy.part("test").over(clean.items)[0].fingerprint() == clean.part("test").fingerprint()
        assert (noisy.train.nnz == clean.train.nnz) == (scale == "same")


def test_corrupt_adds_random_items_to_a_data_folder(cli: Cli, data: Path, tmp_path: Path) -> None:
    shown = cli("corrupt", data, tmp_path / "d", "--share", 0.25, "--seed", 2, "--name", "noisy").succeeded()
    assert "noisy" in shown.out
    assert f"wrote {tmp_path / 'd'}" in shown.err
    clean, noisy = load_dataset(data), load_dataset(tmp_path / "d")
    assert noisy.info["noise"][0]["share"] == 0.25
    assert noisy.part("test").fingerprint() == clean.part("test").fingerprint()
    assert noisy.train.nnz == round(clean.train.nnz * 1.25)
    again = json.loads(cli("corrupt", data, tmp_path / "again", "--share", 0.25, "--seed", 2, "--json").succeeded().out)
    assert (again["name"], again["fingerprint"]) == ("again", noisy.fingerprint())


# Train.


def test_train_writes_a_run_that_needs_nothing_else(cli: Cli, run: Path) -> None:
    described = read_config(run)
    assert described["model"] == "t-diffrec"
    assert described["info"]["training"]["epochs"] == 3
    assert described["info"]["data"]["name"] == "films"
    assert len(losses(run)) == 3


@pytest.mark.parametrize("model", ["popularity", "ease"])
def test_train_takes_a_model_by_its_name(cli: Cli, data: Path, tmp_path: Path, model: str) -> None:
    done = cli("train", model, "--data", data, "--out", tmp_path / "m", "--json").succeeded()
    figures = json.loads(done.out)
    assert figures["parameters"] > 0
    assert 0 <= figures["recall@20"] <= 1


def test_set_overrides_the_settings(cli: Cli, data: Path, tiny: Path, tmp_path: Path) -> None:
    given = ("--set", "training.epochs=1", "--set", "weighting.kind=uniform", "--set", "denoiser.hidden=[4, 4]")
    cli("train", tiny, "--data", data, "--out", tmp_path / "m", *given).succeeded()
    config = read_config(tmp_path / "m")["config"]
    assert config["training"]["epochs"] == 1
    assert config["weighting"]["kind"] == "uniform"
    assert config["denoiser"]["hidden"] == [4, 4]


def test_the_seed_decides_the_run(cli: Cli, data: Path, tiny: Path, run: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 0), ("other", 1)):
        cli("train", tiny, "--data", data, "--out", tmp_path / name, "--seed", seed).succeeded()
    assert losses(tmp_path / "same") == losses(run)
    assert losses(tmp_path / "other") != losses(run)


def test_refit_trains_once_more_for_the_chosen_epochs(cli: Cli, data: Path, tiny: Path, tmp_path: Path) -> None:
    cli("train", tiny, "--data", data, "--out", tmp_path / "m", "--refit").succeeded()
    info = read_config(tmp_path / "m")["info"]
    assert info["refit"] is True
    assert info["training"]["epochs"] == info["chosen"]["best_epoch"]
    evaluated = [cli("evaluate", tmp_path / "m", "--data", data, "--part", part).err for part in ("valid", "test")]
    assert ["learned from the valid part too" in said for said in evaluated] == [True, False]


def test_an_interrupted_run_resumes_to_the_same_end(
    cli: Cli, data: Path, tiny: Path, run: Path, tmp_path: Path, interrupted: None
) -> None:
    command = ("train", tiny, "--data", data, "--out", tmp_path / "m")
    stopped = cli(*command)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1].endswith("the same command with --resume goes on from here")
    assert "Traceback" not in stopped.err
    assert (tmp_path / "m" / CHECKPOINT).exists()
    assert not (tmp_path / "m" / CONFIG).exists()
    cli(*command).refused("unfinished run", "--resume")
    for asked in (("info",), ("evaluate", "--data", data)):
        cli(asked[0], command[command.index("--out") + 1], *asked[1:]).refused("unfinished run", "--resume")
    cli(*command, "--resume", "--set", "training.lr=0.5").refused("other settings")
    cli(*command, "--resume").succeeded()
    assert losses(tmp_path / "m") == losses(run)
    assert (tmp_path / "m" / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()


def test_resuming_a_finished_run_does_nothing(cli: Cli, data: Path, tiny: Path, run: Path) -> None:
    before = (run / CONFIG).stat().st_mtime_ns
    cli("train", tiny, "--data", data, "--out", run, "--resume").succeeded()
    assert (run / CONFIG).stat().st_mtime_ns == before


def test_resume_never_answers_with_another_command_s_run(
    cli: Cli, data: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "m"
    cli("train", "popularity", "--data", data, "--out", out).succeeded()
    cli("train", "ease", "--data", data, "--out", out, "--resume").refused("other settings")
    request.getfixturevalue("interrupted")
    changed = ("train", tiny, "--data", data, "--out", out)
    assert cli(*changed, "--overwrite").code == 130
    assert read_config(out)["model"] == "popularity"
    cli(*changed, "--resume").refused("--overwrite")
    cli(*changed, "--resume", "--overwrite").succeeded()
    assert read_config(out)["model"] == "t-diffrec"


def test_overwrite_replaces_a_run_and_nothing_else_does(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    cli("train", "popularity", "--data", data, "--out", out).succeeded()
    cli("train", "ease", "--data", data, "--out", out).refused("already holds a model", "--overwrite")
    assert read_config(out)["model"] == "popularity"
    cli("train", "ease", "--data", data, "--out", out, "--overwrite").succeeded()
    assert read_config(out)["model"] == "ease"


def test_a_run_may_go_into_the_current_folder(cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli("train", "ease", "--data", data, "--out", ".").succeeded()
    assert (tmp_path / CONFIG).exists()


def test_others_may_read_what_the_owner_wrote(run: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in run.iterdir()} == {(run / CONFIG).stat().st_mode & 0o777}


def test_a_model_of_one_s_own_runs_where_it_is_trusted(
    cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("upside_model.py").write_text(OWN_MODEL)
    Path("mine.toml").write_text('model = "upside_model:Upside"')
    cli("train", "mine.toml", "--data", data, "--out", "m").succeeded()
    for command in (("evaluate", "m", "--data", data), ("recommend", "m", "--history", 101), ("similar", "m", 101)):
        cli(*command).refused("upside_model:Upside", "--trust-code")
    assert cli("evaluate", "m", "--data", data, "--trust-code").succeeded().out
    assert cli("recommend", "m", "--history", 101, "--trust-code").succeeded().out


# Evaluate.


def test_evaluate_gives_one_flat_object_of_numbers(cli: Cli, data: Path, run: Path) -> None:
    figures = json.loads(cli("evaluate", run, "--data", data, "--json").succeeded().out)
    assert {"recall@10", "recall@20", "ndcg@10", "ndcg@20", "coverage", "users"} <= set(figures)
    assert all(isinstance(value, int | float) for value in figures.values())


def test_evaluate_ranks_by_a_protocol_s_history(cli: Cli, log: Path, run: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    cli("prepare", log, one, "--protocol", "leave-one-out").succeeded()
    said = cli("evaluate", run, "--data", one, "--protocol", "leave-one-out", "--metrics", "recall@10,hit_rate@10").succeeded().out
    assert "one: test, from train+valid" in said
    figures = [line.split()[1] for line in said.splitlines()[2:]]
    assert figures[0] == figures[1], "of one item to be found recall is the hit rate"
    shares = tmp_path / "shares"
    cli("prepare", log, shares).succeeded()
    refused = cli("evaluate", run, "--data", shares, "--protocol", "leave-one-out")
    assert refused.code
    assert "leave-one-out has one item a user in each later part" in refused.err


def test_a_protocol_beside_a_split_is_refused(cli: Cli, log: Path, tmp_path: Path) -> None:
    refused = cli("prepare", log, tmp_path / "d", "--protocol", "time-split", "--split", "random")
    refused.refused("--protocol time-split says how to split", "leave --split and --events out")


def test_evaluate_prints_a_table(cli: Cli, data: Path, run: Path) -> None:
    done = cli("evaluate", run, "--data", data, "--metrics", "recall@5, mrr@5", "--part", "valid").succeeded()
    assert "films: valid" in done.out
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["recall@5", "mrr@5"]
    assert "catalogue recommended" in done.err


def test_evaluate_measures_the_lists_themselves(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    """Of hits and of lists in one call; item 3 of the log has no genres, and no item has embeddings."""
    command = ("evaluate", run, "--data", data, "--metrics")
    done = cli(*command, "recall@5,coverage@5,novelty@5,gini", "--per-user", tmp_path / "users.csv").succeeded()
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["recall@5", "coverage@5", "novelty@5", "gini@20"]
    assert done.out.splitlines()[-1].endswith("-"), "one number for all lists has no standard error"
    assert pl.read_csv(tmp_path / "users.csv").columns == ["user", "recall@5", "novelty@5"]
    figures = json.loads(cli(*command, "recall@5,coverage@5,novelty@5", "--json").succeeded().out)
    assert figures["coverage@5"] == figures["coverage"]
    assert figures["novelty@5"] > 0
    cli(*command, "embedding_diversity@5").refused("embedding_diversity@5 needs the embeddings", "item_emb.npy")


def test_evaluate_keeps_each_user_s_figures(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", run, "--data", data, "--metrics", "recall@5", "--json", "--per-user", tmp_path / "users.csv")
    figures = json.loads(cli(*arguments).succeeded().out)
    users = pl.read_csv(tmp_path / "users.csv")
    assert users.columns == ["user", "recall@5"]
    assert users["recall@5"].mean() == pytest.approx(figures["recall@5"])


def test_evaluate_warns_of_other_data(cli: Cli, log: Path, run: Path, tmp_path: Path) -> None:
    cli("prepare", log, tmp_path / "other", "--min-rating", 5).succeeded()
    done = cli("evaluate", run, "--data", tmp_path / "other", "--json").succeeded()
    assert "warning: " in done.err
    assert "was trained on 'films'" in done.err
    assert json.loads(done.out)["users"] > 0


def test_data_of_another_kind_of_ids_is_understood_or_refused(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    rows = [f"u{user},film-{(user + step) % 9},{step}" for user in range(9) for step in range(6)]
    (tmp_path / "log.csv").write_text("user,item,time\n" + "\n".join(rows))
    cli("prepare", tmp_path / "log.csv", tmp_path / "d", "--split", "leave-last").succeeded()
    done = cli("evaluate", run, "--data", tmp_path / "d")
    assert done.code == 1
    assert "no item in common" in done.err
    assert "Traceback" not in done.err
    cli("recommend", run, "--data", tmp_path / "d", "-k", 3).refused("no item in common")


# Recommend, similar, export.


def test_recommend_for_a_history_typed_by_hand(cli: Cli, run: Path) -> None:
    found = json.loads(cli("recommend", run, "--history", 105, 109, 113, "-k", 5, "--json").succeeded().out)
    assert [entry["rank"] for entry in found] == [1, 2, 3, 4, 5]
    assert not {105, 109, 113} & {entry["item"] for entry in found}
    assert found[0]["title"] == f"[Film] {found[0]['item']}: a <b>long</b> title (19{found[0]['item'] - 101:02})"
    table = cli("recommend", run, "--history", 105, 109, 113, "-k", 5).succeeded().out
    assert found[0]["title"] in table, "brackets in titles are no markup"


def test_recommend_may_repeat_what_was_seen(cli: Cli, run: Path) -> None:
    found = json.loads(cli("recommend", run, "--history", 105, "-k", 40, "--include-seen", "--json").succeeded().out)
    assert 105 in {entry["item"] for entry in found}


def test_recommend_shows_what_the_newest_interaction_changed(cli: Cli, run: Path) -> None:
    def lists(k: int, *history: int, options: tuple[str, ...] = ()) -> list[dict[str, int]]:
        return json.loads(cli("recommend", run, "--history", *history, "-k", k, "--json", *options).succeeded().out)

    found = lists(5, 105, 109, 113, options=("--effect-of-newest",))
    assert [{key: row[key] for key in row if key != "before"} for row in found] == lists(5, 105, 109, 113)
    before = [row["item"] for row in lists(38, 105, 109) if row["item"] != 113]  # it is left out here too
    assert [row["before"] for row in found] == [before.index(row["item"]) + 1 for row in found]
    now = [row["item"] for row in lists(37, 105, 109, 113)]
    k = next(k for k in range(1, 37) if set(now[:k]) != set(before[:k]))
    told = cli("recommend", run, "--history", 105, 109, 113, "-k", k, "--effect-of-newest").succeeded().err
    gone = [str(item) for item in before[:k] if item not in now[:k]]
    assert f"no longer among the first {k}: {', '.join(gone)}\n" in told


def test_without_its_only_interaction_a_history_has_no_ranks(cli: Cli, run: Path) -> None:
    found = cli("recommend", run, "--history", 105, "-k", 4, "--json", "--effect-of-newest").succeeded()
    assert [row["before"] for row in json.loads(found.out)] == [None] * 4


def test_users_of_one_event_have_no_ranks_without_it(cli: Cli, tmp_path: Path) -> None:
    rows = [f"u{user},i{(user + item) % 20},{item // 3}" for user in range(20) for item in range(12)]
    rows += [f"{user},i{item},1" for user in ("once", "one") for item in (3, 4, 5)]
    (tmp_path / "log.csv").write_text("user,item,time\n" + "\n".join(rows))
    data, model = tmp_path / "data", tmp_path / "m"
    cli("prepare", tmp_path / "log.csv", data).succeeded()
    cli("train", "popularity", "--data", data, "--out", model).succeeded()
    asked = ("recommend", model, "--data", data, "-k", 4, "--json", "--effect-of-newest", "--user", "one", "--user", "once")
    assert [row["before"] for row in json.loads(cli(*asked).succeeded().out)] == [None] * 8


def test_without_time_there_is_no_newest_interaction(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u in range(20) for i in range(30) if (u + i) % 4))
    data, model = tmp_path / "data", tmp_path / "m"
    cli("prepare", tmp_path / "log.csv", data).succeeded()
    cli("train", "popularity", "--data", data, "--out", model).succeeded()
    cli("recommend", model, "--data", data, "-k", 3).succeeded()
    cli("recommend", model, "--data", data, "-k", 3, "--effect-of-newest").refused("--effect-of-newest", "time")


def test_lists_say_what_speaks_for_each_item(cli: Cli, run: Path, tmp_path: Path) -> None:
    found = json.loads(cli("recommend", run, "--history", 105, 109, 113, "-k", 3, "--explain", "--json").succeeded().out)
    titles = {f"[Film] {item}: a <b>long</b> title (19{item - 101:02})" for item in (105, 109, 113)}
    named = [part.rsplit(" (+", 1)[0] for row in found for part in row["because"].split("; ") if part]
    assert named
    assert set(named) <= titles
    out = tmp_path / "lists.csv"
    cli("recommend", run, "--history", 105, 109, 113, "-k", 3, "--explain", "--out", out).succeeded()
    assert pl.read_csv(out)["because"].null_count() + (pl.read_csv(out)["because"].str.contains(r"\(\+")).sum() == 3


def test_a_model_without_taste_explains_nothing(cli: Cli, data: Path, tmp_path: Path) -> None:
    cli("train", "popularity", "--data", data, "--out", tmp_path / "p").succeeded()
    cli("recommend", tmp_path / "p", "--history", 105, "-k", 3, "--explain").refused("popularity", "another model")


def test_recommend_for_chosen_users(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("u03\n\nu05\n")
    arguments = ("recommend", run, "--data", data, "--user", "u01", "--users", tmp_path / "users.txt", "-k", 3, "--json")
    found = json.loads(cli(*arguments).succeeded().out)
    assert [entry["user"] for entry in found] == ["u01"] * 3 + ["u03"] * 3 + ["u05"] * 3


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl"])
def test_recommend_for_everybody_into_a_file(cli: Cli, data: Path, run: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / "deep" / f"lists.{ending}"
    cli("recommend", run, "--data", data, "-k", 4, "--out", out).succeeded()
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}
    lists = pl.read_csv(out, separator="\t") if ending == "tsv" else read[ending](out)
    assert lists.columns == ["user", "rank", "item", "score", "title"]
    assert lists.height == 4 * 60


def test_recommend_among_candidates_and_without_the_excluded(cli: Cli, run: Path, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("101\n102\n103\n104\n")
    pl.DataFrame({"item": [102, 103]}).write_parquet(tmp_path / "not.parquet")
    chosen = ("--candidates", tmp_path / "some.txt", "--exclude", tmp_path / "not.parquet")
    found = json.loads(cli("recommend", run, "--history", 120, "-k", 4, *chosen, "--json").succeeded().out)
    assert {entry["item"] for entry in found} == {101, 104}


def test_items_that_the_model_does_not_know_are_left_out_and_counted(cli: Cli, run: Path, data: Path, tmp_path: Path) -> None:
    command = ("recommend", run, "-k", 4, "--json", "--history")
    found, known = cli(*command, 105, 7, 109, "nine").succeeded(), cli(*command, 105, 109).succeeded()
    assert found.out == known.out
    assert "warning: 2 of 4 items of the history are unknown to the model and left out: '7', 'nine'\n" in found.err
    assert "unknown to the model" not in known.err

    dataset = recodiff.load_dataset(data)
    wider = recodiff.IdMap([*dataset.items.ids, 7])
    log = dataset.train.over(wider)[0]
    log = log.union(
        recodiff.Interactions.from_arrays([0], [len(wider) - 1], log.users, wider, times=[2**40], time_kind=log.time_kind)
    )
    recodiff.save_dataset(recodiff.Dataset(log, None, None, None, None, {"name": "wider"}), tmp_path / "wider")
    of_wider = ("recommend", run, "--data", tmp_path / "wider", "--user", str(log.users.ids[0]), "--json")
    assert "1 interactions with items unknown to the model are left out" in cli(*of_wider).succeeded().err
    cli(*of_wider, "--unknown", "refuse").refused("1 interactions", "--unknown skip")


def test_similar_items_have_titles(cli: Cli, run: Path) -> None:
    found = json.loads(cli("similar", run, 101, 102, "-k", 3, "--json").succeeded().out)
    assert [entry["item"] for entry in found] == [101] * 3 + [102] * 3
    assert all(entry["similar_title"].startswith(f"[Film] {entry['similar']}") for entry in found)
    assert found[0]["title"] in cli("similar", run, 101, "-k", 3).succeeded().out


def test_exported_vectors_make_the_same_lists(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    cli("export", run, tmp_path / "v", "--data", data).succeeded()
    items, users = (pl.read_parquet(tmp_path / "v" / f"{name}.parquet") for name in ("items", "users"))
    asked = ("recommend", run, "--data", data, "--user", "u07", "-k", 5, "--include-seen", "--json")
    lists = json.loads(cli(*asked).succeeded().out)
    user = users.filter(pl.col("user") == "u07")["vector"].to_numpy()[0]
    scores = np.stack(items["vector"].to_list()) @ user + items["bias"].to_numpy()
    best = np.argsort(-scores)[:5]
    assert [entry["item"] for entry in lists] == items["item"].gather(best).to_list()
    assert [entry["score"] for entry in lists] == pytest.approx(scores[best].tolist(), rel=1e-4)


@pytest.mark.parametrize("to", ["faiss", "duckdb", "onnx"])
def test_an_exported_store_makes_the_same_lists(cli: Cli, data: Path, run: Path, tmp_path: Path, to: str) -> None:
    pytest.importorskip(to)
    said = cli("export", run, tmp_path / "s", "--to", to, "--data", data).succeeded().err
    assert str(tmp_path / "s") in said
    x = load_dataset(data).history("train+valid+test")
    users = x if to == "onnx" else recodiff.user_vectors(recodiff.load_model(run), x)
    with recodiff.open_store(tmp_path / "s") as store:
        found = store.query(users, 5, seen=x)
    wanted = recodiff.recommend(recodiff.load_model(run), x, 5)
    np.testing.assert_array_equal(found.items, wanted.items)
    cli("export", run, tmp_path / "s", "--to", to).refused("already holds data", "--overwrite")
    cli("export", run, tmp_path / "s", "--to", to, "--overwrite").succeeded()


def test_lists_go_from_a_database_to_a_database(cli: Cli, log: Path, tiny: Path, tmp_path: Path) -> None:
    import sqlite3

    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE clicks (user, item, rating, time)")
        database.executemany("INSERT INTO clicks VALUES (?, ?, ?, ?)", pl.read_csv(log / "ratings.csv").rows())
    database.close()
    cli("prepare", url, tmp_path / "d", "--min-rating", 4).refused("--table NAME or --query")
    said = cli("prepare", url, tmp_path / "d", "--table", "clicks", "--min-rating", 4, "--json").succeeded()
    assert json.loads(said.out)["users"] == 60
    assert "read as sql" in said.err
    cli("train", "popularity", "--data", tmp_path / "d", "--out", tmp_path / "m").succeeded()
    asked = ("recommend", tmp_path / "m", "--data", tmp_path / "d", "-k", 3)
    assert "the table recommendations" in cli(*asked, "--out", url).succeeded().err
    cli(*asked, "--out", tmp_path / "lists.csv").succeeded()
    with sqlite3.connect(tmp_path / "shop.db") as database:
        rows = database.execute('SELECT "user", rank, item, score FROM recommendations').fetchall()
    database.close()
    assert rows == pl.read_csv(tmp_path / "lists.csv").rows()
    cli(*asked, "--out", url).refused("already there", "--overwrite")
    cli(*asked, "--out", url, "--table", "clicks", "--overwrite").refused("holds no lists", "--table")
    cli(*asked, "--out", url, "--overwrite").succeeded()
    cli(*asked, "--table", "mine").refused("--table is of a database")


# Output.


def test_a_narrow_terminal_folds_and_a_file_does_not(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = cli("similar", run, 101, "-k", 3).succeeded().out.splitlines()
    assert len(lines) == 4, "one line per row where nobody watches"
    monkeypatch.setenv("COLUMNS", "60")
    narrow = cli("similar", run, 101, "-k", 3).succeeded().out.splitlines()
    assert len(narrow) > 4
    assert max(map(len, narrow)) <= 60


def test_choosing_on_the_end_of_train_leaves_the_validation_part_alone(cli: Cli, data: Path, tiny: Path, tmp_path: Path) -> None:
    arguments = ("train", tiny, "--data", data, "--out", tmp_path / "m", "--choose-on", "inner")
    cli(*arguments).succeeded()
    info = json.loads((tmp_path / "m" / "config.json").read_text())["info"]
    assert info["choose_on"] == "inner"
    assert info["training"]["epochs"] == info["chosen"]["best_epoch"]
    cli(*arguments, "--resume").succeeded()
    cli(*arguments[:-2], "--resume").refused("other settings")


def test_threads_can_be_bounded_and_none_is_no_number_of_them(cli: Cli, data: Path, tiny: Path, tmp_path: Path) -> None:
    cli("train", tiny, "--data", data, "--out", tmp_path / "m").succeeded()
    cli("evaluate", tmp_path / "m", "--data", data, "--threads", 1).succeeded()
    cli("evaluate", tmp_path / "m", "--data", data, "--threads", 0).refused("threads = 0")
    cli("recommend", tmp_path / "m", "--data", data, "--threads", 0).refused("threads = 0")


def test_evaluate_says_where_model_and_data_differ_in_events(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{u},{i},{1_000_000_000 + n // 2}\n" for u in range(30) for n, i in enumerate(rng.permutation(20)[:15])]
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(lines))
    for events in ("whole", "split"):
        cli("prepare", tmp_path / "log.csv", tmp_path / events, "--events", events, "--name", "baskets").succeeded()
    cli("train", "ease", "--data", tmp_path / "whole", "--out", tmp_path / "run").succeeded()
    said = "its events are whole and these split, so the figures do not compare"
    assert said in cli("evaluate", tmp_path / "run", "--data", tmp_path / "split").succeeded().err
    assert "its events" not in cli("evaluate", tmp_path / "run", "--data", tmp_path / "whole").succeeded().err
    described = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert described["info"]["data"]["events"] == "whole"


def test_evaluate_says_where_test_begins_inside_events(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{u},{i},{1_000_000_000 + n // 4}\n" for u in range(20) for n, i in enumerate(rng.permutation(20)[:15])]
    (tmp_path / "log.csv").write_text("user,item,timestamp\n" + "".join(lines))
    (tmp_path / "lists.csv").write_text("user,item,rank\n" + "".join(f"{u},{u},1\n" for u in range(20)))
    for events, said in (("split", ["20 users' test begins inside an event that training has seen"]), ("whole", [])):
        asked = "prepare", tmp_path / "log.csv", tmp_path / events, "--events", events, "--split", "leave-last"
        cli(*asked).succeeded()
        cli("train", "popularity", "--data", tmp_path / events, "--out", tmp_path / f"run-{events}").succeeded()
        for measured in ((tmp_path / f"run-{events}",), ("--lists", tmp_path / "lists.csv")):
            done = cli("evaluate", *measured, "--data", tmp_path / events, "--json").succeeded()
            assert [line.partition(": ")[2].partition(": ")[2] for line in done.err.splitlines() if "begins inside" in line] == said
            assert json.loads(done.out)["users"] > 0
            assert "begins inside" not in cli("evaluate", *measured, "--data", tmp_path / events, "--part", "valid").succeeded().err
