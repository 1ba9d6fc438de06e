"""What the webhooks ask the API server before they answer (the rules that need it are pure and elsewhere)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from operators.api import keys
from operators.api.hookphase import FINAL_PHASES
from webhooks.apiserver import ApiServer, Json, NotFound
from webhooks.objects import part, text
from webhooks.protection import KINDS, WORKLOADS, CountInstances, FindUsers
from webhooks.validation.references import Arguments, declared, references

_API: Final = f"/apis/{keys.API_VERSION}"
#: Templates seen a moment ago; what is decided by them is only a warning.
_KEPT_SECONDS, _KEPT_MOST = 10.0, 10_000


class Lookups:
    """Live reads. Deletions are judged by what is there now, never by a cache that may lag."""

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._templates: dict[tuple[str, str], tuple[float, Arguments]] = {}

    async def count(self, question: CountInstances) -> int:
        """Objects of a kind, in all namespaces, that are not being deleted.

        Raises:
            ApiError: they could not be listed.
        """
        living = 0
        async for metadata in self._api.metadata(f"{_API}/{question.plural}"):
            living += not metadata.get("deletionTimestamp")
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
                async for item in self._api.objects(_collection(question.namespace, plural))
                if any(r.template == question.template for r in references(item))
            ]
        return found + [
            f"HookRun {_name(run)}"
            async for run in self._api.objects(_collection(question.namespace, "hookruns"))
            if _name(run).endswith(f"-{question.template}") and text(part(run, "status"), "phase") not in FINAL_PHASES
        ]

    async def namespace_ending(self, namespace: str) -> bool:
        """Whether a namespace is being deleted.

        Raises:
            ApiError: it could not be read.
        """
        found = await self._api.get(f"/api/v1/namespaces/{namespace}")
        return bool(part(found, "metadata").get("deletionTimestamp"))

    async def gamedeployment(self, namespace: str, name: str) -> Json:
        """A GameDeployment as it is now.

        Raises:
            ApiError: it could not be read.
        """
        return await self._api.get(f"{_collection(namespace, 'gamedeployments')}/{name}")

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
            arguments = declared(
                await self._api.get(f"{_collection(namespace, 'hooktemplates')}/{quote(name, safe='')}")
            )
        except NotFound:
            self._templates.pop((namespace, name), None)
            return None
        if len(self._templates) >= _KEPT_MOST:
            self._templates.clear()
        self._templates[namespace, name] = (self._clock(), arguments)
        return arguments


def _collection(namespace: str, plural: str) -> str:
    return f"{_API}/namespaces/{namespace}/{plural}"


def _name(item: Json) -> str:
    return text(part(item, "metadata"), "name")
