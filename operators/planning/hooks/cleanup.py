"""HookRuns that are asked once more, and those that nobody waits for any more.

Rules: docs/spec/gamedeployment.md 5.3 to 5.7.
"""

from __future__ import annotations

from collections.abc import Mapping

from operators.api import keys
from operators.planning.actions import Action, AnnotatePod, CreateHookRun, DeleteHookRun, Note, Stage
from operators.planning.hooks.pods import OLDER_TEMPLATE, HookKind, of_older_template, renewed, run_subject
from operators.planning.refusals import Refusal
from operators.planning.rollout import Rollout, awaits_post_hook
from operators.planning.views import HookRunView, PodView

_TRIES = 5
#: The field of the spec that configures the hook of each kind, and holds its ``retry``.
STRATEGY_FIELDS: Mapping[HookKind, str] = {
    "predelete": "preDeleteUpdateStrategy",
    "preinplace": "preInplaceUpdateStrategy",
    "postinplace": "postInplaceUpdateStrategy",
}


def refuses(run: HookRunView) -> bool:
    """The run has ended without success: its pod stays as it is until somebody acts."""
    return run.completed and run.phase != "Successful"


def retry(rollout: Rollout) -> tuple[list[Action], list[str]]:
    """``retry: true``: remove the answers that refused, so that the hooks are asked once more (spec 5.7).

    Also the fields of the switches that have done their work: a switch goes off only when no such answer is left, so
    that none is forgotten when its removal fails.
    """
    actions: list[Action] = []
    done: list[str] = []
    holders = {
        "predelete": rollout.spec.pre_delete_update_strategy,
        "preinplace": rollout.spec.pre_inplace_update_strategy,
        "postinplace": rollout.spec.post_inplace_update_strategy,
    }
    for kind, name in STRATEGY_FIELDS.items():
        if not holders[kind].retry:
            continue
        refused = [r for r in rollout.runs.of_kind(kind) if refuses(r)]
        actions += [DeleteHookRun(r.name, r.uid, "retry") for r in refused if not r.deleting]
        if not refused:
            done.append(name)
    return actions, done


def renew(rollout: Rollout) -> tuple[list[Action], list[Note]]:
    """Runs that got no answer to what their HookTemplate does not ask any more: made anew (docs/spec/hooks.md 6.6)."""
    actions: list[Action] = []
    notes: list[Note] = []
    for kind, hook in rollout.hooks.items():
        if hook is None:
            continue
        template = rollout.observed.templates.get(hook.template)
        for run in rollout.runs.of_kind(kind):
            if of_older_template(run, template):
                actions.append(DeleteHookRun(run.name, run.uid, OLDER_TEMPLATE))
                notes.append(renewed(run, hook.template))
    return actions, notes


def clean(rollout: Rollout, victims: Mapping[str, PodView], targets: Mapping[str, HookKind]) -> list[Action]:
    """Remove answers that nobody waits for or that are too old, and take back the mark on pods that stay (spec 5.4).

    The mark first: the run is what reminds a later pass of it. So the mark comes before everything else, and a run
    stays a few seconds longer where the mark could not be taken back for a reason that passes.
    """
    if not rollout.runs.all:
        return []
    actions: list[Action] = []
    by_name = {p.name: p for p in rollout.pods}
    wanted = {("predelete", p.revision, p.instance) for p in victims.values()}
    wanted |= {(kind, by_name[name].revision, by_name[name].instance) for name, kind in targets.items()}
    living = {(p.revision, p.instance): p for p in rollout.pods}
    awaited = {*victims, *targets}
    arriving = {getattr(a, "name", "") for a in rollout.taken_back}  # whoever waits for them may be joining just now
    for kind in ("predelete", "preinplace", "postinplace"):
        for run in rollout.runs.of_kind(kind):
            pod = living.get(run_subject(run))
            expired = rollout.runs.expired(kind, run)
            if run.deleting or run.name in arriving or ((kind, *run_subject(run)) in wanted and not expired):
                continue
            if kind == "postinplace" and pod is not None and awaits_post_hook(pod, rollout.runs):
                continue
            stays = pod is not None and (pod.name not in awaited or expired)
            if pod is not None and kind != "postinplace" and stays and _marked(pod):
                unmark = AnnotatePod(pod.name, pod.uid, {keys.POD_DELETING_ANNOTATION: "false"}, Stage.OWNERSHIP)
                actions.append(unmark)
                if _awaited(rollout.observed.refusals.get(unmark.refusal_key), rollout.now):
                    continue
            actions.append(DeleteHookRun(run.name, run.uid, "too old" if expired else "no longer needed"))
    return actions


def _marked(pod: PodView) -> bool:
    return pod.annotations.get(keys.POD_DELETING_ANNOTATION) == "true"


def _awaited(refusal: Refusal | None, now: float) -> bool:
    """A write that failed is tried again, and that is worth waiting for."""
    return refusal is not None and refusal.until > now and not refusal.lasting and refusal.count < _TRIES


def marks(rollout: Rollout, actions: list[Action]) -> list[Action]:
    """``game-pod-deleting: "true"`` on every pod whose pre hook is being asked, whenever it is missing (spec 5.3).

    And "false" on one of which nobody asks any more, also when somebody else has removed the run. Once its update in
    place has begun that is so when it is over, unless a hook after the update is configured: then it is for that hook
    to say when the pod is in use again (docs/spec/gamestatefulset.md 5.4).
    """
    kinds: tuple[HookKind, ...] = ("predelete", "preinplace")
    asked_now = {a.pod for a in actions if isinstance(a, CreateHookRun) and a.kind in kinds}
    dropped = {a.name for a in actions if isinstance(a, DeleteHookRun)}
    open_runs = [r for kind in kinds for r in rollout.runs.of_kind(kind) if not r.completed and r.name not in dropped]
    speak_for = {run_subject(r) for r in open_runs}
    busy = {getattr(a, "uid", "") for a in actions}
    found: list[Action] = []
    for pod in rollout.pods:
        mark = pod.annotations.get(keys.POD_DELETING_ANNOTATION)
        missing = mark is None and (pod.revision, pod.instance) in speak_for
        if missing or (pod.name in asked_now and mark != "true"):
            found.append(AnnotatePod(pod.name, pod.uid, {keys.POD_DELETING_ANNOTATION: "true"}))
        elif mark == "true" and pod.name not in asked_now and pod.uid not in busy and _is_free(rollout, pod):
            found.append(AnnotatePod(pod.name, pod.uid, {keys.POD_DELETING_ANNOTATION: "false"}))
    return found


def _is_free(rollout: Rollout, pod: PodView) -> bool:
    """No hook has been asked about the pod, and none that follows an update in place is still to come."""
    if rollout.runs.of("predelete", pod) or rollout.runs.of("preinplace", pod):
        return False
    if pod.state is None:
        return rollout.hooks["predelete"] is not None or rollout.hooks["preinplace"] is not None
    over = pod.state.revision == pod.revision and rollout.progress[pod.name].done
    return over and not (pod.gated and pod.gate is not True) and rollout.hooks["postinplace"] is None
