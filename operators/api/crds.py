"""The CustomResourceDefinitions, made from the models.

Rules that one object can break are CEL rules here, so that the API server refuses it with the field and the value; what
needs more than one object, or annotations, is shown by the controllers (spec/admission.md 6).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from operators.api import keys
from operators.api.gamedeployment import GameDeploymentSpec, GameDeploymentStatus
from operators.api.gamestatefulset import GameStatefulSetSpec, GameStatefulSetStatus
from operators.api.hookrun import HookRunSpec, HookRunStatus
from operators.api.hooktemplate import HookTemplateSpec
from operators.api.schema import structural

Schema = dict[str, Any]
VERSION_ANNOTATION = "0.1.0"
_NAME_LIMIT = 52


def _rule(rule: str, message: str, expression: str | None = None, **more: Any) -> Schema:
    """A CEL rule; ``expression`` makes the message name the value."""
    body: Schema = {"rule": rule, "message": message, **more}
    if expression:
        body["messageExpression"] = expression
    return body


def _add(schema: Schema, path: str, *rules: Schema) -> None:
    for part in path.split(".") if path else ():
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    schema.setdefault("x-kubernetes-validations", []).extend(rules)


def _quantity(schema: Schema, path: str, name: str) -> None:
    for part in path.split("."):
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    schema.update({"pattern": "^(100|[1-9]?[0-9])%$", "maxLength": 4})
    rule = _rule("type(self) != int || self >= 0", f"{name} must not be negative")
    schema.setdefault("x-kubernetes-validations", []).append(rule)


def _unique_by_name(schema: Schema, field: str) -> None:
    schema["properties"][field].update({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})


def _immutable(schema: Schema, path: str) -> None:
    name = path.rsplit(".", 1)[-1]
    _add(schema, path, _rule("self == oldSelf", f"spec.{name} cannot change; create a new object instead"))


def _canary(schema: Schema) -> None:
    step = "(has(self.partition) ? 1 : 0) + (has(self.pause) ? 1 : 0) + (has(self.hook) ? 1 : 0)"
    _add(
        schema,
        "updateStrategy.canary.steps.[]",
        _rule(f"{step} == 1", "each canary step has exactly one of partition, pause and hook"),
    )
    _quantity(schema, "updateStrategy.canary.steps.[].partition", "partition")


def _workload(schema: Schema, numbers: str) -> None:
    """Rules of both workloads; ``numbers`` is where partition and budget stand."""
    _immutable(schema, "selector")
    _add(
        schema,
        "selector",
        _rule(
            "(has(self.matchLabels) && size(self.matchLabels) > 0) || "
            "(has(self.matchExpressions) && size(self.matchExpressions) > 0)",
            "spec.selector must not be empty: it would take every pod of the namespace",
        ),
    )
    _add(
        schema,
        "",
        _rule(
            "!has(self.selector.matchLabels) || (has(self.template.metadata) && has(self.template.metadata.labels) && "
            "self.selector.matchLabels.all(k, k in self.template.metadata.labels && "
            "self.template.metadata.labels[k] == self.selector.matchLabels[k]))",
            "spec.selector does not match spec.template.metadata.labels: pods would never belong to this workload",
        ),
        _rule(
            "!has(self.template.spec.restartPolicy) || self.template.spec.restartPolicy == 'Always'",
            "spec.template.spec.restartPolicy must be Always",
            "'spec.template.spec.restartPolicy must be Always, not ' + self.template.spec.restartPolicy",
        ),
        _rule(
            "!(self.updateStrategy.type == 'InplaceUpdate' && oldSelf.updateStrategy.type == 'InplaceUpdate') || "
            "self.disableReadinessGate == oldSelf.disableReadinessGate",
            "spec.disableReadinessGate cannot change while updateStrategy.type is InplaceUpdate: recreate the pods "
            "with RollingUpdate first",
        ),
    )
    for name in ("partition", "maxUnavailable", "maxSurge"):
        _quantity(schema, f"{numbers}.{name}", name)
    zero = "(has(self.{0}) && (self.{0} == 0 || self.{0} == '0%'))"
    _add(
        schema,
        numbers,
        _rule(
            f"!({zero.format('maxUnavailable')} && {zero.format('maxSurge')})",
            "maxUnavailable and maxSurge must not both be 0: no pod could ever be updated",
        ),
    )
    _quantity(schema, "scaleStrategy.createBatch", "createBatch")
    _canary(schema)
    for holder in ("preDeleteUpdateStrategy", "preInplaceUpdateStrategy", "postInplaceUpdateStrategy"):
        _template_name(schema, f"{holder}.hook.templateName")
    _template_name(schema, "updateStrategy.canary.steps.[].hook.templateName")


def _template_name(schema: Schema, path: str) -> None:
    pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
    _add(
        schema,
        path,
        _rule(
            f"self.matches('{pattern}')",
            "templateName must be the name of a HookTemplate",
        ),
    )


def _hook(schema: Schema) -> None:
    """Rules of HookTemplate and HookRun (spec/admission.md H1 to H12)."""
    _unique_by_name(schema, "metrics")
    _unique_by_name(schema, "args")
    limits = (
        ("failureLimit", "!has(self.failureLimit) || self.count >= self.failureLimit"),
        ("successfulLimit", "self.count >= self.successfulLimit"),
        ("inconclusiveLimit", "self.count >= self.inconclusiveLimit"),
    )
    rules = [_rule(f"self.count == 0 || ({rule})", f"count must be at least {name}") for name, rule in limits]
    rules.append(_rule("self.count <= 1 || has(self.interval)", "interval must be given when count is greater than 1"))
    _add(schema, "metrics.[]", *rules)
    sources = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in ("web", "prometheus", "kubernetes"))
    _add(
        schema,
        "metrics.[].provider",
        _rule(f"{sources} == 1", "provider must have exactly one of web, prometheus and kubernetes"),
    )
    _add(
        schema,
        "metrics.[].interval",
        _rule("!self.startsWith('0') && !self.matches('^[0-9.]+(ns|us|µs|ms)$')", "interval must be at least 1s"),
    )
    _add(
        schema,
        "metrics.[].provider.web.url",
        _rule(
            "self.startsWith('http://') || self.startsWith('https://')",
            "url must begin with http:// or https://",
            "'url must begin with http:// or https://, not ' + self.substring(0, size(self) < 40 ? size(self) : 40)",
        ),
    )
    _add(
        schema,
        "metrics.[].provider.kubernetes.fields.[].path",
        _rule(
            "self.startsWith('metadata.annotations.') && size(self) > 21",
            "path must be metadata.annotations.<key>",
            "'path must be metadata.annotations.<key>, not ' + self",
        ),
    )


def _gamedeployment() -> Schema:
    spec = structural(GameDeploymentSpec)
    _workload(spec, "updateStrategy")
    return spec


def _gamestatefulset() -> Schema:
    spec = structural(GameStatefulSetSpec)
    _workload(spec, "updateStrategy.rollingUpdate")
    for name in ("serviceName", "volumeClaimTemplates", "podManagementPolicy"):
        _immutable(spec, name)
    _add(
        spec,
        "updateStrategy",
        _rule("self.type != 'OnDelete' || !has(self.rollingUpdate)", "type OnDelete takes no rollingUpdate"),
    )
    return spec


def _hooktemplate() -> Schema:
    spec = structural(HookTemplateSpec)
    _hook(spec)
    return spec


def _hookrun() -> Schema:
    spec = structural(HookRunSpec)
    _hook(spec)
    for name in ("metrics", "args", "policy"):
        _immutable(spec, name)
    _add(spec, "terminate", _rule("self || !oldSelf", "spec.terminate cannot be taken back"))
    return spec


def _column(name: str, type_: str, path: str, priority: int = 0) -> Schema:
    column: Schema = {"name": name, "type": type_, "jsonPath": path}
    if priority:
        column["priority"] = priority
    return column


_AGE = _column("Age", "date", ".metadata.creationTimestamp")
_WIDE = [
    _column("Paused", "boolean", ".spec.updateStrategy.paused", 1),
    _column("Step", "integer", ".status.currentStepIndex", 1),
    _column("Progress", "string", ".status.conditions[?(@.type=='Progressing')].message", 1),
]
_SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.labelSelector",
}


def _crd(
    kind: str, short: str, spec: Schema, status: type[BaseModel] | None, columns: list[Schema], *, scale: bool
) -> Schema:
    plural = f"{kind.lower()}s"
    root: Schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
    }
    if status is not None:
        root["properties"]["status"] = structural(status, defaults=False)
    if scale:
        root["x-kubernetes-validations"] = [
            _rule(
                f"size(self.metadata.name) <= {_NAME_LIMIT}",
                f"metadata.name must have at most {_NAME_LIMIT} characters: pods carry it in a label",
            )
        ]
    version: Schema = {
        "name": keys.VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
        "subresources": {"status": {}, **({"scale": _SCALE} if scale else {})},
    }
    if columns:
        version["additionalPrinterColumns"] = columns
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["tkex"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{keys.GROUP}", "annotations": {"version": VERSION_ANNOTATION}},
        "spec": {"group": keys.GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def definitions() -> dict[str, Schema]:
    """All definitions by file name."""
    deployment = [
        _column("DESIRED", "integer", ".spec.replicas"),
        _column("UPDATED", "integer", ".status.updatedReplicas"),
        _column("UPDATED_READY", "integer", ".status.updatedReadyReplicas"),
        _column("READY", "integer", ".status.readyReplicas"),
        _column("TOTAL", "integer", ".status.replicas"),
        _AGE,
        *_WIDE,
    ]
    stateful = [
        _column("Replicas", "integer", ".spec.replicas"),
        _column("Ready_Replicas", "integer", ".status.readyReplicas"),
        _column("Current_Replicas", "integer", ".status.currentReplicas"),
        _column("Updated_Replicas", "integer", ".status.updatedReplicas"),
        _column("Updated_Ready_Replicas", "integer", ".status.updatedReadyReplicas"),
        _AGE,
        *_WIDE,
    ]
    run = [_column("Phase", "string", ".status.phase"), _AGE]
    return {
        "gamedeployments.yaml": _crd(
            "GameDeployment", "gd", _gamedeployment(), GameDeploymentStatus, deployment, scale=True
        ),
        "gamestatefulsets.yaml": _crd(
            "GameStatefulSet", "gsts", _gamestatefulset(), GameStatefulSetStatus, stateful, scale=True
        ),
        "hooktemplates.yaml": _crd("HookTemplate", "ht", _hooktemplate(), None, [], scale=False),
        "hookruns.yaml": _crd("HookRun", "hr", _hookrun(), HookRunStatus, run, scale=False),
    }
