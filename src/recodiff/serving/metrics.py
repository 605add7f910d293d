"""What a service counts, in the form that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The figures of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("recodiff_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "recodiff_request_seconds", "Time of a request", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.batch = Histogram("recodiff_batch_lists", "Lists scored together", buckets=SIZES, registry=self.registry)
        self.pending = Gauge("recodiff_pending_lists", "Lists that wait for the model", registry=self.registry)
        self.lists = Counter("recodiff_lists", "Lists answered", ["model", "based_on"], registry=self.registry)
        self.events = Counter("recodiff_events", "Events appended", registry=self.registry)
        self.reloads = Counter("recodiff_reloads", "Newer model folders", ["model", "result"], registry=self.registry)
        self.agreement = Histogram(
            "recodiff_shadow_agreement",
            "Share of a list that the shadow's has too",
            buckets=[n / 10 for n in range(11)],
            registry=self.registry,
        )

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self.registry)
