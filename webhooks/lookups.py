"""What the webhooks read from the API server before they answer, for the rules of `webhooks.protection`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from operators.api.hookphase import FINAL_PHASES
from operators.kube import resources
from operators.kube.client import Client
from operators.kube.errors import NotFound
from operators.kube.resources import Resource
from webhooks.objects import Json, part, text
from webhooks.protection import KINDS, WORKLOADS, CountInstances, FindUsers
from webhooks.validation.references import Arguments, declared, references

_RESOURCES: Final[Mapping[str, Resource]] = {
    resource.plural: resource
    for resource in (
        resources.GAME_DEPLOYMENTS,
        resources.GAME_STATEFUL_SETS,
        resources.HOOK_TEMPLATES,
        resources.HOOK_RUNS,
    )
}
#: Templates seen a moment ago; what is decided by them is only a warning. Beyond so many bytes all are forgotten.
_KEPT_SECONDS, _KEPT_BYTES = 10.0, 4 << 20
#: Bytes of an entry and of each argument in it, and of a character of their names at most.
_ENTRY_BYTES, _CHARACTER_BYTES = 256, 4


class Lookups:
    """Live reads: deletions are decided by what is there now, not by a cache that may lag."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._templates: dict[tuple[str, str], tuple[float, Arguments]] = {}
        self._kept_bytes = 0

    async def count(self, question: CountInstances) -> int:
        """Objects of a kind, in all namespaces, that are not being deleted.

        Raises:
            ApiError: they could not be listed.
        """
        living = 0
        async for item in self._client.items(_RESOURCES[question.plural], metadata_only=True):
            living += not part(item, "metadata").get("deletionTimestamp")
        return living

    async def users(self, question: FindUsers) -> list[str]:
        """Workloads that refer to a HookTemplate, then unfinished HookRuns that came from it, as "Kind name".

        A HookRun's name ends in its template's; one of another template with the same ending counts as well.

        Raises:
            ApiError: they could not be listed.
        """
        found: list[str] = []
        for plural in WORKLOADS:
            found += [
                f"{KINDS[plural]} {_name(item)}"
                async for item in self._client.items(_RESOURCES[plural], question.namespace)
                if any(r.template == question.template for r in references(item))
            ]
        return found + [
            f"HookRun {_name(run)}"
            async for run in self._client.items(resources.HOOK_RUNS, question.namespace)
            if _name(run).endswith(f"-{question.template}") and text(part(run, "status"), "phase") not in FINAL_PHASES
        ]

    async def namespace_ending(self, namespace: str) -> bool:
        """Whether a namespace is being deleted.

        Raises:
            ApiError: it could not be read.
        """
        found = await self._client.get(resources.NAMESPACES, None, namespace)
        return bool(part(found, "metadata").get("deletionTimestamp"))

    async def gamedeployment(self, namespace: str, name: str) -> Json:
        """A GameDeployment as it is now.

        Raises:
            ApiError: it could not be read.
        """
        return await self._client.get(resources.GAME_DEPLOYMENTS, namespace, name)

    async def templates(self, namespace: str, names: set[str]) -> dict[str, Arguments | None]:
        """Declared arguments of HookTemplates, None for those that do not exist.

        Raises:
            ApiError: one could not be read.
        """
        ordered = sorted(names)
        found = await asyncio.gather(*(self._template(namespace, name) for name in ordered))
        return dict(zip(ordered, found, strict=True))

    async def _template(self, namespace: str, name: str) -> Arguments | None:
        kept = self._templates.get((namespace, name))
        if kept is not None and self._clock() - kept[0] < _KEPT_SECONDS:
            return kept[1]
        try:
            arguments = declared(await self._client.get(resources.HOOK_TEMPLATES, namespace, name))
        except NotFound:
            self._templates.pop((namespace, name), None)
            return None
        self._kept_bytes += _weight(arguments)
        if self._kept_bytes > _KEPT_BYTES:
            self._templates.clear()
            self._kept_bytes = _weight(arguments)
        self._templates[namespace, name] = (self._clock(), arguments)
        return arguments


def _weight(arguments: Arguments) -> int:
    names = sum(_ENTRY_BYTES + _CHARACTER_BYTES * len(name) for name, _ in arguments)
    return 2 * _ENTRY_BYTES + names


def _name(item: Json) -> str:
    return text(part(item, "metadata"), "name")
