"""Writes that only GameStatefulSets need: volume claims, and pods of lost nodes."""

from __future__ import annotations

from typing import Any

from operators.api.reasons import EventReason
from operators.gamestatefulset.claimviews import SURGE_ANNOTATION
from operators.kube.errors import AlreadyExists, Conflict, NotFound
from operators.kube.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PODS, Json
from operators.planning import actions as act
from operators.planning.views import node_view
from operators.runtime.expectations import Expectation, created
from operators.runtime.store import Store
from operators.workload.context import Context
from operators.workload.execute import Execution, Writer, pod_writers
from operators.workload.writes.pods import PodWrites
from operators.workload.writes.session import WriteSession


class SetExecution(Execution):
    """One plan of a GameStatefulSet being carried out; ``claims`` is the cache of volume claims."""

    def __init__(self, context: Context, workload: Any, claims: Store[Any]) -> None:
        self._claims = claims
        super().__init__(context, workload)

    def writers(self) -> dict[type[act.Action], Writer]:
        """Which method carries out which action."""
        claims = ClaimWrites(self.session, self._claims)
        pods = SetPodWrites(self.session, claims)
        return {
            **super().writers(),
            **pod_writers(pods),
            act.ForceDeletePod: pods.force_delete,
            act.CreateClaim: claims.create,
            act.OwnClaim: claims.own,
            act.KeepClaim: claims.keep,
            act.DeleteClaim: claims.delete,
        }


class ClaimWrites:
    """Creates, owns and deletes volume claims of one GameStatefulSet."""

    def __init__(self, session: WriteSession, store: Store[Any]) -> None:
        self._session, self._claims = session, store

    async def create(self, action: act.CreateClaim) -> None:
        await self.create_body(action.body)

    async def create_body(self, body: Json | Any) -> None:
        namespace, name = self._session.namespace, body["metadata"]["name"]
        version = ""
        try:
            answer = await self._session.client.create(PERSISTENT_VOLUME_CLAIMS, namespace, dict(body))
            version = answer["metadata"]["resourceVersion"]
        except AlreadyExists:
            self._session.expect(created(self._claims, namespace, name))
            return
        self._session.expect(created(self._claims, namespace, name, version))
        self._session.note("Normal", EventReason.SUCCESSFUL_CREATE, f"succeed to create claim {name}")

    async def own(self, action: act.OwnClaim) -> None:
        namespace = self._session.namespace
        metadata: dict[str, Any] = {"uid": action.uid, "ownerReferences": [dict(o) for o in action.owners]}
        # Without it the API server puts what is new before what is there.
        metadata["$setElementOrder/ownerReferences"] = [{"uid": uid} for uid in action.order]
        patch: Json = {"metadata": metadata}
        answer = await self._session.client.strategic_patch(PERSISTENT_VOLUME_CLAIMS, namespace, action.name, patch)
        self._session.expect_written(self._claims, answer)

    async def keep(self, action: act.KeepClaim) -> None:
        patch: Json = {"metadata": {"uid": action.uid, "annotations": {SURGE_ANNOTATION: None}}}
        answer = await self._session.client.merge_patch(
            PERSISTENT_VOLUME_CLAIMS, self._session.namespace, action.name, patch
        )
        self._session.expect_written(self._claims, answer)

    async def delete(self, action: act.DeleteClaim) -> None:
        namespace = self._session.namespace
        await self._session.client.delete(PERSISTENT_VOLUME_CLAIMS, namespace, action.name, uid=action.uid)
        self._session.expect_deleted(self._claims, action.name, action.uid)
        self._session.note(
            "Normal", EventReason.SUCCESSFUL_DELETE, f"succeed to delete claim {action.name} of a surge pod"
        )


class SetPodWrites(PodWrites):
    """Writes of pods that have claims."""

    def __init__(self, session: WriteSession, claims: ClaimWrites) -> None:
        super().__init__(session)
        self._claims = claims

    async def create(self, action: act.CreatePod) -> None:
        """The pod after its claims: one that lacks a claim would wait on a node for it."""
        for body in action.claims:
            await self._claims.create_body(body)
        await super().create(action)

    def _counted_as(self, action: act.DeletePod) -> tuple[str, ...]:
        return ("recreatingFailedPod",) if action.why == "failedPod" else super()._counted_as(action)

    def announce_deleted(self, action: act.DeletePod) -> None:
        if action.why == "failedPod":
            text = f"pod {action.name} has ended and is deleted, to be created again"
            self._session.note("Warning", EventReason.RECREATING_FAILED_POD, text)
        else:
            self._session.note("Normal", EventReason.SUCCESSFUL_DELETE, f"succeed to delete pod {action.name}")

    async def force_delete(self, action: act.ForceDeletePod) -> None:
        """Give up a pod on a lost node, after the API server has said once more, uncached, that the node is lost."""
        try:
            node = node_view(await self._session.client.get(NODES, None, action.node))
        except NotFound:
            node = None
        if node is not None and node.ready is True and not node.out_of_service:
            raise Conflict(409, "Conflict", f"node {action.node} is ready again")
        namespace = self._session.namespace
        with self._session.timed(self._session.context.metrics.delete, "forceDeletePod"):
            await self._session.client.delete(PODS, namespace, action.name, uid=action.uid, grace=0)
        store = self._session.stores.pods

        def gone() -> bool:
            held = store.get(namespace, action.name)
            return held is None or held.uid != action.uid

        self._session.expect(Expectation(f"removal of {action.name}", gone))
        text = f"pod {action.name} was deleted by force: its node {action.node} is lost"
        self._session.note("Warning", EventReason.FORCE_DELETED_NODE_LOST_POD, text)
