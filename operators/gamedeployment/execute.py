"""Carries out the plan of one GameDeployment: the only place that writes.

Every write is guarded by the UID of what was planned on, is safe to repeat, and is expected in the cache before the
next pass plans. One pod that fails never keeps the others from being tried.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.gamedeployment.observed import GameDeploymentView
from operators.planning import actions as act
from operators.planning.revisions import revision_data
from operators.planning.times import rfc3339
from operators.runtime import resources
from operators.runtime.batching import bounded, slow_start
from operators.runtime.client import Client
from operators.runtime.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from operators.runtime.events import EventRecorder, ObjectReference
from operators.runtime.expectations import Expectation, Expectations, created, deleted, written
from operators.runtime.metrics import WorkloadMetrics
from operators.runtime.resources import CONTROLLER_REVISIONS, GAME_DEPLOYMENTS, HOOK_RUNS, PODS, Json
from operators.runtime.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """The caches a pass reads."""

    workloads: Store[Any]
    pods: Store[Any]
    revisions: Store[Any]
    hook_runs: Store[Any]
    templates: Store[Any]
    nodes: Store[Any]


@dataclass(frozen=True, slots=True)
class Rim:
    """What the executor works with, shared by all passes."""

    client: Client
    stores: Stores
    expectations: Expectations
    events: EventRecorder
    metrics: WorkloadMetrics
    now: Callable[[], float]


class Execution:
    """One plan being carried out. Failures are collected as (action, error)."""

    def __init__(self, rim: Rim, workload: GameDeploymentView) -> None:
        self._rim, self._client, self._workload = rim, rim.client, workload
        self._key = (workload.namespace, workload.name)
        self.failures: list[tuple[act.Action, ApiError]] = []
        hooks = workload.spec and (
            workload.spec.pre_delete_update_strategy.hook or workload.spec.pre_inplace_update_strategy.hook
        )
        self._grace = "true" if hooks else "false"

    async def run(self, actions: Sequence[act.Action]) -> None:
        """All actions, stage by stage; a failure before the pods' stage ends the execution."""
        for stage, group in itertools.groupby(actions, key=lambda a: a.stage):
            batch = list(group)
            creates = [a for a in batch if isinstance(a, act.CreatePod)]
            others = [a for a in batch if not isinstance(a, act.CreatePod)]
            # Removing and updating come first: an index or a name that leaves may be what a creation waits for.
            self._collect(others, await bounded([self._call(a) for a in others]))
            self._collect(creates, await slow_start([self._call(a) for a in creates]))
            if self.failures and stage in (act.Stage.REVISION, act.Stage.OWNERSHIP):
                return

    def _collect(self, batch: Sequence[act.Action], results: Sequence[BaseException | None]) -> None:
        for action, error in zip(batch, results, strict=False):
            if isinstance(error, NotFound | Conflict):
                log.debug("%s: %s", action, error)  # the world moved on; the next pass looks again
            elif isinstance(error, ApiError):
                self.failures.append((action, error))
                self._announce_failure(action, error)
            elif error is not None:
                raise error

    def _call(self, action: act.Action) -> Callable[[], Awaitable[None]]:
        handlers: dict[type, Callable[[Any], Awaitable[None]]] = {
            act.CreateRevision: self._create_revision,
            act.RenumberRevision: self._renumber_revision,
            act.DeleteRevision: self._delete_revision,
            act.AdoptPod: self._adopt,
            act.ReleasePod: self._release,
            act.CreateHookRun: self._create_hook_run,
            act.DeleteHookRun: self._delete_hook_run,
            act.TerminateHookRun: self._terminate_hook_run,
            act.AnnotatePod: self._annotate,
            act.SetGate: self._set_gate,
            act.UpdatePodInPlace: self._update_in_place,
            act.CreatePod: self._create_pod,
            act.DeletePod: self._delete_pod,
            act.PatchSpec: self._patch_spec,
        }
        return lambda: handlers[type(action)](action)

    def _expect(self, expectation: Expectation) -> None:
        self._rim.expectations.expect(self._key, expectation, asyncio.get_running_loop().time())

    def _expect_written(self, store: Store[Any], answer: Json) -> None:
        metadata = answer["metadata"]
        args = (metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"])
        self._expect(written(store, *args))

    def _note(self, type_: str, reason: str, message: str) -> None:
        kind = "Normal" if type_ == "Normal" else "Warning"
        self._rim.events.note(reference(self._workload), kind, reason, message)  # type: ignore[arg-type] # two literals

    def _owner(self) -> Json:
        return {
            "apiVersion": keys.API_VERSION,
            "kind": "GameDeployment",
            "name": self._workload.name,
            "uid": self._workload.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    async def _create_revision(self, action: act.CreateRevision) -> None:
        namespace = self._workload.namespace
        body: Json = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": action.name,
                "namespace": namespace,
                "labels": dict(action.labels),
                "ownerReferences": [self._owner()],
            },
            "revision": action.revision,
            "data": revision_data(action.template),
        }
        try:
            await self._client.create(CONTROLLER_REVISIONS, namespace, body)
        except AlreadyExists:
            log.debug("revision %s is there already", action.name)
        self._expect(created(self._rim.stores.revisions, namespace, action.name))

    async def _renumber_revision(self, action: act.RenumberRevision) -> None:
        patch: Json = {"metadata": {"uid": action.uid}, "revision": action.revision}
        answer = await self._client.merge_patch(CONTROLLER_REVISIONS, self._workload.namespace, action.name, patch)
        self._expect_written(self._rim.stores.revisions, answer)

    async def _delete_revision(self, action: act.DeleteRevision) -> None:
        namespace = self._workload.namespace
        await self._client.delete(CONTROLLER_REVISIONS, namespace, action.name, uid=action.uid)
        self._expect(deleted(self._rim.stores.revisions, namespace, action.name, action.uid))

    async def _adopt(self, action: act.AdoptPod) -> None:
        live = await self._client.get(GAME_DEPLOYMENTS, self._workload.namespace, self._workload.name)
        if live["metadata"]["uid"] != self._workload.uid or live["metadata"].get("deletionTimestamp"):
            raise Conflict(409, "Conflict", f"{self._workload.name} is no longer the one that was planned for")
        metadata: Json = {"uid": action.uid, "labels": dict(action.labels), "ownerReferences": [self._owner()]}
        await self._patch_pod(action.name, {"metadata": metadata})

    async def _release(self, action: act.ReleasePod) -> None:
        drop = [{"$patch": "delete", "uid": self._workload.uid}]
        await self._patch_pod(action.name, {"metadata": {"uid": action.uid, "ownerReferences": drop}})

    async def _patch_pod(self, name: str, body: Json, subresource: str | None = None) -> None:
        namespace = self._workload.namespace
        answer = await self._client.strategic_patch(PODS, namespace, name, body, subresource=subresource)
        self._expect_written(self._rim.stores.pods, answer)

    async def _create_hook_run(self, action: act.CreateHookRun) -> None:
        namespace = self._workload.namespace
        body: Json = {
            "apiVersion": keys.API_VERSION,
            "kind": "HookRun",
            "metadata": {
                "name": action.name,
                "namespace": namespace,
                "labels": {k: v[:63] for k, v in action.labels.items()},
                "ownerReferences": [self._owner()],
            },
            "spec": dict(action.spec),
        }
        try:
            await self._client.create(HOOK_RUNS, namespace, body)
        except AlreadyExists:
            held = await self._client.get(HOOK_RUNS, namespace, action.name)
            owners = [r.get("uid") for r in held["metadata"].get("ownerReferences") or ()]
            if self._workload.uid not in owners:
                raise Invalid(409, "NameTaken", f"HookRun {action.name} exists and belongs to somebody else") from None
        else:
            reason = "SuccessfulCreatePostHookRun" if action.kind == "postinplace" else "SuccessfulCreateHookRun"
            pod = f" of pod {action.pod}" if action.pod else ""
            self._note("Normal", reason, f"succeed to create hookrun {action.name}{pod}")
        self._expect(created(self._rim.stores.hook_runs, namespace, action.name))

    async def _delete_hook_run(self, action: act.DeleteHookRun) -> None:
        namespace = self._workload.namespace
        await self._client.delete(HOOK_RUNS, namespace, action.name, uid=action.uid)
        self._expect(deleted(self._rim.stores.hook_runs, namespace, action.name, action.uid))

    async def _terminate_hook_run(self, action: act.TerminateHookRun) -> None:
        patch: Json = {"metadata": {"uid": action.uid}, "spec": {"terminate": True}}
        answer = await self._client.merge_patch(HOOK_RUNS, self._workload.namespace, action.name, patch)
        self._expect_written(self._rim.stores.hook_runs, answer)

    async def _annotate(self, action: act.AnnotatePod) -> None:
        await self._patch_pod(action.name, {"metadata": {"uid": action.uid, "annotations": dict(action.annotations)}})

    async def _set_gate(self, action: act.SetGate) -> None:
        await self._patch_pod(action.name, self._gate(action.uid, ready=action.ready, reason=action.reason), "status")

    def _gate(self, uid: str, *, ready: bool, reason: str) -> Json:
        entry = {
            "type": keys.INPLACE_READY_GATE,
            "status": "True" if ready else "False",
            "reason": reason or None,
            "lastTransitionTime": rfc3339(self._rim.now()),
        }
        return {"metadata": {"uid": uid}, "status": {"conditions": [entry]}}

    async def _update_in_place(self, action: act.UpdatePodInPlace) -> None:
        began = asyncio.get_running_loop().time()
        if action.close_gate:
            closed = self._gate(action.uid, ready=False, reason=keys.INPLACE_START_REASON)
            await self._client.strategic_patch(
                PODS, self._workload.namespace, action.name, closed, subresource="status"
            )
        body: Json = {
            "metadata": {
                "uid": action.uid,
                "labels": dict(action.labels),
                "annotations": dict(action.annotations),
            }
        }
        if action.images:
            body["spec"] = {"containers": [{"name": n, "image": i} for n, i in action.images.items()]}
        await self._patch_pod(action.name, body)
        self._measure(self._rim.metrics.update, began, "inplaceUpdate")
        if action.begins:
            self._note("Normal", "SuccessfulUpdatePodInPlace", f"successfully update pod {action.name} in-place")

    async def _create_pod(self, action: act.CreatePod) -> None:
        namespace, loop = self._workload.namespace, asyncio.get_running_loop()
        body = {**action.body, "metadata": {**action.body["metadata"], "ownerReferences": [self._owner()]}}
        began = loop.time()
        try:
            await self._client.create(PODS, namespace, body)
        except AlreadyExists:
            log.debug("pod %s is there already", action.name)
        except Unavailable:
            # The pod may have been created all the same: nothing is planned until the cache has settled it.
            self._expect(created(self._rim.stores.pods, namespace, action.name))
            raise
        self._expect(created(self._rim.stores.pods, namespace, action.name))
        gd = f"{namespace}/{self._workload.name}"
        self._rim.metrics.create.labels(gd, "success").observe(loop.time() - began)
        self._note("Normal", "SuccessfulCreate", f"succeed to create pod {action.name}")

    async def _delete_pod(self, action: act.DeletePod) -> None:
        began = asyncio.get_running_loop().time()
        await self._client.delete(PODS, self._workload.namespace, action.name, uid=action.uid)
        self._expect(deleted(self._rim.stores.pods, self._workload.namespace, action.name, action.uid))
        self._measure(self._rim.metrics.delete, began, "deletePod" if action.why == "failedPod" else action.why)
        if action.why == "rollingUpdate":
            text = f"successfully delete pod {action.name} for update"
            self._note("Normal", "SuccessfulUpdatePodReCreate", text)
        else:
            self._note("Normal", "SuccessfulDelete", f"succeed to delete pod {action.name}")

    def _measure(self, family: Any, began: float, action: str) -> None:
        gd = f"{self._workload.namespace}/{self._workload.name}"
        family.labels(gd, "success", self._grace, action).observe(asyncio.get_running_loop().time() - began)

    async def _patch_spec(self, action: act.PatchSpec) -> None:
        guard = {**(action.patch.get("metadata") or {}), "resourceVersion": self._workload.resource_version}
        patch: Json = {**action.patch, "metadata": guard}
        answer = await self._client.merge_patch(GAME_DEPLOYMENTS, self._workload.namespace, self._workload.name, patch)
        self._expect_written(self._rim.stores.workloads, answer)

    def _announce_failure(self, action: act.Action, error: ApiError) -> None:
        reasons: dict[type, str] = {
            act.CreatePod: "FailedCreate",
            act.DeletePod: "FailedDelete",
            act.UpdatePodInPlace: "FailedUpdatePodInPlace",
            act.CreateHookRun: "FailedCreateHookRun",
        }
        reason = reasons.get(type(action), "FailedScale")
        name = getattr(action, "name", "")
        self._note("Warning", reason, f"{type(action).__name__} {name}: {error}")

    def failure_conditions(self) -> list[dict[str, Any]]:
        """``FailedScale`` and ``FailedUpdate``, naming the first pod and how many more."""
        scaling = [f for f in self.failures if isinstance(f[0], act.CreatePod | act.DeletePod)]
        updating = [f for f in self.failures if f not in scaling]
        found = []
        for type_, failures in (("FailedScale", scaling), ("FailedUpdate", updating)):
            if failures:
                action, error = failures[0]
                more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
                refused = "Refused" if isinstance(error, Forbidden | Invalid) else "Error"
                text = f"{type(action).__name__} {getattr(action, 'name', '')}: {error}{more}"
                found.append({"type": type_, "status": "True", "reason": refused, "message": text[:1024]})
        return found


def reference(workload: GameDeploymentView) -> ObjectReference:
    """What events are about."""
    kind = resources.GAME_DEPLOYMENTS.kind
    return ObjectReference(keys.API_VERSION, kind, workload.namespace, workload.name, workload.uid)


def status_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch from one status to another, {} when they say the same. Empty lists equal absent ones."""
    changed = {k: v for k, v in new.items() if old.get(k) != v and not (not v and v != 0 and k not in old)}
    changed.update({k: None for k in old if k not in new})
    return changed
