"""Pod templates as charts write them: empty maps and lists, nulls, defaults written out, amounts spelled freely.

Each is one that `helm create` and the charts of the field give for values that nobody has set.
"""

from __future__ import annotations

import copy
from typing import Any

IMAGE = "hub.bktencent.com/blueking/game-demo:0.0.1"
Json = dict[str, Any]

#: What each template adds to the pod's spec, to its container, and to its metadata.
TEMPLATES: dict[str, tuple[Json, Json, Json]] = {
    "empty-maps": (
        {"affinity": {}, "nodeSelector": {}, "tolerations": [], "securityContext": {}, "imagePullSecrets": []},
        {"resources": {}, "securityContext": {}},
        {"annotations": {}},
    ),
    "empty-lists": (
        {"initContainers": [], "volumes": [], "hostAliases": [], "topologySpreadConstraints": []},
        {"env": [], "envFrom": [], "volumeMounts": [], "args": [], "command": []},
        {},
    ),
    "nulls": (
        {"affinity": None, "nodeSelector": None, "tolerations": None, "initContainers": None, "dnsConfig": None},
        {"resources": None, "env": None, "livenessProbe": None, "lifecycle": None, "securityContext": None},
        {"annotations": None, "creationTimestamp": None},
    ),
    "amounts": (
        {},
        {
            "resources": {
                "requests": {"cpu": "0.010", "memory": "8192Ki"},
                "limits": {"cpu": "1000m", "memory": "134217728"},
            }
        },
        {},
    ),
    "amounts-as-numbers": ({}, {"resources": {"requests": {"cpu": 0.01}, "limits": {"cpu": 1}}}, {}),
    "references": (
        {},
        {
            "resources": {"limits": {"memory": "128Mi"}},
            "env": [
                {"name": "GOMEMLIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
                {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "NOTHING", "value": ""},
                {"name": "SETTING", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}}},
            ],
        },
        {},
    ),
    "probes": (
        {},
        {
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, "initialDelaySeconds": 0},
            "startupProbe": {"tcpSocket": {"port": 8080}, "failureThreshold": 30, "periodSeconds": 2},
            "lifecycle": {},
        },
        {},
    ),
    "volumes": (
        {
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                {"name": "settings", "configMap": {"name": "no", "optional": True, "items": []}},
                {
                    "name": "who",
                    "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]},
                },
                {"name": "all", "projected": {"sources": [{"secret": {"name": "no", "optional": True, "items": []}}]}},
            ]
        },
        {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "subPath": "", "readOnly": False}]},
        {},
    ),
    "defaults": (
        {
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "hostNetwork": False,
            "hostPID": False,
            "hostIPC": False,
            "enableServiceLinks": True,
            "serviceAccountName": "default",
            "priorityClassName": "",
            "runtimeClassName": None,
            "automountServiceAccountToken": False,
        },
        {"terminationMessagePath": "/dev/termination-log", "stdin": False, "tty": False, "workingDir": ""},
        {"annotations": {"checksum/config": ""}},
    ),
    "placement": (
        {
            "affinity": {
                "nodeAffinity": {},
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "podAffinityTerm": {
                                "topologyKey": "kubernetes.io/hostname",
                                "namespaces": [],
                                "labelSelector": {"matchLabels": {"app": "x"}, "matchExpressions": []},
                            },
                        }
                    ]
                },
            },
            "tolerations": [{"key": "games", "operator": "Exists", "value": ""}],
            "securityContext": {"fsGroup": 0, "sysctls": [], "supplementalGroups": []},
        },
        {"securityContext": {"privileged": False, "capabilities": {"add": [], "drop": []}}},
        {},
    ),
}


def template(name: str, app: str) -> Json:
    """One of them, for pods labelled ``app``."""
    spec, container, metadata = copy.deepcopy(TEMPLATES[name])
    base = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
    }
    whole = {"terminationGracePeriodSeconds": 2, **spec, "containers": [{**base, **container}]}
    return {"metadata": {"labels": {"app": app}, **metadata}, "spec": whole}
