"""The API asked with whatever its own OpenAPI allows, and with what it does not: no 500, and always the answer that it promises."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from recodiff.serving.app import create_app
from recodiff.serving.models import Models
from recodiff.serving.service import Service
from recodiff.serving.settings import Limits, ServiceSettings
from recodiff.serving.store.open import open_histories
from served_models import on_a_socket

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis", reason="needs the package schemathesis, of the extra dev")
    from schemathesis.specs.openapi.checks import positive_data_acceptance

EXAMPLES = int(os.environ.get("RECODIFF_FUZZ", "15"))
"""Requests to each operation."""
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def api(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    store = open_histories(f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/events.db")
    names = ("ease", "vectors", "text", "popularity")
    asked = ServiceSettings(runs={name: runs[name] for name in names}, limits=Limits(k=50))
    with on_a_socket(create_app(Service(Models(asked), store))) as address:
        yield schemathesis.openapi.from_url(f"{address}/v1/openapi.json")


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_breaks_it(api: Any, mode: str) -> None:
    asked = 0
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=HEALTH)
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(excluded_checks=[positive_data_acceptance])  # limits refuse what the schema allows

        try:
            ask()
        except Unsatisfiable:  # there is nothing to get wrong, as in a path without parameters
            assert mode == "negative"
    assert asked > 10 * EXAMPLES
