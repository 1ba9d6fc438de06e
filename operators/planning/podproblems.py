"""Why a pod is not ready, as far as its status says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.api.reasons import BlockedReason

Json = Mapping[str, Any]
#: Phases that a pod never leaves.
ENDED = ("Failed", "Succeeded")


@dataclass(frozen=True, slots=True)
class PodProblem:
    """Why a pod is not ready, where its status says so: ``reason`` in one word, ``text`` for people."""

    reason: BlockedReason
    text: str


_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)


def _ended(status: Json) -> PodProblem:
    """Why a pod ended for good: the kubelet's word, else that of its containers."""
    if status.get("reason"):
        return PodProblem(
            BlockedReason.POD_FAILED, f"{status['reason']}: {status.get('message', '')}".rstrip(": ")[:300]
        )
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            why = f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}"
            return PodProblem(BlockedReason.POD_FAILED, f"container {container.get('name')}: {why}")
    return PodProblem(BlockedReason.POD_FAILED, f"phase {status.get('phase')}")


def problem_of(conditions: Mapping[str, Json], status: Json) -> PodProblem | None:
    """What it says: an end, an image that cannot be pulled, a container that fails, no node that fits."""
    if status.get("phase") in ENDED:
        return _ended(status)
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            why = waiting.get("reason") or ""
            if why and why not in _STARTING:
                reason = BlockedReason.IMAGE_PULL_FAILING if why in _IMAGE_REASONS else BlockedReason.CONTAINER_FAILING
                said = f" ({waiting['message'][:200]})" if waiting.get("message") else ""
                image = f" with {container['image']}" if container.get("image") else ""
                return PodProblem(reason, f"container {container.get('name')}{image}: {why}{said}")
    scheduled = conditions.get("PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        text = f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')}"
        return PodProblem(BlockedReason.POD_UNSCHEDULABLE, text[:300])
    return None
