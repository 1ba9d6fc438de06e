"""Metrics of queues and requests: names, labels, buckets."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from operators.kube.metrics import RestMetrics
from operators.runtime.metrics import QueueFamilies, QueueMetrics


def buckets(registry, name):
    return [float(s.labels["le"]) for f in registry.collect() if f.name == name for s in f.samples if "le" in s.labels]


def test_pkg_18_the_names_types_and_labels_of_queue_and_requests_are_the_known_ones():
    registry = CollectorRegistry()
    QueueMetrics(QueueFamilies(registry), "GameDeployment").watch([], list)
    rest = RestMetrics(registry, "api:6443")
    rest.request("GET", "/api/v1/pods", 200, 0.1)
    rest.waited("GET", "/api/v1/pods", 0.1)
    text = generate_latest(registry).decode()
    for line in (
        'bkbcs_workqueue_depth{name="GameDeployment"} 0.0',
        'bkbcs_workqueue_adds_total{name="GameDeployment"} 0.0',
        'bkbcs_workqueue_retries_total{name="GameDeployment"} 0.0',
        'bkbcs_workqueue_unfinished_work_seconds{name="GameDeployment"} 0.0',
        'bkbcs_workqueue_longest_running_processor_seconds{name="GameDeployment"} 0.0',
        'bkbcs_workqueue_queue_duration_seconds_count{name="GameDeployment"} 0.0',
        'bkbcs_workqueue_work_duration_seconds_count{name="GameDeployment"} 0.0',
        'bkbcs_rest_client_requests_total{code="200",host="api:6443",method="GET"} 1.0',
        'bkbcs_rest_client_request_duration_seconds_count{url="/api/v1/pods",verb="GET"} 1.0',
        'bkbcs_rest_client_rate_limiter_duration_seconds_count{url="/api/v1/pods",verb="GET"} 1.0',
    ):
        assert line in text, line
    queue = sorted(buckets(registry, "bkbcs_workqueue_queue_duration_seconds"))
    assert queue == pytest.approx([*(1e-8 * 10**n for n in range(10)), float("inf")])
    requests = sorted(buckets(registry, "bkbcs_rest_client_request_duration_seconds"))
    assert requests == pytest.approx([*(0.001 * 2**n for n in range(10)), float("inf")])
