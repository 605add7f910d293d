"""What a service counts, in the form that Prometheus reads.

The label `route` is a path as it is declared, `model` the name of a served model. They have as many values as the service has
routes and models, whatever is asked. `model` is empty where the path names none; what a split chose is in `recodiff_lists`.

Where several workers answer, each keeps its figures in files of a folder that the variable `FOLDER` names, and whichever is asked
adds up those of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client shares figures among processes; it must be set before that package is imported."""
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
RELOADS = ("recodiff_reloads", "Newer model folders", ["model", "result"])


class Metrics:
    """The figures of one service, in a registry of its own.

    Args:
        noted: of several workers, gives what the process above them counts, see `Copies.noted`.
    """

    def __init__(self, noted: Callable[[], dict[str, Any]] | None = None) -> None:
        own = CollectorRegistry()
        self.requests = Counter("recodiff_requests", "Requests answered", ["route", "model", "status"], registry=own)
        self.seconds = Histogram("recodiff_request_seconds", "Time of a request", ["route", "model"], buckets=SECONDS, registry=own)
        self.batch = Histogram("recodiff_batch_lists", "Lists scored together", ["model"], buckets=SIZES, registry=own)
        self.scoring = Histogram(
            "recodiff_scoring_seconds", "Time in which a model scored a batch", ["model"], buckets=SECONDS, registry=own
        )
        self.pending = Gauge("recodiff_pending_lists", "Lists that wait for the model", registry=own, multiprocess_mode="livesum")
        self.lists = Counter("recodiff_lists", "Lists answered", ["model", "based_on"], registry=own)
        self.events = Counter("recodiff_events", "Events appended", registry=own)
        self.agreement = Histogram(
            "recodiff_shadow_agreement",
            "Share of a list that the shadow's has too",
            buckets=[n / 10 for n in range(11)],
            registry=own,
        )
        self.reloads = Counter(*RELOADS, registry=own if noted is None else None)
        self.registry = own
        if noted is None:
            ProcessCollector(registry=own)
        else:
            self.registry = CollectorRegistry()
            MultiProcessCollector(self.registry, os.environ[FOLDER])
            self.registry.register(_FromAbove(noted))

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self.registry)


class _FromAbove(Collector):
    """What is counted once for all workers."""

    def __init__(self, noted: Callable[[], dict[str, Any]]) -> None:
        self._noted = noted

    def collect(self) -> Iterator[Metric]:
        noted = self._noted()
        name, what, labels = RELOADS
        reloads = CounterMetricFamily(name, what, labels=labels)
        for model, results in noted.get("reloads", {}).items():
            for result, count in results.items():
                reloads.add_metric([model, result], count)
        yield reloads
        yield CounterMetricFamily("recodiff_worker_starts", "Workers started, again after each end too", noted.get("starts", 0))
