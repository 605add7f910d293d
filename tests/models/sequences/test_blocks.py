"""Blocks of attention: they work on the filled places alone, and see what they may."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recodiff import build
from recodiff.models.sequences.bert4rec import BERT4Rec
from recodiff.models.sequences.blocks import BLOCKS, Block, BlockName, Filled, GatedBlock
from recodiff.models.sequences.windows import ItemWindow, Window, windows
from recodiff.tensors.rows import Rows

LENGTHS = torch.tensor([3, 0, 5, 1])


def window() -> Window:
    shape = (len(LENGTHS), 6)
    return ItemWindow(LENGTHS, 6, torch.zeros(shape, dtype=torch.int64), torch.ones(shape))


def block(kind: BlockName, **more: bool) -> Block:
    return BLOCKS[kind](8, 2, 4, 0.0, torch.Generator().manual_seed(1), **more).double().eval()


def slow_attention(one: Block, x: torch.Tensor, causal: bool) -> torch.Tensor:
    """Of one user's places [L, D], a head and a pair of places at a time."""
    q, k, v = one.project(x).chunk(3, -1)
    out, each = torch.zeros_like(x), x.shape[1] // one.heads
    for head in range(one.heads):
        own = slice(head * each, (head + 1) * each)
        for place in range(len(x)):
            seen = range(place + 1) if causal else range(len(x))
            weights = torch.stack([q[place, own] @ k[other, own] / each**0.5 for other in seen]).softmax(0)
            out[place, own] = sum(w * v[other, own] for w, other in zip(weights, seen, strict=True))  # type: ignore[assignment]
    return one.merge(out)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kind", ["transformer", "gated"])
def test_a_block_by_hand(kind: BlockName, causal: bool) -> None:
    one, places = block(kind, causal=causal), Filled.of(window())
    x = torch.randn(int(LENGTHS.sum()), 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = one(x, places, None)
    for own, out in zip(x.split(LENGTHS.tolist()), found.split(LENGTHS.tolist()), strict=True):
        attended = slow_attention(one, one.norms[0](own), causal)
        if isinstance(one, GatedBlock):
            middle = own + attended * torch.sigmoid(one.gates[0](own))
            normed = one.norms[1](middle)
            wide = torch.nn.functional.silu(one.switch(normed)) * one.wide(normed)
            expected = middle + one.narrow(wide) * torch.sigmoid(one.gates[1](middle))
        else:
            middle = own + attended
            expected = middle + one.narrow(torch.nn.functional.gelu(one.wide(one.norms[1](middle))))
        torch.testing.assert_close(out, expected)


def test_filled_places_are_packed_and_put_back() -> None:
    places, x = Filled.of(window()), torch.randn(4, 6, 8)
    packed = places.pack(x)
    assert packed.shape == (9, 8)
    back = places.unpack(packed)
    there = torch.arange(6) < LENGTHS[:, None]
    assert torch.equal(back[there], x[there])
    assert back[~there].abs().sum() == 0


def test_dropout_of_a_filled_place_is_that_of_the_whole_window() -> None:
    """So it does not depend on how many places others fill, and processes that share a batch draw the same."""
    places, ones = Filled.of(window()), torch.ones(9, 64)
    dropped = places.drop(ones, 0.25, torch.Generator().manual_seed(0))
    assert sorted(dropped.unique().tolist()) == pytest.approx([0.0, 4 / 3])
    assert abs(float((dropped == 0).float().mean()) - 0.25) < 0.06
    fuller = Filled.of(ItemWindow(LENGTHS.clamp(min=4), 6, torch.zeros(4, 6, dtype=torch.int64), torch.ones(4, 6)))
    more = fuller.drop(torch.ones(len(fuller.at), 64), 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(fuller.unpack(more)[2, :4], places.unpack(dropped)[2, :4])


def test_a_window_without_a_place_is_no_trouble() -> None:
    empty = ItemWindow(torch.zeros(2, dtype=torch.int64), 6, torch.zeros(2, 6, dtype=torch.int64), torch.zeros(2, 6))
    places = Filled.of(empty)
    assert places.unpack(block("gated")(torch.zeros(0, 8, dtype=torch.float64), places, None)).shape == (2, 6, 8)


def bert(**settings: object) -> tuple[BERT4Rec, torch.nn.Module]:
    model = build("bert4rec", {"width": 8, "length": 4, "dropout": 0.0, **settings})
    assert isinstance(model, BERT4Rec)
    return model, model.build(9, torch.Generator().manual_seed(0)).eval()


def history(*items: int) -> Rows:
    return Rows(torch.tensor([0, len(items)]), torch.tensor(items, dtype=torch.int64), torch.ones(len(items)), 9)


def test_a_hidden_place_tells_nothing_of_its_item_and_sees_both_ways() -> None:
    _, net = bert()

    def at_second(*items: int) -> torch.Tensor:
        hidden = torch.tensor([[False, True, False, False]])
        return net.read(windows(history(*items), 4), hidden)[0, 1]  # type: ignore[operator]

    torch.testing.assert_close(at_second(5, 1, 7), at_second(5, 3, 7))
    assert not torch.allclose(at_second(5, 1, 7), at_second(5, 1, 8))
    assert not torch.allclose(at_second(5, 1, 7), at_second(6, 1, 7))


def test_lists_are_made_from_a_hidden_place_behind_the_newest_items() -> None:
    _, net = bert()
    long, newest = net.last_states(history(0, 5, 1, 7, 2)), net.last_states(history(5, 1, 7, 2))  # type: ignore[operator]
    torch.testing.assert_close(long, newest)
    assert not torch.allclose(newest, net.last_states(history(1, 5, 7, 2)))  # type: ignore[operator]
    assert net.last_states(history()).abs().sum() == 0  # type: ignore[operator]


def test_of_every_user_some_places_are_hidden_and_not_all() -> None:
    _, net = bert(hidden_share=0.9, newest_share=0.0)
    many = ItemWindow(torch.full((300,), 3), 5, torch.zeros(300, 5, dtype=torch.int64), torch.ones(300, 5))
    hidden = net._hide(many, torch.Generator().manual_seed(0))  # type: ignore[operator]
    counts = hidden.sum(1).numpy()
    assert counts.min() == 1
    assert counts.max() == 2
    assert not hidden[:, 3:].any()
    _, last = bert(hidden_share=0.5, newest_share=1.0)
    np.testing.assert_array_equal(last._hide(many, torch.Generator())[:2].nonzero()[:, 1], [2, 2])  # type: ignore[operator]
