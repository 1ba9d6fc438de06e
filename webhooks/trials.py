"""Dry runs of pod templates, for the rules of `webhooks.validation.trials`.

Whoever may change workloads chooses how many there are, so that few are under way at a time, in fair shares between
namespaces, few wait, and none takes long. What was not tried passes with a warning.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from operators.kube import resources
from operators.kube.client import Client
from operators.kube.errors import ApiError
from operators.kube.resources import Resource
from operators.sandbox.slots import FairSemaphore
from webhooks.objects import Json
from webhooks.validation.problems import Problem
from webhooks.validation.trials import (
    FIELD_VALIDATION,
    Answer,
    Strictness,
    Trial,
    added,
    not_tried,
    refusals,
    remarks,
)

#: Seconds for one review, waiting included.
SECONDS: Final = 2.0
#: Reviews whose template is tried at a time, each with two requests; and those that may wait for it beside them.
_SLOTS, _ASKING, _ASKING_OF_ONE = 8, 48, 16


class Trials:
    """Tries templates by dry runs. ``seconds`` is the time for one review."""

    def __init__(self, client: Client, strictness: Strictness = "Refuse", *, seconds: float = SECONDS) -> None:
        self._client, self._strictness, self._seconds = client, strictness, seconds
        self._slots = FairSemaphore(_SLOTS)
        self._asking: Counter[str] = Counter()

    async def problems(self, namespace: str, new: Trial, old: Trial | None) -> list[Problem]:
        """What is wrong with a template that was not wrong with the old one; never raises.

        Fatal is what the API server refuses of the template itself; a template that could not be tried has a warning.
        """
        if self._asking.total() >= _ASKING or self._asking[namespace] >= _ASKING_OF_ONE:
            return [not_tried("too many templates are being tried at the moment")]
        try:
            with self._counted(namespace):
                async with asyncio.timeout(self._seconds), self._slots.slot(namespace):
                    return await self._judged(namespace, new, old)
        except TimeoutError:
            return [not_tried(f"no answer within {self._seconds:g} s")]
        except (TypeError, UnicodeError):  # nested deeper than anything that a pod has, or no valid Unicode
            return [not_tried("it cannot be written as JSON")]

    async def _judged(self, namespace: str, new: Trial, old: Trial | None) -> list[Problem]:
        template, pod = await asyncio.gather(
            self._ask(resources.POD_TEMPLATES, namespace, new.template), self._ask(resources.PODS, namespace, new.pod)
        )
        found = refusals(template)
        before = Answer()
        if old is not None and (found or template.warnings):
            before = await self._ask(resources.POD_TEMPLATES, namespace, old.template)
        return added(found, refusals(before)) or remarks(template, pod, before)

    async def _ask(self, resource: Resource, namespace: str, body: Json) -> Answer:
        """Unknown fields are looked for in the template only: the pod has nothing of what surrounds its spec."""
        mode = FIELD_VALIDATION[self._strictness if resource is resources.POD_TEMPLATES else "Ignore"]
        said: list[str] = []
        error: ApiError | None = None
        try:
            await self._client.create(
                resource, namespace, dict(body), dry_run=True, field_validation=mode, warn=said.append
            )
        except ApiError as refused:
            error = refused
        return Answer(error, tuple(said))

    @contextmanager
    def _counted(self, namespace: str) -> Iterator[None]:
        self._asking[namespace] += 1
        try:
            yield
        finally:
            self._asking[namespace] -= 1
            if not self._asking[namespace]:
                del self._asking[namespace]
