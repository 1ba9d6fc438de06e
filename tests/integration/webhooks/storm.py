"""Deletions at a steady rate, and what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from operators.kube.credentials import PlainCredentials

RATE = 50
"""Deletions a second."""


class Answer(NamedTuple):
    """``at``: the second of the storm in which it was asked."""

    at: float
    status: int
    message: str
    took: float


async def deletions(
    kubeconfig: Path, paths: Sequence[str], seconds: float, happenings: Mapping[float, Callable[[], object]]
) -> list[Answer]:
    """Delete these objects, in turn and for real, `RATE` times a second; things happen at seconds of their own."""
    found = PlainCredentials.load(str(kubeconfig))
    results: list[Answer] = []
    began = time.monotonic()
    async with httpx.AsyncClient(
        base_url=found.server, verify=found.tls, headers=dict(await found.headers()), timeout=20
    ) as client:

        async def one(at: float, path: str) -> None:
            start = time.monotonic()
            answer = await client.delete(path)
            took = time.monotonic() - start
            results.append(Answer(at, answer.status_code, str(answer.json().get("message")), took))

        async with asyncio.TaskGroup() as group:
            due = sorted(happenings)
            for index in range(int(RATE * seconds)):
                at = index / RATE
                while due and due[0] <= at:
                    group.create_task(asyncio.to_thread(happenings[due.pop(0)]))
                await asyncio.sleep(max(0.0, began + at - time.monotonic()))
                group.create_task(one(at, paths[index % len(paths)]))
    return sorted(results)
