"""Carries out the plan of one workload: the only place that writes.

Every write is guarded by the UID of what was planned on, is safe to repeat, and is expected in the cache before the
next pass plans. One pod that fails never keeps the others from being tried.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from operators.api import keys
from operators.kube.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound, NotLeading, Unavailable
from operators.kube.resources import CONTROLLER_REVISIONS, HOOK_RUNS, PODS, Json
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.refusals import refusal_key
from operators.planning.revisions import revision_data
from operators.planning.workloads import WorkloadView
from operators.runtime.batching import bounded, slow_start
from operators.runtime.expectations import Expectation, created, deleted, written
from operators.runtime.store import Store
from operators.workload.context import Context, failure_reason, reference

log = logging.getLogger(__name__)
_UNKNOWN_OUTCOME = 10.0


class Execution:
    """One plan being carried out.

    ``failures`` are the errors by what they speak of (`operators.planning.refusals.refusal_key`), ``succeeded`` the
    subjects that went well, or that the world has moved on from. ``overtaken`` tells that a write met an object newer
    than the one that was planned on.
    """

    def __init__(self, context: Context, workload: WorkloadView[Any]) -> None:
        self._context, self._client, self._workload = context, context.client, workload
        self._key = (workload.namespace, workload.name)
        #: Version of the workload that this pass knows: the one planned on, or what its own patch made of it.
        self.version = workload.resource_version
        self.failures: dict[str, ApiError] = {}
        self.succeeded: set[str] = set()
        self.overtaken = False
        hooks = workload.spec and (
            workload.spec.pre_delete_update_strategy.hook or workload.spec.pre_inplace_update_strategy.hook
        )
        self._grace = "true" if hooks else "false"
        self._write = self._handlers()

    async def run(self, actions: Sequence[act.Action]) -> None:
        """All actions, stage by stage.

        A failure before the pods' stage ends the execution where a later action could count on what did not happen: a
        pod's revision, its owner, the removal of an old answer of its hook, or a claim that must not go with it.
        """
        for stage, group in itertools.groupby(actions, key=lambda a: a.stage):
            batch = list(group)
            creates = [a for a in batch if isinstance(a, act.CreatePod)]
            others = [a for a in batch if not isinstance(a, act.CreatePod)]
            # Removing and updating come first: an index or a name that leaves may be what a creation waits for.
            failed = self._collect(others, await bounded([self._call(a) for a in others]))
            failed += self._collect(creates, await slow_start([self._call(a) for a in creates]))
            if failed and stage in (act.Stage.REVISION, act.Stage.OWNERSHIP):
                return
            if any(isinstance(a, act.DeleteHookRun | act.OwnClaim) for a, _ in failed):
                return

    def _collect(
        self, batch: Sequence[act.Action], results: Sequence[BaseException | None]
    ) -> list[tuple[act.Action, ApiError]]:
        failed: list[tuple[act.Action, ApiError]] = []
        for action, error in zip(batch, results, strict=False):
            about = refusal_key(action)
            if isinstance(error, NotFound | Conflict):
                log.debug("%s: %s", about, error)  # the world moved on; the next pass looks again
                self.overtaken |= isinstance(error, Conflict)
            elif isinstance(error, ApiError) and not isinstance(error, NotLeading):
                failed.append((action, error))
                self.failures[about] = error
            elif error is not None:
                raise error
            if about not in self.failures:
                self.succeeded.add(about)
        self._announce(failed)
        return failed

    def _handlers(self) -> dict[type, Callable[[Any], Awaitable[None]]]:
        return {
            act.CreateRevision: self._create_revision,
            act.RenumberRevision: self._renumber_revision,
            act.AdoptRevision: self._adopt_revision,
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

    def _call(self, action: act.Action) -> Callable[[], Awaitable[None]]:
        handler = self._write[type(action)]
        return lambda: handler(action)

    def _expect(self, expectation: Expectation) -> None:
        self._context.expectations.expect(self._key, expectation, asyncio.get_running_loop().time())

    def _expect_made(self, store: Store[Any], answer: Json) -> None:
        metadata = answer["metadata"]
        self._expect(created(store, metadata["namespace"], metadata["name"], metadata["resourceVersion"]))

    def expect_written(self, store: Store[Any], answer: Json) -> None:
        metadata = answer["metadata"]
        args = (metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"])
        self._expect(written(store, *args))

    def _note(self, type_: str, reason: str, message: str) -> None:
        kind = "Normal" if type_ == "Normal" else "Warning"
        self._context.events.note(reference(self._context.resource, self._workload), kind, reason, message)  # type: ignore[arg-type] # two literals

    def _owner(self) -> Json:
        return {
            "apiVersion": self._context.resource.api_version,
            "kind": self._context.resource.kind,
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
                "annotations": dict(action.annotations),
                "ownerReferences": [self._owner()],
            },
            "revision": action.revision,
            "data": revision_data(action.template),
        }
        try:
            made = await self._client.create(CONTROLLER_REVISIONS, namespace, body)
        except AlreadyExists:
            made = await self._client.get(CONTROLLER_REVISIONS, namespace, action.name)
            self._must_be_ours(made, "ControllerRevision")
        self._expect_made(self._context.stores.revisions, made)

    def _must_be_ours(self, held: Json, kind: str) -> None:
        """A name that was taken is taken by what an earlier pass of ours made, or else by somebody else.

        Raises:
            Invalid: it belongs to somebody else.
        """
        owners = [r.get("uid") for r in held["metadata"].get("ownerReferences") or ()]
        if self._workload.uid not in owners:
            name = held["metadata"]["name"]
            raise Invalid(409, "NameTaken", f"{kind} {name} exists and belongs to somebody else")

    async def _adopt_revision(self, action: act.AdoptRevision) -> None:
        await self._must_still_be()
        patch: Json = {"metadata": {"uid": action.uid, "ownerReferences": [self._owner()]}}
        namespace = self._workload.namespace
        answer = await self._client.strategic_patch(CONTROLLER_REVISIONS, namespace, action.name, patch)
        self.expect_written(self._context.stores.revisions, answer)

    async def _renumber_revision(self, action: act.RenumberRevision) -> None:
        patch: Json = {"metadata": {"uid": action.uid}, "revision": action.revision}
        answer = await self._client.merge_patch(CONTROLLER_REVISIONS, self._workload.namespace, action.name, patch)
        self.expect_written(self._context.stores.revisions, answer)

    async def _delete_revision(self, action: act.DeleteRevision) -> None:
        namespace = self._workload.namespace
        await self._client.delete(CONTROLLER_REVISIONS, namespace, action.name, uid=action.uid)
        self._expect(deleted(self._context.stores.revisions, namespace, action.name, action.uid))

    async def _must_still_be(self) -> None:
        """Before anything is adopted: the workload is there, uncached, and is the one that was planned for."""
        live = await self._client.get(self._context.resource, self._workload.namespace, self._workload.name)
        if live["metadata"]["uid"] != self._workload.uid or live["metadata"].get("deletionTimestamp"):
            raise Conflict(409, "Conflict", f"{self._workload.name} is no longer the one that was planned for")

    async def _adopt(self, action: act.AdoptPod) -> None:
        await self._must_still_be()
        metadata: Json = {"uid": action.uid, "labels": dict(action.labels), "ownerReferences": [self._owner()]}
        try:
            await self._patch_pod(action.name, {"metadata": metadata})
        except Invalid as error:
            # A pod has one controller at most: somebody else was quicker.
            raise Conflict(error.status, error.reason, error.message) from error

    async def _release(self, action: act.ReleasePod) -> None:
        drop = [{"$patch": "delete", "uid": self._workload.uid}]
        await self._patch_pod(action.name, {"metadata": {"uid": action.uid, "ownerReferences": drop}})

    async def _patch_pod(self, name: str, body: Json, subresource: str | None = None) -> None:
        namespace = self._workload.namespace
        answer = await self._client.strategic_patch(PODS, namespace, name, body, subresource=subresource)
        self.expect_written(self._context.stores.pods, answer)

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
        with self._timed_hook(action):
            try:
                made = await self._client.create(HOOK_RUNS, namespace, body)
            except AlreadyExists:
                made = await self._client.get(HOOK_RUNS, namespace, action.name)
                self._must_be_ours(made, "HookRun")
                reason = "PostHookRunExisted" if action.kind == "postinplace" else ""
            else:
                reason = "SuccessfulCreatePostHookRun" if action.kind == "postinplace" else "SuccessfulCreateHookRun"
        if reason:
            pod = f" of pod {action.pod}" if action.pod else ""
            done = "hookrun exists already:" if reason == "PostHookRunExisted" else "succeed to create hookrun"
            self._note("Normal", reason, f"{done} {action.name}{pod}")
        if action.dropped:
            names = ", ".join(action.dropped)
            text = f"hookrun {action.name} does without arguments its HookTemplate does not declare: {names}"
            self._note("Warning", "HookArgumentDropped", text)
        self._expect_made(self._context.stores.hook_runs, made)

    @contextmanager
    def _timed_hook(self, action: act.CreateHookRun) -> Iterator[None]:
        loop, status = asyncio.get_running_loop(), "failure"
        began = loop.time()
        try:
            yield
            status = "success"
        finally:
            if action.kind != "canary":
                kind = self._context.resource.kind
                self._context.hook_runs_created.observe(*self._key, kind, action.kind, status, loop.time() - began)

    async def _delete_hook_run(self, action: act.DeleteHookRun) -> None:
        namespace = self._workload.namespace
        await self._client.delete(HOOK_RUNS, namespace, action.name, uid=action.uid)
        self._expect(deleted(self._context.stores.hook_runs, namespace, action.name, action.uid))

    async def _terminate_hook_run(self, action: act.TerminateHookRun) -> None:
        patch: Json = {"metadata": {"uid": action.uid}, "spec": {"terminate": True}}
        answer = await self._client.merge_patch(HOOK_RUNS, self._workload.namespace, action.name, patch)
        self.expect_written(self._context.stores.hook_runs, answer)

    async def _annotate(self, action: act.AnnotatePod) -> None:
        await self._patch_pod(action.name, {"metadata": {"uid": action.uid, "annotations": dict(action.annotations)}})

    async def _set_gate(self, action: act.SetGate) -> None:
        await self._patch_pod(action.name, self._gate(action.uid, ready=action.ready, reason=action.reason), "status")

    def _gate(self, uid: str, *, ready: bool, reason: str) -> Json:
        entry = {
            "type": keys.INPLACE_READY_GATE,
            "status": "True" if ready else "False",
            "reason": reason or None,
            "lastTransitionTime": rfc3339(self._context.now()),
        }
        return {"metadata": {"uid": uid}, "status": {"conditions": [entry]}}

    async def _update_in_place(self, action: act.UpdatePodInPlace) -> None:
        """The first write only meets the pod that was planned on: what an update records must be how it was before.

        A leader that has just taken over may see less than the one before it has done (spec/gamestatefulset.md 3.6).
        """
        seen: Json = {"resourceVersion": action.resource_version} if action.resource_version else {}
        body: Json = {
            "metadata": {
                "uid": action.uid,
                "labels": dict(action.labels),
                "annotations": dict(action.annotations),
            }
        }
        if action.images:
            body["spec"] = {"containers": [{"name": n, "image": i} for n, i in action.images.items()]}
        with self._timed(self._context.metrics.update, "inplaceUpdate"):
            if action.close_gate:
                closed = self._gate(action.uid, ready=False, reason=keys.INPLACE_START_REASON)
                closed["metadata"].update(seen)
                await self._client.strategic_patch(
                    PODS, self._workload.namespace, action.name, closed, subresource="status"
                )
            else:
                body["metadata"].update(seen)
            await self._patch_pod(action.name, body)
        if action.begins:
            self._note("Normal", "SuccessfulUpdatePodInPlace", f"successfully update pod {action.name} in-place")

    async def _create_pod(self, action: act.CreatePod) -> None:
        namespace, store = self._workload.namespace, self._context.stores.pods
        body = {**action.body, "metadata": {**action.body["metadata"], "ownerReferences": [self._owner()]}}
        loop = asyncio.get_running_loop()
        began, status = loop.time(), "failure"
        version = ""
        try:
            answer = await self._client.create(PODS, namespace, body)
            version, status = answer["metadata"]["resourceVersion"], "success"
        except AlreadyExists:
            self._must_be_ours(await self._client.get(PODS, namespace, action.name), "Pod")
            status = "success"
        except Unavailable:
            # The pod may have been created all the same. Names are made up anew in the next pass, so that nothing is
            # planned before the outcome has had time to show.
            until = loop.time() + _UNKNOWN_OUTCOME
            there = created(store, namespace, action.name)
            self._expect(Expectation(there.describe, lambda: there.fulfilled() or loop.time() >= until))
            raise
        finally:
            self._context.metrics.create.labels("/".join(self._key), status).observe(loop.time() - began)
        self._expect(created(store, namespace, action.name, version))
        self._note("Normal", "SuccessfulCreate", f"succeed to create pod {action.name}")

    async def _delete_pod(self, action: act.DeletePod) -> None:
        with self._timed(self._context.metrics.delete, *self._counted_as(action)):
            await self._client.delete(PODS, self._workload.namespace, action.name, uid=action.uid)
        self._expect(deleted(self._context.stores.pods, self._workload.namespace, action.name, action.uid))
        self._tell_deleted(action)

    def _counted_as(self, action: act.DeletePod) -> tuple[str, ...]:
        """Dashboards know all deletions as deletePod; those of a rolling update are counted by their own name, too."""
        return ("deletePod", "rollingUpdate") if action.why == "rollingUpdate" else ("deletePod",)

    def _tell_deleted(self, action: act.DeletePod) -> None:
        if action.why == "rollingUpdate":
            text = f"successfully delete pod {action.name} for update"
            self._note("Normal", "SuccessfulUpdatePodReCreate", text)
        else:
            ended = f", which had ended: {action.ended}" if action.ended else ""
            self._note("Normal", "SuccessfulDelete", f"succeed to delete pod {action.name}{ended}")

    @contextmanager
    def _timed(self, family: Any, *names: str) -> Iterator[None]:
        """Count the duration under each of the action's names, failures too; not what turned out to be gone."""
        loop = asyncio.get_running_loop()
        began, status = loop.time(), "failure"
        try:
            yield
            status = "success"
        except (NotFound, Conflict):
            status = ""
            raise
        finally:
            for name in names if status else ():
                labels = ("/".join(self._key), status, self._grace, name)
                family.labels(*labels).observe(loop.time() - began)

    async def _patch_spec(self, action: act.PatchSpec) -> None:
        guard = {**(action.patch.get("metadata") or {}), "resourceVersion": self.version}
        patch: Json = {**action.patch, "metadata": guard}
        answer = await self._client.merge_patch(
            self._context.resource, self._workload.namespace, self._workload.name, patch
        )
        self.version = answer["metadata"]["resourceVersion"]
        self.expect_written(self._context.stores.workloads, answer)

    def _announce(self, failed: Sequence[tuple[act.Action, ApiError]]) -> None:
        """One Event for each kind of failure: the first, and how many more."""
        by_reason: dict[str, list[tuple[act.Action, ApiError]]] = {}
        for action, error in failed:
            by_reason.setdefault(failure_reason(action), []).append((action, error))
        for reason, group in by_reason.items():
            action, error = group[0]
            more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
            text = f"{type(action).__name__} {getattr(action, 'name', '')}: {error}{more}"
            self._note("Warning", reason, text)
            log.warning("%s: %s: %s", "/".join(self._key), reason, text)
