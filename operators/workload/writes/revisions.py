"""Writes of ControllerRevisions."""

from __future__ import annotations

from operators.kube.errors import AlreadyExists
from operators.kube.resources import CONTROLLER_REVISIONS, Json
from operators.planning import actions as act
from operators.planning.revisions import revision_data
from operators.workload.writes.session import WriteSession


class RevisionWrites:
    """Creates, adopts, renumbers and deletes revisions of one workload."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    async def create(self, action: act.CreateRevision) -> None:
        namespace = self._session.namespace
        body: Json = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": action.name,
                "namespace": namespace,
                "labels": dict(action.labels),
                "annotations": dict(action.annotations),
                "ownerReferences": [self._session.owner_reference()],
            },
            "revision": action.revision,
            "data": revision_data(action.template),
        }
        try:
            made = await self._session.client.create(CONTROLLER_REVISIONS, namespace, body)
        except AlreadyExists:
            made = await self._session.client.get(CONTROLLER_REVISIONS, namespace, action.name)
            self._session.must_be_ours(made, "ControllerRevision")
        self._session.expect_made(self._session.stores.revisions, made)

    async def adopt(self, action: act.AdoptRevision) -> None:
        await self._session.must_still_exist()
        patch: Json = {"metadata": {"uid": action.uid, "ownerReferences": [self._session.owner_reference()]}}
        namespace = self._session.namespace
        answer = await self._session.client.strategic_patch(CONTROLLER_REVISIONS, namespace, action.name, patch)
        self._session.expect_written(self._session.stores.revisions, answer)

    async def renumber(self, action: act.RenumberRevision) -> None:
        patch: Json = {"metadata": {"uid": action.uid}, "revision": action.revision}
        answer = await self._session.client.merge_patch(
            CONTROLLER_REVISIONS, self._session.namespace, action.name, patch
        )
        self._session.expect_written(self._session.stores.revisions, answer)

    async def delete(self, action: act.DeleteRevision) -> None:
        namespace = self._session.namespace
        await self._session.client.delete(CONTROLLER_REVISIONS, namespace, action.name, uid=action.uid)
        self._session.expect_deleted(self._session.stores.revisions, action.name, action.uid)
