"""The controller of a kind of workload: observe, plan, act."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from operators.api.reasons import BlockedReason
from operators.kube.errors import ApiError, is_lasting
from operators.logs import get_logger
from operators.planning.actions import Blocked, Note, Plan
from operators.planning.hooks.pods import run_subject
from operators.planning.refusals import Refusal, refused_again
from operators.planning.status import failed_pass_status
from operators.planning.views import HookRunView, OwnerView, PodView, RevisionView
from operators.planning.workloads import Spec, WorkloadView
from operators.planning.workloadstatus import PROMPT_FIELDS
from operators.runtime.reconciler import Outcome
from operators.runtime.store import Change, Key
from operators.runtime.workqueue import WorkQueue
from operators.workload.announcements import EventDeduplicator
from operators.workload.context import Context, reference, status_patch
from operators.workload.creationwarnings import CreationWarnings
from operators.workload.execute import Execution

log = get_logger(__name__)
#: Mere counters of a rollout wait up to this many seconds to be written.
_STATUS_INTERVAL = 0.5
#: Seconds until a pass plans again on what has overtaken it.
_OVERTAKEN = 1.0
#: A key rests so many times as long as it took to plan, within this many seconds, so that planning for a large workload
#: never takes more than about a tenth of the time, however many events come.
_REST, _LONGEST_REST = 10.0, 0.5
#: Seconds until the status shows what a hook has measured anew.
_SHOWN_AFTER = 10.0
#: Seconds after which a refusal no longer counts.
_FORGIVEN = 600.0
#: What planning reads of a pod.
_READ = attrgetter(*(f.name for f in fields(PodView) if f.compare and f.name != "resource_version"))

S = TypeVar("S", bound=Spec)


class WorkloadController(Generic[S]):
    """Passes over workloads of one kind by key (namespace, name). What a pass decides, each kind says for itself."""

    def __init__(self, context: Context, queue: WorkQueue[Key]) -> None:
        self._context, self._queue = context, queue
        self._kind = context.resource.kind
        self.host_ip = os.environ.get("HOST_IP", "")
        self._written: dict[Key, float] = {}
        self._told: dict[Key, EventDeduplicator] = {}
        self._behind: set[Key] = set()
        self._refusals: dict[Key, tuple[int, dict[str, Refusal]]] = {}
        #: UID and revision of which a pod was last tried with success.
        self._creatable: dict[Key, tuple[str, str]] = {}
        self._warnings = CreationWarnings()

    # ---- what wakes a key

    def on_workload(self, change: Change[WorkloadView[S]]) -> None:
        """Any change of the object itself."""
        view = change.new or change.old
        if view is not None:
            self._queue.add((view.namespace, view.name))

    def on_pod(self, change: Change[PodView]) -> None:
        """Owner of the pod, the owner it had, and for orphans whoever may adopt them.

        A change of nothing that planning reads (an agent's annotation, a heartbeat) wakes nobody but a key that waits
        to see its own writes.
        """
        idle = _same(change)
        for view in (change.old, change.new):
            if view is None:
                continue
            if view.owner is not None:
                key = (view.namespace, view.owner.name)
                if view.owner.kind == self._kind and not (idle and key not in self._behind):
                    self._queue.add(key)
            elif change.old is None or change.old.labels != view.labels or change.old.owner is not None:
                self._wake_adopters(view)

    def on_revision(self, change: Change[RevisionView]) -> None:
        """Owner of a revision."""
        view = change.new or change.old
        if view is not None and view.owner is not None:
            self._wake_owner(view.namespace, view.owner)

    def on_hook_run(self, change: Change[HookRunView]) -> None:
        """Owner of a HookRun, or who may take it over, that came, went, was interrupted or changed its phase.

        What it measures decides nothing, but is shown: that may wait a while.
        """
        view, old, new = change.new or change.old, change.old, change.new
        if view is None:
            return
        if view.asked is not None:
            # Made for a revision of the workload that takes it over; revisions are named after it.
            name, _, _ = run_subject(view)[0].rpartition("-")
            if self._context.stores.workloads.get(view.namespace, name) is not None:
                self._queue.add((view.namespace, name))
        if view.owner is None:
            return
        key = (view.namespace, view.owner.name)
        turned = old is None or new is None or _standing(old) != _standing(new)
        if view.owner.kind != self._kind:
            return
        if turned or key in self._behind:
            self._queue.add(key)
        elif old is not None and new is not None and old.message != new.message:
            self._queue.add_after(key, _SHOWN_AFTER)

    def on_template(self, change: Change[Any]) -> None:
        """Everybody in the namespace of a HookTemplate: somebody may wait for it."""
        view = change.new or change.old
        for workload in self._context.stores.workloads_in(view.namespace) if view else ():
            self._queue.add((workload.namespace, workload.name))

    def _wake_owner(self, namespace: str, owner: OwnerView) -> None:
        if owner.kind == self._kind:
            self._queue.add((namespace, owner.name))

    def _wake_adopters(self, pod: PodView) -> None:
        for workload in self._context.stores.workloads_in(pod.namespace):
            if workload.spec is not None and workload.spec.selector.matches(pod.labels):
                self._queue.add((workload.namespace, workload.name))

    # ---- a pass

    def decide(self, workload: WorkloadView[S]) -> Plan:
        """Observe the workload, and plan."""
        raise NotImplementedError

    def carry_out(self, workload: WorkloadView[S]) -> Execution:
        """The executor of a plan."""
        return Execution(self._context, workload)

    def refusals_of(self, workload: WorkloadView[S]) -> dict[str, Refusal]:
        """What was refused lately; a change of the spec may be the remedy, and is tried at once."""
        key, now = (workload.namespace, workload.name), self._context.now()
        generation, refusals = self._refusals.get(key, (0, {}))
        if not refusals or generation != workload.generation:
            self._refusals.pop(key, None)
            return {}
        return {about: r for about, r in refusals.items() if now - r.until < _FORGIVEN}

    def creatable(self, workload: WorkloadView[S]) -> frozenset[str]:
        """Revisions of which the API server was found to create pods; forgotten with the process, and tried again."""
        uid, revision = self._creatable.get((workload.namespace, workload.name), ("", ""))
        return frozenset((revision,)) if revision and uid == workload.uid else frozenset()

    def warnings(self, workload: WorkloadView[S]) -> Mapping[str, tuple[str, ...]]:
        """What the API server warned of when this process created pods, by revision."""
        return self._warnings.of((workload.namespace, workload.name), workload.uid)

    async def reconcile(self, key: Key) -> Outcome:
        """One pass."""
        workload: WorkloadView[S] | None = self._context.stores.workloads.get(*key)
        loop = asyncio.get_running_loop()
        if workload is None:
            self._forget(key)
            return Outcome()
        awaited = self._context.expectations.pending(key, loop.time())
        if awaited is not None:
            self._behind.add(key)
            return Outcome(requeue_after=1.0)  # the event that shows it wakes the key earlier
        self._behind.discard(key)
        began, result = loop.time(), "failure"
        try:
            decision = await self._decided(key, workload)
            rest = min(_LONGEST_REST, _REST * (loop.time() - began))
            execution = self.carry_out(workload)
            await execution.run(decision.actions)
            self._learn(key, workload, execution)
            self._note(workload, self._warnings.learn(key, workload.uid, workload.status, execution.session.warnings))
            if execution.creatable:
                self._creatable[key] = workload.uid, execution.creatable
            if execution.failures or execution.creatable:
                return Outcome(requeue_after=0.0)  # planned again at once, with what was refused or tried in view
            wait = await self._write_status(key, workload, decision, execution)
            self._tell(key, workload, decision)
            result = "success"
        finally:
            self._context.metrics.reconcile.labels("/".join(key), result).observe(loop.time() - began)
        # What overtook a write may be nothing that planning reads, and then wakes nobody.
        again = _OVERTAKEN if execution.overtaken else None
        waits = [w for w in (decision.wake_after, wait, again) if w is not None]
        return Outcome(requeue_after=min(waits, default=None), quiet=rest)

    async def _decided(self, key: Key, workload: WorkloadView[S]) -> Plan:
        """The plan. One that cannot be made is told of on the object before the pass fails: the log is not enough."""
        try:
            return self.decide(workload)
        except Exception as error:
            problem = Blocked(
                BlockedReason.INTERNAL_ERROR, f"no plan can be made: {type(error).__name__}: {error}", waiting=False
            )
            told = Plan(status=failed_pass_status(workload, problem, self._context.now()), blocked=(problem,))
            with contextlib.suppress(ApiError):
                await self._write_status(key, workload, told, self.carry_out(workload))
            self._tell(key, workload, told)
            raise

    def _learn(self, key: Key, workload: WorkloadView[S], execution: Execution) -> None:
        """Remember what was refused, for longer each time, and forget what succeeded."""
        before, now = self.refusals_of(workload), self._context.now()
        kept = {about: refusal for about, refusal in before.items() if about not in execution.succeeded}
        for about, error in execution.failures.items():
            lasting = is_lasting(error)
            kept[about] = refused_again(
                before.get(about), _said(error), now, lasting=lasting, at_least=error.retry_after or 0.0
            )
        if kept:
            self._refusals[key] = (workload.generation, kept)
        else:
            self._refusals.pop(key, None)

    async def _write_status(
        self, key: Key, workload: WorkloadView[S], decision: Plan, execution: Execution
    ) -> float | None:
        """Write what changed, or nothing; a time to come back when mere counters are held back.

        The version guards it: the API server looks at no UID when the status of a custom resource is patched, and a
        workload that was deleted and made anew must not inherit the state of a canary.
        """
        status = decision.status.dump()
        patch = status_patch(workload.status, status)
        desired = workload.spec.replicas if workload.spec else 0
        self._context.metrics.observe_status("/".join(key), desired, status)
        if not patch:
            return None
        now = asyncio.get_running_loop().time()
        rest = self._written.get(key, -_STATUS_INTERVAL) + _STATUS_INTERVAL - now
        if rest > 0 and PROMPT_FIELDS.isdisjoint(patch) and not _turned(workload.status, status):
            return rest
        answer = await self._context.client.merge_patch(
            self._context.resource,
            workload.namespace,
            workload.name,
            {"metadata": {"resourceVersion": execution.session.version}, "status": patch},
            subresource="status",
        )
        self._written[key] = now
        execution.session.expect_written(self._context.stores.workloads, answer)
        return None

    def _tell(self, key: Key, workload: WorkloadView[S], decision: Plan) -> None:
        """Events for what happened, and for what newly waits or is refused; metrics for all of it."""
        counts = Counter(str(b.reason) for b in decision.blocked)
        self._context.metrics.observe_blocked("/".join(key), dict(counts))
        told = self._told.setdefault(key, EventDeduplicator())
        self._note(workload, (*decision.notes, *told.new_notes(decision.blocked, self._context.now())))

    def _note(self, workload: WorkloadView[S], notes: Iterable[Note]) -> None:
        for note in notes:
            self._context.events.note(reference(self._context.resource, workload), note.type, note.reason, note.message)
            log.info(
                "event",
                kind=self._kind,
                namespace=workload.namespace,
                name=workload.name,
                reason=str(note.reason),
                message=note.message,
            )

    def _forget(self, key: Key) -> None:
        self._context.expectations.forget(key)
        self._context.metrics.forget("/".join(key))
        self._context.hook_runs_created.forget(*key, self._kind)
        self._written.pop(key, None)
        self._told.pop(key, None)
        self._refusals.pop(key, None)
        self._creatable.pop(key, None)
        self._warnings.forget(key)
        self._behind.discard(key)


def _standing(run: HookRunView) -> tuple[str, str, bool, bool, bool, bool]:
    """What a pass decides on."""
    found = run.measured
    return run.uid, run.phase, run.deleting, run.terminate, found.unanswered, bool(found.failing)


def _same(change: Change[PodView]) -> bool:
    """Nothing has changed that planning reads."""
    old, new = change.old, change.new
    return old is not None and new is not None and _READ(old) == _READ(new)


def _said(error: ApiError) -> str:
    """The server's words, and its code where there is one."""
    return f"{error} ({error.status} {error.reason})".replace(" )", ")") if error.status else str(error)


def _turned(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a condition changes its status, which somebody may wait for (``kubectl wait``)."""
    before = {c.get("type"): c.get("status") for c in old.get("conditions") or ()}
    return {c["type"]: c["status"] for c in new.get("conditions") or ()} != before
