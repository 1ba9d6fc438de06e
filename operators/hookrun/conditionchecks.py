"""Whether the conditions of a run can be read, asked of the workers before its first measurement.

A pass does not wait long for it: hundreds of runs whose conditions take long would hold all passes at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from operators.hookrun.assess import NO_UNREADABLE
from operators.hookrun.view import RunView
from operators.hookrun.workers import HookWorkers
from operators.runtime.store import Key
from operators.runtime.workqueue import WorkQueue

#: Seconds that a pass waits for an answer.
_PATIENCE: Final = 0.05
#: Why conditions cannot be read, by metric, and how many seconds it took to find out.
Checked = tuple[Mapping[str, str], float]


class ConditionChecks:
    """Asks once for each run, and adds its key to ``queue`` when there is an answer that its pass did not wait for."""

    def __init__(self, workers: HookWorkers, queue: WorkQueue[Key]) -> None:
        self._workers, self._queue = workers, queue
        self._known: dict[str, Checked] = {}
        self._tasks: dict[str, asyncio.Task[Checked]] = {}

    async def of(self, key: Key, run: RunView) -> Checked | None:
        """What is wrong with the conditions of a run; None while that is not known.

        Raises:
            SandboxError: there are no workers; the next call asks again.
        """
        if run.state.results or run.state.refused:
            return NO_UNREADABLE, 0.0
        if run.uid in self._known:
            return self._known[run.uid]
        task = self._tasks.get(run.uid)
        if task is None:
            name = f"conditions of {run.name}"
            task = self._tasks[run.uid] = asyncio.get_running_loop().create_task(self._check(run), name=name)
        await asyncio.wait({task}, timeout=_PATIENCE)
        if not task.done():
            task.add_done_callback(lambda _: self._queue.add(key))
            return None
        self._tasks.pop(run.uid, None)
        self._known[run.uid] = task.result()
        return self._known[run.uid]

    def forget(self, uid: str) -> None:
        """A run is gone."""
        self._known.pop(uid, None)
        task = self._tasks.pop(uid, None)
        if task is not None and not task.cancel() and not task.cancelled():
            task.exception()  # nobody asks for it any more

    def close(self) -> None:
        """Ask no more."""
        for uid in list(self._tasks):
            self.forget(uid)

    async def _check(self, run: RunView) -> Checked:
        began = time.monotonic()
        found = await self._workers.unreadable_conditions(run.namespace, run.state.spec)
        return found, time.monotonic() - began
