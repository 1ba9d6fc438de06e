"""What one workload object can get wrong by itself (docs/spec/admission.md 6, V1 to V18)."""

from __future__ import annotations

from typing import Final

from operators.api.rules import (
    LABEL,
    QUALIFIED,
    SUBDOMAIN,
    Schema,
    add,
    at,
    exactly_one,
    given,
    immutable,
    int_or_percent,
    kept,
    lasting,
    list_of,
    matching,
    misplaced,
    rule,
)

#: Pods carry the workload's name, a dash and a hash of ten characters in a label of at most 63.
NAME_LIMIT: Final = 52

_INT_OR_STRING: Final[Schema] = {"x-kubernetes-int-or-string": True, "maxLength": 64}
_OBJECT: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_HOLDERS: Final = ("preDeleteUpdateStrategy", "preInplaceUpdateStrategy", "postInplaceUpdateStrategy")


def _selector(schema: Schema) -> None:
    """V1, V2: not empty, valid, matching the template, never changed."""
    empty = (
        "(has(self.matchLabels) && size(self.matchLabels) > 0) || "
        "(has(self.matchExpressions) && size(self.matchExpressions) > 0)"
    )
    add(
        schema,
        "selector",
        rule("self == oldSelf", "spec.selector cannot change; make a new object instead"),
        rule(empty, "spec.selector must not be empty: it would take every pod of the namespace"),
    )
    requirement = "selector.matchExpressions.[]"
    matching(schema, f"{requirement}.key", QUALIFIED, "key must be the key of a label")
    add(
        schema,
        requirement,
        rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "values must be given for In and NotIn, and only for them",
            ": operator is {self.operator}",
        ),
    )
    add(schema, "", *_selects_template())


def _selects_template() -> list[Schema]:
    """Asked at creation and when the labels of the template change; the selector itself cannot."""
    labels = "self.template.metadata.labels"
    matched = f"k in {labels} && {labels}[k] == self.selector.matchLabels[k]"
    chosen = f"e.key in {labels} && has(e.values) && {labels}[e.key] in e.values"
    expected = (
        f"e.operator == 'In' ? ({chosen}) : e.operator == 'NotIn' ? !({chosen}) : "
        f"(e.operator == 'Exists') == (e.key in {labels})"
    )
    unlabelled = "self.selector.matchExpressions.all(e, e.operator in ['NotIn', 'DoesNotExist'])"
    selects = (
        f"(has(self.template.metadata) && has({labels})) ? "
        f"((!has(self.selector.matchLabels) || self.selector.matchLabels.all(k, {matched})) && "
        f"(!has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, {expected}))) : "
        "((!has(self.selector.matchLabels) || size(self.selector.matchLabels) == 0) && "
        f"(!has(self.selector.matchExpressions) || {unlabelled}))"
    )
    message = "spec.selector does not match spec.template.metadata.labels, so pods would never belong here"
    same = (
        f"has(self.template.metadata) && has({labels}) && has(oldSelf.template.metadata) && "
        f"has(oldSelf.template.metadata.labels) && {labels} == oldSelf.template.metadata.labels"
    )
    detail = (
        ": the selector asks for {has(self.selector.matchLabels) ? self.selector.matchLabels : {}}"
        "{has(self.selector.matchExpressions) ? ' and %s'.format([self.selector.matchExpressions.map(e, "
        "'%s %s %s'.format([e.key, e.operator, e.?values.orValue([])]))]) : ''}, the template has "
        "{has(self.template.metadata) && has(self.template.metadata.labels) ? self.template.metadata.labels : {}}"
    )
    return [
        rule(f"oldSelf.hasValue() || ({selects})", message, detail, field="selector", first=True),
        rule(f"({same}) || ({selects})", message, detail, field="template"),
    ]


def _budget(schema: Schema, numbers: str) -> None:
    """V4, V5: partition and budgets; ``numbers`` is where they stand."""
    for name in ("partition", "maxUnavailable", "maxSurge"):
        int_or_percent(schema, f"{numbers}.{name}")
    zeros = [f"has({{0}}.{n}) && ({{0}}.{n} == 0 || {{0}}.{n} == '0%')" for n in ("maxUnavailable", "maxSurge")]
    message = "maxUnavailable and maxSurge must not both be 0: no pod could ever be updated"
    add(schema, numbers, lasting(f"!({' && '.join(zeros)})", message, field="maxUnavailable"))
    int_or_percent(schema, "scaleStrategy.createBatch", zero=False)


def _canary(schema: Schema) -> None:
    """V8, V9: what a step may hold."""
    canary = at(schema, "updateStrategy.canary")
    canary["required"] = ["steps"]
    at(canary, "steps").pop("default", None)
    steps = "updateStrategy.canary.steps.[]"
    add(
        schema,
        steps,
        rule(
            exactly_one("partition", "pause", "hook"),
            "a canary step has exactly one of partition, pause and hook",
            f": this one has{given('partition', 'pause', 'hook')}",
        ),
    )
    int_or_percent(schema, f"{steps}.partition")
    matching(schema, f"{steps}.hook.templateName", SUBDOMAIN, "templateName must be the name of a HookTemplate")


def _strategy(schema: Schema) -> None:
    """V11, and spellings that are found in manifests but never had an effect."""
    add(
        schema,
        "",
        rule(
            "!(self.updateStrategy.type == 'InplaceUpdate' && oldSelf.updateStrategy.type == 'InplaceUpdate') || "
            "self.disableReadinessGate == oldSelf.disableReadinessGate",
            "spec.disableReadinessGate cannot change while updateStrategy.type is InplaceUpdate: a living pod's gates "
            "cannot change; switch to RollingUpdate, let the pods be replaced, and switch back",
            field="disableReadinessGate",
        ),
    )
    instead = "inPlaceUpdateStrategy, with a capital P"
    misplaced(schema, "updateStrategy", "inplaceUpdateStrategy", _OBJECT, instead)


def workload(schema: Schema, numbers: str) -> None:
    """Rules of both workloads; ``numbers`` is where partition and budgets stand."""
    _selector(schema)
    _budget(schema, numbers)
    _canary(schema)
    _strategy(schema)
    list_of(schema, "scaleStrategy.podsToDelete")
    at(schema, "scaleStrategy.podsToDelete.[]")["pattern"] = SUBDOMAIN
    for holder in _HOLDERS:
        path = f"{holder}.hook.templateName"
        matching(schema, path, SUBDOMAIN, "templateName must be the name of a HookTemplate")


def gamedeployment(schema: Schema) -> None:
    """Rules of GameDeployments alone."""
    workload(schema, "updateStrategy")
    instead = "partition, maxUnavailable and maxSurge directly into updateStrategy"
    misplaced(schema, "updateStrategy", "rollingUpdate", _OBJECT, instead)


def gamestatefulset(schema: Schema) -> None:
    """Rules of GameStatefulSets alone (V6, V7)."""
    workload(schema, "updateStrategy.rollingUpdate")
    immutable(schema, "serviceName")
    matching(schema, "serviceName", LABEL, "serviceName must be the name of a Service")
    claims = "volumeClaimTemplates"
    add(
        schema,
        "",
        rule(
            kept(claims),
            f"spec.{claims} cannot change: the claims of living pods would not follow; make a new object instead",
            field=claims,
        ),
    )
    list_of(schema, "reserveOrders")
    add(
        schema,
        claims,
        rule(
            "oldSelf.hasValue() || self.all(a, self.exists_one(b, b.metadata.name == a.metadata.name))",
            f"{claims} must have unique names",
            first=True,
        ),
    )
    add(
        schema,
        "updateStrategy",
        lasting(
            "{0}.type != 'OnDelete' || !has({0}.rollingUpdate)",
            "type OnDelete takes no rollingUpdate: pods change when somebody deletes them",
            field="rollingUpdate",
        ),
    )
    for name in ("partition", "maxUnavailable", "maxSurge"):
        misplaced(schema, "updateStrategy", name, _INT_OR_STRING, f"updateStrategy.rollingUpdate.{name}")


def name_rules(*, host_name: bool) -> list[Schema]:
    """V18: names that pods can carry; asked at creation alone, so that older objects keep working.

    Pods of a GameStatefulSet take their name as host name, which holds no dots.
    """
    limit = f"metadata.name must have at most {NAME_LIMIT} characters, because pods carry it in a label"
    detail = ": {self.metadata.name} has {size(self.metadata.name)}"
    short = f"oldSelf.hasValue() || size(self.metadata.name) <= {NAME_LIMIT}"
    rules = [rule(short, limit, detail, field="metadata.name", first=True)]
    if host_name:
        dots = "oldSelf.hasValue() || !self.metadata.name.contains('.')"
        message = "metadata.name must not hold dots, because pods take it as host name"
        rules.append(rule(dots, message, ": {self.metadata.name}", field="metadata.name", first=True))
    return rules


def conditions(status: Schema) -> None:
    """Conditions are told apart by their type."""
    list_of(status, "conditions", "type")
