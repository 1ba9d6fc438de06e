"""Writes that only GameStatefulSets need: volume claims, and pods of lost nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from operators.gamestatefulset.claims import SURGE_ANNOTATION
from operators.kube.errors import AlreadyExists, Conflict, NotFound
from operators.kube.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PODS, Json
from operators.planning import actions as act
from operators.planning.views import node_view
from operators.runtime.expectations import Expectation, created, deleted
from operators.runtime.store import Store
from operators.workload.context import Context
from operators.workload.execute import Execution


class ClaimedExecution(Execution):
    """One plan of a GameStatefulSet being carried out; ``claims`` is the cache of volume claims."""

    def __init__(self, context: Context, workload: Any, claims: Store[Any]) -> None:
        super().__init__(context, workload)
        self._claims = claims

    def _handlers(self) -> dict[type, Callable[[Any], Awaitable[None]]]:
        return {
            **super()._handlers(),
            act.CreateClaim: self._create_claim,
            act.OwnClaim: self._own_claim,
            act.KeepClaim: self._keep_claim,
            act.DeleteClaim: self._delete_claim,
            act.ForceDeletePod: self._force_delete,
        }

    async def _create_pod(self, action: act.CreatePod) -> None:
        """The pod after its claims: one that lacks a claim would wait on a node for it."""
        for body in action.claims:
            await self._claim(body)
        await super()._create_pod(action)

    def _counted_as(self, action: act.DeletePod) -> tuple[str, ...]:
        return ("recreatingFailedPod",) if action.why == "failedPod" else super()._counted_as(action)

    def _tell_deleted(self, action: act.DeletePod) -> None:
        if action.why == "failedPod":
            text = f"pod {action.name} has ended and is deleted, to be created again"
            self._note("Warning", "RecreatingFailedPod", text)
        else:
            self._note("Normal", "SuccessfulDelete", f"succeed to delete pod {action.name}")

    async def _create_claim(self, action: act.CreateClaim) -> None:
        await self._claim(action.body)

    async def _claim(self, body: Json | Any) -> None:
        namespace, name = self._workload.namespace, body["metadata"]["name"]
        version = ""
        try:
            answer = await self._client.create(PERSISTENT_VOLUME_CLAIMS, namespace, dict(body))
            version = answer["metadata"]["resourceVersion"]
        except AlreadyExists:
            self._expect(created(self._claims, namespace, name))
            return
        self._expect(created(self._claims, namespace, name, version))
        self._note("Normal", "SuccessfulCreate", f"succeed to create claim {name}")

    async def _own_claim(self, action: act.OwnClaim) -> None:
        namespace = self._workload.namespace
        patch: Json = {"metadata": {"uid": action.uid, "ownerReferences": [dict(o) for o in action.owners]}}
        answer = await self._client.strategic_patch(PERSISTENT_VOLUME_CLAIMS, namespace, action.name, patch)
        self.expect_written(self._claims, answer)

    async def _keep_claim(self, action: act.KeepClaim) -> None:
        patch: Json = {"metadata": {"uid": action.uid, "annotations": {SURGE_ANNOTATION: None}}}
        answer = await self._client.merge_patch(PERSISTENT_VOLUME_CLAIMS, self._workload.namespace, action.name, patch)
        self.expect_written(self._claims, answer)

    async def _delete_claim(self, action: act.DeleteClaim) -> None:
        namespace = self._workload.namespace
        await self._client.delete(PERSISTENT_VOLUME_CLAIMS, namespace, action.name, uid=action.uid)
        self._expect(deleted(self._claims, namespace, action.name, action.uid))
        self._note("Normal", "SuccessfulDelete", f"succeed to delete claim {action.name} of a surge pod")

    async def _force_delete(self, action: act.ForceDeletePod) -> None:
        """Give up a pod on a lost node, after the API server has said once more, uncached, that the node is lost."""
        try:
            node = node_view(await self._client.get(NODES, None, action.node))
        except NotFound:
            node = None
        if node is not None and node.ready is True and not node.out_of_service:
            raise Conflict(409, "Conflict", f"node {action.node} is ready again")
        namespace = self._workload.namespace
        with self._timed(self._context.metrics.delete, "forceDeletePod"):
            await self._client.delete(PODS, namespace, action.name, uid=action.uid, grace=0)
        store = self._context.stores.pods

        def gone() -> bool:
            held = store.get(namespace, action.name)
            return held is None or held.uid != action.uid

        self._expect(Expectation(f"removal of {action.name}", gone))
        text = f"pod {action.name} was deleted by force: its node {action.node} is lost"
        self._note("Warning", "ForceDeletedNodeLostPod", text)
