"""The observation of a GameDeployment sorted out: whose pods these are, and what they stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from operators.api import keys
from operators.api.gamedeployment import GameDeploymentSpec
from operators.gamedeployment.observed import Observed
from operators.planning.actions import Action, AdoptPod, ReleasePod
from operators.planning.budgets import budget
from operators.planning.identity import instance_ids
from operators.planning.refusals import pod_refused
from operators.planning.revisions import history
from operators.planning.rollout import (
    Rollout,
    StrategyNumbers,
    build_rollout,
    left_to_older_workload,
    revision_made_from,
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


def claim_pods(
    observed: Observed, spec: GameDeploymentSpec, templates: Mapping[str, Mapping[str, object]], now: float
) -> tuple[list[PodView], list[Action]]:
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
    actions += _labelled(mine, orphans, templates)
    return mine, actions


def _labelled(
    mine: list[PodView], orphans: list[PodView], templates: Mapping[str, Mapping[str, object]]
) -> Iterator[Action]:
    """Orphans are taken with the labels they lack; one of ours that lost its instance id gets one again."""
    ids = _new_instances([*mine, *orphans])
    for pod in orphans:
        labels = {keys.INSTANCE_LABEL: ids[pod.name]} if pod.name in ids else {}
        made_from = revision_made_from(pod, templates)
        if made_from and made_from != pod.revision:
            labels[keys.REVISION_LABEL] = made_from
        yield AdoptPod(pod.name, pod.uid, labels)
    for pod in mine if ids else ():
        if pod.name in ids:
            yield AdoptPod(pod.name, pod.uid, {keys.INSTANCE_LABEL: ids[pod.name]})


def arriving_revisions(rollout: Rollout, ownership: Collection[Action]) -> list[str]:
    """Revisions of pods that need none in their place: orphans that this pass adopts, and failed ones that rest."""
    places = [pod.revision for _, pod in crash_backoff(rollout.observed, rollout.now).values()]
    if not ownership:
        return places
    refusals, orphans = rollout.observed.refusals, {p.name: p for p in rollout.observed.pods if p.owner is None}
    return places + [
        action.labels.get(keys.REVISION_LABEL) or orphans[action.name].revision
        for action in ownership
        if isinstance(action, AdoptPod)
        and action.name in orphans
        and not pod_refused(refusals, AdoptPod, action.uid, rollout.now)
    ]


def rollout_of(observed: Observed, spec: GameDeploymentSpec, now: float) -> tuple[Rollout, list[Action]]:
    """Sort the observation out; the rollout, and what ownership of the pods needs."""
    stored = history(observed.revisions, observed.workload.uid, spec.selector)
    pods, ownership = claim_pods(observed, spec, {r.name: r.template for r in stored.known}, now)
    strategy = spec.update_strategy
    limits = budget(strategy.max_unavailable, strategy.max_surge, spec.replicas)
    numbers = StrategyNumbers(strategy.partition, strategy.max_unavailable, strategy.max_surge)
    return build_rollout(KIND, observed, spec, numbers, limits, pods, stored, now), ownership
