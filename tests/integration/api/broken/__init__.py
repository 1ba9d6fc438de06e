"""Manifests with one thing wrong each, and what the user is told.

The API server refuses most of them, at creation or at a change; ``shown.yaml`` holds those that no single object gives
away, or that are older than a rule, so that a controller has to say it. docs/validation.md is made of both, see
tests/unit/api/validation_table.py.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_TEMPLATE = {
    "metadata": {"labels": {"app": "game"}},
    "spec": {"containers": [{"name": "web", "image": "game:1"}]},
}
_METRIC = {
    "name": "players",
    "successCondition": "asInt(result) == 0",
    "provider": {"web": {"url": "http://{{ args.PodIP }}:8080/hook", "jsonPath": "{$.result}"}},
}
_CLAIM = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}

#: The spec of one good object of each kind; a broken one differs from it in what its case says, and in nothing else.
GOOD: dict[str, dict[str, Any]] = {
    "GameDeployment": {"selector": {"matchLabels": {"app": "game"}}, "template": _TEMPLATE},
    "GameStatefulSet": {
        "selector": {"matchLabels": {"app": "game"}},
        "template": _TEMPLATE,
        "serviceName": "game",
        "volumeClaimTemplates": [_CLAIM],
    },
    "HookTemplate": {"metrics": [_METRIC]},
    "HookRun": {"metrics": [_METRIC], "args": [{"name": "PodIP", "value": "127.0.0.1"}]},
}


@dataclass(frozen=True)
class Refused:
    """``change`` maps paths to values and ``absent`` takes some away.

    ``before``, if there is one, is how the living object differed from the good one.
    """

    kind: str
    wrong: str
    messages: tuple[str, ...]
    change: Mapping[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    before: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.wrong}"

    def living(self) -> dict[str, Any]:
        """The object before the change; it wants no pods."""
        still = {"spec.replicas": 0} if self.before is not None and self.kind.startswith("Game") else {}
        return manifest(self.kind, still, self.before or {})

    def broken(self) -> dict[str, Any]:
        """The object that is refused."""
        body = changed(self.living(), self.change)
        for path in self.absent:
            _put(body, path, _ABSENT)
        return body


@dataclass(frozen=True)
class Shown:
    """``templates`` are HookTemplates that exist, with their arguments; ``then`` is changed once the pods run.

    ``reason`` is that of the condition Blocked, or the phase of a HookRun; the message has to name all ``names``.
    """

    wrong: str
    reason: str
    names: tuple[str, ...]
    kind: str = "GameDeployment"
    annotations: Mapping[str, str] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind}: {self.wrong}"

    def manifest(self) -> dict[str, Any]:
        body = manifest(self.kind, self.change)
        if self.annotations:
            body["metadata"]["annotations"] = dict(self.annotations)
        return body


_ABSENT = object()


def manifest(kind: str, *changes: Mapping[str, Any], name: str = "game") -> dict[str, Any]:
    """The good object of a kind with changes; a path like ``spec.metrics[0].count`` leads to each."""
    body = {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": copy.deepcopy(GOOD[kind]),
    }
    for change in changes:
        changed(body, change)
    return body


def changed(body: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The same object, after a change by paths."""
    for path, value in change.items():
        _put(body, path, copy.deepcopy(value))
    return body


def _put(body: Any, path: str, value: Any) -> None:
    *parents, last = [int(p) if p.isdigit() else p for p in path.replace("[", ".").replace("]", "").split(".")]
    for part in parents:
        body = body[part] if isinstance(part, int) else body.setdefault(part, {})
    if value is _ABSENT:
        del body[last]
    elif isinstance(last, int) and last == len(body):
        body.append(value)
    else:
        body[last] = value


def _cases(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")))


@cache
def refused() -> tuple[Refused, ...]:
    """All manifests that the API server refuses."""
    return tuple(_refused())


def _refused() -> Iterator[Refused]:
    for kind in GOOD:
        for case in _cases(f"{kind.lower()}s"):
            lists = {key: tuple(case.pop(key, ())) for key in ("messages", "absent")}
            yield Refused(kind=kind, **case, **lists)


@cache
def shown() -> tuple[Shown, ...]:
    """All manifests that a controller has to speak about."""
    return tuple(Shown(**{**case, "names": tuple(case["names"])}) for case in _cases("shown"))
