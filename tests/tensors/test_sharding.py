"""Items shared out: every sum over items is the whole one, with its gradients; float64, three that share, as threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from recodiff.diffusion.denoisers import BY_ITEM, MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.hidden import HiddenChain, HiddenPath
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import LinearVariance
from recodiff.diffusion.timesteps import UniformTimesteps
from recodiff.tensors import sharding
from recodiff.tensors.losses import Loss, Multinomial, SquaredError
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import ALL, AllItems, Shard

ITEMS, BOUNDS = 13, (0, 5, 10, 13)


class Together:
    """Stands in for processes: threads that wait for one another wherever something is added up."""

    def __init__(self, n: int) -> None:
        self.n, self.barrier, self.given = n, threading.Barrier(n, timeout=60), {}

    def reduce(self, place: int, how: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        self.given[place] = x.clone()
        self.barrier.wait()
        found = how(torch.stack([self.given[p] for p in range(self.n)]))
        self.barrier.wait()
        return x.copy_(found)

    def shard(self, place: int) -> Shard:
        def total(x: Tensor) -> Tensor:
            return self.reduce(place, lambda all_: all_.sum(0), x)

        def most(x: Tensor) -> Tensor:
            return self.reduce(place, lambda all_: all_.amax(0), x)

        return Shard(BOUNDS[place], BOUNDS[place + 1], BOUNDS[-1], total, most)

    def run(self, job: Callable[[Shard], Any]) -> list[Any]:
        found: dict[int, Any] = {}

        def work(place: int) -> None:
            try:
                found[place] = job(self.shard(place))
            except Exception as error:  # told by the assertion below
                found[place] = error
                self.barrier.abort()

        threads = [threading.Thread(target=work, args=(place,)) for place in range(self.n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [found[place] for place in range(self.n)]


def alone(start: int = 0, stop: int = 5, total: int = 13) -> Shard:
    return Shard(start, stop, total, lambda x: x, lambda x: x)


def made(items: AllItems, loss: Loss, dropout: float = 0.3) -> Diffusion:
    net = MLPDenoiser(ITEMS, [4, 3], generator=keyed_generator(1), items=items)
    process = GaussianProcess(LinearVariance(noise_scale=0.5, noise_min=0.1, noise_max=0.5).betas(3))
    return Diffusion(process, net, UniformTimesteps(3), loss=loss, dropout=dropout, loss_path=HiddenPath()).double()


def histories() -> tuple[Rows, Rows]:
    """Four rows and their targets; the first has met all the items of the second part, the last nothing of the third."""
    dense = torch.rand(4, ITEMS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    source, target = dense * (dense < 0.4), dense * (dense > 0.6)
    source[0, 5:10], target[0, 5:10] = 0.5, 0.0
    source[3, 10:] = 0.0
    return sparse(source), sparse(target)


def sparse(dense: Tensor) -> Rows:
    row, column = dense.nonzero().T
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(row, minlength=len(dense)).cumsum(0)])
    return Rows(offsets, column, dense[row, column], dense.shape[1])


def learned(items: AllItems, loss: Loss, forecast: bool) -> tuple[Tensor, dict[str, Tensor]]:
    diffusion = made(items, loss)
    source, target = histories()
    pair = (source, target, source) if forecast else (source,)
    found = diffusion.loss(*pair, generator=keyed_generator(2)).loss
    (found * torch.arange(1.0, 5.0)).sum().backward()
    return found.detach(), {name: p.grad for name, p in diffusion.denoiser.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("loss", [SquaredError(), Multinomial(), Multinomial(2)], ids=["squared", "multinomial", "sampled"])
@pytest.mark.parametrize("forecast", [False, True])
def test_losses_and_gradients_are_those_of_all_items(loss: Loss, forecast: bool) -> None:
    truth, gradients = learned(ALL, loss, forecast)
    found = Together(3).run(lambda its: learned(its, loss, forecast))
    for place, (value, own) in enumerate(found):
        torch.testing.assert_close(value, truth)
        for name, gradient in gradients.items():
            here = gradient.narrow(BY_ITEM[name], BOUNDS[place], BOUNDS[place + 1] - BOUNDS[place]) if name in BY_ITEM else gradient
            torch.testing.assert_close(own[name], here)


def test_the_chain_scores_each_its_items() -> None:
    def scores(items: AllItems) -> Tensor:
        return HiddenChain(made(items, SquaredError()).eval()).denoise(histories()[0])

    torch.testing.assert_close(torch.cat(Together(3).run(scores), 1), scores(ALL))


@pytest.mark.parametrize("shape", [(13,), (13, 7), (7, 13), (3, 13, 2), (1, 13)])
@pytest.mark.parametrize("at_once", [16, 48, 2**22])
def test_a_part_of_a_layer_is_drawn_as_the_whole_is(shape: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next layer finds the generator where it would have stood."""
    monkeypatch.setattr(sharding, "DRAWN_AT_ONCE", at_once)
    generator = keyed_generator(4)
    dim, whole = shape.index(13), torch.empty(shape)
    ALL.fill_normal(whole, 0.3, generator, dim)
    after = torch.rand(1, generator=generator)
    for start, stop in ((0, 5), (5, 10), (10, 13)):
        again, part = keyed_generator(4), torch.empty([stop - start if n == 13 else n for n in shape])
        alone(start, stop).fill_normal(part, 0.3, again, dim)
        assert torch.equal(part, whole.narrow(dim, start, stop - start))
        assert torch.equal(torch.rand(1, generator=again), after)


def test_entries_between_two_columns() -> None:
    rows = histories()[0]
    assert torch.equal(rows.between(5, 10).dense(), rows.dense()[:, 5:10])
    assert rows.between(0, 0).width == 0
