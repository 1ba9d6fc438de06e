"""Writes of pods."""

from __future__ import annotations

import asyncio

from operators.api import keys
from operators.api.reasons import EventReason
from operators.kube.errors import AlreadyExists, Conflict, Invalid, Unavailable
from operators.kube.resources import PODS, Json
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.runtime.expectations import Expectation, created
from operators.workload.writes.session import WriteSession

#: Seconds within which a creation of unknown outcome shows in the cache, or has not happened.
_UNKNOWN_OUTCOME = 10.0


class PodWrites:
    """Creates, adopts, updates and deletes pods of one workload."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def adopt(self, action: act.AdoptPod) -> None:
        await self._session.must_still_exist()
        metadata: Json = {
            "uid": action.uid,
            "labels": dict(action.labels),
            "ownerReferences": [self._session.owner_reference()],
        }
        try:
            await self._patch(action.name, {"metadata": metadata})
        except Invalid as error:
            # A pod has one controller at most: somebody else was quicker.
            raise Conflict(error.status, error.reason, error.message) from error

    async def release(self, action: act.ReleasePod) -> None:
        drop = [{"$patch": "delete", "uid": self._session.workload.uid}]
        unmark = {keys.POD_DELETING_ANNOTATION: None}
        metadata: Json = {"uid": action.uid, "ownerReferences": drop, "annotations": unmark}
        await self._patch(action.name, {"metadata": metadata})

    async def _patch(self, name: str, body: Json, subresource: str | None = None) -> None:
        namespace = self._session.namespace
        answer = await self._session.client.strategic_patch(PODS, namespace, name, body, subresource=subresource)
        self._session.expect_written(self._session.stores.pods, answer)

    async def annotate(self, action: act.AnnotatePod) -> None:
        await self._patch(action.name, {"metadata": {"uid": action.uid, "annotations": dict(action.annotations)}})

    async def set_gate(self, action: act.SetGate) -> None:
        await self._patch(action.name, self._gate(action.uid, ready=action.ready, reason=action.reason), "status")

    def _gate(self, uid: str, *, ready: bool, reason: str) -> Json:
        entry = {
            "type": keys.INPLACE_READY_GATE,
            "status": "True" if ready else "False",
            "reason": reason or None,
            "lastTransitionTime": rfc3339(self._session.context.now()),
        }
        return {"metadata": {"uid": uid}, "status": {"conditions": [entry]}}

    async def update_in_place(self, action: act.UpdatePodInPlace) -> None:
        """The first write only meets the pod that was planned on: what an update records must be how it was before.

        A leader that has just taken over may see less than its predecessor has done (docs/spec/gamestatefulset.md 3.6).
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
        with self._session.timed(self._session.context.metrics.update, "inplaceUpdate"):
            if action.close_gate:
                closed = self._gate(action.uid, ready=False, reason=keys.INPLACE_START_REASON)
                closed["metadata"].update(seen)
                await self._session.client.strategic_patch(
                    PODS, self._session.namespace, action.name, closed, subresource="status"
                )
            else:
                body["metadata"].update(seen)
            await self._patch(action.name, body)
        if action.begins:
            self._session.note(
                "Normal", EventReason.SUCCESSFUL_UPDATE_POD_IN_PLACE, f"successfully update pod {action.name} in-place"
            )

    async def create(self, action: act.CreatePod) -> None:
        namespace, store = self._session.namespace, self._session.stores.pods
        body = {
            **action.body,
            "metadata": {**action.body["metadata"], "ownerReferences": [self._session.owner_reference()]},
        }
        loop = asyncio.get_running_loop()
        began, status = loop.time(), "failure"
        version = ""
        warnings: list[str] = []
        try:
            answer = await self._session.client.create(PODS, namespace, body, warn=warnings.append)
            version, status = answer["metadata"]["resourceVersion"], "success"
            self._session.warned(action.revision, warnings)
        except AlreadyExists:
            self._session.must_be_ours(await self._session.client.get(PODS, namespace, action.name), "Pod")
            status = "success"
        except Unavailable:
            # The pod may have been created all the same. Names are made up anew in the next pass, so that nothing is
            # planned before the outcome has had time to show.
            until = loop.time() + _UNKNOWN_OUTCOME
            there = created(store, namespace, action.name)
            self._session.expect(Expectation(there.describe, lambda: there.fulfilled() or loop.time() >= until))
            raise
        finally:
            self._session.context.metrics.create.labels("/".join(self._session.key), status).observe(
                loop.time() - began
            )
        self._session.expect(created(store, namespace, action.name, version))
        self._session.note("Normal", EventReason.SUCCESSFUL_CREATE, f"succeed to create pod {action.name}")

    async def delete(self, action: act.DeletePod) -> None:
        with self._session.timed(self._session.context.metrics.delete, *self._counted_as(action)):
            await self._session.client.delete(PODS, self._session.namespace, action.name, uid=action.uid)
        self._session.expect_deleted(self._session.stores.pods, action.name, action.uid)
        self.announce_deleted(action)

    def _counted_as(self, action: act.DeletePod) -> tuple[str, ...]:
        """Dashboards know all deletions as deletePod; those of a rolling update are counted by their own name, too."""
        return ("deletePod", "rollingUpdate") if action.why == "rollingUpdate" else ("deletePod",)

    def announce_deleted(self, action: act.DeletePod) -> None:
        if action.why == "rollingUpdate":
            text = f"successfully delete pod {action.name} for update"
            self._session.note("Normal", EventReason.SUCCESSFUL_UPDATE_POD_RE_CREATE, text)
        else:
            ended = f", which had ended: {action.ended}" if action.ended else ""
            self._session.note("Normal", EventReason.SUCCESSFUL_DELETE, f"succeed to delete pod {action.name}{ended}")
