"""Reads and writes annotations of the pod, or of its workload (docs/spec/hooks.md 5.3).

A patch is made once. The other side answers by changing what was written (an ingress controller sets ``ready`` back to
true), so a patch that is repeated after a crash, or because its answer was lost, would undo that answer. Therefore the
same request that writes the values leaves a mark of the run, the metric and the number of its success on the object,
and what is so marked counts as done.

Texts like ``Path: ... is not exist`` are those of the Go operators: users match them, so they stay as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from operators.api import keys
from operators.api.hookphase import HookPhase
from operators.hookrun.providers.base import (
    Connections,
    MeasuredValue,
    MeasurementRequest,
    ObjectClient,
    ProviderError,
)
from operators.hookrun.providers.findings import Finding, RawObject, TemplateArguments
from operators.kube.errors import ApiError, Conflict, Unavailable
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, PODS, Json, Resource
from operators.planning.views import OwnerView, owner_view

if TYPE_CHECKING:
    from operators.api.providers.kubernetes import KubernetesProvider

#: Annotation that records the patches made: ``<run and metric>=<number>``, the newest last.
MARK = "tkex.bkbcs.tencent.com/hook-patches"
_PREFIX = "metadata.annotations."
_KINDS = {r.kind: r for r in (PODS, GAME_DEPLOYMENTS, GAME_STATEFUL_SETS)}
_WORKLOADS = (GAME_DEPLOYMENTS.kind, GAME_STATEFUL_SETS.kind)
_OWN = "|".join(map(re.escape, (MARK, keys.CANARY_PAUSE_ANNOTATION, keys.NODE_LOST_ANNOTATION)))
_INDEX = "|".join(re.escape(prefix + "gamedeployment-index-") for prefix in keys.INDEX_PREFIXES)
#: What steers Kubernetes or the operators themselves.
_DENIED = re.compile(
    rf"(^|\.)(kubernetes\.io|k8s\.io)/|/deletion-allow$|^({keys.INPLACE_STATE_ANNOTATION}|{keys.INPLACE_GRACE_ANNOTATION})$"
    rf"|^({_INDEX})|^({_OWN})$"
)
_MARKS_KEPT, _ATTEMPTS, _SHOWN = 8, 4, 200


class Kubernetes:
    """Measures nothing: ``get`` is successful when all values are as wanted, ``patch`` when they are written."""

    name: Final = "kubernetes"
    results: Final[Sequence[Any]] = ()

    def findings(self, settings: RawObject, metric: RawObject, args: TemplateArguments) -> Iterator[Finding]:
        """H10: without a limit the first success ends the metric, which users of ``get`` seldom expect."""
        del settings, args
        if not any(metric.get(name) for name in ("successfulLimit", "count", "consecutiveSuccessfulLimit")):
            reason = f"successfulLimit is absent: a {self.name} metric without it ends at its first success"
            yield Finding("", reason, fatal=False)

    async def measure(
        self, settings: KubernetesProvider, request: MeasurementRequest, connections: Connections
    ) -> MeasuredValue:
        """Read once, and for ``patch`` write once what differs, guarded by the version and UID that were read.

        The object must be in the run's own namespace; it must be the workload that owns the run, or belong to what the
        run belongs to.

        Raises:
            ProviderError: refused, not found, or not as expected.
        """
        wanted = {_key(f.path): f.value for f in settings.fields}
        target, name = _target(request.args), _name(request)
        if settings.function == "patch":
            _check_writable(wanted)
        for attempt in range(_ATTEMPTS):
            try:
                await _once(connections.objects, settings.function, target, name, wanted, request)
                break
            except (Conflict, Unavailable) as error:  # the object changed, or the outcome is unknown: look again
                if attempt == _ATTEMPTS - 1:
                    raise ProviderError(f"{settings.function} {target.kind} {name}: {error}") from error
            except ApiError as error:
                raise ProviderError(f"{settings.function} {target.kind} {name}: {error}") from error
        return MeasuredValue(None, None, phase=HookPhase.SUCCESSFUL)


async def _once(
    client: ObjectClient,
    function: str,
    target: Resource,
    name: str,
    wanted: Mapping[str, str],
    request: MeasurementRequest,
) -> None:
    metadata = (await client.get(target, request.namespace, name))["metadata"]
    _check_owner(target, metadata, request)
    if function == "get":
        _compare(wanted, metadata.get("annotations") or {})
    else:
        await _patch(client, target, metadata, wanted, mark(request))


def mark(request: MeasurementRequest) -> tuple[str, int]:
    """What identifies the write of this measurement, the same after a restart: run and metric, and its number."""
    subject = hashlib.sha256(f"{request.run_uid}/{request.metric}".encode()).hexdigest()[:16]
    return subject, request.successes + 1


def _name(request: MeasurementRequest) -> str:
    args = request.args
    if not args.get("PodNamespace"):
        raise ProviderError("Namespace must be provided")
    if not args.get("PodName"):
        raise ProviderError("Name must be provided")
    if args["PodNamespace"] != request.namespace:
        raise ProviderError(f"namespace {args['PodNamespace']} is not the run's own, {request.namespace}")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", args["PodName"]):
        raise ProviderError(f"{args['PodName'][:_SHOWN]!r} is not a valid object name")
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
            raise ProviderError(f"hooks may not write annotation {key}")


def _check_owner(target: Resource, metadata: Mapping[str, Any], request: MeasurementRequest) -> None:
    """Owners are compared by kind, name and UID, and only workloads count: users may make runs of any other owner."""
    ours, theirs = request.owner, owner_view(metadata)
    if ours is None and theirs is None:
        return
    itself = OwnerView(target.kind, metadata["name"], metadata["uid"])
    if ours is not None and ours.kind in _WORKLOADS and ours in (itself, theirs):
        return
    reason = "has an owner, and this run has none" if ours is None else "does not belong to the workload of this run"
    raise ProviderError(f"{target.kind} {metadata['name']} {reason}")


def _compare(wanted: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    for key, value in wanted.items():
        if key not in annotations:
            raise ProviderError(f"Path: {_PREFIX}{key} is not exist")
        if annotations[key] != value:
            raise ProviderError(f"Get failed. Path: {_PREFIX}{key}, want: {value}, now: {annotations[key][:_SHOWN]}")


async def _patch(
    client: ObjectClient,
    target: Resource,
    metadata: Mapping[str, Any],
    wanted: Mapping[str, str],
    made: tuple[str, int],
) -> None:
    held: Mapping[str, str] = metadata.get("annotations") or {}
    marks = dict(entry.split("=", 1) for entry in held.get(MARK, "").split() if "=" in entry)
    subject, number = made
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
