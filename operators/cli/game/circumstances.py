"""What ``why`` looks at besides the workload: operators, Events, nodes, quota, the namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from operators.cli.game.access import Access
from operators.cli.game.subject import Subject
from operators.kube import resources
from operators.kube.errors import ApiError, Forbidden, NotFound
from operators.kube.resources import Json, Resource

#: Pods whose Events are read: those that are not ready, the first of them.
_MOST_PODS = 5
_LEASES_OF_NODES = "kube-node-lease"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Bodies as they were read; None where that was refused, and then ``unreadable`` says so.

    ``events`` are of the workload and of pods that are not ready.
    """

    leases: tuple[Json, ...] | None = ()
    events: tuple[Json, ...] | None = ()
    quotas: tuple[Json, ...] | None = ()
    nodes: tuple[Json, ...] | None = ()
    namespace: Json | None = None
    unreadable: tuple[str, ...] = field(default=())


async def look_around(access: Access, subject: Subject) -> Circumstances:
    """Read what there is to be read; what the user may not read is named, and does not stop the rest."""
    unreadable: list[str] = []
    own, view = access.client, subject.view

    async def read(what: str, resource: Resource, namespace: str | None, selector: str = "") -> tuple[Json, ...] | None:
        try:
            return tuple([i async for i in _items(access, resource, namespace, selector)])
        except Forbidden:
            unreadable.append(what)
        except ApiError as error:
            unreadable.append(f"{what} ({error})")
        return None

    async def read_namespace() -> Json | None:
        try:
            return await own.get(resources.NAMESPACES, None, view.namespace)
        except (Forbidden, NotFound):
            unreadable.append(f"namespace {view.namespace}")
            return None

    selector = f"metadata.namespace!={_LEASES_OF_NODES}"
    leases, quotas, nodes, namespace = await asyncio.gather(
        read("Leases", resources.LEASES, None, selector),
        read("quotas", resources.RESOURCE_QUOTAS, view.namespace),
        read("nodes", resources.NODES, None),
        read_namespace(),
    )
    about = (read("Events", resources.EVENTS, view.namespace, of) for of in _about(subject))
    found = [events for events in await asyncio.gather(*about) if events is not None]
    return Circumstances(
        leases=leases,
        events=tuple(event for one in found for event in one) if found else None,
        quotas=quotas,
        nodes=nodes,
        namespace=namespace,
        unreadable=tuple(dict.fromkeys(unreadable)),
    )


def _items(access: Access, resource: Resource, namespace: str | None, selector: str) -> AsyncIterator[Json]:
    return access.client.items(resource, namespace, field_selector=selector)


def _about(subject: Subject) -> list[str]:
    """Field selectors of the Events to read."""
    kind, view = subject.kind, subject.view
    unready = sorted(p.name for p in subject.observed.pods if not p.ready)[:_MOST_PODS]
    about = [(kind, view.name), *(("Pod", name) for name in unready)]
    return [f"involvedObject.kind={kind},involvedObject.name={name}" for kind, name in about]
