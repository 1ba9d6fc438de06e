"""Virtual time: passes of the planner, and kubelets, hooks and people that take as long as is assumed of them.

Time jumps from one event to the next, so that a rollout of hours is played in moments. At each instant passes are made
until nothing is written any more; what they wrote makes kubelets and hooks do something later. The same world and the
same assumptions give the same actions, in the same order, at the same times.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from operators.api.hookphase import FINAL_PHASES
from operators.api.reasons import BlockedReason, ConditionType
from operators.planning import actions as act
from operators.planning.explain import ASIDE, HELD
from operators.planning.inplace.update import container_done
from operators.planning.views import PodView
from operators.simulation.answers import seconds_to_yes
from operators.simulation.cluster import Json, SimulatedCluster, termination
from operators.simulation.statefulset import SimulatedSet

#: Passes at one instant: a workload that writes on and on is not planned, it is said.
_PASSES_AT_ONCE: Final = 300
#: A person's patience: pauses that a plan goes through.
_RESUMES: Final = 200
#: Reasons of a rest that a person ends with ``paused: false``.
_BY_A_PERSON: Final = frozenset({BlockedReason.CANARY_PAUSED, BlockedReason.PAUSED})


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is taken for granted of those who are not simulated; all times in seconds.

    ``start`` is from the creation of a pod to ready, ``restart`` from a new image to ready, ``end`` from the deletion
    of a pod to its end (None: its own grace period). ``hooks``: every measurement says yes (``after`` so many seconds),
    or none ever does. ``resume`` is after how long a person goes on, None: never. A plan ends after ``horizon`` of
    virtual time, or when its passes have looked at ``most_looks`` pods.
    """

    start: float = 10.0
    restart: float = 5.0
    end: float | None = None
    hooks: Literal["yes", "no"] = "yes"
    after: float = 0.0
    resume: float | None = 0.0
    horizon: float = 21_600.0
    most_looks: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ends: ``state``, the planner's reason and words where there are any, and when (seconds from the start).

    ``complete``: nothing is left. ``rests``: by wish, a person or a partition has the next word. ``stuck``: somebody
    has to mend something. ``limit``: it was cut short.
    """

    state: Literal["complete", "rests", "stuck", "limit"]
    at: float
    reason: str = ""
    message: str = ""


class Witness(Protocol):
    """Who is told what happens. Times are Unix seconds of the simulation."""

    def looked(self) -> None:
        """A pass is about to be made."""

    def acted(self, now: float, actions: Sequence[act.Action], before: Mapping[str, Any], after: act.Plan) -> None:
        """A pass wrote these; ``before`` is the status that it found, ``after`` what it made of it."""

    def settled(self, now: float) -> None:
        """Nothing more happens at this instant."""

    def waits_for_person(self, now: float) -> None:
        """The rollout rests until a person goes on."""

    def resumed(self, now: float) -> None:
        """A person goes on."""


@dataclass(order=True, slots=True)
class _Event:
    """Something that will happen to an object, if it still is that one."""

    at: float
    number: int
    what: str = field(compare=False)
    name: str = field(compare=False, default="")
    uid: str = field(compare=False, default="")


class Driver:
    """Drives one workload to its end, or to a limit."""

    def __init__(self, cluster: SimulatedCluster, assumptions: Assumptions, witness: Witness) -> None:
        self.cluster, self.assumed, self.witness = cluster, assumptions, witness
        self.began = cluster.now
        self._events: list[_Event] = []
        self._number = 0
        self._restarts: dict[str, int] = {}
        self._looks = 0
        self._resumes = 0
        self._changed = cluster.now

    def run(self) -> Ending:
        """Until nothing moves any more, or a limit is reached."""
        self._pick_up()
        self._happen()
        while True:
            decision = self._instant()
            if isinstance(decision, Ending):
                return decision
            following = self._next(decision)
            if following is None:
                ended = self._rest(decision)
                if ended is not None:
                    return ended
                continue
            if following - self.began > self.assumed.horizon:
                text = f"not at its end after {self.assumed.horizon:g} s of virtual time"
                return self._limit(text)
            self.cluster.now = following
            self._happen()

    # ---- an instant

    def _instant(self) -> act.Plan | Ending:
        """Passes, and what follows from them at once, until nothing is written any more."""
        cluster = self.cluster
        for _ in range(_PASSES_AT_ONCE):
            self._looks += len(cluster.pods) + 1
            before = cluster.workload.get("status") or {}
            self.witness.looked()
            decision = cluster.decide()
            actions = [a for a in decision.actions if cluster.apply(a)]
            wrote = cluster.write_status(decision)
            if actions or wrote:
                self._changed = cluster.now
            self.witness.acted(cluster.now, actions, before, decision)
            self._follow(actions)
            if self._due():
                self._happen()
            elif not actions and not wrote:
                self.witness.settled(cluster.now)
                return decision
            if self._looks > self.assumed.most_looks:
                return self._limit(f"not at its end after {self._looks} looks at pods")
        return self._limit(f"the planner still writes after {_PASSES_AT_ONCE} passes at one instant")

    def _limit(self, text: str) -> Ending:
        return Ending("limit", self._changed - self.began, "", text)

    def _next(self, decision: act.Plan) -> float | None:
        """When something happens next, None when nothing ever will."""
        times = [self._events[0].at] if self._events else []
        if decision.wake_after is not None:
            times.append(self.cluster.now + max(decision.wake_after, 0.1))
        return min(times, default=None)

    def _rest(self, decision: act.Plan) -> Ending | None:
        """What it means that nothing moves; None when a person goes on."""
        at = self._changed - self.began
        if self.cluster.workload["metadata"].get("deletionTimestamp"):
            return Ending("rests", at, "", f"{self.cluster.name} is being deleted: nothing of it is updated any more")
        status = decision.status.dump()
        conditions = {c["type"]: c for c in status.get("conditions") or ()}
        if conditions.get(ConditionType.COMPLETE, {}).get("status") == "True":
            return Ending("complete", at)
        serious = [b for b in decision.blocked if b.reason not in ASIDE]
        person = next((b for b in serious if b.reason in _BY_A_PERSON), None)
        if person is not None:
            self.witness.waits_for_person(self.cluster.now)
            if self.assumed.resume is not None and self._resumes < _RESUMES:
                self._resumes += 1
                self._at(self.cluster.now + self.assumed.resume, "resume")
                self._wait_for_person()
                return None
        mend = next((b for b in serious if not b.waiting), None)
        if mend is not None:
            return _stuck(at, mend, serious)
        held = next((b for b in serious if b.reason in HELD), None)
        if held is not None:
            return Ending("rests", at, str(held.reason), held.message)
        first = next(iter(serious), None)
        if first is not None:
            return _stuck(at, first, serious)
        ready = conditions.get(ConditionType.READY, {})
        if ready.get("status") == "True":
            return Ending("complete", at)
        return Ending("stuck", at, str(ready.get("reason") or ""), str(ready.get("message") or "nothing moves"))

    def _wait_for_person(self) -> None:
        self.cluster.now = self._events[0].at
        self._happen()

    # ---- what will happen

    def _at(self, when: float, what: str, name: str = "", uid: str = "") -> int:
        self._number += 1
        heapq.heappush(self._events, _Event(when, self._number, what, name, uid))
        return self._number

    def _due(self) -> bool:
        return bool(self._events) and self._events[0].at <= self.cluster.now

    def _happen(self) -> None:
        """Everything that is due."""
        ended = False
        while self._due():
            event = heapq.heappop(self._events)
            ended = ended or event.what == "end"
            self._do(event)
        if ended and isinstance(self.cluster, SimulatedSet):
            self.cluster.collect_garbage()

    def _do(self, event: _Event) -> None:
        cluster, name = self.cluster, event.name
        if event.what == "resume":
            self.witness.resumed(cluster.now)
            cluster.patch_spec({"updateStrategy": {"paused": False}})
            return
        objects = cluster.hook_runs if event.what == "answer" else cluster.pods
        body = objects.get(name)
        if body is None or body["metadata"]["uid"] != event.uid:
            return
        self._changed = cluster.now
        if event.what == "answer":
            self._answer(name)
        elif event.what == "start":
            cluster.start_pod(name)
        elif event.what == "restart" and self._restarts.get(event.uid) == event.number:
            cluster.restart_containers(name)
            self._probe_later(name)  # others of its containers may not be ready
        elif event.what == "ready":
            cluster.set_container_ready(name, ready=True)
        elif event.what == "probe":
            cluster.probe_pod(name)
        elif event.what == "end" and name not in cluster.held:
            cluster.kill_pod(name)

    def _answer(self, name: str) -> None:
        run = self.cluster.hook_runs[name]
        if (run.get("status") or {}).get("phase") in FINAL_PHASES:
            return
        said = self.assumed.hooks == "yes"
        if run["spec"].get("terminate"):
            self.cluster.answer_hook(name, "Successful" if said else "Failed", "terminated")
        else:
            self.cluster.answer_hook(name, "Successful" if said else "Running", "" if said else "says no")

    def _follow(self, actions: Sequence[act.Action]) -> None:
        """What kubelets and hooks will do about it."""
        for action in actions:
            if isinstance(action, act.CreatePod):
                self._of_pod(action.name, "start", self.assumed.start)
            elif isinstance(action, act.UpdatePodInPlace) and action.images:
                self._of_pod(action.name, "restart", self.assumed.restart)
            elif isinstance(action, act.SetGate):
                self._of_pod(action.name, "probe", 0.0)
            elif isinstance(action, act.DeletePod):
                self._of_pod(action.name, "end", self._end_of(self.cluster.pods[action.name]))
            elif isinstance(action, act.CreateHookRun):
                self._ask(action.name)
            elif isinstance(action, act.TerminateHookRun):
                self._at(self.cluster.now, "answer", action.name, action.uid)

    def _of_pod(self, name: str, what: str, after: float) -> None:
        uid = self.cluster.pods[name]["metadata"]["uid"]
        number = self._at(self.cluster.now + max(0.0, after), what, name, uid)
        if what == "restart":  # a container that is told of later restarts the pod's clock
            self._restarts[uid] = number

    def _end_of(self, pod: Json) -> float:
        return termination(pod) if self.assumed.end is None else self.assumed.end

    def _ask(self, name: str, asked: float | None = None) -> None:
        """A HookRun that was created at ``asked`` (now, unless given) will answer."""
        run, now = self.cluster.hook_runs[name], self.cluster.now
        if self.assumed.hooks == "no":
            self._at(now, "answer", name, run["metadata"]["uid"])
            return
        takes = self.assumed.after + seconds_to_yes(run["spec"])
        self._at(max(now, (now if asked is None else asked) + takes), "answer", name, run["metadata"]["uid"])

    # ---- a world that is under way

    def _pick_up(self) -> None:
        """What kubelets and hooks are about to do when the simulation takes over."""
        for name in sorted(self.cluster.pods):
            self._pick_up_pod(name, self.cluster.pod(name))
        for name, run in sorted(self.cluster.hook_runs.items()):
            if (run.get("status") or {}).get("phase") not in FINAL_PHASES:
                self._ask(name)

    def _pick_up_pod(self, name: str, pod: PodView) -> None:
        body, now = self.cluster.pods[name], self.cluster.now
        if pod.deleting:
            if pod.finalizers:
                self.cluster.held.add(name)
            end = now if self.assumed.end is not None else pod.deletion_timestamp or now
            self._of_pod(name, "end", end - now)
        elif pod.finished or pod.problem is not None:
            return  # it stays as it is: what ails it is not known here
        elif pod.phase != "Running":
            self._of_pod(name, "start", pod.created + self.assumed.start - now)
        elif stale := stale_containers(pod):
            for container in body["spec"]["containers"]:
                if container["name"] in stale:
                    container["stale"] = True
            self._of_pod(name, "restart", max(stale.values()) + self.assumed.restart - now)
        elif not pod.containers_ready:
            self._probe_later(name)
        elif not pod.ready:
            self._of_pod(name, "probe", 0.0)

    def _probe_later(self, name: str) -> None:
        """A pod whose containers run and are not ready is taken to be starting."""
        pod = self.cluster.pod(name)
        if pod.phase == "Running" and not pod.containers_ready and pod.problem is None:
            since = pod.created if pod.unready_since is None else pod.unready_since
            self._of_pod(name, "ready", since + self.assumed.start - self.cluster.now)


def _stuck(at: float, first: act.Blocked, blocked: Sequence[act.Blocked]) -> Ending:
    """Stuck for this reason, with how many are besides."""
    more = sum(b.reason == first.reason for b in blocked) - 1
    return Ending("stuck", at, str(first.reason), first.message + (f" (and {more} more)" if more else ""))


def stale_containers(pod: PodView) -> dict[str, float]:
    """Containers that were told to restart, and have not: by name, since when."""
    state = pod.state
    if state is None:
        return {}
    return {
        c.name: state.since if before.at is None else before.at
        for c in pod.containers
        if (before := state.recorded.get(c.name)) is not None and not container_done(c, before, state.since)
    }
