"""What the service counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class ServiceMetrics:
    """Counters and histograms of one service, in a registry of their own.

    Label values are the names of served models, operations and statuses: a client cannot add any.
    """

    def __init__(self, in_work: Callable[[], float], waiting: Callable[[], float]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "autoencode_requests",
            "Requests for a model.",
            ["model", "operation", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "autoencode_request_seconds",
            "Time from the head of a request to its answer.",
            ["operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._examples = Counter(
            "autoencode_examples", "Examples in answers.", ["model", "operation"], registry=registry
        )
        self._batches = Histogram(
            "autoencode_batch_examples",
            "Examples that were computed together.",
            buckets=_SIZES,
            registry=registry,
        )
        self._reloads = Counter(
            "autoencode_reloads", "Models loaded again.", ["model", "outcome"], registry=registry
        )
        for name, text, value in (
            ("autoencode_requests_in_work", "Requests that are being answered.", in_work),
            ("autoencode_requests_waiting", "Requests that wait for the model.", waiting),
        ):
            Gauge(name, text, registry=registry).set_function(value)

    def answered(self, model: str, operation: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(model, operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def examples(self, model: str, operation: str, n: int) -> None:
        """Count the examples of an answer."""
        self._examples.labels(model, operation).inc(n)

    def batch(self, examples: int) -> None:
        """Count a batch."""
        self._batches.observe(examples)

    def reloaded(self, model: str, failed: bool) -> None:
        """Count a reload."""
        self._reloads.labels(model, "failed" if failed else "loaded").inc()

    def text(self) -> bytes:
        """All values in the text format of Prometheus."""
        return generate_latest(self._registry)
