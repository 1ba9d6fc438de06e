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


#: Bytes of what a node says: the beginning, and the end, where the reason of a registry's answer stands.
_BEGINNING, _END = 150, 350


def _bounded(text: str) -> str:
    """What a node says, its middle left out where it is too long."""
    said = text.encode(errors="replace")
    if len(said) <= _BEGINNING + _END:
        return text
    return f"{said[:_BEGINNING].decode(errors='ignore')} ... {said[-_END:].decode(errors='ignore')}"


def _ended(status: Json) -> PodProblem:
    """Why a pod ended for good: the kubelet's word, else that of its containers."""
    if status.get("reason"):
        return PodProblem(
            BlockedReason.POD_FAILED, _bounded(f"{status['reason']}: {status.get('message', '')}".rstrip(": "))
        )
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            why = f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}"
            return PodProblem(BlockedReason.POD_FAILED, f"container {container.get('name')}: {why}")
    return PodProblem(BlockedReason.POD_FAILED, f"phase {status.get('phase')}")


def problem_of(conditions: Mapping[str, Json], status: Json, spec: Json) -> PodProblem | None:
    """What it says: an end, an image that cannot be pulled, a container that fails, no node that fits.

    The image is the one that ``spec`` asks for: the status names what ran last, or another name of the same image.
    """
    if status.get("phase") in ENDED:
        return _ended(status)
    for kind in ("initContainers", "containers"):
        images = {c.get("name"): c.get("image") for c in spec.get(kind) or ()}
        for container in status.get(f"{kind[:-1]}Statuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            why = waiting.get("reason") or ""
            if why and why not in _STARTING:
                reason = BlockedReason.IMAGE_PULL_FAILING if why in _IMAGE_REASONS else BlockedReason.CONTAINER_FAILING
                said = f" ({_bounded(waiting['message'])})" if waiting.get("message") else ""
                asked = images.get(container.get("name"))
                image = f" with {asked}" if asked else ""
                return PodProblem(reason, f"container {container.get('name')}{image}: {why}{said}")
    scheduled = conditions.get("PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        text = f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')}"
        return PodProblem(BlockedReason.POD_UNSCHEDULABLE, _bounded(text))
    return None
