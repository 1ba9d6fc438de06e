"""Writes of HookRuns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from operators.api import keys
from operators.api.reasons import EventReason
from operators.kube.errors import AlreadyExists, Conflict
from operators.kube.resources import HOOK_RUNS, Json
from operators.planning import actions as act
from operators.workload.writes.session import WriteSession


class HookRunWrites:
    """Creates, adopts, terminates and deletes HookRuns of one workload."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def create(self, action: act.CreateHookRun) -> None:
        namespace = self._session.namespace
        body: Json = {
            "apiVersion": keys.API_VERSION,
            "kind": "HookRun",
            "metadata": {
                "name": action.name,
                "namespace": namespace,
                "labels": {k: v[:63] for k, v in action.labels.items()},
                "ownerReferences": [self._session.owner_reference()],
            },
            "spec": dict(action.spec),
        }
        if action.template:
            body["metadata"]["annotations"] = {keys.HOOK_TEMPLATE_ANNOTATION: action.template}
        after_update = action.kind == "postinplace"
        with self._timed_hook(action):
            try:
                made = await self._session.client.create(HOOK_RUNS, namespace, body)
                existed = False
            except AlreadyExists:
                made = await self._session.client.get(HOOK_RUNS, namespace, action.name)
                self._must_be_ours(made, action)
                existed = True
        about = f"{action.name} of pod {action.pod}" if action.pod else action.name
        if existed and after_update:
            self._session.note("Normal", EventReason.POST_HOOK_RUN_EXISTED, f"hookrun exists already: {about}")
        elif not existed:
            reason = EventReason.SUCCESSFUL_CREATE_HOOK_RUN
            if after_update:
                reason = EventReason.SUCCESSFUL_CREATE_POST_HOOK_RUN
            self._session.note("Normal", reason, f"succeed to create hookrun {about}")
        if action.dropped:
            names = ", ".join(action.dropped)
            text = f"hookrun {action.name} does without arguments its HookTemplate does not declare: {names}"
            self._session.note("Warning", EventReason.HOOK_ARGUMENT_DROPPED, text)
        self._session.expect_made(self._session.stores.hook_runs, made)

    def _must_be_ours(self, held: Json, action: act.CreateHookRun) -> None:
        """One that nobody owns was not seen by the pass, and is taken over or removed by the next.

        Raises:
            Conflict: that is so.
            Invalid: it belongs to somebody else.
        """
        labels = held["metadata"].get("labels") or {}
        if not held["metadata"].get("ownerReferences") and action.labels.items() <= labels.items():
            raise Conflict(409, "Conflict", f"HookRun {action.name} exists and has no owner")
        self._session.must_be_ours(held, "HookRun")

    async def adopt(self, action: act.AdoptHookRun) -> None:
        await self._session.must_still_exist()
        patch: Json = {"metadata": {"uid": action.uid, "ownerReferences": [self._session.owner_reference()]}}
        answer = await self._session.client.merge_patch(HOOK_RUNS, self._session.namespace, action.name, patch)
        self._session.expect_written(self._session.stores.hook_runs, answer)

    @contextmanager
    def _timed_hook(self, action: act.CreateHookRun) -> Iterator[None]:
        loop, status = asyncio.get_running_loop(), "failure"
        began = loop.time()
        try:
            yield
            status = "success"
        finally:
            if action.kind != "canary":
                kind = self._session.context.resource.kind
                self._session.context.hook_runs_created.observe(
                    *self._session.key, kind, action.kind, status, loop.time() - began
                )

    async def delete(self, action: act.DeleteHookRun) -> None:
        namespace = self._session.namespace
        await self._session.client.delete(HOOK_RUNS, namespace, action.name, uid=action.uid)
        self._session.expect_deleted(self._session.stores.hook_runs, action.name, action.uid)

    async def terminate(self, action: act.TerminateHookRun) -> None:
        patch: Json = {"metadata": {"uid": action.uid}, "spec": {"terminate": True}}
        answer = await self._session.client.merge_patch(HOOK_RUNS, self._session.namespace, action.name, patch)
        self._session.expect_written(self._session.stores.hook_runs, answer)
