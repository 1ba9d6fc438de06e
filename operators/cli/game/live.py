"""Live objects in the controllers' own caches: loaded once, or kept in step by watches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from operators.cli.game import names
from operators.cli.game.access import Access
from operators.cli.game.kinds import KINDS, Kind
from operators.cli.game.subject import Subject, build
from operators.gamestatefulset.claimviews import claim_view
from operators.kube import resources
from operators.kube.errors import ApiError, Forbidden, NotFound
from operators.kube.resources import Json, Resource
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime.informer import Informer
from operators.runtime.store import Change, Key, Store
from operators.workload.stores import CLAIM_INDEXES, WORKLOAD_INDEXES, Stores

#: Seconds that the server has to answer when it is asked whether it is there.
_PROBE = 2.0


@dataclass(frozen=True, slots=True)
class _Source:
    """A collection to read: what decodes it, where it goes, whether commands do without it."""

    resource: Resource
    decode: Callable[[Json], Any]
    store: Store[Any]
    optional: bool = False
    namespaced: bool = True


class _Watched(Informer[Any]):
    """An informer that tells of its failures, and logs nothing: the terminal is the picture's."""

    failed: Callable[[Exception], None]

    def _failed(self, error: Exception) -> None:
        self.failed(error)


class Live:
    """The objects around workloads of some kinds, in one namespace or (None) in all.

    ``unreadable`` says of collections that commands can do without why they were not read. Bodies are kept of what
    people are told more of than planning reads; of pods and claims there are views only, unless ``bodies`` are wanted.
    """

    def __init__(self, access: Access, namespace: str | None, kinds: Sequence[Kind], *, bodies: bool = False) -> None:
        self._client, self._namespace = access.client, namespace
        shared = Stores.empty()
        self._claims: Store[Any] = Store(CLAIM_INDEXES)
        self._stores = {
            kind.resource.kind: Stores(
                Store(WORKLOAD_INDEXES),
                shared.pods,
                shared.revisions,
                shared.hook_runs,
                shared.templates,
                shared.nodes,
            )
            for kind in kinds
        }
        self._bodies: dict[str, dict[Key, Json]] = {}
        self.unreadable: dict[str, str] = {}
        self._trouble = ""
        self._sources = [
            *(
                _Source(kind.resource, self._keeping(kind.resource, kind.decode), stores.workloads)
                for kind, stores in zip(kinds, self._stores.values(), strict=True)
            ),
            _Source(resources.PODS, self._keeping(resources.PODS, pod_view) if bodies else pod_view, shared.pods),
            _Source(
                resources.CONTROLLER_REVISIONS,
                self._keeping(resources.CONTROLLER_REVISIONS, revision_view),
                shared.revisions,
            ),
            _Source(resources.HOOK_RUNS, self._keeping(resources.HOOK_RUNS, hookrun_view), shared.hook_runs),
            _Source(
                resources.HOOK_TEMPLATES, self._keeping(resources.HOOK_TEMPLATES, hooktemplate_view), shared.templates
            ),
            _Source(resources.NODES, node_view, shared.nodes, optional=True, namespaced=False),
        ]
        if "GameStatefulSet" in self._stores:
            claims = resources.PERSISTENT_VOLUME_CLAIMS
            decode = self._keeping(claims, claim_view) if bodies else claim_view
            self._sources.append(_Source(claims, decode, self._claims))

    def _keeping(self, resource: Resource, decode: Callable[[Json], Any]) -> Callable[[Json], Any]:
        """A decoder that also keeps the body."""
        bodies = self._bodies.setdefault(resource.plural, {})

        def keep(body: Json) -> Any:
            bodies[body["metadata"].get("namespace") or "", body["metadata"]["name"]] = body
            return decode(body)

        return keep

    async def load(self) -> None:
        """Read everything once.

        Raises:
            ApiError: something that is needed could not be read.
        """
        await asyncio.gather(*(self._read(source) for source in self._sources))

    async def _read(self, source: _Source) -> None:
        namespace = self._namespace if source.namespaced else None
        try:
            async for body in self._client.items(source.resource, namespace):
                body.setdefault("kind", source.resource.kind)
                source.store.put(source.decode(body))
        except Forbidden as error:
            if not source.optional:
                raise
            self.unreadable[source.resource.plural] = str(error)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[asyncio.Event]:
        """Keep the caches in step meanwhile; the event is set by every change. Lost watches are taken up again."""
        logging.getLogger("operators").addHandler(logging.NullHandler())
        logging.getLogger("operators").propagate = False
        changed = asyncio.Event()
        informers = []
        for source in self._sources:
            if source.resource.plural in self.unreadable:
                continue
            namespace = self._namespace if source.namespaced else None
            informer = _Watched(
                self._client,
                source.resource,
                source.decode,
                source.store,
                namespace=namespace,
                optional=source.optional,
            )
            informer.subscribe(self._forget(source.resource))
            informer.subscribe(lambda _: changed.set())
            informer.failed = self._note
            informers.append(informer)
        tasks = [asyncio.create_task(informer.run()) for informer in informers]
        try:
            yield changed
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, resource: Resource) -> Callable[[Change[Any]], None]:
        """A handler that drops the bodies of what is gone, so that a long watch does not grow."""
        bodies = self._bodies.get(resource.plural, {})

        def forget(change: Change[Any]) -> None:
            if change.new is None and change.old is not None:
                bodies.pop((change.old.namespace, change.old.name), None)

        return forget

    def _note(self, error: Exception) -> None:
        self._trouble = str(error)

    async def stale(self) -> str:
        """Why the caches may be old, "" when they are not.

        After a failed watch the server is asked whether it is there.
        """
        if not self._trouble:
            return ""
        try:
            async with asyncio.timeout(_PROBE):
                await self._client.version()
        except (ApiError, TimeoutError) as error:
            return str(error) or "no answer in time"
        self._trouble = ""
        return ""

    def body(self, resource: Resource, namespace: str, name: str) -> Json:
        """The body of an object, {} where there is none."""
        return self._bodies.get(resource.plural, {}).get((namespace, name), {})

    def suppose(self, kind: str, body: Json) -> None:
        """From now on a workload is taken to be like this, whatever the server has."""
        resource = KINDS[kind].resource
        self._stores[kind].workloads.put(self._keeping(resource, KINDS[kind].decode)(body))

    def subject(
        self, kind: str, namespace: str, name: str, now: float | None = None, *, foreign: bool = True
    ) -> Subject | None:
        """A workload with all that is to be said of it; None when it is not there.

        Pods of others with its labels are looked for among all pods unless ``foreign`` is off.
        """
        stores, chosen = self._stores[kind], KINDS[kind]
        workload = stores.workloads.get(namespace, name)
        if workload is None:
            return None
        observed = chosen.observe(stores, self._claims, workload)
        return build(
            chosen,
            observed,
            self.body(chosen.resource, namespace, name),
            foreign=self._foreign(stores, observed) if foreign else (),
            runs={r.name: self.body(resources.HOOK_RUNS, namespace, r.name) for r in observed.hook_runs},
            templates={n: self.body(resources.HOOK_TEMPLATES, namespace, n) for n in observed.templates},
            stored={r.name: self.body(resources.CONTROLLER_REVISIONS, namespace, r.name) for r in observed.revisions},
            now=time.time() if now is None else now,
        )

    def _foreign(self, stores: Stores, observed: Any) -> tuple[Any, ...]:
        """Pods with the workload's labels that others control."""
        workload = observed.workload
        if workload.spec is None:
            return ()
        matches = workload.spec.selector.matches
        return tuple(
            p
            for p in stores.pods.values()
            if p.namespace == workload.namespace
            and p.owner is not None
            and p.owner.uid != workload.uid
            and matches(p.labels)
        )

    def subjects(self) -> list[Subject]:
        """Every workload of the scope, by namespace and name."""
        now = time.time()
        found = [
            self.subject(kind, view.namespace, view.name, now, foreign=False)
            for kind, stores in self._stores.items()
            for view in stores.workloads.values()
        ]
        return sorted((s for s in found if s is not None), key=lambda s: (s.view.namespace, s.view.name, s.kind))


async def find(access: Access, text: str) -> Resource:
    """The kind of the workload that a name means, in the namespace of the command.

    Raises:
        UsageError: it means none or two.
    """
    reference, namespace = names.parse(text), access.own_namespace

    async def exists(resource: Resource) -> bool:
        try:
            await access.client.get(resource, namespace, reference.name)
        except NotFound as error:
            _installed(error, resource)
            return False
        return True

    present = await asyncio.gather(*(exists(r) for r in reference.candidates))
    found = tuple(r for r, there in zip(reference.candidates, present, strict=True) if there)
    return names.choose(reference, found, namespace)


def _installed(error: ApiError, resource: Resource) -> None:
    """A kind that the server does not know is not a workload that is not there."""
    if "could not find the requested resource" in str(error):
        text = f"{error}: the CRD of {resource.kind} is not installed ({resource.plural}.{resource.group})"
        raise type(error)(error.status, error.reason, text) from error


async def load(access: Access, text: str) -> tuple[Live, Subject]:
    """A workload by its name, and everything around it."""
    resource = await find(access, text)
    name = names.parse(text).name
    live = Live(access, access.own_namespace, [KINDS[resource.kind]])
    await live.load()
    subject = live.subject(resource.kind, access.own_namespace, name)
    if subject is None:
        raise NotFound(404, "NotFound", f"{names.short(resource.kind, name)} is gone")
    return live, subject
