"""Random numbers by key: masks and noise that threads, forks and other draws do not change."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator

import pytest
import torch

from recodiff.tensors.random import filled, keep_mask, keyed_generator, normal_like

ANYWHERE = torch.zeros(())


@pytest.mark.parametrize("p", [0.5, 0.1, 0.0, 0.97])
def test_a_mask_keeps_its_share(p: float) -> None:
    mask = keep_mask((300, 1001), p, ANYWHERE, keyed_generator("mask"))
    assert mask.dtype == torch.bool
    assert mask.shape == (300, 1001)
    assert mask.double().mean().item() == pytest.approx(1 - p, abs=4.5 * math.sqrt(p * (1 - p) / mask.numel()))


def test_a_mask_is_as_good_as_independent_coins() -> None:
    """By rows, by columns and between neighbours: four entries come from one 64-bit draw."""
    mask = keep_mask((2000, 400), 0.5, ANYWHERE, keyed_generator("coins")).double() - 0.5
    assert mask.mean(0).abs().max().item() < 5.5 * 0.5 / math.sqrt(2000)
    assert mask.mean(1).abs().max().item() < 5.5 * 0.5 / math.sqrt(400)
    flat = mask.flatten()
    for lag in (1, 2, 3, 4, 400):
        correlation = (flat[lag:] * flat[:-lag]).mean().item() / 0.25
        assert abs(correlation) < 4.5 / math.sqrt(len(flat)), lag


def test_masks_differ_between_calls_and_agree_between_equal_generators() -> None:
    generator = keyed_generator("a")
    first, second = (keep_mask((50, 50), 0.5, ANYWHERE, generator) for _ in range(2))
    again = keep_mask((50, 50), 0.5, ANYWHERE, keyed_generator("a"))
    assert torch.equal(first, again)
    assert (first == second).double().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (0, 5), (2, 6)])
def test_a_mask_has_any_shape(shape: tuple[int, int]) -> None:
    assert keep_mask(shape, 0.5, ANYWHERE, keyed_generator(0)).shape == shape


@pytest.mark.parametrize("p", [0.99999, 0.999995, 1 - 2**-20])
def test_a_share_next_to_one_keeps_next_to_nothing(p: float) -> None:
    assert keep_mask((100, 1000), p, ANYWHERE, keyed_generator(0)).double().mean().item() < 1e-3


def test_a_keyed_generator_is_a_function_of_its_key() -> None:
    def draw(*key: int | str) -> list[float]:
        return torch.rand(3, generator=keyed_generator(*key)).tolist()

    assert draw(1, "step", 7) == draw(1, "step", 7)
    different = [draw(1, "step", 7), draw(1, "step", 8), draw(2, "step", 7), draw(1, "init"), draw(1, "7"), draw(1, 7)]
    assert len({tuple(numbers) for numbers in different}) == len(different)


def test_keyed_generators_leave_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    keep_mask((5, 5), 0.5, ANYWHERE, keyed_generator("x"))
    assert torch.equal(before, torch.get_rng_state())


def test_large_arrays_are_drawn_alike_by_any_number_of_threads() -> None:
    def drawn() -> tuple[torch.Tensor, torch.Tensor]:
        generator = keyed_generator("large")
        return normal_like(torch.empty(700, 800), generator), keep_mask((1500, 900), 0.3, ANYWHERE, generator)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = drawn()
        torch.set_num_threads(3)
        three = drawn()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one[0], three[0])
    assert torch.equal(one[1], three[1])
    noise, mask = one
    assert noise.mean().abs() < 0.006
    assert abs(noise.std() - 1) < 0.006
    assert abs(mask.double().mean() - 0.7) < 0.002
    flat = noise.flatten()
    for lag in (1, 2**16):  # neighbours, and the same place of two pieces
        assert abs(float((flat[lag:] * flat[:-lag]).mean())) < 0.006


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_large_arrays_can_be_drawn_while_lists_are_made(three_threads: None) -> None:
    with torch.inference_mode():
        assert torch.equal(
            normal_like(torch.empty(700, 800), keyed_generator(1)), normal_like(torch.empty(700, 800), keyed_generator(1))
        )


def test_a_forked_process_draws(three_threads: None) -> None:
    normal_like(torch.empty(700, 800), keyed_generator(1))
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            signal.alarm(60)  # a pool without threads would wait for ever
            filled(torch.empty(2**19), keyed_generator(1), lambda part, own: part.normal_(generator=own))
            os.write(write, b"drawn")
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        assert told.read() == "drawn"
    os.waitpid(child, 0)
