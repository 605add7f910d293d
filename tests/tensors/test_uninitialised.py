"""Networks without numbers: the shapes of the real ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recodiff.tensors.uninitialised import uninitialised
from toy import checkerboard
from training_models import made, trained_by_epochs


@pytest.mark.parametrize("name", trained_by_epochs())
def test_a_blank_network_is_the_one_that_is_built_but_for_its_numbers(name: str) -> None:
    model = made(name, checkerboard(40))
    real = model.build(40, torch.Generator())
    found = uninitialised(lambda: model.build(40, torch.Generator()))
    shapes = {key: (tensor.shape, tensor.stride()) for key, tensor in real.named_parameters()}
    assert {key: (tensor.shape, tensor.stride()) for key, tensor in found.named_parameters()} == shapes
    assert not any(tensor.is_meta for tensor in (*found.parameters(), *found.buffers()))
    for (key, held), (_, expected_one) in zip(found.named_buffers(), real.named_buffers(), strict=True):
        assert torch.equal(held, expected_one), key


def test_a_network_that_needs_numbers_to_be_built_is_built_with_them() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(3).fill_(2.0))
            self.register_buffer("length", torch.empty(1).fill_(3.0))
            self.size = float(self.weight.detach().sum())

    class Keeping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.empty(2).fill_(5.0)  # neither parameter nor buffer

    keeping = uninitialised(Keeping)
    assert isinstance(keeping, Keeping)
    assert torch.equal(keeping.scale, torch.full((2,), 5.0))
    scaled = uninitialised(Scaled)
    assert isinstance(scaled, Scaled)
    assert scaled.size == 6.0
    assert torch.equal(scaled.weight, torch.full((3,), 2.0))
