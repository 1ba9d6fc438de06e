"""What controllers of workloads are given: stores, client, events, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from operators.kube.client import Client
from operators.kube.resources import Resource
from operators.planning.workloads import WorkloadView
from operators.runtime.events import EventRecorder, ObjectReference
from operators.runtime.expectations import Expectations
from operators.workload.metrics import HookRunCreations, WorkloadMetrics
from operators.workload.stores import Stores


@dataclass(frozen=True, slots=True)
class Context:
    """What the executor works with, shared by all passes over one kind of workload."""

    resource: Resource
    client: Client
    stores: Stores
    expectations: Expectations
    events: EventRecorder
    metrics: WorkloadMetrics
    hook_runs_created: HookRunCreations
    now: Callable[[], float]


def reference(resource: Resource, workload: WorkloadView[Any]) -> ObjectReference:
    """What events are about."""
    return ObjectReference(resource.api_version, resource.kind, workload.namespace, workload.name, workload.uid)


def status_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch from one status to another, {} when they say the same. Empty lists equal absent ones."""
    changed = {k: v for k, v in new.items() if old.get(k) != v and not (not v and v != 0 and k not in old)}
    changed.update({k: None for k in old if k not in new})
    return changed
