"""Carries out the plan of one workload: the only place that writes.

Every write is guarded by the UID of what was planned on, is safe to repeat, and is expected in the cache before the
next pass plans. One pod that fails never keeps the others from being tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from operators.api.reasons import EventReason
from operators.kube.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound, NotLeading
from operators.kube.resources import PODS, Json
from operators.logs import get_logger
from operators.planning import actions as act
from operators.planning.workloads import WorkloadView
from operators.runtime.batching import bounded, slow_start
from operators.workload.context import Context
from operators.workload.writes.hookruns import HookRunWrites
from operators.workload.writes.pods import PodWrites
from operators.workload.writes.revisions import RevisionWrites
from operators.workload.writes.session import WriteSession

log = get_logger(__name__)

Writer = Callable[[Any], Awaitable[None]]
#: What the API server says, with code 400, where a webhook for pods has side effects.
_NO_DRY_RUN = "does not support dry run"


class Execution:
    """One plan being carried out.

    ``failures`` are the errors by refusal key (`operators.planning.actions.Action.refusal_key`), ``succeeded`` the keys
    of what went well, or of what the world has moved on from. ``overtaken`` tells that a write met an object newer than
    the one that was planned on.
    """

    def __init__(self, context: Context, workload: WorkloadView[Any]) -> None:
        self.session = WriteSession(context, workload)
        self.failures: dict[str, ApiError] = {}
        self.succeeded: set[str] = set()
        self.overtaken = False
        #: A revision of which a pod was tried with success.
        self.creatable = ""
        self._writers = self.writers()

    def writers(self) -> dict[type[act.Action], Writer]:
        """Which method carries out which action."""
        return {
            **revision_writers(RevisionWrites(self.session)),
            **hook_run_writers(HookRunWrites(self.session)),
            **pod_writers(PodWrites(self.session)),
            act.PatchSpec: self._patch_spec,
            act.TryPod: self._try_pod,
        }

    async def run(self, actions: Sequence[act.Action]) -> None:
        """All actions, stage by stage.

        A failure before the pods' stage ends the execution where a later action could count on what did not happen: a
        pod's revision, its owner, the removal of an old answer of its hook, or a claim that must not go with it.
        """
        for stage, group in itertools.groupby(actions, key=lambda a: a.stage):
            batch = list(group)
            creates = [a for a in batch if isinstance(a, act.CreatePod)]
            others = [a for a in batch if not isinstance(a, act.CreatePod)]
            # Removing and updating come first: an index or a name that leaves may be what a creation waits for.
            failed = self._collect(others, await bounded([self._call(a) for a in others]))
            failed += self._collect(creates, await slow_start([self._call(a) for a in creates]))
            if failed and stage in (act.Stage.REVISION, act.Stage.OWNERSHIP):
                return
            if any(isinstance(a, act.DeleteHookRun | act.OwnClaim) for a, _ in failed):
                return

    def _collect(
        self, batch: Sequence[act.Action], results: Sequence[BaseException | None]
    ) -> list[tuple[act.Action, ApiError]]:
        failed: list[tuple[act.Action, ApiError]] = []
        for action, error in zip(batch, results, strict=False):
            about = action.refusal_key
            if isinstance(error, NotFound | Conflict):
                log.debug("object changed or gone", action=about, error=str(error))  # the next pass looks again
                self.overtaken |= isinstance(error, Conflict)
            elif isinstance(error, ApiError) and not isinstance(error, NotLeading):
                failed.append((action, error))
                self.failures[about] = error
            elif error is not None:
                raise error
            if about not in self.failures:
                self.succeeded.add(about)
        self._announce(failed)
        return failed

    def _call(self, action: act.Action) -> Callable[[], Awaitable[None]]:
        write = self._writers[type(action)]
        return lambda: write(action)

    async def _try_pod(self, action: act.TryPod) -> None:
        warnings: list[str] = []
        try:
            await self.session.client.create(
                PODS, self.session.namespace, dict(action.body), dry_run=True, warn=warnings.append
            )
            self.session.warned(action.revision, warnings)
        except AlreadyExists:  # looked at last, after everything else was found good
            self.session.warned(action.revision, warnings)
        except ApiError as error:
            # A webhook of others that cannot be asked by a dry run says nothing of the pod.
            passes = isinstance(error, Forbidden) and not action.after_refusal
            if not passes and _NO_DRY_RUN not in error.message:
                raise
        self.creatable = action.revision

    async def _patch_spec(self, action: act.PatchSpec) -> None:
        guard = {**(action.patch.get("metadata") or {}), "resourceVersion": self.session.version}
        patch: Json = {**action.patch, "metadata": guard}
        answer = await self.session.client.merge_patch(
            self.session.context.resource, self.session.namespace, self.session.workload.name, patch
        )
        self.session.version = answer["metadata"]["resourceVersion"]
        self.session.expect_written(self.session.stores.workloads, answer)

    def _announce(self, failed: Sequence[tuple[act.Action, ApiError]]) -> None:
        """One Event for each kind of failure: the first, and how many more."""
        by_reason: dict[EventReason, list[tuple[act.Action, ApiError]]] = {}
        for action, error in failed:
            by_reason.setdefault(action.failure_reason, []).append((action, error))
        for reason, group in by_reason.items():
            action, error = group[0]
            more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
            text = f"{type(action).__name__} {getattr(action, 'name', '')}: {error}{more}"
            self.session.note("Warning", reason, text)
            log.warning("write failed", **self.session.fields, reason=str(reason), error=text)


def revision_writers(writes: RevisionWrites) -> dict[type[act.Action], Writer]:
    """Writers of revisions, by action."""
    return {
        act.CreateRevision: writes.create,
        act.RenumberRevision: writes.renumber,
        act.AdoptRevision: writes.adopt,
        act.DeleteRevision: writes.delete,
    }


def hook_run_writers(writes: HookRunWrites) -> dict[type[act.Action], Writer]:
    """Writers of HookRuns, by action."""
    return {
        act.CreateHookRun: writes.create,
        act.AdoptHookRun: writes.adopt,
        act.DeleteHookRun: writes.delete,
        act.TerminateHookRun: writes.terminate,
    }


def pod_writers(writes: PodWrites) -> dict[type[act.Action], Writer]:
    """Writers of pods, by action."""
    return {
        act.AdoptPod: writes.adopt,
        act.ReleasePod: writes.release,
        act.AnnotatePod: writes.annotate,
        act.SetGate: writes.set_gate,
        act.UpdatePodInPlace: writes.update_in_place,
        act.CreatePod: writes.create,
        act.DeletePod: writes.delete,
    }
