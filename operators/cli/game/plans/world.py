"""From bodies of the API server, or a manifest alone, to a world that the simulation can play. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.kinds import KINDS
from operators.cli.game.names import short
from operators.kube.times import rfc3339
from operators.simulation.cluster import SimulatedCluster, Surroundings, hook_template
from operators.simulation.driver import Assumptions
from operators.simulation.forecast import forecast
from operators.simulation.statefulset import SimulatedSet

Json = dict[str, Any]
#: What is taken for now where no cluster is asked: two plans of one manifest are equal.
OFFLINE_NOW: Final = 1_767_225_600.0  # 2026-01-01
#: Seconds that the pods of an offline world have been running before the change.
_SETTLED_FOR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Bodies:
    """Everything of a workload as the API server holds it, by name; ``pods`` include what only has a name of ours."""

    pods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    revisions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hook_runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def world(workload: Mapping[str, Any], bodies: Bodies, around: Surroundings, now: float) -> SimulatedCluster:
    """A cluster in memory with copies of these objects; time begins at the whole second."""
    own: dict[str, Any] = {
        "workload": copy.deepcopy(workload),
        "templates": {n: dict(t) for n, t in bodies.templates.items()},
        "now": float(int(now)),
        "pods": {n: _pod(b) for n, b in sorted(bodies.pods.items())},
        "revisions": copy.deepcopy(dict(bodies.revisions)),
        "hook_runs": copy.deepcopy(dict(bodies.hook_runs)),
        "around": around,
        "stamp": "planned-",
    }
    own["workload"].setdefault("status", {})
    if workload["kind"] == SimulatedSet.kind:
        own["claims"] = copy.deepcopy(dict(bodies.claims))
        return SimulatedSet(**own)
    return SimulatedCluster(**own)


def _pod(body: Mapping[str, Any]) -> Json:
    """A copy in which the parts are there that kubelets write into, and no managedFields, which nobody reads."""
    metadata = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
    made = copy.deepcopy({**body, "metadata": metadata})
    for part in ("labels", "annotations"):
        made["metadata"][part] = made["metadata"].get(part) or {}
    status = made.setdefault("status", {})
    status.setdefault("phase", "Pending")
    for part in ("conditions", "containerStatuses"):
        status[part] = status.get(part) or []
    for container in status["containerStatuses"]:
        container.setdefault("state", {})
        container.setdefault("restartCount", 0)
    return made


# ---- without a cluster


def manifest_body(manifest: Mapping[str, Any], namespace: str | None) -> Json:
    """A manifest as the API server would first hold it.

    Raises:
        CommandError: it has no name.
    """
    given = manifest.get("metadata") or {}
    kind, name = manifest["kind"], given.get("name")
    if not name:
        raise CommandError(f"a {kind} in the manifest has no metadata.name")
    own = namespace or given.get("namespace") or "default"
    metadata = {
        **{k: v for k, v in given.items() if k in ("labels", "annotations") and v},
        "namespace": own,
        "name": name,
        "uid": f"offline-{own}-{name}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": rfc3339(OFFLINE_NOW),
    }
    metadata.setdefault("annotations", {})
    return {"kind": kind, "metadata": metadata, "spec": copy.deepcopy(manifest.get("spec") or {}), "status": {}}


def offline_world(
    body: Json, before: Json | None, templates: Mapping[str, Json]
) -> tuple[SimulatedCluster, tuple[str, ...]]:
    """A world of which nothing is known but manifests, and what was taken for granted about it.

    ``before`` is what has been running for an hour; None: nothing is there yet. HookTemplates that the manifests name
    and do not hold are made up.
    """
    namespace = body["metadata"]["namespace"]
    missing = sorted(named_templates(body) - templates.keys())
    known = {**templates, **{n: hook_template(n, namespace) for n in missing}}
    notes = tuple(
        f"HookTemplate {n} is in none of the files: it is taken to be there, and to ask once." for n in missing
    )
    around = Surroundings()
    if before is None:
        return world(body, Bodies(templates=known), around, OFFLINE_NOW), notes
    made = world({**before, "metadata": body["metadata"]}, Bodies(templates=known), around, OFFLINE_NOW)
    ending = forecast(made, Assumptions(start=0, restart=0, end=0)).ending
    if ending.state not in ("complete", "rests"):
        raise CommandError(f"what is taken to run now never gets there: {ending.reason}: {ending.message}")
    made.now += _SETTLED_FOR
    made.log.clear()
    made.replace_spec(body["spec"])
    return made, notes


def named_templates(body: Mapping[str, Any]) -> set[str]:
    """HookTemplates that a workload names."""
    spec = body.get("spec") or {}
    steps = ((spec.get("updateStrategy") or {}).get("canary") or {}).get("steps") or ()
    holders = [spec.get(f"{w}UpdateStrategy") or {} for w in ("preDelete", "preInplace", "postInplace")]
    hooks = [h.get("hook") or {} for h in (*holders, *(s for s in steps if isinstance(s, dict)))]
    return {str(h["templateName"]) for h in hooks if h.get("templateName")}


# ---- changes of the command line


def with_changes(body: Json, images: Sequence[str], replicas: int | None) -> Json:
    """The workload with other images (``container=image``) and another number of replicas.

    Raises:
        UsageError: there is no such container, or it is not written like that.
    """
    made = copy.deepcopy(body)
    spec = made["spec"]
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    for text in images:
        container, sign, image = text.partition("=")
        found = [c for c in containers if c.get("name") == container]
        if not sign or not image:
            raise UsageError(f"{text!r} names no image: write CONTAINER=IMAGE")
        if not found:
            there = ", ".join(str(c.get("name")) for c in containers) or "none"
            raise UsageError(
                f"{short(body['kind'], body['metadata']['name'])} has no container {container}; there are {there}"
            )
        for one in found:
            one["image"] = image
    if replicas is not None:
        spec["replicas"] = replicas
    return made


def workloads(documents: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The manifests of workloads among documents."""
    return [d for d in _flat(documents) if d.get("kind") in KINDS]


def hook_templates(documents: Iterable[Any], namespace: str) -> dict[str, Json]:
    """The HookTemplates among documents, by name, as the API server would hold them."""
    found = {}
    for one in _flat(documents):
        name = (one.get("metadata") or {}).get("name")
        if one.get("kind") == "HookTemplate" and name:
            metadata = {"namespace": namespace, "name": name, "uid": f"offline-{name}", "resourceVersion": "1"}
            found[name] = {"kind": "HookTemplate", "metadata": metadata, "spec": one.get("spec") or {}}
    return found


def _flat(documents: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The documents, and the items of lists among them."""
    found: list[Mapping[str, Any]] = []
    for one in documents:
        if isinstance(one, Mapping):
            items = one.get("items") if str(one.get("kind") or "").endswith("List") else None
            found += _flat(items) if isinstance(items, list) else [one]
    return found
