"""Several list metrics of the same lists."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from recodiff import IdMap, Interactions
from recodiff.evaluation import list_metrics
from recodiff.evaluation.item_facts import ItemFacts
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.list_quality import list_quality
from recodiff.evaluation.metric_kinds import RankedLists

LISTS = np.array([[0, 1], [0, -1], [-1, -1]])
HISTORY = csr_array(np.eye(3, 4))
TRAIN = Interactions.from_arrays([0, 1], [0, 0], IdMap.range(2), IdMap.range(4))


def test_only_what_the_data_allows_is_measured() -> None:
    """Whatever metrics there are."""
    for facts, known in ((ItemFacts(), set()), (ItemFacts(TRAIN), {"popularity"})):
        expected = [metric.name for metric in LIST_METRICS if known >= set(metric.needs)]
        assert list(list_quality(RankedLists(LISTS, HISTORY, 4, facts))) == expected
    assert "novelty" in expected


def test_means_are_over_the_users_for_whom_a_metric_is_defined() -> None:
    found = list_quality(RankedLists(LISTS, HISTORY, 4, ItemFacts(TRAIN, embeddings=np.eye(4))))
    values = list_metrics.novelty(LISTS, np.array([2, 0, 0, 0]), 2)
    assert found["novelty"] == pytest.approx(values[:2].mean())
    assert found["embedding_diversity"] == 1.0, "of the only list with two items"
    some = [metric for metric in LIST_METRICS if metric.name in ("coverage", "gini", "novelty")]
    empty = list_quality(RankedLists(np.full((3, 2), -1), HISTORY, 4, ItemFacts(TRAIN)), some)
    assert empty == {"coverage": 0.0, "gini": 0.0}
