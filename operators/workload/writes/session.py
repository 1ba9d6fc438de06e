"""What every write of one plan shares: the client, the workload, expectations, Events, durations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from operators.api.reasons import EventReason
from operators.kube.errors import Conflict, Invalid, NotFound
from operators.kube.resources import Json
from operators.planning.views import OwnerView, owner_view
from operators.planning.workloads import WorkloadView
from operators.runtime.expectations import Expectation, created, deleted, written
from operators.runtime.store import Store
from operators.workload.context import Context, reference


class WriteSession:
    """The writes of one plan for one workload; ``version`` is the resourceVersion that this pass knows.

    That is the version planned on, or what a patch of the pass's own made of it.
    """

    def __init__(self, context: Context, workload: WorkloadView[Any]) -> None:
        self.context, self.client, self.stores = context, context.client, context.stores
        self.workload, self.namespace = workload, workload.namespace
        self.key = (workload.namespace, workload.name)
        self.version = workload.resource_version
        #: What the API server warned of when it created pods, by revision; nothing for those without a warning.
        self.warnings: dict[str, dict[str, None]] = {}
        #: Fields of log lines that say which workload they are about.
        self.fields = {"kind": context.resource.kind, "namespace": workload.namespace, "name": workload.name}
        hooks = workload.spec and (
            workload.spec.pre_delete_update_strategy.hook or workload.spec.pre_inplace_update_strategy.hook
        )
        #: Value of the metric label ``grace``, which the Go operators named so: whether hooks guard the pods.
        self._has_hooks = "true" if hooks else "false"

    def expect(self, expectation: Expectation) -> None:
        """Plan nothing for this workload before the cache shows the effect of a write."""
        self.context.expectations.expect(self.key, expectation, asyncio.get_running_loop().time())

    def expect_made(self, store: Store[Any], answer: Json) -> None:
        """Wait for the cache to show an object that was created; ``answer`` is the object as the API server sent it."""
        metadata = answer["metadata"]
        self.expect(created(store, metadata["namespace"], metadata["name"], metadata["resourceVersion"]))

    def expect_written(self, store: Store[Any], answer: Json) -> None:
        """Wait for the cache to show a version at least as new as ``answer``."""
        metadata = answer["metadata"]
        args = (metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"])
        self.expect(written(store, *args))

    def expect_deleted(self, store: Store[Any], name: str, uid: str) -> None:
        """Wait for the cache to show that an object is gone, or on its way."""
        self.expect(deleted(store, self.namespace, name, uid))

    def note(self, type_: Literal["Normal", "Warning"], reason: EventReason, message: str) -> None:
        """Write an Event about the workload."""
        self.context.events.note(reference(self.context.resource, self.workload), type_, reason, message)

    def warned(self, revision: str, said: Sequence[str]) -> None:
        """Pods of the revision can be created, with these warnings."""
        self.warnings.setdefault(revision, {}).update(dict.fromkeys(said))

    def owner_reference(self) -> Json:
        """The controller reference that our objects carry."""
        return {
            "apiVersion": self.context.resource.api_version,
            "kind": self.context.resource.kind,
            "name": self.workload.name,
            "uid": self.workload.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def must_be_ours(self, held: Json, kind: str) -> None:
        """Accept an object whose name was taken only if an earlier pass made it.

        Raises:
            Invalid: it belongs to somebody else.
        """
        ours = OwnerView(self.context.resource.kind, self.workload.name, self.workload.uid)
        if owner_view(held["metadata"]) != ours:
            name = held["metadata"]["name"]
            raise Invalid(409, "NameTaken", f"{kind} {name} exists and belongs to somebody else")

    async def must_still_exist(self) -> None:
        """Before anything is adopted: prove, uncached, that the workload exists under the UID that was planned for.

        Raises:
            Conflict: it is gone, being deleted, or another object of the name.
        """
        live = await self.client.get(self.context.resource, self.namespace, self.workload.name)
        if live["metadata"]["uid"] != self.workload.uid or live["metadata"].get("deletionTimestamp"):
            raise Conflict(409, "Conflict", f"{self.workload.name} is no longer the one that was planned for")

    @contextmanager
    def timed(self, family: Any, *names: str) -> Iterator[None]:
        """Observe the duration under each of ``names``, of failures too; not of what turned out to be gone."""
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
                family.labels("/".join(self.key), status, self._has_hooks, name).observe(loop.time() - began)
