"""What one HookTemplate or HookRun can get wrong by itself (spec/admission.md 6, H1 to H12)."""

from __future__ import annotations

from typing import Final

from operators.api.durations import PATTERN
from operators.api.rules import (
    QUALIFIED,
    Schema,
    add,
    at,
    exactly_one,
    given,
    kept,
    list_of,
    matching,
    misplaced,
    quoted,
    refused,
    required,
    rule,
)

_TEXT: Final[Schema] = {"type": "string", "maxLength": 8192}
_INT_OR_STRING: Final[Schema] = {"x-kubernetes-int-or-string": True, "maxLength": 64}
_OBJECT: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_PROVIDERS: Final = ("web", "prometheus", "kubernetes")
_HTTP: Final = "^(?i:https?)://."


def hook(schema: Schema) -> None:
    """Rules of both kinds."""
    list_of(schema, "metrics", "name")
    list_of(schema, "args", "name")
    _metric(schema)
    _provider(schema)
    _web(schema)
    _kubernetes(schema)


def _metric(schema: Schema) -> None:
    """H2, H3, H4."""
    limits = [
        ("failureLimit", "!has(self.failureLimit) || self.count >= self.failureLimit"),
        ("successfulLimit", "self.count >= self.successfulLimit"),
        ("inconclusiveLimit", "self.count >= self.inconclusiveLimit"),
    ]
    for name, enough in limits:
        detail = f": count is {{self.count}}, {name} is {{self.{name}}}"
        message = f"count must be 0 or at least {name}"
        add(schema, "metrics.[]", rule(f"self.count <= 0 || ({enough})", message, detail, field="count"))
    message, detail = "interval must be given when count is greater than 1", ": count is {self.count}"
    add(schema, "metrics.[]", rule("self.count <= 1 || has(self.interval)", message, detail, field="interval"))
    kind = "{} must be a duration like 5s, 1h30m or 500ms"
    for name in ("interval", "initialDelay"):
        path = f"metrics.[].{name}"
        at(schema, path).pop("pattern")
        matching(schema, path, PATTERN, kind.format(name))
    add(
        schema,
        "metrics.[].interval",
        rule(
            f"!self.matches({quoted(PATTERN)}) || duration(self) >= duration('1s')",
            "interval must be at least 1s",
            ', not "{self}"',
        ),
    )


def _provider(schema: Schema) -> None:
    """H6, and fields of a provider that stand beside it."""
    path = "metrics.[].provider"
    message = "provider must have exactly one of web, prometheus and kubernetes"
    detail = f": this one has{given(*_PROVIDERS)}"
    add(schema, path, rule(f"has(self.exec) || {exactly_one(*_PROVIDERS)}", message, detail))
    for where in ("metrics.[]", path):
        misplaced(schema, where, "jsonPath", _TEXT, "provider.web.jsonPath")
        misplaced(schema, where, "timeoutSeconds", _INT_OR_STRING, "provider.web.timeoutSeconds")
    for owner, keys in (("web", ("url",)), ("prometheus", ("address", "query")), ("kubernetes", ("function",))):
        for key in keys:
            misplaced(schema, path, key, _TEXT, f"provider.{owner}.{key}")
    refused(schema, path, "exec", _OBJECT, "exec is not supported, ask through web, prometheus or kubernetes")


def _web(schema: Schema) -> None:
    """H9, and headers that would break a request."""
    web = "metrics.[].provider.web"
    # As a rule, so that a jsonPath in the wrong place is named in the same answer.
    required(schema, web, "jsonPath", "jsonPath must say which part of the answer is the result")
    matching(schema, f"{web}.url", _HTTP + r"|^\{\{", "url must begin with http:// or https://")
    address = "metrics.[].provider.prometheus.address"
    matching(schema, address, _HTTP, "address must begin with http:// or https://")
    header = f"{web}.headers.[]"
    matching(schema, f"{header}.key", "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$", "key must be the name of a header")
    add(schema, f"{header}.value", rule(r"!self.matches('[\\r\\n]')", "value must not hold a line break"))


def _kubernetes(schema: Schema) -> None:
    """H10: annotations of pods and of both workloads, nothing else."""
    prefix = "metadata.annotations."
    path = "metrics.[].provider.kubernetes.fields.[].path"
    key = QUALIFIED.removeprefix("^")
    matching(schema, path, f"^metadata\\.annotations\\.{key}", f"path must be {prefix}<key>")
    kinds = "['', 'Pod', 'GameDeployment', 'GameStatefulSet']"
    add(
        schema,
        "",
        rule(
            "!self.metrics.exists(m, has(m.provider.kubernetes)) || !has(self.args) || "
            f"self.args.all(a, a.name != 'Kind' || !has(a.value) || a.value in {kinds})",
            "args.Kind must be Pod, GameDeployment or GameStatefulSet, hooks reach no other objects",
            ", not {self.args.filter(a, a.name == 'Kind' && has(a.value)).map(a, a.value)}",
            field="args",
        ),
    )


def hookrun(schema: Schema) -> None:
    """H11: a run stays as it began; it can only be interrupted."""
    hook(schema)
    for name in ("metrics", "args", "policy", "ttlSecondsAfterFinished"):
        message = f"spec.{name} cannot change: a HookRun stays as it began, except for terminate"
        add(schema, "", rule(kept(name), message, field=name))
    add(schema, "terminate", rule("self || !oldSelf", "terminate cannot be taken back"))
