from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from recodiff.diffusion.timesteps import LossAwareTimesteps, UniformTimesteps


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fill(sampler: LossAwareTimesteps, histories: list[list[float]]) -> None:
    for step, losses in enumerate(histories):
        sampler.update(torch.full((len(losses),), step), torch.tensor(losses, dtype=torch.float64))


def warm(steps: int) -> LossAwareTimesteps:
    sampler = LossAwareTimesteps(steps)
    fill(sampler, [[float(step + 1)] * 10 for step in range(steps)])
    return sampler


def test_the_check_value_of_the_released_program() -> None:
    sampler = LossAwareTimesteps(3)
    fill(sampler, [[1.0] * 10, [2.0] * 10, [3.0] * 5 + [5.0] * 5])
    assert 3 * sampler.probabilities()[2].item() == pytest.approx(1.7358, abs=5e-5)


def test_the_law_is_the_root_mean_square_mixed_with_a_thousandth_of_the_uniform() -> None:
    sampler = LossAwareTimesteps(2)
    fill(sampler, [[0.0] * 9 + [10.0], [3.0, 4.0] * 5])
    q = np.sqrt([100 / 10, 25 / 2])
    np.testing.assert_allclose(sampler.probabilities().numpy(), 0.999 * q / q.sum() + 0.0005, rtol=1e-14)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 4).flatmap(lambda steps: st.tuples(st.just(steps), st.lists(
    st.lists(st.tuples(st.integers(0, steps - 1), st.floats(1e-3, 1e6)), min_size=1, max_size=45), max_size=8))))  # fmt: skip
def test_updates_equal_a_queue_of_ten_fed_row_by_row(case: tuple[int, list[list[tuple[int, float]]]]) -> None:
    """Batches hold repeats, and often more than ten losses of one step."""
    steps, batches = case
    ours, truth = LossAwareTimesteps(steps), reference.Fifo(steps)
    for batch in batches:
        t, losses = (list(part) for part in zip(*batch, strict=True))
        ours.update(torch.tensor(t), torch.tensor(losses, dtype=torch.float64))
        truth.update(t, losses)  # pyright: ignore[reportArgumentType]
        for step in range(steps):
            kept = ours.history[step][: int(ours.count[step].clamp(max=10))]
            assert sorted(kept.tolist()) == sorted(truth.queues[step])
        np.testing.assert_allclose(ours.probabilities().numpy(), truth.law(), rtol=1e-12)


def test_of_more_than_ten_losses_in_one_batch_the_last_ten_stay() -> None:
    sampler = LossAwareTimesteps(2)
    sampler.update(torch.tensor([1] * 25 + [0]), torch.arange(26.0))
    assert sorted(sampler.history[1].tolist()) == list(range(15, 25))
    assert sampler.count.tolist() == [1, 25]


def test_steps_are_uniform_until_every_step_has_ten_losses() -> None:
    sampler = LossAwareTimesteps(3)
    fill(sampler, [[1.0] * 10, [2.0] * 10, [3.0] * 9])
    assert sampler.probabilities().tolist() == [1 / 3] * 3
    _, p = sampler.sample(50, rng())
    assert p.tolist() == [1.0] * 50
    fill(sampler, [[], [], [3.0]])
    assert sampler.probabilities().tolist() != [1 / 3] * 3


def test_losses_that_are_all_zero_leave_the_steps_uniform() -> None:
    sampler = LossAwareTimesteps(2)
    fill(sampler, [[0.0] * 10, [0.0] * 10])
    assert sampler.probabilities().tolist() == [0.5, 0.5]


def test_a_sample_comes_with_t_times_its_probability() -> None:
    sampler = warm(4)
    t, p = sampler.sample(200, rng())
    assert t.dtype == torch.int64
    assert p.dtype == torch.float64
    torch.testing.assert_close(p, 4 * sampler.probabilities()[t], rtol=0, atol=0)


def test_dividing_by_p_makes_the_expected_loss_the_uniform_average() -> None:
    """Exactly, by enumeration: sum_t pi_t l_t / (T pi_t) = mean_t l_t, whatever was learned."""
    sampler, losses = warm(4), torch.tensor([5.0, 0.25, 1e4, 3.0], dtype=torch.float64)
    law = sampler.probabilities()
    t, p = sampler.sample(500, rng())
    paid = {int(step): float(losses[step] / share) for step, share in zip(t, p, strict=True)}
    assert len(paid) == 4
    assert sum(law[step].item() * value for step, value in paid.items()) == pytest.approx(losses.mean().item(), rel=1e-12)


def test_steps_are_drawn_as_often_as_the_law_says() -> None:
    sampler, draws = warm(4), 40_000
    t, _ = sampler.sample(draws, rng())
    expected = sampler.probabilities().numpy()
    found = np.bincount(t.numpy(), minlength=4) / draws
    np.testing.assert_allclose(found, expected, atol=4.5 * 0.5 / np.sqrt(draws))
    assert abs(expected - 0.25).max() > 0.1


def test_every_step_keeps_a_chance() -> None:
    sampler = LossAwareTimesteps(2)
    fill(sampler, [[1e-30] * 10, [1.0] * 10])
    assert sampler.probabilities()[0].item() == pytest.approx(0.001 / 2)


def test_the_state_is_saved_and_comes_back() -> None:
    sampler, other = warm(3), LossAwareTimesteps(3)
    sampler.update(torch.tensor([0, 0, 2]), torch.tensor([7.0, 8.0, 9.0]))
    assert set(sampler.state_dict()) == {"history", "count"}
    other.load_state_dict(sampler.state_dict())
    for each in (sampler, other):
        each.update(torch.tensor([0]), torch.tensor([11.0]))  # the ring goes on at the same place
    torch.testing.assert_close(other.history, sampler.history, rtol=0, atol=0)
    torch.testing.assert_close(other.sample(20, rng())[0], sampler.sample(20, rng())[0])


def test_the_history_holds_float64_and_no_graph() -> None:
    sampler = LossAwareTimesteps(1)
    sampler.update(torch.tensor([0]), torch.tensor([0.1], dtype=torch.float64, requires_grad=True))
    assert sampler.history[0, 0].item() == 0.1
    assert not sampler.history.requires_grad


def test_uniform_steps_cover_all_and_weigh_one() -> None:
    sampler = UniformTimesteps(5)
    t, p = sampler.sample(20_000, rng())
    np.testing.assert_allclose(np.bincount(t.numpy(), minlength=5) / 20_000, 0.2, atol=4.5 * 0.4 / np.sqrt(20_000))
    assert p.tolist() == [1.0] * 20_000
    assert sampler.state_dict() == {}


@pytest.mark.parametrize("sampler", [UniformTimesteps(1), LossAwareTimesteps(1), warm(1)], ids=["uniform", "cold", "warm"])
def test_one_step_is_always_drawn(sampler: UniformTimesteps | LossAwareTimesteps) -> None:
    t, p = sampler.sample(3, rng())
    assert t.tolist() == [0, 0, 0]
    assert p.tolist() == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("make", [UniformTimesteps, warm])
def test_the_generator_decides_the_draw(make) -> None:
    first, again, other = (make(40).sample(100, rng(seed))[0] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
