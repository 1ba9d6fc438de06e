"""Keeps the label of namespaces that hold protected workloads (docs/spec/admission.md 4.2).

An admission policy refuses the deletion of a namespace that carries it: deleting a namespace ends all pods in it within
seconds, whatever protects their workloads. What the owner of a namespace has written there is never changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from operators.api import keys
from operators.kube import resources
from operators.kube.client import Client
from operators.kube.errors import ApiError, NotFound
from operators.logs import get_logger
from operators.planning.workloads import WorkloadView
from operators.runtime.reconciler import Controller, Outcome
from operators.runtime.store import Change, Store
from operators.runtime.workqueue import WorkQueue

log = get_logger(__name__)
LABEL: Final = keys.PROTECTED_NAMESPACE_LABEL
#: The value that the operators write, and the only one that they remove.
OURS: Final = "by-operators"
_KINDS: Final = (resources.GAME_DEPLOYMENTS, resources.GAME_STATEFUL_SETS)
#: Seconds until labelled namespaces are looked for again after that failed.
_AGAIN: Final = 10.0


def label_change(found: str | None, *, protected: bool) -> tuple[bool, str | None]:
    """Whether the label of a namespace is to change, and its new value, None for no label.

    It comes with the first protected workload and goes with the last. A value that is not ours was written by the
    owner of the namespace, and stays: "false" says that the namespace is not to be protected.
    """
    if protected and found is None:
        return True, OURS
    return found == OURS and not protected, None


def protects(view: WorkloadView[Any] | None) -> bool:
    """Whether a workload may not be deleted by anybody as it stands."""
    return view is not None and not view.deleting and not view.deletable


def _protects(metadata: Mapping[str, Any]) -> bool:
    allowed = (metadata.get("labels") or {}).get(keys.DELETION_ALLOW_LABEL) == keys.DELETION_ALWAYS
    return not metadata.get("deletionTimestamp") and not allowed


class NamespaceLabels:
    """Passes over namespaces, by name.

    A namespace is looked at when its first protected workload comes or its last one goes, and every ``period`` seconds
    besides: what somebody else did to the label is mended then. ``namespace`` is the only one to look at, None for all.
    """

    def __init__(
        self,
        client: Client,
        workloads: Sequence[Store[WorkloadView[Any]]],
        queue: WorkQueue[str],
        *,
        namespace: str | None,
        period: float,
    ) -> None:
        self._client, self._workloads, self._queue = client, workloads, queue
        self._namespace, self._period = namespace, period
        self._controller = Controller("namespace", queue, self.reconcile, workers=1)

    def on_workload(self, change: Change[WorkloadView[Any]]) -> None:
        """A workload came, went, or is protected now and was not before."""
        view = change.new or change.old
        if view is not None and protects(change.old) != protects(change.new):
            self._queue.add(view.namespace)

    async def run(self) -> None:
        """Work until cancelled, or until it is told to drain."""
        finding = asyncio.create_task(self._find_labelled(), name="labelled namespaces")
        try:
            await self._controller.run()
        finally:
            finding.cancel()
            await asyncio.gather(finding, return_exceptions=True)

    def drain(self) -> None:
        """Begin no more passes."""
        self._controller.drain()

    async def reconcile(self, name: str) -> Outcome:
        """Set or remove the label of one namespace."""
        protected = any(protects(view) for store in self._workloads for view in store.by("namespace", name))
        try:
            metadata = (await self._client.get(resources.NAMESPACES, None, name))["metadata"]
        except NotFound:
            return Outcome()
        again = Outcome(requeue_after=self._period if protected else None)
        if metadata.get("deletionTimestamp"):
            return again
        changes, value = label_change((metadata.get("labels") or {}).get(LABEL), protected=protected)
        if not changes or (value is None and await self._holds_protected(name)):
            return again
        version = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {"metadata": {**version, "labels": {LABEL: value}}}
        await self._client.merge_patch(resources.NAMESPACES, None, name, body)
        log.info("label of namespace changed", namespace=name, label=LABEL, value=value or "")
        return again

    async def _holds_protected(self, namespace: str) -> bool:
        """As it is at the API server: a protection is not taken back on the word of a cache."""
        for resource in _KINDS:
            async for item in self._client.items(resource, namespace, metadata_only=True):
                if _protects(item["metadata"]):
                    return True
        return False

    async def _find_labelled(self) -> None:
        """Look at namespaces that carry our label and need not hold a workload any more, once each period."""
        while True:
            wait = self._period
            try:
                for name in await self._labelled():
                    self._queue.add(name)
            except ApiError as error:
                log.warning("labelled namespaces cannot be listed", error=str(error), retry_in=_AGAIN)
                wait = _AGAIN
            await asyncio.sleep(wait)

    async def _labelled(self) -> list[str]:
        if self._namespace is not None:
            return [self._namespace]
        page = await self._client.list(
            resources.NAMESPACES, label_selector=f"{LABEL}={OURS}", limit=0, metadata_only=True
        )
        return [item["metadata"]["name"] for item in page.get("items") or ()]
