"""Reads and writes annotations of the pod, or of its workload (spec/hooks.md 5.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from operators.api import keys
from operators.api.hooktemplate import KubernetesProvider
from operators.hookrun.measurement import ProviderError, Value
from operators.runtime.client import Client
from operators.runtime.errors import ApiError
from operators.runtime.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, PODS, Resource

_PREFIX = "metadata.annotations."
_KINDS = {r.kind: r for r in (PODS, GAME_DEPLOYMENTS, GAME_STATEFUL_SETS)}
_DENIED = re.compile(r"(^|\.)(kubernetes\.io|k8s\.io)/|^inplace-update-(state|grace)$|/deletion-allow$")


def _target(args: Mapping[str, str]) -> Resource:
    group, version, kind = (args.get(k, "") for k in ("Group", "Version", "Kind"))
    if not (group or version or kind):
        return PODS
    found = _KINDS.get(kind)
    if found is None or (group, version) != (found.group, found.version):
        raise ProviderError(
            f"kind {group}/{version} {kind} is not allowed: hooks reach Pod, GameDeployment and GameStatefulSet only"
        )
    return found


def _key(path: str) -> str:
    key = path.removeprefix(_PREFIX)
    if key == path or not key:
        raise ProviderError(f"Path only supports format: <metadata.annotations.xxx>. Now is {path}")
    return key


async def measure(
    client: Client, spec: KubernetesProvider, args: Mapping[str, str], namespace: str, owner_uid: str
) -> Value:
    """One read, and for ``patch`` one write of what differs, guarded by the resourceVersion that was read.

    The object must be in the run's own namespace, and a pod must belong to the workload the run belongs to.

    Raises:
        ProviderError: refused, not found, or not as expected.
    """
    if not args.get("PodNamespace"):
        raise ProviderError("Namespace must be provided")
    if not args.get("PodName"):
        raise ProviderError("Name must be provided")
    if args["PodNamespace"] != namespace:
        raise ProviderError(f"namespace {args['PodNamespace']} is not the run's own, {namespace}")
    target = _target(args)
    wanted = {_key(f.path): f.value for f in spec.fields}
    try:
        found = await client.get(target, namespace, args["PodName"])
        metadata = found["metadata"]
        owners = [r.get("uid") for r in metadata.get("ownerReferences") or () if r.get("controller")]
        if not owner_uid and spec.function == "patch" and owners:
            raise ProviderError(f"{target.kind} {args['PodName']} belongs to a workload, and this run to none")
        if owner_uid and owner_uid not in (*owners, metadata["uid"]):
            raise ProviderError(f"{target.kind} {args['PodName']} does not belong to the workload of this run")
        annotations = metadata.get("annotations") or {}
        if spec.function == "get":
            _compare(wanted, annotations)
        else:
            await _patch(client, target, metadata, wanted)
    except ApiError as error:
        raise ProviderError(f"{spec.function} {target.kind} {args['PodName']}: {error}") from error
    return Value(None, None, phase="Successful")


def _compare(wanted: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    for key, value in wanted.items():
        if key not in annotations:
            raise ProviderError(f"Path: {_PREFIX}{key} is not exist")
        if annotations[key] != value:
            raise ProviderError(f"Get failed. Path: {_PREFIX}{key}, want: {value}, now: {annotations[key][:200]}")


async def _patch(client: Client, target: Resource, metadata: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
    for key in wanted:
        if _DENIED.search(key) and key != keys.POD_COST_ANNOTATION:
            raise ProviderError(f"annotation {key} is not for hooks to write")
    held: Mapping[str, str] = metadata.get("annotations") or {}
    if all(held.get(key) == value for key, value in wanted.items()):
        return
    patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": dict(wanted)}}
    await client.merge_patch(target, metadata["namespace"], metadata["name"], patch)
