"""Metrics of workloads: names, labels, extremes, and series that go with their workload."""

from prometheus_client import CollectorRegistry, generate_latest

from operators.manager.version import operator_version
from operators.workload.metrics import WorkloadMetrics, statefulset_metrics

STATUS = {"replicas": 9, "readyReplicas": 3, "availableReplicas": 2, "updatedReplicas": 1}
GD = "bkbcs_gamedeployment_"


def labels_of(registry):
    """Label names of every family as Prometheus sees them, ``le`` aside."""
    found = {}
    for family in registry.collect():
        for sample in family.samples:
            found.setdefault(family.name, set()).update(set(sample.labels) - {"le"})
    return found


def buckets(registry, name):
    return {s.labels["le"] for f in registry.collect() if f.name == name for s in f.samples if "le" in s.labels}


def filled():
    registry = CollectorRegistry()
    metrics = WorkloadMetrics(registry)
    for gd in ("ns/a", "ns/b"):
        metrics.reconcile.labels(gd, "success").observe(0.1)
        metrics.create.labels(gd, "success").observe(0.2)
        metrics.create.labels(gd, "failure").observe(0.4)
        metrics.update.labels(gd, "success", "true", "inplaceUpdate").observe(0.3)
        metrics.delete.labels(gd, "success", "false", "deletePod").observe(0.3)
        metrics.observe_status(gd, 5, STATUS)
        metrics.observe_blocked(gd, {"HookRunning": 2, "InPlaceNotPossible": 1})
    return registry, metrics


def test_pkg_18_the_names_types_and_labels_of_gamedeployment_are_the_known_ones():
    registry, _ = filled()
    operator_version(registry, "gamedeployment", "GameDeployment", "r/i:v1", {}, crd_version="1")
    detailed = {"gd", "status", "grace", "action"}
    expected = {
        "reconcile_duration_seconds": {"gd", "status"},
        "pod_create_duration_seconds": {"gd", "status"},
        "pod_create_duration_seconds_max": {"gd", "status"},
        "pod_create_duration_seconds_min": {"gd", "status"},
        "pod_update_duration_seconds": detailed,
        "pod_update_duration_seconds_max": detailed,
        "pod_update_duration_seconds_min": detailed,
        "pod_delete_duration_seconds": detailed,
        "pod_delete_duration_seconds_max": detailed,
        "pod_delete_duration_seconds_min": detailed,
        "replicas": {"gd"},
        "ready_replicas": {"gd"},
        "available_replicas": {"gd"},
        "updated_replicas": {"gd"},
        "updated_ready_replicas": {"gd"},
        "operator_version": {"name", "image_version", "crd_version", "git_version", "git_commit", "build_date"},
    }
    found = labels_of(registry)
    assert {n.removeprefix(GD): labels for n, labels in found.items()} == {**expected, "blocked": {"gd", "reason"}}
    kinds = {f.name: f.type for f in registry.collect()}
    for name in expected:
        assert kinds[GD + name] == ("histogram" if name.endswith("_seconds") else "gauge")
    wanted = {"0.001", "0.01", "0.1", "0.5", "1.0", "5.0", "10.0", "20.0", "30.0", "60.0", "120.0", "+Inf"}
    assert buckets(registry, GD + "pod_create_duration_seconds") == wanted


def test_desired_is_the_specs_and_the_rest_the_statuss():
    registry, _ = filled()
    value = registry.get_sample_value
    assert value(GD + "replicas", {"gd": "ns/a"}) == 5
    assert value(GD + "ready_replicas", {"gd": "ns/a"}) == 3
    assert value(GD + "updated_ready_replicas", {"gd": "ns/a"}) == 0


def test_extremes_are_kept_by_series():
    registry, metrics = filled()
    for seconds in (0.9, 0.05, 0.5):
        metrics.create.labels("ns/a", "success").observe(seconds)
    for gd, high, low in (("ns/a", 0.9, 0.05), ("ns/b", 0.2, 0.2)):
        labels = {"gd": gd, "status": "success"}
        assert registry.get_sample_value(GD + "pod_create_duration_seconds_max", labels) == high
        assert registry.get_sample_value(GD + "pod_create_duration_seconds_min", labels) == low
    failed = {"gd": "ns/a", "status": "failure"}
    assert registry.get_sample_value(GD + "pod_create_duration_seconds_count", failed) == 1


def test_pkg_19_all_series_of_a_workload_go_with_it_and_no_others():
    registry, metrics = filled()
    metrics.forget("ns/a")
    text = generate_latest(registry).decode()
    assert 'gd="ns/a"' not in text
    assert text.count('gd="ns/b"') > 10
    metrics.forget("ns/a")
    metrics.forget("never/seen")
    metrics.forget("ns/b")
    assert 'gd="' not in generate_latest(registry).decode()
    for family in (metrics.reconcile, metrics.create, metrics.update, metrics.delete):
        assert not family._known
        assert not family._durations._series
    assert not metrics._shown
    assert not metrics._reasons


def test_a_workload_that_comes_back_starts_anew():
    registry, metrics = filled()
    metrics.forget("ns/a")
    metrics.create.labels("ns/a", "success").observe(0.7)
    labels = {"gd": "ns/a", "status": "success"}
    assert registry.get_sample_value(GD + "pod_create_duration_seconds_count", labels) == 1
    assert registry.get_sample_value(GD + "pod_create_duration_seconds_max", labels) == 0.7


def test_reasons_that_are_over_go():
    registry, metrics = filled()
    metrics.observe_blocked("ns/a", {"HookRunning": 1})
    value = registry.get_sample_value
    assert value(GD + "blocked", {"gd": "ns/a", "reason": "HookRunning"}) == 1
    assert value(GD + "blocked", {"gd": "ns/a", "reason": "InPlaceNotPossible"}) is None
    assert value(GD + "blocked", {"gd": "ns/b", "reason": "InPlaceNotPossible"}) == 1


def test_gss_metrics_name_a_workload_by_namespace_and_name():
    registry = CollectorRegistry()
    metrics = statefulset_metrics(registry)
    metrics.reconcile.labels("games/gs", "success").observe(0.2)
    metrics.create.labels("games/gs", "success").observe(0.3)
    metrics.delete.labels("games/gs", "success", "true", "forceDeletePod").observe(0.4)
    metrics.observe_status("games/gs", 9, {"replicas": 3, "currentReplicas": 1})
    metrics.observe_blocked("games/gs", {"OrderedReady": 1})
    prefix, who = "bkbcs_gamestatefulset_", {"namespace": "games", "name": "gs"}
    done = {**who, "status": "success"}
    assert registry.get_sample_value(prefix + "reconcile_duration_seconds_count", done) == 1
    assert registry.get_sample_value(prefix + "pod_create_duration_seconds_max", done) == 0.3
    forced = {**done, "grace": "true", "action": "forceDeletePod"}
    assert registry.get_sample_value(prefix + "pod_delete_duration_seconds_min", forced) == 0.4
    assert registry.get_sample_value(prefix + "replicas", who) == 3, "what exists, not what is wanted"
    assert registry.get_sample_value(prefix + "current_replicas", who) == 1
    assert registry.get_sample_value(prefix + "blocked", {**who, "reason": "OrderedReady"}) == 1
    metrics.forget("games/gs")
    assert not [s for family in registry.collect() for s in family.samples if s.labels.get("name") == "gs"]
