"""SASRec: windows and targets by hand, causality, and the loss against a slow truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import reference
from recodiff import Run, build, recommend
from recodiff.data.interactions import IdMap, Interactions
from recodiff.data.weighting import HalfLife, Uniform
from recodiff.errors import ConfigError, DataError
from recodiff.models.sequences.sasrec import SASRec, SASRecNet
from recodiff.models.sequences.windows import ItemWindow, windows
from recodiff.tensors.random import BatchSlice, SliceGenerator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress
from toy import random_interactions


def histories(*items: list[int], n_items: int = 9) -> Interactions:
    user = np.repeat(np.arange(len(items)), [len(row) for row in items])
    item = [i for row in items for i in row]
    order = np.arange(len(item))
    return Interactions.from_arrays(user, item, IdMap.range(len(items)), IdMap.range(n_items), times=order, time_kind="order")


def net(**settings: object) -> SASRecNet:
    model = build("sasrec", {"width": 8, "length": 4, "dropout": 0.0, **settings})
    assert isinstance(model, SASRec)
    return model.build(9, torch.Generator().manual_seed(0))


def test_a_window_is_the_newest_items_from_the_left() -> None:
    found = windows(Rows.from_csr(histories([5, 1, 7, 2, 8], [3], []).matrix), 4)
    assert isinstance(found, ItemWindow)
    assert found.items.tolist() == [[1, 7, 2, 8], [3, 0, 0, 0], [0, 0, 0, 0]]
    assert found.weights.tolist() == [[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found.lengths.tolist() == [4, 1, 0]


def test_in_training_any_run_of_a_long_history_is_shown_equally_often() -> None:
    rows, generator = Rows.from_csr(histories(*[[5, 1, 7, 2, 8, 4]] * 300).matrix), torch.Generator().manual_seed(0)
    window = windows(rows, 4, generator)
    assert isinstance(window, ItemWindow)
    first, count = window.items[:, 0].unique(return_counts=True)
    assert first.tolist() == [1, 5, 7]
    np.testing.assert_allclose(count / 300, 1 / 3, atol=0.09)


def test_what_follows_each_place() -> None:
    places, target = windows(Rows.from_csr(histories([5, 1, 7, 2], [3], [8, 4]).matrix), 4).following(
        2, HalfLife(half_life=1, floor=0.0), 9
    )
    assert places.tolist() == [[True, True, True, False], [False] * 4, [True, False, False, False]]
    expected = np.zeros((4, 9))
    for row, (items, weights) in enumerate([([1, 7], [1, 0.5]), ([7, 2], [1, 0.5]), ([2], [1]), ([4], [1])]):
        expected[row, items] = weights
    np.testing.assert_allclose(target.dense(), expected)
    assert windows(Rows.from_csr(histories([5, 1]).matrix), 4).following(1, Uniform(), 9)[1].values.tolist() == [1]


def test_a_place_knows_nothing_of_what_comes_after() -> None:
    module = net().eval()
    one, other = (module.states(windows(Rows.from_csr(histories(items).matrix), 4)) for items in ([5, 1, 7, 2], [5, 1, 3, 8]))
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2], other[:, 2])


def test_the_order_of_the_items_tells() -> None:
    module = net().eval()
    one, other = (module.last_states(Rows.from_csr(histories(items).matrix)) for items in ([5, 1, 7], [1, 5, 7]))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("output", ["tied", "own"])
def test_the_loss_is_the_mean_over_places(output: str) -> None:
    module, x = net(horizon=2, output=output), histories([5, 1, 7, 2], [3], [8, 4])
    found = module(Pair(Rows.from_csr(x.matrix)), Progress(0, 0), torch.Generator())
    window = windows(Rows.from_csr(x.matrix), 5)
    places, target = window.following(2, Uniform(), 9)
    logits = module.states(window.before_last())[places[:, :-1]] @ module.scored_by.T + module.bias
    truth = reference.multinomial(logits.detach().double().numpy(), target.dense().double().numpy())
    assert float(found.mean().detach()) == pytest.approx(truth.mean(), rel=1e-5)
    np.testing.assert_allclose(found.detach(), np.array([truth[:3].sum(), 0, truth[3]]) * 3 / 4, rtol=1e-5)


def test_the_loss_can_be_over_what_was_not_met_before_each_place() -> None:
    x = histories([5, 1, 7, 2], [8, 4])
    window = windows(Rows.from_csr(x.matrix), 5)
    places, target = window.following(2, Uniform(), 9)
    met = window.known(places, 9).dense().bool()
    assert [row.nonzero()[:, 0].tolist() for row in met] == [[5], [1, 5], [1, 5, 7], [8]]
    module = net(horizon=2, loss_over="unmet")
    logits = module.states(window.before_last())[places[:, :-1]] @ module.scored_by.T + module.bias
    truth = reference.multinomial(logits.detach().double().masked_fill(met, -1e30).numpy(), target.dense().double().numpy())
    found = module(Pair(Rows.from_csr(x.matrix)), Progress(0, 0), torch.Generator())
    np.testing.assert_allclose(found.detach(), np.array([truth[:3].sum(), truth[3]]) * 2 / 4, rtol=1e-5)


def test_it_learns_a_walk() -> None:
    n = 12
    x = histories(*[[(u + step) % n for step in range(6)] for u in range(n)], n_items=n)
    settings = {"width": 32, "layers": 1, "dropout": 0.0, "training": {"epochs": 120, "batch_size": 6, "lr": 1e-2}}
    model = build("sasrec", settings).fit(x, Run(seed=0, progress=False))
    assert (recommend(model, x, 1).items[:, 0] == (np.arange(n) + 6) % n).mean() >= 0.9


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ConfigError, match="width=8 cannot be shared by heads=3"):
        build("sasrec", {"width": 8, "heads": 3}).fit(random_interactions(np.random.default_rng(0)))


def test_data_without_time_is_refused() -> None:
    with pytest.raises(DataError, match="a sequence model needs to know what came first"):
        build("sasrec").fit(Interactions.from_arrays([0, 0], [0, 1], IdMap.range(1), IdMap.range(2)))


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_targets_by_the_clock_are_refused(name: str) -> None:
    x = random_interactions(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="'days' is not for sequence models"):
        build(name, {"target": {"kind": "half_life", "unit": "days"}}).fit(x)


def test_users_with_histories_of_any_length_weigh_alike_whichever_process_has_them() -> None:
    x, module = histories([5, 1, 7, 2, 8], [3, 4], [8, 4, 1]), net(horizon=2)
    whole = module(Pair(Rows.from_csr(x.matrix)), Progress(0, 0), torch.Generator().manual_seed(0)).detach()
    counts = torch.tensor([4.0, 1.0, 2.0])

    def join(mine: torch.Tensor) -> torch.Tensor:
        assert mine.tolist() == counts[:2].tolist()
        return counts

    generator = SliceGenerator()
    generator.batch_slice = BatchSlice(0, 2, 3, True, join)
    torch.testing.assert_close(module(Pair(Rows.from_csr(x.take([0, 1]).matrix)), Progress(0, 0), generator).detach(), whole[:2])
