"""Two processes train what one trains: the same losses, figures and lists, and go on after one of them was killed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import together
from recodiff import load_model
from recodiff.errors import CheckpointError
from recodiff.runtime import distributed
from recodiff.tensors.random import BatchSlice, SliceGenerator, by_row, keep_rows, keyed_generator, normal_like
from recodiff.tensors.rows import Rows
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG
from recodiff.training.pairs import Pair

HERE = Path(__file__).resolve().parents[1]


def two_processes(out: Path, *names: str) -> list[int]:
    """Exit codes of two processes that run `together.py` as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started: list[subprocess.Popen[bytes]] = []
    for number in range(2):
        told = {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
        told |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
        started.append(subprocess.Popen([sys.executable, str(HERE / "together.py"), str(out), *names], env=os.environ | told))
    try:
        return [process.wait(timeout=600) for process in started]
    finally:
        for process in started:
            process.kill()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("both")
    assert two_processes(out, *together.CASES_OF_BOTH) == [0, 0]
    return json.loads((out / f"{next(iter(together.CASES_OF_BOTH))}.json").read_text())


@pytest.mark.parametrize("name", together.CASES_OF_BOTH)
def test_two_processes_train_what_one_trains(name: str, both: dict[str, Any]) -> None:
    """21 steps, the last of every three with a single row."""
    alone, pair = together.told(name), both[name]
    for key in ("loss", "recall@20"):
        ours, truth = ([entry[key] for entry in found["log"]] for found in (pair, alone))
        np.testing.assert_allclose(ours, truth, rtol=1e-5)
    np.testing.assert_allclose(pair["scores"], alone["scores"], rtol=1e-3, atol=1e-4)
    assert np.mean(np.array(pair["items"]) == np.array(alone["items"])) > 0.95  # the rest are ties


def test_a_killed_run_of_two_goes_on_and_ends_as_the_unbroken_one(tmp_path: Path, both: dict[str, Any]) -> None:
    assert two_processes(tmp_path, "killed", "hidden") == [9, 9]
    done = len((tmp_path / GROWING_LOG).read_text().splitlines())
    assert done == 3
    assert (tmp_path / CHECKPOINT).exists()
    assert two_processes(tmp_path, "resumed", "hidden") == [0, 0]
    resumed = json.loads((tmp_path / "resumed.json").read_text())["resumed"]
    assert [entry["loss"] for entry in resumed["log"]] == [entry["loss"] for entry in both["hidden"]["log"]]
    assert resumed["scores"] == both["hidden"]["scores"]


# Processes that share the items


@pytest.mark.parametrize("name", together.SHARED)
def test_each_has_the_weights_of_its_items_and_the_lists_of_all(name: str, both: dict[str, Any]) -> None:
    """21 items: 11 and 10."""
    alone, pair = together.told(name), both[name]
    assert pair["parameters"] == alone["parameters"]
    assert pair["bytes"] == {key: whole * 11 // 21 for key, whole in alone["bytes"].items()}
    assert pair["few"] == alone["few"]


def test_a_killed_run_that_shares_the_items_goes_on_and_one_alone_goes_on_from_it(tmp_path: Path, both: dict[str, Any]) -> None:
    """And the folder that two write is that of one."""
    name = "items-t-diffrec"
    assert two_processes(tmp_path, "killed", name) == [9, 9]
    shutil.copytree(tmp_path, alone := tmp_path / "alone")
    assert two_processes(tmp_path, "resumed", name) == [0, 0]
    resumed = json.loads((tmp_path / "resumed.json").read_text())["resumed"]
    assert [entry["loss"] for entry in resumed["log"]] == [entry["loss"] for entry in both[name]["log"]]
    assert resumed["scores"] == both[name]["scores"]
    one = together.told(name, out=alone, resume=True)
    np.testing.assert_allclose([entry["loss"] for entry in one["log"]], [entry["loss"] for entry in resumed["log"]], rtol=1e-5)
    loaded, whole = load_model(tmp_path / "model").state(), together.trained(name).state()
    assert list(loaded) == list(whole)
    for key, tensor in whole.items():
        torch.testing.assert_close(loaded[key], tensor, rtol=1e-4, atol=1e-5)


# What a process draws of a batch that it shares


def parts(n: int, processes: int) -> list[BatchSlice]:
    edges = [n * r // processes for r in range(processes + 1)]
    return [BatchSlice(a, b, n, True, lambda x: x) for a, b in pairwise(edges)]


def generators(n: int, processes: int) -> list[torch.Generator]:
    return [distributed.generator_of(keyed_generator(3), part) for part in parts(n, processes)]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_parts_of_a_draw_are_the_draw(processes: int) -> None:
    n = 7
    own = parts(n, processes)
    whole = normal_like(torch.empty(n, 5), keyed_generator(3))
    mask = keep_rows(torch.empty(2 * n, 5), 0.4, keyed_generator(3)).mask
    drawn, kept = [], []
    for part, a, b in zip(own, generators(n, processes), generators(n, processes), strict=True):
        assert isinstance(a, SliceGenerator)
        drawn.append(normal_like(torch.empty(part.stop - part.start, 5), a))
        kept.append(keep_rows(torch.empty(2 * (part.stop - part.start), 5), 0.4, b).mask)
    torch.testing.assert_close(torch.cat(drawn), whole, rtol=0, atol=0)
    torch.testing.assert_close(torch.cat(kept), mask, rtol=0, atol=0)


def test_dropout_of_entries_is_that_of_the_whole_batch() -> None:
    offsets = torch.tensor([0, 3, 3, 8, 9])
    rows = Rows(offsets, torch.arange(9), torch.ones(9), 9)
    whole = Pair(rows, users=torch.arange(4), negatives=torch.arange(18).view(9, 2))
    dropped = rows.drop(0.5, keyed_generator(1))
    own = [whole.part(a, b) for a, b in ((0, 2), (2, 3), (3, 4))]
    assert torch.equal(torch.cat([part.source.drop(0.5, keyed_generator(1)).columns for part in own]), dropped.columns)
    assert [part.users.tolist() for part in own if part.users is not None] == [[0, 1], [2], [3]]
    assert torch.equal(torch.cat([part.negatives for part in own if part.negatives is not None]), torch.arange(18).view(9, 2))


def test_rows_and_draws_that_do_not_belong_together_are_our_own_mistake() -> None:
    (generator, _) = generators(4, 2)
    with pytest.raises(AssertionError):
        by_row((3,), generator, torch.zeros)


def test_one_process_is_left_as_it_is() -> None:
    module = torch.nn.Linear(2, 2)
    assert distributed.wrap(module) is module
    assert distributed.batch_slice(5) is None
    assert (distributed.size(), distributed.process_rank(), distributed.leads(), distributed.on_this_machine()) == (1, 0, True, 1)
    assert distributed.own_gpu("cuda") == "cuda"
    rows = np.arange(6).reshape(3, 2)
    assert distributed.gather(rows, 3) is rows


def test_processes_that_stand_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "gather", lambda rows, n: np.array([30, 0]))
    with pytest.raises(CheckpointError, match=r"stand at steps \[30, 0\]; put --out on a file system that all machines share"):
        distributed.agree(30)
