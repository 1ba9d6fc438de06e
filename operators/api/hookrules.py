"""What one HookTemplate or HookRun can get wrong by itself (docs/spec/admission.md 6, H1 to H12)."""

from __future__ import annotations

from typing import Final

from operators.api.durations import PATTERN
from operators.api.hooktemplate import MetricProvider
from operators.api.rules import (
    Schema,
    add,
    at,
    exactly_one,
    given,
    kept,
    list_of,
    matching,
    quoted,
    refused,
    rule,
)

_OBJECT: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_METRIC: Final = "metrics.[]"


def hook(schema: Schema, providers: type[MetricProvider] = MetricProvider) -> None:
    """Rules of both kinds; ``providers`` are those that the schema has."""
    list_of(schema, "metrics", "name")
    list_of(schema, "args", "name")
    _metric(schema)
    settings = providers.settings()
    *others, last = settings
    some = ", ".join(others)
    _exactly_one(schema, f"{some} and {last}", tuple(settings))
    for name, model in settings.items():
        model.add_rules(schema, _METRIC, name)
    reason = f"exec is not supported, ask through {some} or {last}"
    refused(schema, f"{_METRIC}.provider", "exec", _OBJECT, reason)


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
        add(schema, _METRIC, rule(f"self.count <= 0 || ({enough})", message, detail, field="count"))
    message, detail = "interval must be given when count is greater than 1", ": count is {self.count}"
    add(schema, _METRIC, rule("self.count <= 1 || has(self.interval)", message, detail, field="interval"))
    kind = "{} must be a duration like 5s, 1h30m or 500ms"
    for name in ("interval", "initialDelay"):
        path = f"{_METRIC}.{name}"
        at(schema, path).pop("pattern")
        matching(schema, path, PATTERN, kind.format(name))
    add(
        schema,
        f"{_METRIC}.interval",
        rule(
            f"!self.matches({quoted(PATTERN)}) || duration(self) >= duration('1s')",
            "interval must be at least 1s",
            ', not "{self}"',
        ),
    )


def _exactly_one(schema: Schema, shown: str, names: tuple[str, ...]) -> None:
    """H6."""
    message, detail = f"provider must have exactly one of {shown}", f": this one has{given(*names)}"
    add(schema, f"{_METRIC}.provider", rule(f"has(self.exec) || {exactly_one(*names)}", message, detail))


def hookrun(schema: Schema) -> None:
    """H11: a run stays as it began; it can only be interrupted."""
    hook(schema)
    for name in ("metrics", "args", "policy", "ttlSecondsAfterFinished"):
        message = f"spec.{name} cannot change: a HookRun stays as it began, except for terminate"
        add(schema, "", rule(kept(name), message, field=name))
    add(schema, "terminate", rule("self || !oldSelf", "terminate cannot be taken back"))
