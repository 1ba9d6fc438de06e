"""What HookRuns say: read off their bodies, in the words of the screens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from operators.api import keys
from operators.cli.game.documents import HookState
from operators.cli.game.subject import Subject
from operators.kube.times import rfc3339
from operators.planning.hooks.pods import KINDS, asks_the_same, run_subject
from operators.planning.views import HookRunView, PodView

Json = Mapping[str, Any]
_State = Literal["not asked yet", "says no", "only errors", "failed", "passed", "being removed"]


def hook_states(subject: Subject) -> list[HookState]:
    """Every HookRun of the workload, by name."""
    pods: dict[tuple[str, str], PodView] = {}
    for pod in subject.observed.pods:
        if pod.owner is not None and pod.owner.uid == subject.view.uid:
            held = pods.setdefault((pod.revision, pod.instance), pod)
            if held.deleting and not pod.deleting:
                pods[pod.revision, pod.instance] = pod
    own = [r for r in subject.observed.hook_runs if r.owner is not None and r.owner.uid == subject.view.uid]
    return [_hook_state(subject, run, pods.get(run_subject(run))) for run in sorted(own, key=lambda r: r.name)]


def open_hooks(states: list[HookState]) -> list[HookState]:
    """Those that hold something up, the oldest first."""
    waiting = [h for h in states if h.state not in ("passed", "being removed")]
    return sorted(waiting, key=lambda h: (h.since, h.run))


def answer(state: HookState) -> str:
    """The last answer in a few words: ``players 37``, or what went wrong."""
    if state.state == "not asked yet":
        return "not asked yet"
    if state.value:
        return f"{state.metric} {state.value}".strip()
    return state.message or state.state


def _hook_state(subject: Subject, run: HookRunView, pod: PodView | None) -> HookState:
    body = subject.runs.get(run.name) or {}
    hook = KINDS.get(run.labels.get(keys.HOOK_TYPE_LABEL, ""), "")
    template = _template(subject, run, hook)
    results = (body.get("status") or {}).get("metricResults") or ()
    telling = next((r for r in results if r.get("phase") != "Successful"), results[-1] if results else {})
    last: Json = (telling.get("measurements") or ({},))[-1]
    asked = sum(int(r.get("count") or 0) for r in results)
    errors = sum(int(r.get("error") or 0) for r in results)
    metrics = {m.get("name"): m for m in (body.get("spec") or {}).get("metrics") or ()}
    metric: Json = metrics.get(telling.get("name")) or next(iter(metrics.values()), {})
    return HookState(
        run=run.name,
        hook=hook,
        template=template,
        pod=pod.name if pod is not None else "",
        state=_state(run, asked, errors),
        phase=run.phase or "Pending",
        asked=asked,
        errors=errors,
        metric=str(metric.get("name") or ""),
        value=str(last.get("value") or ""),
        message=str(last.get("message") or (body.get("status") or {}).get("message") or ""),
        wants=_wants(metric),
        since=rfc3339(run.created),
        outdated=_outdated(subject, run, template),
    )


def _state(run: HookRunView, asked: int, errors: int) -> _State:
    if run.deleting:
        return "being removed"
    if run.completed:
        return "passed" if run.phase == "Successful" else "failed"
    if not asked:
        return "not asked yet"
    return "only errors" if errors == asked else "says no"


def _wants(metric: Json) -> str:
    """What the answer has to fulfil."""
    if metric.get("successCondition"):
        return str(metric["successCondition"])
    return f"not {metric['failureCondition']}" if metric.get("failureCondition") else ""


def _template(subject: Subject, run: HookRunView, hook: str) -> str:
    """The HookTemplate that the run was made from, by what the workload asks for now; "" when that is not known."""
    if subject.standing is None:
        return ""
    rollout = subject.standing.rollout
    if hook != "canary":
        held = rollout.hooks.get(hook)
        return held.template if held is not None else ""
    index = run.labels.get(keys.HOOK_STEP_LABEL, "")
    steps = rollout.canary.steps
    step = steps[int(index)] if index.isdigit() and int(index) < len(steps) else None
    return step.hook.template_name if step is not None and step.hook is not None else ""


def _outdated(subject: Subject, run: HookRunView, template: str) -> bool:
    """The template asks for something else by now."""
    present = subject.observed.templates.get(template)
    return present is not None and not asks_the_same(run, present)
