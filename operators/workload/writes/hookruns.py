"""Writes of HookRuns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from operators.api import keys
from operators.kube.errors import AlreadyExists
from operators.kube.resources import HOOK_RUNS, Json
from operators.planning import actions as act
from operators.workload.writes.session import WriteSession


class HookRunWrites:
    """Creates, terminates and deletes HookRuns of one workload."""

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
        with self._timed_hook(action):
            try:
                made = await self._session.client.create(HOOK_RUNS, namespace, body)
            except AlreadyExists:
                made = await self._session.client.get(HOOK_RUNS, namespace, action.name)
                self._session.must_be_ours(made, "HookRun")
                reason = "PostHookRunExisted" if action.kind == "postinplace" else ""
            else:
                reason = "SuccessfulCreatePostHookRun" if action.kind == "postinplace" else "SuccessfulCreateHookRun"
        if reason:
            pod = f" of pod {action.pod}" if action.pod else ""
            done = "hookrun exists already:" if reason == "PostHookRunExisted" else "succeed to create hookrun"
            self._session.note("Normal", reason, f"{done} {action.name}{pod}")
        if action.dropped:
            names = ", ".join(action.dropped)
            text = f"hookrun {action.name} does without arguments its HookTemplate does not declare: {names}"
            self._session.note("Warning", "HookArgumentDropped", text)
        self._session.expect_made(self._session.stores.hook_runs, made)

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
