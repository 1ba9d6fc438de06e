"""Everything the chart renders is accepted by a real API server."""

from __future__ import annotations

import json

import pytest

from tests.unit.helm.charts import render

#: Kinds of operators that the test cluster has not installed; their shape is tested where they are rendered.
FOREIGN = {"ServiceMonitor", "PrometheusRule", "Certificate", "Issuer"}
CASES = {
    "default": {},
    "everything": {
        "metrics": {"dashboards": {"enabled": True}},
        "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
        "commonLabels": {"team": "games"},
        "admission": {
            "excludedNamespaces": ["a"],
            "namespaceSelector": {"matchLabels": {"games": "yes"}},
            "matchConditions": {"not-robots": "request.userInfo.username != 'robot'"},
            "exemptUsers": ["u1", "o'neil"],
            "allowNamespaceTermination": True,
        },
        "policies": {"onlyOperatorsMakeHookRuns": True, "otherHookRunMakers": ["backup"]},
        "operators": {
            "tolerations": [{"key": "control", "operator": "Exists"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "priorityClassName": "system-cluster-critical",
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
        },
        "webhooks": {"replicas": 3},
    },
    "policies alone": {"webhooks": {"enabled": False}},
    "webhooks alone": {"policies": {"enabled": False}},
    "cert-manager": {"webhooks": {"certificates": {"source": "certManager"}}},
    "one replica": {"operators": {"replicas": 1}, "webhooks": {"replicas": 1}},
    "one controller": {"controllers": {"gamedeployment": {"enabled": False}, "gamestatefulset": {"enabled": False}}},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scope", ["everywhere", "one namespace"])
def test_the_api_server_accepts_everything_rendered(cluster, namespace, case, scope):
    values = dict(CASES[case])
    if scope == "one namespace":
        values["watchNamespace"] = namespace
    items = [o for o in render(values, namespace=namespace) if o["kind"] not in FOREIGN]
    assert len(items) > 10
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    answered = cluster.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", input=body)
    assert len(answered.splitlines()) == len(items)


def test_pkg_1_definitions_apply_on_the_client_s_side_too(cluster, namespace):
    items = render(namespace=namespace).of("CustomResourceDefinition")
    for item in items:
        assert len(json.dumps(item)) < 262144, "more than an annotation holds"
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    answered = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=body)
    assert len(answered.splitlines()) == 4
