"""``hook run``, ``hook renew``, ``hook pass`` and ``hook cancel``: a person's hand on one hook."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operators.cli.game.commands.steer import DryRun
from operators.cli.game.exits import CommandError, Exit, UsageError
from operators.cli.game.flags import Flags, seconds

if TYPE_CHECKING:
    from operators.cli.game.access import Access
    from operators.cli.game.hookorders import Removal
    from operators.planning.views import HookTemplateView, PodView

Run = Annotated[str, typer.Argument(help="A HookRun, as kubectl game hooks -o name has it.", show_default=False)]
#: Seconds after which a run of one's own that has ended is removed by the operators.
_KEPT = 300


def hook_run(
    flags: Flags,
    *,
    template: Annotated[str, typer.Argument(help="A HookTemplate.", show_default=False)],
    pod: Annotated[str | None, typer.Option("--pod", help="The pod to ask about; none: as a canary step asks.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("--arg", help="NAME=VALUE of an argument; may be repeated.")
    ] = None,
    address: Annotated[str | None, typer.Option("--address", help="Prometheus as it is reached from here.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Let a patch of annotations be done.")] = False,
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="Have the operators measure, by a HookRun of your own.")
    ] = False,
    timeout: Annotated[str, typer.Option("--timeout", help="How long to follow that HookRun.")] = "60s",
) -> int:
    """Measure a HookTemplate once, and say what a run would make of it. Pods are asked through the API server."""
    supplied = [_argument(text) for text in arguments or ()]
    if in_cluster and address is not None:
        raise UsageError("--address is for measurements from here; --in-cluster asks as the template says")
    return asyncio.run(_run(flags, template, pod, supplied, address, seconds(timeout), write=write, inside=in_cluster))


def hook_renew(flags: Flags, *, run: Run, dry_run: DryRun = "none") -> int:
    """Remove a HookRun, so that its workload asks anew by the template as it is now."""
    return asyncio.run(_remove(flags, run, "renew", dry_run))


def hook_cancel(flags: Flags, *, run: Run, dry_run: DryRun = "none") -> int:
    """Remove a HookRun that no workload asks for, like one of hook run --in-cluster."""
    return asyncio.run(_remove(flags, run, "cancel", dry_run))


def hook_pass(
    flags: Flags,
    *,
    run: Run,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The pod's name; of a canary step the workload's.")
    ] = None,
    dry_run: DryRun = "none",
) -> int:
    """Let a pod go, or a step on, although its hook has not said yes. Asks for the pod's name."""
    return asyncio.run(_pass(flags, run, confirm, dry_run))


def _argument(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError(f"{text!r} is no argument: write NAME=VALUE")
    return name, value


# ---- run


async def _run(
    flags: Flags,
    name: str,
    pod_name: str | None,
    supplied: list[tuple[str, str]],
    address: str | None,
    timeout: float,
    *,
    write: bool,
    inside: bool,
) -> int:
    from operators.api.hookrun import HookRunSpec
    from operators.cli.game.access import access
    from operators.kube.resources import HOOK_TEMPLATES, PODS
    from operators.planning.actions import Blocked
    from operators.planning.hooks.pods import Hook, compose, supplied_by_pod
    from operators.planning.views import hooktemplate_view, pod_view

    async with access(flags) as connection:
        namespace = connection.own_namespace
        template = hooktemplate_view(await connection.client.get(HOOK_TEMPLATES, namespace, name))
        pod = None
        if pod_name is not None:
            pod = pod_view(await connection.client.get(PODS, namespace, pod_name.removeprefix("pod/")))
        hook = Hook(name, (*await _of_workload(connection, template, pod), *supplied))
        known = supplied_by_pod(hook, pod, ()) if pod is not None else [*hook.args, ("HostIP", "")]
        made = compose(hook, template, known, f"pod {pod.name}" if pod is not None else "canary step")
        if isinstance(made, Blocked):
            raise CommandError(f"{made.message}; give it by --arg NAME=VALUE")
        spec = HookRunSpec.model_validate(made.spec)
        if inside:
            return await _in_cluster(connection, template, pod, made.spec, timeout)
        return await _from_here(connection, template, pod, spec, address, write=write)


async def _of_workload(
    connection: Access, template: HookTemplateView, pod: PodView | None
) -> tuple[tuple[str, str], ...]:
    """Arguments that the pod's workload gives to this template; none where it does not use it."""
    from operators.cli.game import live
    from operators.cli.game.names import SHORT

    if pod is None or pod.owner is None or pod.owner.kind not in SHORT:
        return ()
    _, subject = await live.load(connection, f"{SHORT[pod.owner.kind]}/{pod.owner.name}")
    if subject.standing is None:
        return ()
    hooks = subject.standing.rollout.hooks.values()
    return next((hook.args for hook in hooks if hook is not None and hook.template == template.name), ())


async def _from_here(
    connection: Access,
    template: HookTemplateView,
    pod: PodView | None,
    spec: Any,
    address: str | None,
    *,
    write: bool,
) -> int:
    from operators.cli.game.documents import HookTrial
    from operators.cli.game.trial import Trial
    from operators.cli.game.trials import outcome
    from operators.kube.times import rfc3339

    args = tuple((argument.name, argument.value) for argument in spec.args)
    trial = Trial(connection.client, connection.own_namespace, pod, args, address, write)
    told, verdicts = [], []
    for metric in spec.metrics:
        one, verdict = await trial.measure(metric)
        told.append(one)
        verdicts.append((metric.name, verdict))
    now = time.time()
    phase, as_a_run = outcome(spec, verdicts, now)
    found = HookTrial(
        at=rfc3339(now),
        template=template.name,
        namespace=template.namespace,
        pod=pod.name if pod is not None else "",
        run="",
        metrics=tuple(told),
        phase=phase,
        as_a_run=as_a_run,
    )
    return _show(connection, found)


def _show(connection: Access, found: Any) -> int:
    from operators.cli.game.output import Screen
    from operators.cli.game.trials import trial_screen
    from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES

    name = HOOK_RUNS.qualified(found.run) if found.run else HOOK_TEMPLATES.qualified(found.template)
    Screen.of(connection.flags).show(found, lambda _: trial_screen(found), [name])
    return Exit.REACHED if found.phase == "Successful" else Exit.BLOCKED


async def _in_cluster(
    connection: Access, template: HookTemplateView, pod: PodView | None, spec: dict[str, Any], timeout: float
) -> int:
    """A HookRun that nobody owns, followed to its end."""
    from operators.api import keys
    from operators.api.hookphase import FINAL_PHASES
    from operators.cli.game.documents import HookTrial
    from operators.cli.game.output import complain
    from operators.cli.game.trials import trials_of_run
    from operators.kube.resources import HOOK_RUNS
    from operators.kube.times import rfc3339
    from operators.planning.hooks.pods import cut_name

    namespace, ends = template.namespace, time.monotonic() + timeout
    name = cut_name(f"trial-{template.name}-{pod.name if pod is not None else 'step'}-{time.time_ns() % 10**9}")
    body = {
        "apiVersion": keys.API_VERSION,
        "kind": "HookRun",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**spec, "ttlSecondsAfterFinished": _KEPT},
    }
    held = await connection.client.create(HOOK_RUNS, namespace, body)
    complain(f"HookRun {name} is made; no workload waits for it")
    while (held.get("status") or {}).get("phase") not in FINAL_PHASES and time.monotonic() < ends:
        await asyncio.sleep(0.5)
        held = await connection.client.get(HOOK_RUNS, namespace, name)
    status = held.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    over = phase in FINAL_PHASES
    found = HookTrial(
        at=rfc3339(time.time()),
        template=template.name,
        namespace=namespace,
        pod=pod.name if pod is not None else "",
        run=name,
        metrics=trials_of_run(held),
        phase=phase,
        as_a_run="" if over else f"still {phase}: kubectl game hook cancel {name}",
    )
    code = _show(connection, found)
    return code if over else Exit.TIMEOUT


# ---- renew, pass, cancel


async def _remove(flags: Flags, run: str, verb: str, dry_run: DryRun) -> int:
    from operators.cli.game import hookorders
    from operators.cli.game.access import access
    from operators.cli.game.output import Screen
    from operators.kube.errors import Conflict
    from operators.kube.resources import HOOK_RUNS

    decide = {"renew": hookorders.renew, "cancel": hookorders.cancel}[verb]
    screen = Screen.of(flags)
    async with access(flags) as connection:
        namespace = connection.own_namespace
        removal: Removal = decide(await connection.client.get(HOOK_RUNS, namespace, _name(run)))
        dry = "" if dry_run == "none" else f" (not removed: --dry-run={dry_run})"
        if dry_run != "client":
            try:
                await connection.client.delete(
                    HOOK_RUNS, namespace, removal.name, uid=removal.uid, dry_run=dry_run == "server"
                )
            except Conflict as error:
                text = f"HookRun {removal.name} was made anew meanwhile; nothing was removed"
                raise CommandError(text) from error
        screen.say(f"HookRun {removal.name} {removal.told}{dry}")
    return Exit.REACHED


async def _pass(flags: Flags, run: str, confirm: str | None, dry_run: DryRun) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.hookorders import confirmed, owner_name, passage
    from operators.cli.game.output import Screen, complain
    from operators.cli.game.writing import write
    from operators.kube.resources import HOOK_RUNS

    async with access(flags) as connection:
        body = await connection.client.get(HOOK_RUNS, connection.own_namespace, _name(run))
        subject = None
        if owner := owner_name(body):
            _, subject = await live.load(connection, owner)
        found = passage(body, subject)
        complain(f"Warning: {found.risk}")
        if dry_run == "none":
            confirmed(found.subject, confirm, _asked(found.subject) if confirm is None else None)
        await write(connection, Screen.of(flags), found.write, dry_run=dry_run)
    return Exit.REACHED


def _asked(name: str) -> str | None:
    """What the person at the terminal types; None where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    print(f"To go on, type {name}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _name(run: str) -> str:
    return run.rpartition("/")[2]
