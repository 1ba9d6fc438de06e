"""What a pod template means: two templates are the same when they give the same pods (decision 16).

Revisions written by the Go operators hold typed zero values, quantities in another spelling, and sometimes defaults
that the manifest never named. A comparison of bytes would see a new version in every one of them, and restart every
pod of a cluster that moves to these operators (spec/gamedeployment.md 2.5). Only what the API server itself would
fill in counts as unsaid; everything else is compared as it is written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Shape:
    """An object of the pod API: values that say nothing, and the shapes of its fields (lists: of their entries)."""

    unsaid: Json = field(default_factory=dict)
    fields: Mapping[str, _Shape] = field(default_factory=dict)
    quantities: bool = False


_PLAIN = _Shape()
_HTTP = _Shape({"scheme": "HTTP", "path": "/"})
_HANDLER = _Shape({}, {"httpGet": _HTTP})
_PROBE = _Shape(
    {
        "initialDelaySeconds": 0,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    {"httpGet": _HTTP, "grpc": _Shape({"service": ""})},
)
_FIELD_REF = _Shape({"apiVersion": "v1"})
_ENV = _Shape({"value": ""}, {"valueFrom": _Shape({}, {"fieldRef": _FIELD_REF})})
_AMOUNTS = _Shape(quantities=True)
_RESOURCES = _Shape({}, {"limits": _AMOUNTS, "requests": _AMOUNTS})
_CONTAINER = _Shape(
    {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "stdin": False,
        "stdinOnce": False,
        "tty": False,
        "workingDir": "",
    },
    {
        "ports": _Shape({"protocol": "TCP", "hostPort": 0, "hostIP": "", "name": ""}),
        "env": _ENV,
        "volumeMounts": _Shape({"readOnly": False, "subPath": "", "subPathExpr": ""}),
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "startupProbe": _PROBE,
        "lifecycle": _Shape({}, {"postStart": _HANDLER, "preStop": _HANDLER}),
        "resources": _RESOURCES,
    },
)
_FILES = _Shape({"defaultMode": 0o644})
_DOWNWARD = _Shape({"defaultMode": 0o644}, {"items": _Shape({}, {"fieldRef": _FIELD_REF})})
_MOUNTED = _Shape({"readOnly": False})
_VOLUME = _Shape(
    {},
    {
        "secret": _FILES,
        "configMap": _FILES,
        "downwardAPI": _DOWNWARD,
        "projected": _Shape(
            {"defaultMode": 0o644},
            {
                "sources": _Shape(
                    {},
                    {"downwardAPI": _DOWNWARD, "serviceAccountToken": _Shape({"expirationSeconds": 3600})},
                )
            },
        ),
        "emptyDir": _Shape({"medium": ""}, {"sizeLimit": _AMOUNTS}),
        "hostPath": _Shape({"type": ""}),
        "persistentVolumeClaim": _MOUNTED,
        "nfs": _MOUNTED,
        "csi": _MOUNTED,
        "cephfs": _MOUNTED,
        "rbd": _MOUNTED,
    },
)
_POD = _Shape(
    {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": True,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "hostname": "",
        "subdomain": "",
        "nodeName": "",
        "priorityClassName": "",
        "serviceAccountName": "default",
    },
    {
        "containers": _CONTAINER,
        "initContainers": _CONTAINER,
        "volumes": _VOLUME,
        "overhead": _AMOUNTS,
        "resources": _RESOURCES,
    },
)
#: An empty selector chooses everything, an absent one nothing.
_EMPTY_MATTERS = frozenset({"labelSelector", "namespaceSelector"})
_SCALES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
#: Digits of an amount that anybody means; more are left to the API server to refuse.
_LONGEST = 60
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|[kMGTPE]|[KMGTPE]i)?\Z")


def _quantity(value: Any) -> Any:
    """One spelling of an amount: 0.5 and 500m are the same. What cannot be read stays as it is."""
    match = _QUANTITY.match(str(value))
    if match is None:
        return value
    try:
        amount = Decimal(match.group(1)) * _SCALES[match.group(2) or ""]
    except ArithmeticError:
        return value
    return format(amount.normalize(), "f") if abs(amount.adjusted()) <= _LONGEST else value


def _reduce(value: Any, shape: _Shape) -> Any:
    """The value without what says nothing."""
    if isinstance(value, Mapping):
        return _reduce_object(value, shape)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_reduce(entry, shape) for entry in value]
    return _quantity(value) if shape.quantities else value


def _reduce_object(value: Json, shape: _Shape) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, entry in value.items():
        inner = _AMOUNTS if shape.quantities else shape.fields.get(key, _PLAIN)
        small = _reduce(entry, inner)
        if small is None or (small in ({}, []) and key not in _EMPTY_MATTERS):
            continue
        if key in shape.unsaid and shape.unsaid[key] == small and type(shape.unsaid[key]) is type(small):
            continue
        kept[key] = small
    limits, requests = kept.get("limits", {}), kept.get("requests")
    if shape is _RESOURCES and isinstance(limits, Mapping) and isinstance(requests, Mapping):
        # A request that is not named is the limit; the API server fills it in.
        kept["requests"] = {k: v for k, v in requests.items() if limits.get(k) != v}
        kept = {k: v for k, v in kept.items() if v}
    return kept


def canonical_spec(spec: Json) -> dict[str, Any]:
    """A pod spec as compared: without defaults, nulls and empty values, amounts in one spelling.

    ``imagePullPolicy`` stays, because its default depends on the image.
    """
    reduced = _reduce_object(spec, _POD)
    if reduced.get("serviceAccount") == reduced.get("serviceAccountName", "default"):
        reduced.pop("serviceAccount", None)
    return reduced


def default_pull_policy(image: Any) -> str:
    """What the API server fills in for an image: Always for ``latest`` and for no tag at all."""
    name = str(image).rsplit("/", 1)[-1]
    if "@" in name:
        return "IfNotPresent"
    return "Always" if name.partition(":")[2] in ("", "latest") else "IfNotPresent"


def _without_default_policy(container: Any) -> Any:
    if not isinstance(container, Mapping):
        return container
    if container.get("imagePullPolicy") == default_pull_policy(container.get("image") or ""):
        return {k: v for k, v in container.items() if k != "imagePullPolicy"}
    return container


#: Digests by content, the latest last: a template is decoded with every change of its workload's status, and what it
#: means takes far longer to find than that it is the same.
_DIGESTS: OrderedDict[bytes, str] = OrderedDict()
_DIGESTS_KEPT = 4096


def template_digest(template: Json) -> str:
    """Equal for templates that give the same pods.

    What can be no pod has a digest too: which field is wrong the API server says best, when the pod is created.
    """
    try:
        content = hashlib.blake2b(orjson.dumps(template)).digest()
    except TypeError:  # a number beyond 64 bits
        return _digest(template)
    known = _DIGESTS.get(content)
    if known is None:
        known = _DIGESTS[content] = _digest(template)
        if len(_DIGESTS) > _DIGESTS_KEPT:
            _DIGESTS.popitem(last=False)
    else:
        _DIGESTS.move_to_end(content)
    return known


def _digest(template: Json) -> str:
    metadata = template.get("metadata") or {}
    spec = canonical_spec(template.get("spec") or {})
    for field_ in ("containers", "initContainers"):
        if isinstance(spec.get(field_), list):
            spec[field_] = [_without_default_policy(c) for c in spec[field_]]
    meaning = {
        "metadata": {k: metadata[k] for k in ("labels", "annotations", "finalizers") if metadata.get(k)},
        "spec": spec,
    }
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def produces(template: Json, labels: Json, annotations: Json, spec: Json) -> bool:
    """Whether a living pod could have been made from the template.

    The pod may hold more than the template: admission adds volumes, tolerations and variables.
    """
    metadata = template.get("metadata") or {}
    if any(labels.get(k) != v for k, v in (metadata.get("labels") or {}).items()):
        return False
    if any(annotations.get(k) != v for k, v in (metadata.get("annotations") or {}).items()):
        return False
    return _contained(canonical_spec(template.get("spec") or {}), canonical_spec(spec))


def _contained(asked: Any, held: Any) -> bool:
    if isinstance(asked, Mapping):
        return isinstance(held, Mapping) and all(k in held and _contained(v, held[k]) for k, v in asked.items())
    if isinstance(asked, list):
        if not isinstance(held, list):
            return False
        rest = iter(held)
        return all(any(_contained(entry, candidate) for candidate in rest) for entry in asked)
    return bool(asked == held)
