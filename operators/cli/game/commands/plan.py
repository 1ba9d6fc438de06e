"""``plan``: what a rollout will do, before anything is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from operators.cli.game.exits import UsageError
from operators.cli.game.flags import Flags

if TYPE_CHECKING:
    from operators.cli.game.output import Screen
    from operators.cli.game.plans.documents import RolloutPlan
    from operators.cli.game.plans.sources import Request

PlanFormat = Literal["text", "wide", "json", "yaml", "name", "markdown", "svg"]


def command(
    flags: Flags,
    *,
    name: Annotated[str, typer.Argument(help="arena, gd/arena or gsts/web; what is left of its rollout.")] = "",
    file: Annotated[
        str, typer.Option("-f", "--filename", help="A manifest, a folder of them, or - for standard input.")
    ] = "",
    images: Annotated[
        list[str] | None, typer.Option("--set", "--image", help="CONTAINER=IMAGE: another image. Repeatable.")
    ] = None,
    replicas: Annotated[int | None, typer.Option("--replicas", min=0, help="Another number of pods.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no cluster: with --set or --from the files are what runs now.")
    ] = False,
    before: Annotated[str, typer.Option("--from", help="With --offline: the manifests that run now.")] = "",
    hooks: Annotated[str, typer.Option("--hooks", help="What hooks say: yes, no, or after:10m.")] = "yes",
    assume_start: Annotated[str, typer.Option("--assume-start", help="Time from a new pod to ready.")] = "",
    assume_restart: Annotated[str, typer.Option("--assume-restart", help="Time from a new image to ready.")] = "",
    assume_end: Annotated[str, typer.Option("--assume-end", help="Time that a deleted pod takes to end.")] = "",
    assume_resume: Annotated[
        str, typer.Option("--assume-resume", help="Time after which a person goes on; never: the plan ends there.")
    ] = "0s",
    slow: Annotated[bool, typer.Option("--slow", help="Times of the slowest tenth here, not the median.")] = False,
    horizon: Annotated[str, typer.Option("--horizon", help="Longest time that is planned.")] = "6h",
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 10 when there is something to do.")] = False,
    link: Annotated[str, typer.Option("--link", help="With -o markdown: where the picture will be.")] = "",
    output: Annotated[PlanFormat, typer.Option("-o", "--output", help="Form of the output.")] = "text",
) -> int:
    """Play a rollout before it happens: pods, order, restarts, hooks, time, and whether it gets stuck.

    3: it gets stuck. 4: cut short. Nothing is written.
    """
    from operators.cli.game.plans.assume import Wishes
    from operators.cli.game.plans.sources import Request

    if not name and not file:
        raise UsageError("name a workload, or a manifest with -f")
    if offline and not file:
        raise UsageError("--offline plans files: add -f")
    if before and not offline:
        raise UsageError("--from says what runs now, which the cluster knows itself: it goes with --offline")
    wishes = Wishes(hooks, assume_start, assume_restart, assume_end, assume_resume, horizon, slow)
    request = Request(name, file, before, tuple(images or ()), replicas, wishes)
    found = _offline(flags, request, exit_code) if offline else asyncio.run(_online(flags, request, exit_code))
    return _show(flags, found, output, link)


def _offline(flags: Flags, request: Request, exit_code: bool) -> list[RolloutPlan]:  # noqa: FBT001 - inner
    from operators.cli.game.plans import sources
    from operators.cli.game.plans.build import answer

    return [answer(q, exit_code=exit_code) for q in sources.offline(request, flags.namespace)]


async def _online(flags: Flags, request: Request, exit_code: bool) -> list[RolloutPlan]:  # noqa: FBT001 - inner
    from operators.cli.game.access import access
    from operators.cli.game.plans import sources
    from operators.cli.game.plans.build import answer

    async with access(flags) as connection:
        questions = await sources.online(connection, request)
    return [answer(q, exit_code=exit_code) for q in questions]


def _show(flags: Flags, found: list[RolloutPlan], form: PlanFormat, link: str) -> int:
    from operators.cli.game.output import Screen
    from operators.cli.game.plans import screen as screens

    screen = Screen.of(flags)
    if form == "svg":
        screen.say(_picture(found).rstrip("\n"))
        return screens.worst(found)
    _tell(screen, found, form, link)
    return screens.worst(found)


def _picture(found: list[RolloutPlan]) -> str:
    from operators.cli.game.plans.picture import picture
    from operators.cli.game.plans.screen import names

    if len(found) != 1:
        raise UsageError(f"a picture is of one workload: name one of {', '.join(names(found))}")
    return picture(found[0])


def _tell(screen: Screen, found: list[RolloutPlan], form: PlanFormat, link: str) -> None:
    from operators.cli.game.plans import screen as screens
    from operators.cli.game.plans.build import several

    if len(found) == 1:
        one = found[0]
        if form == "markdown":
            screen.say(screens.markdown(one, link).rstrip("\n"))
        else:
            screen.show(one, lambda s: screens.plan_screen(one, wide=s.wide, width=s.width), screens.names(found))
        return
    all_ = several(found)
    if form == "markdown":
        screen.say(screens.markdown_of_several(all_, link).rstrip("\n"))
    else:
        screen.show(all_, lambda s: screens.plans_screen(all_, wide=s.wide, width=s.width), screens.names(found))
