"""Reads the metrics of an installation as a Prometheus would, for as long as something runs."""

from __future__ import annotations

import threading
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.installation import NAME, Installation

PORTS = {"operators": 10251, "webhooks": 10253}
JOBS = {"operators": NAME, "webhooks": f"{NAME}-webhooks"}


class Scraper:
    """Names of all metrics told, and every series seen, with the labels that the ServiceMonitor's targets add."""

    def __init__(self, installed: Installation) -> None:
        self._installed = installed
        self.names: set[str] = set()
        self.series: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        self.trouble: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(1.0):
            for component, port in PORTS.items():
                for pod in self._installed.pods(component):
                    self._scrape(component, pod["metadata"]["name"], port)

    def _scrape(self, component: str, pod: str, port: int) -> None:
        try:
            text = self._installed.ask(pod, "/metrics", port)
        except AssertionError as gone:  # a pod that has just ended
            self.trouble.append(str(gone))
            return
        for family in text_string_to_metric_families(text):
            self.names.add(family.name)
            for sample in family.samples:
                self.names.add(sample.name)
                self.series.add((sample.name, self._labels(component, pod, sample.labels)))
            # A family without samples yet tells its name all the same.
            if family.type == "histogram":
                self.names |= {family.name + suffix for suffix in ("_bucket", "_count", "_sum")}
            elif family.type == "counter":
                self.names.add(f"{family.name}_total")

    def _labels(self, component: str, pod: str, own: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        target = {"job": JOBS[component], "namespace": self._installed.namespace, "pod": pod}
        return tuple(sorted({**target, **own}.items()))

    def labels(self, metric: str) -> set[str]:
        """Names of all labels that a metric was seen with."""
        return {name for found, labels in self.series if found == metric for name, _ in labels}

    def end(self) -> None:
        """Stop reading."""
        self._end.set()
        self._thread.join(30)

    def written(self) -> list[str]:
        """All series, as Prometheus writes them."""
        quoted = ((name, (f'{k}="{_escape(v)}"' for k, v in labels)) for name, labels in sorted(self.series))
        return [f"{name}{{{','.join(parts)}}}" for name, parts in quoted]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
