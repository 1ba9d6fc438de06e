"""Whose pods these are, and which ordinals they hold (docs/spec/gamestatefulset.md 6.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from operators.api import keys
from operators.api.gamestatefulset import GameStatefulSetSpec
from operators.api.reasons import BlockedReason
from operators.gamestatefulset.claims import claim_of, storage_matches
from operators.gamestatefulset.observed import Observed
from operators.gamestatefulset.ordinals import ordinal_of
from operators.gamestatefulset.pods import missing_labels
from operators.planning.actions import Action, AdoptPod, Blocked, DeleteHookRun, ReleasePod
from operators.planning.adoption import Origins
from operators.planning.rollout import left_to_older_workload
from operators.planning.views import HookRunView, PodView


@dataclass(frozen=True, slots=True)
class Membership:
    """The pods sorted.

    ``pods`` are ours by ordinal, those on their way out or ended included. ``claimed`` are all that carry our
    controller reference, ``joining`` those that are adopted; each is as this pass labels it. ``taken`` says of ordinals
    which strangers hold their names. ``actions`` are what ownership needs.
    """

    pods: Mapping[int, PodView] = field(default_factory=dict)
    claimed: tuple[PodView, ...] = ()
    joining: tuple[PodView, ...] = ()
    taken: Mapping[int, Blocked] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()

    @property
    def active(self) -> list[PodView]:
        """Pods that neither ended nor are being deleted, by ordinal."""
        return [pod for _, pod in sorted(self.pods.items()) if pod.active]


def claim_pods(observed: Observed, spec: GameStatefulSetSpec, origins: Origins) -> Membership:
    """Sort the pods: ours, to be adopted, to be released, and strangers in the way.

    A pod is a member only under its own name. One that we own under another name is counted, and left alone. One that
    joins us without the claims of its ordinal is of no revision of ours, even if its template is: a living pod cannot
    be given them, so that only another in its place has them.
    """
    workload = observed.workload
    claimed: list[PodView] = []
    own: dict[int, PodView] = {}
    joining: list[PodView] = []
    taken: dict[int, Blocked] = {}
    actions: list[Action] = []
    for pod in sorted(observed.pods, key=lambda p: p.name):
        ordinal = ordinal_of(workload.name, pod.name)
        ours = pod.owner is not None and pod.owner.uid == workload.uid
        member = ours and ordinal is not None and (pod.deleting or spec.selector.matches(pod.labels))
        lost = _lacking(pod, workload.name, ordinal, spec, origins) if member and pod.active else {}
        view = replace(pod, labels={**pod.labels, **lost}) if lost else pod
        if ours:
            claimed.append(view)
        if ordinal is None:
            continue
        if member:
            own[ordinal] = view
            actions += [AdoptPod(pod.name, pod.uid, lost)] if lost else []
            continue
        taken[ordinal] = _taken(pod)
        if ours:
            actions.append(ReleasePod(pod.name, pod.uid))
        elif _adoptable(observed, spec, pod):
            labels = _lacking(pod, workload.name, ordinal, spec, origins)
            if pod.active:
                joining.append(replace(pod, labels={**pod.labels, **labels}))
            actions.append(AdoptPod(pod.name, pod.uid, labels))
    for pod in observed.name_conflicts:
        ordinal = ordinal_of(workload.name, pod.name)
        if ordinal is not None:
            taken.setdefault(ordinal, _taken(pod))
    return Membership(own, tuple(claimed), tuple(joining), taken, tuple(actions))


def _adoptable(observed: Observed, spec: GameStatefulSetSpec, pod: PodView) -> bool:
    """Nobody controls it, the selector matches it, and no older workload has the right to it."""
    free = pod.owner is None and not pod.deleting and spec.selector.matches(pod.labels)
    return free and not left_to_older_workload(observed, pod)


def _lacking(
    pod: PodView, workload: str, ordinal: int | None, spec: GameStatefulSetSpec, origins: Origins
) -> dict[str, str]:
    """Labels that a pod lacks: its identity, and the revision that an orphan, or one without, was made from."""
    labels = missing_labels(workload, ordinal, pod) if ordinal is not None else {}
    if pod.made_of is None:
        return labels
    volumes = [(v.get("name", ""), claim_of(v)) for v in pod.made_of.spec.get("volumes") or ()]
    if storage_matches(workload, spec.volume_claim_templates, pod.name, volumes):
        return labels | origins.label(pod)
    return labels | ({keys.REVISION_LABEL: ""} if pod.revision else {})


def _taken(pod: PodView) -> Blocked:
    whose = f"belongs to {pod.owner.kind} {pod.owner.name}" if pod.owner is not None else "has no controller"
    going = " and is being deleted" if pod.deleting else ""
    text = f"pod {pod.name} cannot be created: its name is taken by a pod that {whose}{going}"
    return Blocked(BlockedReason.NAME_TAKEN, text, pod.name, waiting=pod.deleting)


def without_stale_answers(observed: Observed, pods: Mapping[int, PodView]) -> tuple[Observed, list[Action]]:
    """The observation without answers of hooks that were given for an earlier pod of the same ordinal (spec 5.4).

    An ordinal comes back under the same name and, often, the same revision: only the UID tells that somebody else is
    asked now. Such an answer counts as being removed, so that nothing goes on before it is gone.
    """
    living = {str(ordinal): pod.uid for ordinal, pod in pods.items()}
    runs: list[HookRunView] = []
    actions: list[Action] = []
    for run in observed.hook_runs:
        asked = run.labels.get(keys.HOOK_POD_UID_LABEL, "")
        present = living.get(run.labels.get(keys.HOOK_INSTANCE_LABEL, ""), asked)
        if asked and asked != present and not run.deleting and run.owner is not None:
            actions.append(DeleteHookRun(run.name, run.uid, "of an earlier pod of this ordinal"))
            runs.append(replace(run, deleting=True))
        else:
            runs.append(run)
    return (replace(observed, hook_runs=tuple(runs)) if actions else observed), actions
