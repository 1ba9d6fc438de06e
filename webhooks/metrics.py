"""Metrics of the webhooks. Labels have few values: no names, no users, no namespaces."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PREFIX: Final = "bkbcs_admission_"
_BUCKETS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """What happened, and what the certificates are worth."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._reviews = Counter(
            _PREFIX + "requests",
            "Reviews by outcome: allowed, warned, denied, or error when no verdict could be given.",
            ("path", "resource", "operation", "outcome"),
            registry=registry,
        )
        self._duration = Histogram(
            _PREFIX + "request_duration_seconds",
            "From the whole request read to the answer ready.",
            ("path",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._lookups = Counter(
            _PREFIX + "lookup_failures", "Reads a review needed that failed.", ("lookup",), registry=registry
        )
        self._templates = Counter(
            _PREFIX + "template_trials",
            "Pod templates tried by a dry run, by outcome: accepted, warned, refused, or untried when no answer came.",
            ("outcome",),
            registry=registry,
        )
        self.in_flight = Gauge(_PREFIX + "requests_in_flight", "Reviews being judged.", registry=registry)
        self.expiry = Gauge(
            _PREFIX + "certificate_expiry_timestamp_seconds",
            "When the certificate that is served ends, in Unix seconds; 0: there is none.",
            registry=registry,
        )
        self._rotations = Counter(
            _PREFIX + "certificate_changes",
            "Changes of the certificates: issued, authority, dropped, conflict, or error.",
            ("what",),
            registry=registry,
        )
        self.bundle = Gauge(
            _PREFIX + "ca_bundle_current",
            "1: the webhook configuration trusts the certificate that is served.",
            ("configuration",),
            registry=registry,
        )

    def review(self, path: str, resource: str, operation: str, outcome: str, seconds: float) -> None:
        """Count a review."""
        self._reviews.labels(path, resource, operation, outcome).inc()
        self._duration.labels(path).observe(seconds)

    def lookup_failed(self, lookup: str) -> None:
        """Count a read that failed."""
        self._lookups.labels(lookup).inc()

    def template_tried(self, outcome: str) -> None:
        """Count a pod template that was tried, or could not be."""
        self._templates.labels(outcome).inc()

    def certificate_changed(self, what: str) -> None:
        """Count a change of the certificates, or a try that failed."""
        self._rotations.labels(what).inc()
