"""Renders the chart, and finds things in what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from devcluster.helm import CHART, HelmFailed, helm, values_file

__all__ = ["CHART", "NAMESPACE", "RELEASE", "HelmFailed", "Rendered", "render"]

RELEASE, NAMESPACE = "game-operators", "ops"
_KUBERNETES = "1.34.4"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Rendered:
    """The objects of a rendering."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self.objects = objects

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.objects)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [o for o in self.objects if o["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        found = [o for o in self.of(kind) if name is None or o["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects {kind} {name or ''}: {[o['metadata']['name'] for o in found]}"
        return found[0]

    def pod_specs(self) -> dict[str, dict[str, Any]]:
        """Specs of everything that makes pods, by kind and name."""
        found = {}
        for item in self.objects:
            spec = item.get("spec", {})
            if item["kind"] == "Pod":
                found[f"Pod {item['metadata']['name']}"] = spec
            elif item["kind"] in ("Deployment", "Job"):
                found[f"{item['kind']} {item['metadata']['name']}"] = spec["template"]["spec"]
        return found

    def rules(self, kind: str = "ClusterRole", name: str | None = None) -> set[tuple[str, str, str]]:
        """What a role grants, as (group, resource, verb)."""
        rules = self.one(kind, name)["rules"]
        return {
            (g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
        }


def render(values: Mapping[str, Any] | None = None, *, release: str = RELEASE, namespace: str = NAMESPACE) -> Rendered:
    """``helm template`` with these values.

    Raises:
        HelmFailed: the values do not fit the schema, or a template refuses them.
    """
    return Rendered(json.loads(_render(json.dumps(values or {}), release, namespace)))


@cache
def _render(values: str, release: str, namespace: str) -> str:
    with values_file(json.loads(values)) as file:
        text = helm("template", release, str(CHART), "-n", namespace, "--kube-version", _KUBERNETES, "-f", file)
    objects = [o for o in yaml.load_all(text, Loader=_LOADER) if o]
    return json.dumps(objects)
