"""``status``: wait for a rollout, and tell a pipeline how it ended."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags, seconds

if TYPE_CHECKING:
    from operators.cli.game.access import Access
    from operators.cli.game.following import Follower, Look
    from operators.cli.game.live import Live
    from operators.cli.game.output import Screen
    from operators.cli.game.subject import Subject

#: Seconds between two looks while nothing changes: pauses and graces end by time alone.
_LOOK = 1.0


def command(
    flags: Flags,
    *,
    name: Annotated[str, typer.Argument(help="arena, gd/arena or gsts/web.", show_default=False)],
    goal: Annotated[str, typer.Option("--for", help="complete, paused, available or step=N.")] = "complete",
    timeout: Annotated[str, typer.Option("--timeout", help="Longest wait; 0 for none. Over: code 4.")] = "0",
    watch: Annotated[Literal["true", "false"], typer.Option("--watch", help="false: say it once.")] = "true",
    blocked_grace: Annotated[
        str, typer.Option("--blocked-grace", help="How long it may need a person before that ends the wait.")
    ] = "30s",
    revision: Annotated[
        str, typer.Option("--revision", help="Wait for this revision, and follow no newer release.")
    ] = "",
) -> int:
    """Wait for a rollout. 0: reached, 3: needs a person, 4: time is over, 5: rests by wish."""
    from operators.cli.game.following import Follower, read_goal

    follower = Follower(read_goal(goal), time.time(), seconds(blocked_grace), revision)
    limit = seconds(timeout)
    return asyncio.run(_status(flags, name, follower, limit, watch=watch == "true"))


async def _status(flags: Flags, name: str, follower: Follower, limit: float, *, watch: bool) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.output import Screen

    screen = Screen.of(flags)
    async with access(flags) as connection:
        objects, subject = await live.load(connection, name)
        if not watch:
            look = follower.look(subject)
            code = Exit.TIMEOUT if look.code is None else look.code
            return _end(screen, follower, subject, code, look.sentence or f"{subject.view.name}: {look.line}.")
        async with objects.watch() as changed:
            waiting = _Wait(connection, screen, follower, objects, subject, limit)
            return await waiting.run(changed)


class _Wait:
    """One wait, with what it has said so far."""

    def __init__(
        self, connection: Access, screen: Screen, follower: Follower, objects: Live, subject: Subject, limit: float
    ) -> None:
        self._connection, self._screen, self._follower = connection, screen, follower
        self._objects, self._subject, self._limit = objects, subject, limit
        self._said = ""
        self._explained = False

    async def run(self, changed: asyncio.Event) -> int:
        """Until it ends."""
        follower = self._follower
        while True:
            changed.clear()
            view = self._subject.view
            found = self._objects.subject(self._subject.kind, view.namespace, view.name)
            if found is None:
                self._say("is gone")
                return _end(self._screen, follower, self._subject, Exit.FAILED, f"{view.name} is gone.")
            self._subject = found
            self._say(follower.new_release(found))
            look = follower.look(found)
            self._say(look.line)
            if look.code is not None:
                return _end(self._screen, follower, found, look.code, look.sentence)
            if self._limit and found.now - follower.began >= self._limit:
                text = f"{view.name}: the time is over, {look.line}."
                return _end(self._screen, follower, found, Exit.TIMEOUT, text)
            await self._explain(look)
            stale = await self._objects.stale()
            self._say(f"the API server does not answer, this may be old: {stale}" if stale else "")
            try:
                await asyncio.wait_for(changed.wait(), _LOOK)
            except TimeoutError:
                continue

    def _say(self, text: str) -> None:
        """A line with the time that has passed, where it is a new one."""
        from operators.cli.game.text import elapsed

        if text and text != self._said and self._screen.flags.output in ("text", "wide"):
            self._said = text
            self._screen.say(f"{elapsed(time.time() - self._follower.began)}  {text}")

    async def _explain(self, look: Look) -> None:
        """What keeps the operators from seeing the generation, once it takes long."""
        from operators.cli.game.following import UNSEEN_FOR

        if not look.unseen or self._explained or time.time() - self._follower.began < UNSEEN_FOR:
            return
        from operators.cli.game.causes import operators_at_work
        from operators.cli.game.circumstances import look_around

        self._explained = True
        around = await look_around(self._connection, self._subject)
        for finding in operators_at_work(self._subject, around):
            self._say(f"why: {finding.text}")


def _end(screen: Screen, follower: Follower, subject: Subject, code: Exit, sentence: str) -> int:
    """The last line: a sentence that can be sent to a chat, or the document."""
    from operators.cli.game.documents import RolloutStatus
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.summary import summary
    from operators.cli.game.text import line
    from operators.kube.times import rfc3339

    document = RolloutStatus(
        at=rfc3339(subject.now),
        exit_code=code,
        sentence=sentence,
        seconds=round(max(0.0, subject.now - follower.began), 3),
        summary=summary(subject),
    )
    name = KINDS[subject.kind].resource.qualified(subject.view.name)
    screen.show(document, lambda _: [line(sentence)], [name])
    return code
