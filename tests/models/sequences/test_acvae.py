"""ACVAE: codes, losses and who learns by what, against slow float64 truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import reference
from layers import layers_of
from recodiff import Run, build, recommend
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError
from recodiff.models.sequences.acvae import ACVAE, ACVAENet, others
from recodiff.models.sequences.windows import windows
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress

ITEMS, LENGTH = 9, 4
HISTORIES = [[5, 1, 7, 2], [3, 6], [8, 4, 0, 1, 6]]
Array = NDArray[np.float64]


def interactions(*items: list[int], n_items: int = ITEMS) -> Interactions:
    user = np.repeat(np.arange(len(items)), [len(row) for row in items])
    order = np.arange(len(user))
    flat = [i for row in items for i in row]
    return Interactions.from_arrays(user, flat, IdMap.range(len(items)), IdMap.range(n_items), times=order, time_kind="order")


def net(**settings: Any) -> ACVAENet:
    """An untrained network whose weights are far enough from nought to matter, in float64."""
    config = {"width": 4, "latent": 3, "kernel": 2, "length": LENGTH, "dropout": 0.0, "horizon": 2}
    model = build("acvae", config | {"adversarial_weight": 0.3, "contrastive_weight": 0.7} | settings)
    assert isinstance(model, ACVAE)
    module = model.build(ITEMS, keyed_generator(0))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=keyed_generator(1)) * 0.3)
    return module.double().train()


def parameters(module: ACVAENet) -> dict[str, Array]:
    return {key: parameter.detach().numpy().copy() for key, parameter in module.named_parameters()}


def read(module: ACVAENet, items: list[int], p: dict[str, Array]) -> Array:
    x = p["items"][items] * np.sqrt(4)
    return reference.gru(x, {key.removeprefix("layers.0."): value for key, value in p.items() if key.startswith("layers.0.")})


class Truth:
    """The terms of the loss at every place of HISTORIES, by the draws that a generator makes."""

    def __init__(self, module: ACVAENet, seed: int) -> None:
        draws = keyed_generator(seed)
        torch.rand(len(HISTORIES), dtype=torch.float64, generator=draws)  # of the window; none of these is longer
        shape = (len(HISTORIES), LENGTH, 3)
        self.noise, self.prior = (torch.empty(shape, dtype=torch.float64).normal_(generator=draws).numpy() for _ in range(2))
        self.module, self.start = module, parameters(module)
        self.seen = [read(module, items[:-1], self.start) for items in HISTORIES]
        self.critics = {name: layers_of(getattr(module, name)) for name in ("adversary", "contrast")}

    def codes(self, p: dict[str, Array]) -> list[Array]:
        made = zip(HISTORIES, self.noise, strict=True)
        return [reference.acvae_code(read(self.module, row[:-1], p), noise[: len(row) - 1], p) for row, noise in made]

    def t(self, name: str, layers: Any = None) -> Any:
        return lambda x, z: reference.critic(x, z, layers or self.critics[name])

    def encoders(self, p: dict[str, Array], alpha: float, beta: float) -> list[float]:
        """What encoder and decoder lower, user by user; what the critics look at beside the codes stands still."""
        codes, out = self.codes(p), []
        for user, items in enumerate(HISTORIES):
            total, foreign = 0.0, codes[(user + 1) % len(codes)]
            for place, z in enumerate(codes[user]):
                met = items[: place + 1] if self.module.config.loss_over == "unmet" else []
                total += reference.next_items(z, dict.fromkeys(items[place + 1 : place + 3], 1.0), p, met)
                x, other = self.seen[user][place], foreign[min(place, len(foreign) - 1)]
                total += alpha * self.t("adversary")(x, z) + beta * reference.told_apart(self.t("contrast"), x, z, other)
            out.append(total)
        return out

    def critics_own(self, name: str, layers: Any) -> list[float]:
        """A critic's loss, user by user."""
        codes, out, t = self.codes(self.start), [], self.t(name, layers)
        for user, own in enumerate(codes):
            foreign = codes[(user + 1) % len(codes)]
            total = 0.0
            for place, z in enumerate(own):
                other = self.prior[user][place] if name == "adversary" else foreign[min(place, len(foreign) - 1)]
                total += reference.told_apart(t, self.seen[user][place], z, other)
            out.append(total)
        return out


PLACES = sum(len(items) - 1 for items in HISTORIES)


@pytest.mark.parametrize("loss_over", ["all", "unmet"])
def test_the_loss_is_its_equation_at_the_same_draws(loss_over: str) -> None:
    module = net(loss_over=loss_over)
    found = module(Pair(Rows.from_csr(interactions(*HISTORIES).matrix)), Progress(0, 0), keyed_generator(5))
    truth = Truth(module, 5)
    expected = np.array(truth.encoders(truth.start, 0.3, 0.7)) + truth.critics_own("adversary", None)
    np.testing.assert_allclose(found.detach(), expected * len(HISTORIES) / PLACES, rtol=1e-6)


def test_each_player_learns_by_its_own_loss() -> None:
    module = net()
    module(Pair(Rows.from_csr(interactions(*HISTORIES).matrix)), Progress(0, 0), keyed_generator(5)).sum().backward()
    truth = Truth(module, 5)
    share = len(HISTORIES) / PLACES
    critics = ("adversary.", "contrast.")
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None
        if key.startswith(critics):
            continue
        moved = reference.slopes(lambda value, key=key: sum(truth.encoders(truth.start | {key: value}, 0.3, 0.7)), truth.start[key])
        np.testing.assert_allclose(parameter.grad, share * moved, rtol=1e-4, atol=1e-6, err_msg=key)
    for name, weight in (("adversary", 1.0), ("contrast", 0.7)):
        critic = getattr(module, name)
        (first, bias), last = truth.critics[name]
        moved = reference.slopes(lambda w, name=name, b=bias, end=last: sum(truth.critics_own(name, [(w, b), end])), first)
        np.testing.assert_allclose(critic.body[0].weight.grad.T, share * weight * moved, rtol=1e-4, atol=1e-6)


def test_a_lone_user_has_nobody_to_be_told_from() -> None:
    lone = Pair(Rows.from_csr(interactions(HISTORIES[0]).matrix))
    with_contrast, without = (net(contrastive_weight=beta)(lone, Progress(0, 0), keyed_generator(0)) for beta in (0.7, 0.0))
    assert torch.equal(with_contrast, without)


def test_the_other_code_is_the_next_users_at_that_place_or_the_last() -> None:
    codes = torch.arange(3 * 4).view(3, 4, 1)
    places = torch.tensor([[True] * 3 + [False], [True] + [False] * 3, [True] * 4])
    assert others(codes, places)[:, 0].tolist() == [4, 4, 4, 8, 0, 1, 2, 2]


def test_lists_are_made_with_noise_nought() -> None:
    module, x = net().eval(), interactions(*HISTORIES)
    p = parameters(module)
    for row, items in enumerate(HISTORIES):
        newest = items[-LENGTH:]
        z = reference.acvae_code(read(module, newest, p), np.zeros((len(newest), 3)), p)[-1]
        expected = np.tanh(p["decoder.weight"] @ z + p["decoder.bias"])
        np.testing.assert_allclose(module.last_states(Rows.from_csr(x.matrix))[row].detach(), expected, rtol=1e-6)


def test_a_place_knows_nothing_of_what_comes_after() -> None:
    module = net().eval()
    one, other = (module.states(windows(Rows.from_csr(interactions(items).matrix), 4)) for items in ([5, 1, 7, 2], [5, 1, 3, 8]))
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2], other[:, 2])


def test_it_learns_a_walk() -> None:
    n = 12
    x = interactions(*[[(u + step) % n for step in range(6)] for u in range(n)], n_items=n)
    settings = {"width": 32, "latent": 16, "dropout": 0.0, "training": {"epochs": 120, "batch_size": 6, "lr": 1e-2}}
    model = build("acvae", settings).fit(x, Run(seed=0, progress=False, device="cpu"))
    assert (recommend(model, x, 1).items[:, 0] == (np.arange(n) + 6) % n).mean() >= 0.9


def test_critics_have_a_rate_of_their_own() -> None:
    model = build("acvae", {"critic_lr": 0.5, "training": {"lr": 0.25, "weight_decay": 0.125}})
    assert isinstance(model, ACVAE)
    module = model.build(ITEMS, torch.Generator())
    groups = model.parameter_groups(module)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.25, 0.125), (0.5, 0.125)]
    critics = sum(p.numel() for name, p in module.named_parameters() if name.startswith(("adversary.", "contrast.")))
    assert sum(p.numel() for p in groups[1]["params"]) == critics
    assert sum(p.numel() for group in groups for p in group["params"]) == sum(p.numel() for p in module.parameters())


def test_an_empty_history_has_a_state_of_nought() -> None:
    empty = Rows(torch.tensor([0, 0]), torch.empty(0, dtype=torch.int64), torch.empty(0), ITEMS)
    assert not net().eval().last_states(empty).any()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"latent": 0}, "'latent' = 0"),
        ({"kernel": 0}, "'kernel' = 0"),
        ({"adversarial_weight": -1.0}, "'adversarial_weight' = -1"),
        ({"contrastive_weight": -1.0}, "'contrastive_weight' = -1"),
        ({"critic_lr": 0}, "'critic_lr' = 0"),
        ({"heads": 2}, "unknown setting 'heads'"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build("acvae", settings)


def test_data_without_time_is_refused() -> None:
    with pytest.raises(DataError, match="a sequence model needs to know what came first"):
        build("acvae").fit(Interactions.from_arrays([0, 0], [0, 1], IdMap.range(1), IdMap.range(2)))
