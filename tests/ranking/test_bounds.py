"""Groups of items and what bounds them."""

from __future__ import annotations

import torch

from recodiff.ranking.bounds import Groups, ranked_at_once
from recodiff.runtime.memory import MOST_USERS


def test_groups_hold_every_item_once() -> None:
    for n, size, each in ((100, 4, 7), (28, 4, 7), (3, 1, 3), (29, 4, 7)):
        groups = Groups(n, size, each)
        members = groups.members(torch.arange(groups.count)[None])[0]
        assert members[members < n].sort().values.tolist() == list(range(n))
        group, place = groups.of(torch.arange(n))
        assert (members.view(-1, size)[group, place] == torch.arange(n)).all()


def test_fewer_users_at_once_where_items_are_many() -> None:
    assert ranked_at_once(1000, 64, 10) == MOST_USERS
    assert 400 < ranked_at_once(1_000_000, 200, 20) < 500
    assert 100 < ranked_at_once(5_000_000, 64, 10) < MOST_USERS
    assert ranked_at_once(50_000_000, 64, 10) < ranked_at_once(5_000_000, 64, 10)
