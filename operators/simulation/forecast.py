"""What a rollout will do, told by a simulation: each action, each step, and what every pod does meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from operators.api import keys
from operators.api.strategies import HookStep
from operators.planning import actions as act
from operators.planning.canary.state import describe
from operators.planning.hooks.pods import KINDS, run_subject
from operators.planning.inplace.update import in_grace
from operators.planning.views import HookRunView, PodView, hookrun_view
from operators.planning.workloads import Spec
from operators.simulation.cluster import SimulatedCluster
from operators.simulation.driver import Assumptions, Driver, Ending

PodDoes = Literal["ready", "asked", "grace", "restarting", "starting", "not ready", "leaving", "ended"]
#: Lanes go on for this part of the time after the last event, so that one sees how it ends.
_TAIL: Final = 0.03
#: Words of a pod that serves nobody.
DOWN: Final[frozenset[PodDoes]] = frozenset({"grace", "restarting", "starting", "not ready", "leaving", "ended"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One write of the operators, ``at`` seconds from the start.

    ``action`` is the planner's word for it, ``object`` the name of what is written, ``pod`` the pod that it concerns
    ("" for none). ``down_before`` and ``down_after`` are pods that are wanted and do not serve.
    """

    at: float
    action: str
    object: str
    pod: str
    why: str
    down_before: int
    down_after: int


@dataclass(frozen=True, slots=True)
class Span:
    """What a pod does from ``begin`` to ``end``, and whether it is at the new revision then."""

    does: PodDoes
    new: bool
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Lane:
    """A pod in time."""

    pod: str
    spans: tuple[Span, ...]


@dataclass(slots=True)
class Stretch:
    """A step of the rollout, or all of it where there are no steps; times in seconds from the start.

    ``leg`` counts the parts between which a person goes on. ``number`` is 0 and ``does`` empty without steps;
    ``is_step`` holds where the spec names the step: what is left after the last one is no step.
    """

    leg: int
    number: int
    does: str
    begin: float
    end: float
    person: bool = False
    updated: set[str] = field(default_factory=set)
    created: int = 0
    deleted: int = 0
    restarts: int = 0
    asked: int = 0
    down: int = 0
    is_step: bool = False
    templates: set[str] = field(default_factory=set)

    @property
    def pods(self) -> int:
        """Pods that it touches: those that are updated, or new where none is."""
        return len(self.updated) or self.created or self.deleted


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole.

    ``legs`` are the starts of the parts between which a person goes on, ``pauses`` how often the rollout waits for
    one. ``peaks`` are by HookTemplate the most pods that are asked about at once. ``down`` is how many pods are wanted
    and do not serve, from each of these times on. ``end`` is when lanes end: a little after the last that happens.
    """

    ending: Ending
    deeds: tuple[Deed, ...]
    stretches: tuple[Stretch, ...]
    lanes: tuple[Lane, ...]
    legs: tuple[float, ...]
    pauses: int
    peaks: Mapping[str, int]
    down: tuple[tuple[float, int], ...]
    end: float

    @property
    def restarts(self) -> int:
        """Restarts of containers that the update asks for."""
        return sum(s.restarts for s in self.stretches)

    @property
    def created(self) -> int:
        """New pods."""
        return sum(s.created for s in self.stretches)

    @property
    def deleted(self) -> int:
        """Pods that are deleted."""
        return sum(s.deleted for s in self.stretches)

    @property
    def updated(self) -> int:
        """Pods that are updated, in place or by a new one in their place."""
        return sum(len(s.updated) for s in self.stretches)

    @property
    def hooks(self) -> int:
        """HookRuns that are made."""
        return sum(s.asked for s in self.stretches)

    @property
    def idle(self) -> bool:
        """Nothing is done to anything that people would miss or notice."""
        return not any(d.pod or d.action in ("CreateHookRun", "CreateClaim", "DeleteClaim") for d in self.deeds)


def forecast(cluster: SimulatedCluster, assumptions: Assumptions) -> Forecast:
    """Play a world to its end; the cluster is used up by that.

    Raises:
        SimulationError: the planner asked for what no API server would do.
    """
    recorder = Recorder(cluster)
    return recorder.forecast(Driver(cluster, assumptions, recorder).run())


class Recorder:
    """Writes down what a driver tells."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster, self._began = cluster, cluster.now
        spec = cluster.observe().workload.spec
        strategy = spec.update_strategy if spec is not None else None
        self._replicas = spec.replicas if spec is not None else 0
        self._steps = strategy.canary.steps if strategy is not None and strategy.canary is not None else ()
        self._hooks = {} if spec is None else _hooks(spec)
        self._update = ""
        self._deeds: list[Deed] = []
        self._stretches: list[Stretch] = []
        self._legs = [0.0]
        self._pauses = 0
        self._seen: dict[str, tuple[str, str, bool]] = {}
        self._does: dict[str, tuple[PodDoes, bool]] = {}
        self._since: dict[str, float] = {}
        self._lanes: dict[str, list[Span]] = {}
        self._serving: set[str] = set()
        self._peaks: dict[str, int] = {}
        self._downs: list[tuple[float, int]] = []
        self._look("")

    def forecast(self, ending: Ending) -> Forecast:
        """Everything, now that it has ended."""
        last = max([ending.at, *(d.at for d in self._deeds)])
        end = last + max(1.0, float(round(last * _TAIL)))
        for name in list(self._does):
            self._close(name, end)
        self._stretches[-1].end = last
        return Forecast(
            ending=ending,
            deeds=tuple(self._deeds),
            stretches=tuple(s for s in self._stretches if s.pods or s.asked or s.is_step),
            lanes=tuple(Lane(name, tuple(spans)) for name, spans in self._lanes.items() if spans),
            legs=tuple(self._legs),
            pauses=self._pauses,
            peaks=dict(self._peaks),
            down=tuple(self._downs),
            end=end,
        )

    # ---- what the driver tells

    def looked(self) -> None:
        """A pass is about to be made: pods may have become ready at this very instant."""
        self._look(self._update)

    def acted(self, now: float, actions: Sequence[act.Action], before: Mapping[str, Any], after: act.Plan) -> None:
        """A pass wrote these."""
        self._update = str(after.status.update_revision or "")
        at, down = now - self._began, self._down()
        stretch = self._stretch(at, before, after)
        for action in actions:
            self._take(action)
            held, down = down, self._down()
            self._deeds.append(_deed(at, action, held, down))
            self._count(stretch, action)
        stretch.down = max(stretch.down, down)
        if any(isinstance(a, act.CreateHookRun) for a in actions):
            self._note_peaks()

    def settled(self, now: float) -> None:
        """Nothing more happens at this instant."""
        self._look(self._update)
        stretch, down = self._stretches[-1], self._down()
        stretch.down, stretch.end = max(stretch.down, down), now - self._began
        if not self._downs or self._downs[-1][1] != down:
            self._downs.append((stretch.end, down))

    def waits_for_person(self, now: float) -> None:
        """The rollout rests until a person goes on."""
        self._pauses += 1
        self._stretches[-1].person = True
        self._stretches[-1].end = now - self._began

    def resumed(self, now: float) -> None:
        """A person goes on: the next leg."""
        self._legs.append(now - self._began)

    # ---- steps

    def _stretch(self, at: float, before: Mapping[str, Any], after: act.Plan) -> Stretch:
        """The step that was in force when the pass was made; of a rollout that begins, its first."""
        known = before.get("updateRevision"), before.get("currentStepHash")
        present = after.status.update_revision, after.status.current_step_hash
        index = before.get("currentStepIndex") if known == present else after.status.current_step_index
        number, does, is_step = self._step(int(index or 0))
        last, leg = (self._stretches[-1] if self._stretches else None), len(self._legs)
        if last is not None:
            same = (last.number, last.does) == (number, does)
            if same and (last.leg == leg or does.startswith("pause")):
                return last
            last.end = at
        self._stretches.append(Stretch(leg, number, does, at, at, is_step=is_step))
        return self._stretches[-1]

    def _step(self, index: int) -> tuple[int, str, bool]:
        """Number of a step, 0 without steps; what it does; and whether the spec names it."""
        if not self._steps:
            return 0, "", False
        if index >= len(self._steps):
            return len(self._steps) + 1, "the rest", False
        return index + 1, describe(self._steps[index]), True

    def _count(self, stretch: Stretch, action: act.Action) -> None:
        if isinstance(action, act.UpdatePodInPlace):
            stretch.restarts += len(action.images)
            if action.begins:
                stretch.updated.add(action.name)
        elif isinstance(action, act.CreatePod):
            stretch.created += 1
        elif isinstance(action, act.DeletePod):
            stretch.deleted += 1
            if action.why == "rollingUpdate":
                stretch.updated.add(action.name)
        elif isinstance(action, act.CreateHookRun):
            stretch.asked += 1
            template = self._template_of(action.kind)
            if action.kind == "canary" and stretch.is_step:
                step = self._steps[stretch.number - 1]
                template = step.hook.template_name if step.hook is not None else ""
            if template:
                stretch.templates.add(template)

    def _template_of(self, kind: str) -> str:
        """The HookTemplate that the spec names for hooks of a kind, "" where it is a step that names it."""
        hook = self._hooks.get(kind)
        return hook.template_name if hook is not None else ""

    # ---- pods

    def _take(self, action: act.Action) -> None:
        """The pod stops serving by this."""
        if isinstance(action, act.DeletePod | act.ForceDeletePod) or (
            isinstance(action, act.UpdatePodInPlace) and (action.close_gate or action.images)
        ):
            self._serving.discard(action.name)

    def _down(self) -> int:
        return max(0, self._replicas - len(self._serving))

    def _look(self, update: str) -> None:
        """What every pod does now, of those that have changed."""
        cluster, at, asked = self._cluster, self._cluster.now - self._began, self._asked()
        for name in [n for n in self._does if n not in cluster.pods]:
            self._close(name, at)
            self._serving.discard(name)
        for name, body in cluster.pods.items():
            mark = (body["metadata"]["resourceVersion"], update, name in asked)
            if self._seen.get(name) == mark:
                continue
            self._seen[name] = mark
            pod = cluster.pod(name)
            if pod.owner is not None and pod.owner.uid != cluster.uid:
                continue  # of others: only its name is ours to speak of
            does = _does(pod, body, asked=name in asked)
            (self._serving.discard if does in DOWN else self._serving.add)(name)
            state = (does, bool(update) and pod.revision == update and does != "grace")
            if self._does.get(name) != state:
                self._close(name, at)
                self._does[name], self._since[name] = state, at

    def _close(self, name: str, at: float) -> None:
        state = self._does.pop(name, None)
        if state is not None and at > self._since[name]:
            self._lanes.setdefault(name, []).append(Span(*state, self._since[name], at))

    def _waiting(self) -> list[HookRunView]:
        runs = (hookrun_view(r) for r in self._cluster.hook_runs.values())
        return [r for r in runs if not r.completed]

    def _asked(self) -> set[str]:
        """Pods whose hook has not answered."""
        subjects = {run_subject(r) for r in self._waiting()}
        if not subjects:
            return set()
        return {n for n in self._cluster.pods if self._subject(n) in subjects}

    def _subject(self, name: str) -> tuple[str, str]:
        pod = self._cluster.pod(name)
        return pod.revision, pod.instance

    def _note_peaks(self) -> None:
        """How many pods are asked about at once, by HookTemplate."""
        kinds = (KINDS.get(r.labels.get(keys.HOOK_TYPE_LABEL, ""), "") for r in self._waiting())
        found = Counter(template for kind in kinds if (template := self._template_of(kind)))
        for template, count in found.items():
            self._peaks[template] = max(self._peaks.get(template, 0), count)


def _hooks(spec: Spec) -> dict[str, HookStep | None]:
    return {
        "predelete": spec.pre_delete_update_strategy.hook,
        "preinplace": spec.pre_inplace_update_strategy.hook,
        "postinplace": spec.post_inplace_update_strategy.hook,
    }


def _does(pod: PodView, body: Mapping[str, Any], *, asked: bool) -> PodDoes:
    """What a pod does, in a word: the first that holds."""
    if pod.deleting:
        return "leaving"
    if pod.finished:
        return "ended"
    if pod.phase != "Running":
        return "starting"
    if any(c.get("stale") for c in body["spec"]["containers"]):
        return "restarting"
    if pod.grace is not None and in_grace(pod):
        return "grace"
    if not pod.ready:
        return "not ready"
    return "asked" if asked else "ready"


def _deed(at: float, action: act.Action, before: int, after: int) -> Deed:
    name = str(getattr(action, "name", ""))
    pod = name if action.kind_of_object == "pods" and not isinstance(action, act.TryPod) else ""
    why = str(getattr(action, "why", "") or getattr(action, "reason", "") or "")
    if isinstance(action, act.CreateHookRun):
        pod, why = action.pod, action.kind
    elif isinstance(action, act.UpdatePodInPlace):
        why = _update_words(action)
    elif isinstance(action, act.CreatePod):
        why = action.revision
    return Deed(at, type(action).__name__, name, pod, why, before, after)


def _update_words(action: act.UpdatePodInPlace) -> str:
    if action.images:
        return "restart " + ", ".join(action.images)
    return "grace" if action.close_gate else "metadata"
