"""Metrics of requests to the API server, under the names that dashboards know (docs/spec/packaging.md 5.4)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512)


class RestMetrics:
    """Requests to the API server. ``url`` is a route with placeholders, so that series do not grow with objects."""

    def __init__(self, registry: CollectorRegistry, host: str = "") -> None:
        self.host = host
        prefix = "bkbcs_rest_client_"
        self._requests = Counter(
            prefix + "requests", "Requests by result.", ("code", "method", "host"), registry=registry
        )
        self._duration = Histogram(
            prefix + "request_duration_seconds",
            "Duration of requests by verb and route; watches apart.",
            ("verb", "url"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._waited = Histogram(
            prefix + "rate_limiter_duration_seconds",
            "Waiting before a request was sent again, mostly because the server asked to.",
            ("verb", "url"),
            buckets=_BUCKETS,
            registry=registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; status 0 means no answer."""
        self.opened(method, status)
        self._duration.labels(method, route).observe(seconds)

    def opened(self, method: str, status: int) -> None:
        """Count one request whose duration says nothing: a watch."""
        self._requests.labels(str(status) if status else "<error>", method, self.host).inc()

    def waited(self, method: str, route: str, seconds: float) -> None:
        """A request waits before it is sent again."""
        self._waited.labels(method, route).observe(seconds)
