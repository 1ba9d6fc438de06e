"""The alerts fire when they should, and not before, by Prometheus' own engine."""

from __future__ import annotations

import pytest

from devcluster import promtool
from tests.unit.helm.charts import NAMESPACE, RELEASE
from tests.unit.helm.monitoring import alerts, groups, metrics, panels

TARGET = f'job="{RELEASE}",namespace="{NAMESPACE}"'
WEBHOOKS = f'job="{RELEASE}-webhooks",namespace="{NAMESPACE}"'


def series(name, values, labels="", target=TARGET):
    return {"series": f"{name}{{{','.join(p for p in (target, labels) if p)}}}", "values": values}


def fires(alert, at, *given, interval="30s"):
    """Whether an alert fires at a time, given series."""
    rule = next(r for group in groups() for r in group["rules"] if r["alert"] == alert)
    marked = {**rule, "labels": {"severity": "any"}, "annotations": {}, "expr": f"count({rule['expr']})"}
    silent = {"eval_time": at, "alertname": alert, "exp_alerts": []}
    test = {"interval": interval, "input_series": list(given), "alert_rule_test": [silent]}
    try:
        promtool.check_behaviour([{"name": "one", "rules": [marked]}], [test])
    except promtool.PromtoolFailed as failed:
        if "got:" not in str(failed):
            raise  # the test itself is wrong
        return True
    return False


def test_rules_are_well_formed():
    assert "SUCCESS" in promtool.check_rules(groups())


def test_every_alert_says_what_happened_and_what_it_means():
    for group in groups({"metrics": {"prometheusRule": {"enabled": True, "alertLabels": {"team": "games"}}}}):
        for rule in group["rules"]:
            assert rule["labels"].keys() == {"severity", "team"}, rule["alert"]
            assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]


def test_what_is_not_installed_raises_no_alert():
    names = {g["name"] for g in groups({"webhooks": {"enabled": False}})}
    assert names == {"game-operators", "game-workloads"}


def test_no_expression_without_a_metric_of_ours():
    for name, expression in {**alerts(), **panels()}.items():
        assert metrics(expression), name


RUN = 'owner="GameDeployment|arena",name="predelete-abc-1-players"'


def test_pkg_22_a_failed_pre_delete_hook_is_told_and_the_alert_ends_when_it_is_run_again():
    failed = series("bkbcs_hook_hookrun_survive_time_seconds", "10+30x20 _x60", f'{RUN},phase="Failed"')
    again = series("bkbcs_hook_hookrun_survive_time_seconds", "_x20 10+30x60", f'{RUN},phase="Running"')
    assert not fires("GamePodBlockedByHook", "4m", failed, again)
    assert fires("GamePodBlockedByHook", "6m", failed, again)
    assert not fires("GamePodBlockedByHook", "20m", failed, again)


def test_a_hook_that_fails_for_no_pod_is_not_about_a_pod():
    canary = series("bkbcs_hook_hookrun_survive_time_seconds", "1x40", 'name="canary-x",phase="Failed"')
    assert not fires("GamePodBlockedByHook", "15m", canary)


def test_a_hook_that_runs_for_more_than_half_an_hour():
    running = series("bkbcs_hook_hookrun_survive_time_seconds", "0+30x100", f'{RUN},phase="Running"')
    assert not fires("GameHookRunning", "29m", running)
    assert fires("GameHookRunning", "33m", running)


@pytest.mark.parametrize(("values", "told"), [("0x20", True), ("1x20", False)])
def test_nobody_leads(values, told):
    assert fires("GameOperatorsNoLeader", "5m", series("game_operators_leader", values)) is told


def test_two_lead():
    pair = [series("game_operators_leader", "1x20", f'pod="{pod}"') for pod in "ab"]
    assert fires("GameOperatorsSeveralLeaders", "5m", *pair)
    assert not fires("GameOperatorsSeveralLeaders", "5m", pair[0])


def test_nothing_answers():
    assert fires("GameOperatorsDown", "6m", series("up", "0x30"))
    assert fires("GameOperatorsDown", "6m")
    assert not fires("GameOperatorsDown", "6m", series("up", "0x30", 'pod="a"'), series("up", "1x30", 'pod="b"'))


@pytest.mark.parametrize(
    ("prefix", "labels"),
    [
        ("bkbcs_gamedeployment", 'gd="a/b"'),
        ("bkbcs_gamestatefulset", 'name="b"'),
        ("bkbcs_hook", 'owner="x"'),
    ],
)
@pytest.mark.parametrize(("failures", "told"), [("0+1x80", True), ("0+0.2x80", False)])
def test_more_than_a_twentieth_of_the_passes_fails(prefix, labels, failures, told):
    name = f"{prefix}_reconcile_duration_seconds_count"
    good = series(name, "0+9x80", f'{labels},status="success"')
    bad = series(name, failures, f'{labels},status="failure"')
    assert fires("GameOperatorsReconcileErrors", "25m", good, bad) is told


@pytest.mark.parametrize(
    ("reason", "told"),
    [("BudgetExhausted", True), ("InPlaceNotPossible", True), ("Paused", False), ("OnDelete", False)],
)
def test_a_workload_that_does_not_get_on_and_one_that_waits_for_a_person(reason, told):
    blocked = series("bkbcs_gamedeployment_blocked", "2x100", f'gd="a/b",reason="{reason}"')
    stateful = series("bkbcs_gamestatefulset_blocked", "2x100", f'name="b",reason="{reason}"')
    assert not fires("GameWorkloadBlocked", "25m", blocked, stateful)
    assert fires("GameWorkloadBlocked", "35m", blocked) is told
    assert fires("GameWorkloadBlocked", "35m", stateful) is told


def test_fewer_pods_ready_than_desired():
    def pods(ready):
        labels = 'gd="a/b"'
        return [
            series("bkbcs_gamedeployment_replicas", "5x100", labels),
            series("bkbcs_gamedeployment_ready_replicas", f"{ready}x100", labels),
        ]

    assert fires("GameWorkloadNotReady", "35m", *pods(4))
    assert not fires("GameWorkloadNotReady", "35m", *pods(5))


def test_a_long_queue_and_throttling_and_missing_rights():
    depth = series("bkbcs_workqueue_depth", "150x60", 'name="GameDeployment"')
    assert fires("GameOperatorsQueueDepth", "15m", depth)
    assert fires("GameOperatorsThrottled", "15m", series("bkbcs_rest_client_requests_total", "0+9x60", 'code="429"'))
    assert fires("GameOperatorsForbidden", "15m", series("bkbcs_rest_client_requests_total", "0+1x60", 'code="403"'))
    assert not fires(
        "GameOperatorsForbidden", "15m", series("bkbcs_rest_client_requests_total", "0+9x60", 'code="200"')
    )


def test_webhooks_without_verdicts_and_certificates_that_end():
    def reviews(outcome, values):
        return series("bkbcs_admission_requests_total", values, f'outcome="{outcome}"', WEBHOOKS)

    assert fires("GameWebhooksErrors", "25m", reviews("allowed", "0+9x80"), reviews("error", "0+1x80"))
    assert not fires("GameWebhooksErrors", "25m", reviews("denied", "0+9x80"), reviews("error", "0x80"))
    name = "bkbcs_admission_certificate_expiry_timestamp_seconds"
    assert fires("GameWebhooksCertificateEnds", "15m", series(name, f"{13 * 86400}x60", "", WEBHOOKS))
    assert not fires("GameWebhooksCertificateEnds", "15m", series(name, f"{15 * 86400}x60", "", WEBHOOKS))
    assert fires("GameWebhooksNotTrusted", "10m", series("bkbcs_admission_ca_bundle_current", "0x60", "", WEBHOOKS))
