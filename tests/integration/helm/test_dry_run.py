"""Everything the chart renders is accepted by a real API server."""

from __future__ import annotations

import json

import pytest

from devcluster import foreign
from tests.unit.helm.charts import render

CASES = {
    "default": {},
    "everything": {
        "metrics": {
            "dashboards": {"enabled": True},
            "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "prometheusRule": {"enabled": True, "alertLabels": {"team": "games"}},
        },
        "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
        "commonLabels": {"team": "games"},
        "admission": {
            "excludedNamespaces": ["a"],
            "namespaceSelector": {"matchLabels": {"games": "yes"}},
            "matchConditions": {"not-robots": "request.userInfo.username != 'robot'"},
            "exemptUsers": ["u1", "o'neil"],
            "allowNamespaceTermination": True,
        },
        "policies": {"otherHookRunMakers": ["backup"], "protectNamespaces": True},
        "operators": {
            "tolerations": [{"key": "control", "operator": "Exists"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "priorityClassName": "system-cluster-critical",
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
            "extraVolumes": [{"name": "authorities", "configMap": {"name": "our-authorities"}}],
            "extraVolumeMounts": [{"name": "authorities", "mountPath": "/authorities", "readOnly": True}],
        },
        "webhooks": {"replicas": 3},
    },
    "policies alone": {"webhooks": {"enabled": False}},
    "webhooks alone": {"policies": {"enabled": False}},
    "cert-manager": {"webhooks": {"certificates": {"source": "certManager"}}},
    "cert-manager's own issuer": {
        "webhooks": {"certificates": {"source": "certManager", "issuerRef": {"name": "ours", "kind": "ClusterIssuer"}}}
    },
    "one replica": {"operators": {"replicas": 1}, "webhooks": {"replicas": 1}},
    "one controller": {"controllers": {"gamedeployment": {"enabled": False}, "gamestatefulset": {"enabled": False}}},
}


@pytest.fixture(scope="module")
def others(cluster):
    """The definitions of cert-manager and the Prometheus operator, so that what the chart makes for them is judged."""
    with foreign.installed(cluster):
        yield


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scope", ["everywhere", "one namespace"])
def test_the_api_server_accepts_everything_rendered(cluster, others, namespace, case, scope):
    values = dict(CASES[case])
    if scope == "one namespace":
        values["watchNamespace"] = namespace
    items = list(render(values, namespace=namespace))
    assert len(items) > 10
    assert len(applied(cluster, items).splitlines()) == len(items)


def applied(cluster, items):
    """What kubectl says to a dry run; fields that the API server does not know are an error."""
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    how = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    return cluster.kubectl("apply", *how, "-f", "-", input=body)


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PrometheusRule", "Certificate", "Issuer"])
def test_a_field_that_others_do_not_know_would_be_noticed(cluster, others, namespace, kind):
    values = CASES["everything"] | CASES["cert-manager"]
    item = render(values, namespace=namespace).of(kind)[0]
    assert applied(cluster, [item])
    item["spec"]["mistyped"] = 1
    with pytest.raises(AssertionError, match=r"mistyped"):
        applied(cluster, [item])


def test_pkg_1_definitions_apply_on_the_client_s_side_too(cluster, namespace):
    items = render(namespace=namespace).of("CustomResourceDefinition")
    for item in items:
        assert len(json.dumps(item)) < 262144, "more than an annotation holds"
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    answered = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=body)
    assert len(answered.splitlines()) == 4
