"""StatefulSets shown for GameStatefulSets: objects, patches and paths, in both directions (pure).

What the tests of Kubernetes do not know is filled in on the way: the label that allows deletions, one pod at a time,
the storage class and the node label of the run.
"""

from __future__ import annotations

import re
from typing import Any

from operators.api import keys

Json = dict[str, Any]
NATIVE = ("apps/v1", "StatefulSet")
OURS = (keys.API_VERSION, "GameStatefulSet")
#: Class of the claims, and label of the node that pods may run on: taken off it where the tests cordon the node.
STORAGE_CLASS = "upstream"
NODE_LABEL = "upstream.game-operators/schedulable"
_PATH = re.compile(r"^/apis/apps/v1/(namespaces/[^/]+/)?statefulsets(?=/|$)")


def path_to_ours(path: str) -> str:
    """The path of GameStatefulSets for one of StatefulSets, any other as it is."""
    return _PATH.sub(lambda m: f"/apis/{keys.API_VERSION}/{m[1] or ''}gamestatefulsets", path)


def merged(held: Any, patch: Any) -> Any:
    """A strategic merge patch applied: lists of objects with names are merged, new ones first; others are replaced."""
    if isinstance(patch, dict):
        result = dict(held) if isinstance(held, dict) else {}
        for key, value in patch.items():
            if key.startswith("$"):
                continue
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(result.get(key), value)
        return result
    if isinstance(patch, list) and isinstance(held, list) and _named(patch) and _named(held):
        entries: dict[str, Any] = {entry["name"]: entry for entry in held}
        new = {entry["name"]: entry for entry in patch if entry["name"] not in entries and "$patch" not in entry}
        for entry in patch:
            if entry.get("$patch") == "delete":
                entries.pop(entry["name"], None)
            elif entry["name"] in entries:
                entries[entry["name"]] = merged(entries[entry["name"]], entry)
        return [*new.values(), *entries.values()]
    return patch


def _named(entries: list[Any]) -> bool:
    return all(isinstance(entry, dict) and "name" in entry for entry in entries)


def placed(body: Json) -> Json:
    """A set whose claims and pods find the volumes and the node of the run."""
    spec = body.get("spec") or {}
    for template in spec.get("volumeClaimTemplates") or ():
        template["spec"]["storageClassName"] = STORAGE_CLASS
    pod = (spec.get("template") or {}).get("spec")
    if pod is not None:
        pod["nodeSelector"] = {**(pod.get("nodeSelector") or {}), NODE_LABEL: "true"}
    return body


def set_to_ours(body: Json) -> Json:
    """The GameStatefulSet that a StatefulSet asks for."""
    body = placed(owners_in(body, NATIVE, OURS))
    body["apiVersion"], body["kind"] = OURS
    metadata = body.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), keys.DELETION_ALLOW_LABEL: "Always"}
    spec = body.get("spec") or {}
    start = (spec.pop("ordinals", None) or {}).get("start", 0)
    spec["reserveOrders"] = list(range(start))
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**(strategy.get("rollingUpdate") or {}), "maxUnavailable": 1}
    return body


def set_to_native(body: Json) -> Json:
    """A GameStatefulSet as a StatefulSet."""
    body = owners_in(body, OURS, NATIVE)
    body["apiVersion"], body["kind"] = NATIVE
    body["metadata"].get("labels", {}).pop(keys.DELETION_ALLOW_LABEL, None)
    spec = body.get("spec") or {}
    reserved = spec.pop("reserveOrders", None)
    if reserved:
        spec["ordinals"] = {"start": len(reserved)}
    return body


def to_ours(body: Json) -> Json:
    """What a test sends. Options, scales and objects of other kinds keep theirs, but for their owners."""
    return set_to_ours(body) if _is(body, NATIVE) else owners_in(body, NATIVE, OURS)


def to_native(body: Json) -> Json:
    """What a test gets to see, lists and events of watches included."""
    if "object" in body and "type" in body and "kind" not in body:
        return {**body, "object": to_native(body["object"])}
    if body.get("kind") == f"{OURS[1]}List":
        items = [set_to_native(item) for item in body.get("items") or ()]
        return {**body, "apiVersion": NATIVE[0], "kind": f"{NATIVE[1]}List", "items": items}
    if _is(body, OURS):
        return set_to_native(body)
    if isinstance(body.get("items"), list):
        return {**body, "items": [owners_in(item, OURS, NATIVE) for item in body["items"]]}
    return owners_in(body, OURS, NATIVE)


def _is(body: Json, kind: tuple[str, str]) -> bool:
    return (body.get("apiVersion"), body.get("kind")) == kind


def owners_in(body: Json, before: tuple[str, str], after: tuple[str, str]) -> Json:
    """Owner references of one kind turned into those of another; bodies without any are returned as they are."""
    owners = (body.get("metadata") or {}).get("ownerReferences")
    if not owners:
        return body
    turned = [{**o, "apiVersion": after[0], "kind": after[1]} if _is(o, before) else o for o in owners]
    return {**body, "metadata": {**body["metadata"], "ownerReferences": turned}}


def with_default_class(listed: Json) -> Json:
    """Storage classes, with the one of the run as the default."""
    one = {
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    return {**listed, "items": [*(listed.get("items") or ()), one]}


def without_released(listed: Json) -> Json:
    """Volumes without those whose claim is gone, which a provisioner would have deleted."""
    gone = ("Released", "Failed")
    return {**listed, "items": [v for v in listed["items"] if (v.get("status") or {}).get("phase") not in gone]}


def cordon(patch: Json) -> bool | None:
    """Whether a patch of a node cordons (True) or uncordons it, None when it does neither."""
    spec = patch.get("spec") or {}
    return bool(spec["unschedulable"]) if "unschedulable" in spec else None


def label_patch(*, cordoned: bool) -> Json:
    """The patch of a node's label that stands for a cordon."""
    return {"metadata": {"labels": {NODE_LABEL: None if cordoned else "true"}}}


def node_shown(node: Json, name: str) -> Json:
    """The node of the run, which is unschedulable when it lacks its label."""
    metadata = node.get("metadata") or {}
    if metadata.get("name") != name or NODE_LABEL in (metadata.get("labels") or {}):
        return node
    return {**node, "spec": {**(node.get("spec") or {}), "unschedulable": True}}
