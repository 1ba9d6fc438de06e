"""``why``: what stops a workload, a pod, a HookRun or a namespace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags

if TYPE_CHECKING:
    from operators.cli.game.access import Access
    from operators.cli.game.documents import Explanation
    from operators.kube.resources import Json

#: What of a workload may be asked about, by the spellings of kubectl.
_PARTS = {
    **dict.fromkeys(("pod", "pods", "po"), "Pod"),
    **dict.fromkeys(("hookrun", "hookruns", "hkr", "hookrun.tkex.tencent.com", "hookruns.tkex.tencent.com"), "HookRun"),
    **dict.fromkeys(("namespace", "namespaces", "ns"), "Namespace"),
}


def command(
    flags: Flags,
    *,
    name: Annotated[
        str,
        typer.Argument(help="arena, gd/arena, gsts/web, pod/NAME, hookrun/NAME or namespace/NAME.", show_default=False),
    ],
) -> int:
    """Say why nothing happens: what stops it, the first cause first. 0: nothing is wrong, 3: something is."""
    return asyncio.run(_why(flags, name))


async def _why(flags: Flags, text: str) -> int:
    from operators.cli.game.access import access
    from operators.cli.game.output import Screen
    from operators.cli.game.screens import explanation_screen

    screen = Screen.of(flags)
    kind, _, name = text.partition("/")
    async with access(flags) as connection:
        if name and kind.lower() in _PARTS:
            found = await _part(connection, _PARTS[kind.lower()], name)
        else:
            found = await _workload(connection, text)
    screen.show(found, lambda s: explanation_screen(found, width=s.width), [found.about])
    return Exit.REACHED if found.healthy else Exit.BLOCKED


async def _workload(connection: Access, text: str) -> Explanation:
    from operators.cli.game import live
    from operators.cli.game.causes import explain
    from operators.cli.game.circumstances import look_around

    _, subject = await live.load(connection, text)
    return explain(subject, await look_around(connection, subject))


async def _part(connection: Access, kind: str, name: str) -> Explanation:
    """A pod or HookRun by the workload that owns it; a namespace by all of its workloads."""
    import time

    from operators.cli.game import live, partcauses
    from operators.cli.game.circumstances import look_around
    from operators.kube.errors import NotFound
    from operators.kube.resources import HOOK_RUNS, PODS

    if kind == "Namespace":
        return await _namespace(connection, name)
    resource, namespace = PODS if kind == "Pod" else HOOK_RUNS, connection.own_namespace
    try:
        body = await connection.client.get(resource, namespace, name)
    except NotFound:
        return partcauses.gone(kind, name, await _events(connection, namespace, name), time.time())
    _, subject = await live.load(connection, _owner(kind, body))
    around = await look_around(connection, subject)
    if kind == "HookRun":
        return partcauses.explain_run(subject, name, around)
    pod = next((p for p in subject.observed.pods if p.name == name), None)
    if pod is None:
        return partcauses.gone(kind, name, await _events(connection, namespace, name), time.time())
    return partcauses.explain_pod(subject, pod, around)


def _owner(kind: str, body: Json) -> str:
    """The workload that controls an object.

    Raises:
        CommandError: none of ours does.
    """
    from operators.cli.game.exits import CommandError
    from operators.cli.game.names import SHORT, short
    from operators.planning.views import owner_view

    owner = owner_view(body["metadata"])
    if owner is None or owner.kind not in SHORT:
        whose = f"{owner.kind} {owner.name}" if owner is not None else "nobody"
        raise CommandError(f"{kind} {body['metadata']['name']} belongs to {whose}, not to a workload of ours")
    return short(owner.kind, owner.name)


async def _events(connection: Access, namespace: str, name: str) -> list[Any]:
    """Events that tell of an object by its name."""
    from operators.kube.errors import Forbidden
    from operators.kube.resources import EVENTS

    try:
        found = [e async for e in connection.client.items(EVENTS, namespace)]
    except Forbidden:
        return []
    return [e for e in found if (e.get("involvedObject") or {}).get("name") == name or name in str(e.get("message"))]


async def _namespace(connection: Access, name: str) -> Explanation:
    import time

    from operators.cli.game.kinds import KINDS
    from operators.cli.game.live import Live
    from operators.cli.game.partcauses import explain_namespace
    from operators.kube.errors import Forbidden
    from operators.kube.resources import NAMESPACES

    try:
        body = await connection.client.get(NAMESPACES, None, name)
    except Forbidden:
        body = {}  # whoever may not read it may still read what is in it
    objects = Live(connection, name, tuple(KINDS.values()))
    await objects.load()
    phase = str((body.get("status") or {}).get("phase") or "")
    return explain_namespace(name, phase, objects.subjects(), time.time())
