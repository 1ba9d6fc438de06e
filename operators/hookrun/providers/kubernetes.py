"""Reads and writes annotations of the pod, or of its workload (spec/hooks.md 5.3).

A patch is made once. The other side answers by changing what was written (an ingress controller sets ``ready`` back to
true), so a patch that is repeated after a crash, or because its answer was lost, would undo that answer. Therefore the
same request that writes the values leaves a mark of the run, the metric and the number of its success on the object,
and what is so marked counts as done.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.api.hooktemplate import KubernetesProvider
from operators.hookrun.verdict import ProviderError, Value
from operators.kube.client import Client
from operators.kube.errors import ApiError, Conflict, Unavailable
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, PODS, Json, Resource

#: Annotation that tells which patches were made: ``<run and metric>=<number>``, the newest last.
MARK = "tkex.bkbcs.tencent.com/hook-patches"
_PREFIX = "metadata.annotations."
_KINDS = {r.kind: r for r in (PODS, GAME_DEPLOYMENTS, GAME_STATEFUL_SETS)}
_OWN = "|".join(map(re.escape, (MARK, keys.CANARY_PAUSE_ANNOTATION, keys.NODE_LOST_ANNOTATION)))
_INDEX = "|".join(re.escape(prefix + "gamedeployment-index-") for prefix in keys.INDEX_PREFIXES)
#: What steers Kubernetes or the operators themselves.
_DENIED = re.compile(
    rf"(^|\.)(kubernetes\.io|k8s\.io)/|/deletion-allow$|^({keys.INPLACE_STATE_ANNOTATION}|{keys.INPLACE_GRACE_ANNOTATION})$"
    rf"|^({_INDEX})|^({_OWN})$"
)
_MARKS_KEPT, _ATTEMPTS, _SHOWN = 8, 4, 200


@dataclass(frozen=True, slots=True)
class Asker:
    """The run a measurement is for; ``owner_uid`` is "" when nobody owns it, ``successes`` are those of the metric."""

    namespace: str
    owner_uid: str
    run_uid: str
    metric: str
    successes: int

    @property
    def mark(self) -> tuple[str, int]:
        """What names the write to be made now, the same after a restart."""
        subject = hashlib.sha256(f"{self.run_uid}/{self.metric}".encode()).hexdigest()[:16]
        return subject, self.successes + 1


async def measure(client: Client, spec: KubernetesProvider, args: Mapping[str, str], asker: Asker) -> Value:
    """One read, and for ``patch`` one write of what differs, guarded by the version and UID that were read.

    The object must be in the run's own namespace; it must be the workload that owns the run, or belong to what the run
    belongs to.

    Raises:
        ProviderError: refused, not found, or not as expected.
    """
    wanted = {_key(f.path): f.value for f in spec.fields}
    target, name = _target(args), _name(args, asker)
    if spec.function == "patch":
        _check_writable(wanted)
    for attempt in range(_ATTEMPTS):
        try:
            metadata = (await client.get(target, asker.namespace, name))["metadata"]
            _check_owner(target, metadata, asker)
            if spec.function == "get":
                _compare(wanted, metadata.get("annotations") or {})
            else:
                await _patch(client, target, metadata, wanted, asker.mark)
            break
        except (Conflict, Unavailable) as error:  # the object changed, or the outcome is unknown: look again
            if attempt == _ATTEMPTS - 1:
                raise ProviderError(f"{spec.function} {target.kind} {name}: {error}") from error
        except ApiError as error:
            raise ProviderError(f"{spec.function} {target.kind} {name}: {error}") from error
    return Value(None, None, phase="Successful")


def _name(args: Mapping[str, str], asker: Asker) -> str:
    if not args.get("PodNamespace"):
        raise ProviderError("Namespace must be provided")
    if not args.get("PodName"):
        raise ProviderError("Name must be provided")
    if args["PodNamespace"] != asker.namespace:
        raise ProviderError(f"namespace {args['PodNamespace']} is not the run's own, {asker.namespace}")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", args["PodName"]):
        raise ProviderError(f"{args['PodName'][:_SHOWN]!r} is no name of an object")
    return args["PodName"]


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


def _check_writable(wanted: Mapping[str, str]) -> None:
    for key in wanted:
        if _DENIED.search(key):
            raise ProviderError(f"annotation {key} is not for hooks to write")


def _check_owner(target: Resource, metadata: Mapping[str, Any], asker: Asker) -> None:
    if asker.owner_uid and metadata["uid"] == asker.owner_uid:
        return
    owner = next((r["uid"] for r in metadata.get("ownerReferences") or () if r.get("controller")), "")
    if owner != asker.owner_uid:
        text = (
            "does not belong to the workload of this run" if asker.owner_uid else "has an owner, and this run has none"
        )
        raise ProviderError(f"{target.kind} {metadata['name']} {text}")


def _compare(wanted: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    for key, value in wanted.items():
        if key not in annotations:
            raise ProviderError(f"Path: {_PREFIX}{key} is not exist")
        if annotations[key] != value:
            raise ProviderError(f"Get failed. Path: {_PREFIX}{key}, want: {value}, now: {annotations[key][:_SHOWN]}")


async def _patch(
    client: Client, target: Resource, metadata: Mapping[str, Any], wanted: Mapping[str, str], mark: tuple[str, int]
) -> None:
    held: Mapping[str, str] = metadata.get("annotations") or {}
    marks = dict(entry.split("=", 1) for entry in held.get(MARK, "").split() if "=" in entry)
    subject, number = mark
    if marks.get(subject) == str(number) or all(held.get(key) == value for key, value in wanted.items()):
        return
    marks.pop(subject, None)
    kept = [*marks.items(), (subject, str(number))][-_MARKS_KEPT:]
    patch: Json = {
        "metadata": {
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "annotations": {**wanted, MARK: " ".join(f"{key}={value}" for key, value in kept)},
        }
    }
    await client.merge_patch(target, metadata["namespace"], metadata["name"], patch)
