"""Pods of lost nodes: when the place of one may be given to another (docs/spec/gamestatefulset.md 2.10).

A pod that is being deleted on a node whose kubelet is silent stays there for ever: nobody confirms that it has ended,
and its name, its ordinal and its claims stay taken. Deleting it by force gives them free, and gives up the promise
that no two pods of one identity run at the same time. So it takes the opt-in of the user, on the pod, and the word of
the control plane about the node. The controller never begins a deletion: eviction or a person has to have done so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from operators.api import keys
from operators.kube.times import rfc3339
from operators.planning.views import PodView

OPT_IN = keys.NODE_LOST_ANNOTATION


class NodeHealth(Protocol):
    """What is known of a node: ``ready`` is True, False, or None when nobody has heard of its kubelet for a while.

    ``out_of_service`` is the taint by which a person vouches that the node is switched off.
    """

    @property
    def ready(self) -> bool | None: ...
    @property
    def out_of_service(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds to wait beyond the pod's own time to end: on a silent node, and on one whose kubelet says it is sick."""

    silent: float = 0.0
    sick: float = 60.0


@dataclass(frozen=True, slots=True)
class LostNode:
    """``force``: delete now, without grace. ``wait``: seconds until then. ``text``: why, or why not; "" when well."""

    force: bool = False
    wait: float | None = None
    text: str = ""


def lost_node(pod: PodView, node: NodeHealth | None, delays: Delays, now: float) -> LostNode:
    """What to do about a pod that is being deleted. ``node`` is None where its node object is gone."""
    if not pod.deleting or not pod.node:
        return LostNode()
    if node is not None and node.ready is True and not node.out_of_service:
        return LostNode()
    told = f"pod {pod.name} is being deleted on node {pod.node}, which {_said(node)}"
    if pod.annotations.get(OPT_IN) != "true":
        why = f'it stays until the node answers or somebody removes it: annotation {OPT_IN} is not "true"'
        return LostNode(text=f"{told}; {why}")
    if pod.finalizers:
        return LostNode(text=f"{told}; it is held by its finalizers {', '.join(pod.finalizers)}")
    due = _due(pod, node, delays)
    if due > now:
        return LostNode(wait=due - now, text=f"{told}; it is removed by force at {rfc3339(due)}")
    return LostNode(force=True, text=f"{told}; it is removed by force, and its place given to another pod")


def _said(node: NodeHealth | None) -> str:
    if node is None:
        return "no longer exists"
    if node.out_of_service:
        return "is marked as out of service"
    return "is not ready" if node.ready is False else "does not report"


def _due(pod: PodView, node: NodeHealth | None, delays: Delays) -> float:
    """When the pod may go: at once where no kubelet can still run it, else after its own time and a delay.

    ``deletion_timestamp`` is when its grace period ends: a living kubelet would have ended it by then.
    """
    if node is None or node.out_of_service or pod.deletion_timestamp is None:
        return 0.0
    if node.ready is None:
        return pod.deletion_timestamp + delays.silent if delays.silent else 0.0
    return pod.deletion_timestamp + delays.sick
