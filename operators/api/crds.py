"""The CustomResourceDefinitions, made from the models.

Rules that one object can break are CEL rules here, so that the API server refuses it with the field and the value; what
needs more than one object, or annotations, is shown by the controllers (docs/spec/admission.md 6).
"""

from __future__ import annotations

from pydantic import BaseModel

from operators.api import keys
from operators.api.gamedeployment import GameDeploymentSpec, GameDeploymentStatus
from operators.api.gamestatefulset import GameStatefulSetSpec, GameStatefulSetStatus
from operators.api.hookrules import hook, hookrun
from operators.api.hookrun import HookRunSpec, HookRunStatus
from operators.api.hooktemplate import HookTemplateSpec
from operators.api.rules import Schema
from operators.api.schema import structural
from operators.api.workloadrules import conditions, gamedeployment, gamestatefulset, name_rules

VERSION_ANNOTATION = "0.1.0"

_PURPOSE = {
    "GameDeployment": "GameDeployment runs game servers that are alike: pods with random names, updated in place or "
    "replaced, in steps if wanted, each guarded by hooks.",
    "GameStatefulSet": "GameStatefulSet runs game servers with an identity: pods with ordinals and claims of their "
    "own, updated in place or replaced, in steps if wanted, each guarded by hooks.",
    "HookTemplate": "HookTemplate is a recipe for checks that workloads run before and after they touch pods.",
    "HookRun": "HookRun is one execution of a HookTemplate, made by a workload. Set spec.terminate to interrupt it; "
    "one that is deleted is made again.",
}
_SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.labelSelector",
}


def _column(name: str, type_: str, path: str, help_: str = "", priority: int = 0) -> Schema:
    column: Schema = {"name": name, "type": type_, "jsonPath": path}
    if help_:
        column["description"] = help_
    if priority:
        column["priority"] = priority
    return column


_PROGRESSING = ".status.conditions[?(@.type=='Progressing')]"
_AGE = _column("Age", "date", ".metadata.creationTimestamp")
_WORKLOAD_WIDE = [
    _column("Strategy", "string", ".spec.updateStrategy.type", "Type of update.", 1),
    _column("Paused", "boolean", ".spec.updateStrategy.paused", "Whether updates are paused.", 1),
    _column("Waiting", "string", f"{_PROGRESSING}.reason", "What an update waits for, in one word.", 1),
    _column("Step", "integer", ".status.currentStepIndex", "Canary step being taken.", 1),
    _column("Progress", "string", f"{_PROGRESSING}.message", "Where an update stands.", 1),
]


def _crd(kind: str, short: str, spec: Schema, status: type[BaseModel] | None, columns: list[Schema]) -> Schema:
    plural = f"{kind.lower()}s"
    workload = kind.startswith("Game")
    root: Schema = {
        "type": "object",
        "description": _PURPOSE[kind],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Version of this schema: {keys.API_VERSION}."},
            "kind": {"type": "string", "description": f"Kind of this object: {kind}."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": spec,
        },
    }
    if status is not None:
        # Without it tools take a new object as done: nothing says that its generation was not looked at yet.
        root["properties"]["status"] = structural(status, defaults=False) | {"default": {"observedGeneration": -1}}
        conditions(root["properties"]["status"])
    if workload:
        root["x-kubernetes-validations"] = name_rules(host_name=kind == "GameStatefulSet")
    version: Schema = {
        "name": keys.VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
        "subresources": {"status": {}, **({"scale": _SCALE} if workload else {})},
        "additionalPrinterColumns": columns,
    }
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["tkex", "all"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{keys.GROUP}", "annotations": {"version": VERSION_ANNOTATION}},
        "spec": {
            "group": keys.GROUP,
            "scope": "Namespaced",
            "names": names,
            # Definitions of the Go operators were made as v1beta1 and say true; as long as they do, the API server
            # refuses defaults, and an apply that does not mention the field leaves it as it is.
            "preserveUnknownFields": False,
            "versions": [version],
        },
    }


def _gamedeployment() -> Schema:
    spec = structural(GameDeploymentSpec)
    gamedeployment(spec)
    columns = [
        _column("DESIRED", "integer", ".spec.replicas", "Pods that should exist."),
        _column("UPDATED", "integer", ".status.updatedReplicas", "Pods at the update revision."),
        _column("UPDATED_READY", "integer", ".status.updatedReadyReplicas", "Ready pods at the update revision."),
        _column("READY", "integer", ".status.readyReplicas", "Pods that are ready."),
        _column("TOTAL", "integer", ".status.replicas", "Pods that exist."),
        _AGE,
        *_WORKLOAD_WIDE,
    ]
    return _crd("GameDeployment", "gd", spec, GameDeploymentStatus, columns)


def _gamestatefulset() -> Schema:
    spec = structural(GameStatefulSetSpec)
    gamestatefulset(spec)
    columns = [
        _column("Replicas", "integer", ".spec.replicas", "Pods that should exist."),
        _column("Ready_Replicas", "integer", ".status.readyReplicas", "Pods that are ready."),
        _column("Current_Replicas", "integer", ".status.currentReplicas", "Pods at the current revision."),
        _column("Updated_Replicas", "integer", ".status.updatedReplicas", "Pods at the update revision."),
        _column(
            "Updated_Ready_Replicas",
            "integer",
            ".status.updatedReadyReplicas",
            "Ready pods at the update revision.",
        ),
        _AGE,
        *_WORKLOAD_WIDE,
    ]
    return _crd("GameStatefulSet", "gsts", spec, GameStatefulSetStatus, columns)


def _hooktemplate() -> Schema:
    spec = structural(HookTemplateSpec)
    hook(spec)
    columns = [_AGE, _column("Policy", "string", ".spec.policy", "Order of the metrics.", 1)]
    return _crd("HookTemplate", "hkt", spec, None, columns)


def _hookrun() -> Schema:
    spec = structural(HookRunSpec)
    hookrun(spec)
    columns = [
        _column("Phase", "string", ".status.phase", "Where the run stands."),
        _AGE,
        _column("Pod", "string", ".spec.args[?(@.name=='PodName')].value", "Pod that the run asks about.", 1),
        _column(
            "Answer", "string", ".status.metricResults[*].measurements[-1:].value", "What each metric measured last.", 1
        ),
        _column("Terminate", "boolean", ".spec.terminate", "Whether the run was interrupted.", 1),
        _column("Message", "string", ".status.message", "Why the run cannot be executed.", 1),
    ]
    return _crd("HookRun", "hkr", spec, HookRunStatus, columns)


def definitions() -> dict[str, Schema]:
    """All definitions by file name."""
    return {
        "gamedeployments.yaml": _gamedeployment(),
        "gamestatefulsets.yaml": _gamestatefulset(),
        "hooktemplates.yaml": _hooktemplate(),
        "hookruns.yaml": _hookrun(),
    }
