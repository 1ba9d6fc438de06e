"""The observation of a GameDeployment sorted out: whose pods these are, and what they stand for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from operators.api import keys
from operators.api.gamedeployment import GameDeploymentSpec
from operators.gamedeployment.observed import Observed
from operators.planning.actions import Action, AdoptPod, ReleasePod
from operators.planning.adoption import Origins, labelled
from operators.planning.budgets import budget
from operators.planning.identity import instance_ids
from operators.planning.refusals import pod_refused
from operators.planning.revisions import history
from operators.planning.rollout import (
    Rollout,
    StrategyNumbers,
    build_rollout,
    left_to_older_workload,
    origins_of,
)
from operators.planning.scaling import crash_backoff, failed_pod_deletion
from operators.planning.views import PodView

KIND = "GameDeployment"
_LABEL_LIMIT = 63


def _new_instances(pods: Collection[PodView]) -> dict[str, str]:
    """Instance ids for pods (by name) that have none of their own: the suffix of their name, else a new one (spec 7.4).

    Two pods of one id would share the answers of their hooks. The one whose name ends in it keeps it.
    """
    if len({p.instance for p in pods if p.instance}) == len(pods):
        return {}
    holders: dict[str, str] = {}
    for pod in pods:
        if pod.instance and (pod.instance not in holders or pod.name.endswith(f"-{pod.instance}")):
            holders[pod.instance] = pod.name
    given: dict[str, str] = {}
    for pod in pods:
        if holders.get(pod.instance) == pod.name:
            continue
        suffix = pod.name.rsplit("-", 1)[-1]
        free = 0 < len(suffix) <= _LABEL_LIMIT and suffix not in holders
        given[pod.name] = suffix if free else next(instance_ids(pod.uid, holders))
        holders[given[pod.name]] = pod.name
    return given


@dataclass(frozen=True, slots=True)
class Claimed:
    """The pods sorted: ``mine`` are our active ones, ``joining`` those that are adopted; each as this pass labels it.

    ``actions`` are what ownership needs.
    """

    mine: tuple[PodView, ...]
    joining: tuple[PodView, ...]
    actions: tuple[Action, ...]


def claim_pods(observed: Observed, spec: GameDeploymentSpec, origins: Origins, now: float) -> Claimed:
    """Our active pods, and what ownership needs: adopt, release, remove those that ended (spec 2.3).

    A pod is never released because of its phase. Pods that failed or completed are deleted, to be replaced at once;
    those that failed right after their creation after a rest.
    """
    rest = crash_backoff(observed, now)
    mine: list[PodView] = []
    orphans: list[PodView] = []
    actions: list[Action] = []
    uid, matches = observed.workload.uid, spec.selector.matches
    for pod in sorted(observed.pods, key=lambda p: p.name):
        if pod.owner is None:
            if pod.active and matches(pod.labels) and not left_to_older_workload(observed, pod):
                orphans.append(pod)
        elif pod.owner.uid != uid or pod.deleting:
            continue
        elif not matches(pod.labels):
            actions.append(ReleasePod(pod.name, pod.uid))
        elif pod.finished:
            if pod.name not in rest:
                actions.append(failed_pod_deletion(pod))
        else:
            mine.append(pod)
    labels = _labels(mine, orphans, origins)
    adopted = [AdoptPod(p.name, p.uid, labels.get(p.name, {})) for p in orphans]
    relabelled = [AdoptPod(p.name, p.uid, labels[p.name]) for p in mine if p.name in labels]
    return Claimed(tuple(labelled(mine, labels)), tuple(labelled(orphans, labels)), (*actions, *adopted, *relabelled))


def _labels(mine: list[PodView], orphans: list[PodView], origins: Origins) -> dict[str, dict[str, str]]:
    """Labels that pods lack, by name: an instance id, and the revision they were made from where they name none."""
    found = {name: {keys.INSTANCE_LABEL: id_} for name, id_ in _new_instances([*mine, *orphans]).items()}
    for pod in (*orphans, *(p for p in mine if not p.revision)):
        label = origins.label(pod)
        if label:
            found.setdefault(pod.name, {}).update(label)
    return found


def arriving_revisions(rollout: Rollout) -> list[str]:
    """Revisions of pods that need none in their place: orphans that this pass adopts, and failed ones that rest."""
    refusals, now = rollout.observed.refusals, rollout.now
    places = [pod.revision for _, pod in crash_backoff(rollout.observed, now).values()]
    return places + [p.revision for p in rollout.joining if not pod_refused(refusals, AdoptPod, p.uid, now)]


def rollout_of(observed: Observed, spec: GameDeploymentSpec, now: float) -> tuple[Rollout, tuple[Action, ...]]:
    """Sort the observation out; the rollout, and what ownership of the pods needs."""
    stored = history(observed.revisions, observed.workload.uid, spec.selector)
    claimed = claim_pods(observed, spec, origins_of(observed, spec, stored), now)
    strategy = spec.update_strategy
    limits = budget(strategy.max_unavailable, strategy.max_surge, spec.replicas)
    numbers = StrategyNumbers(strategy.partition, strategy.max_unavailable, strategy.max_surge)
    rollout = build_rollout(KIND, observed, spec, numbers, limits, claimed.mine, stored, now, joining=claimed.joining)
    return rollout, claimed.actions
