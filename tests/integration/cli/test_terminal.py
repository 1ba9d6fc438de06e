"""kubectl game in a real terminal: the live picture, colours, widths, interrupts."""

import asyncio
import io
import re
import signal

import pexpect
import pytest

from operators.cli.game.exits import Exit
from tests.faults.proxy import FaultProxy
from tests.integration.cli.programs import PROGRAM, environment

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


@pytest.fixture
def proxy(cluster, tmp_path):
    """A proxy that can cut what passes."""
    made = FaultProxy(cluster.kubeconfig, tmp_path)
    made.start()
    yield made
    made.stop()


class Terminal:
    """A command in a terminal of so many columns; ``text`` is all that it has written."""

    def __init__(self, game, *arguments, columns=120, kubeconfig=None, **more):
        self.log = io.StringIO()
        self.child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *game.line(*arguments)],
            env=environment(kubeconfig or game.kubeconfig, **more),
            dimensions=(50, columns),
            encoding="utf-8",
            timeout=20,
        )
        self.child.logfile_read = self.log

    @property
    def text(self):
        return self.log.getvalue()

    async def sees(self, pattern, seconds=20):
        await self.child.expect(pattern, timeout=seconds, async_=True)

    async def end(self):
        """Until it ends by itself; the exit code."""
        await self.child.expect(pexpect.EOF, async_=True)
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
async def arena(fleet):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        await fleet.complete("arena", 1)
        yield fleet


@pytest.mark.alone
async def test_ux_9_the_live_picture_shows_a_change_within_a_second(arena, game):
    screen = Terminal(game, "get", "arena", "-w")
    await screen.sees("Complete")
    await screen.sees("3 ready")
    await arena.release("arena", 2)
    await screen.sees("game:1 → ", 1.0)
    await arena.complete("arena", 2)
    await screen.sees("Complete", 1.0)
    screen.child.setwinsize(50, 60)
    await screen.sees("Name: ")  # one picture may have been under way
    await screen.sees("Name: ")
    narrow = len(screen.text)
    await screen.sees("Name: ")
    lines = ESCAPES.sub("", screen.text[narrow:].rpartition("Name: ")[0]).splitlines()
    assert max(len(line.strip("\r")) for line in lines) <= 60
    screen.child.kill(signal.SIGINT)
    assert await screen.end() == Exit.INTERRUPTED
    assert HIDE_CURSOR in screen.text
    assert screen.text.rstrip().endswith(SHOW_CURSOR) or screen.text.rfind(SHOW_CURSOR) > screen.text.rfind(HIDE_CURSOR)


async def test_ux_9_the_live_picture_survives_lost_watches_and_a_server_that_was_away(arena, game, proxy):
    screen = Terminal(game, "get", "arena", "-w", kubeconfig=proxy.kubeconfig)
    await screen.sees("Complete")

    async def watching():
        return proxy.watches >= 4

    await arena.until("the picture is watched for", watching)
    assert proxy.cut_watches() >= 4
    await arena.release("arena", 2)
    await screen.sees("game:2")
    await arena.complete("arena", 2)
    proxy.cut_everything()
    await screen.sees("the API server does not answer, this may be old")
    await arena.change("arena", replicas=4)
    proxy.clear()
    await screen.sees("4 wanted", 40)
    await screen.sees("4 exist  4 ready")
    last = ESCAPES.sub("", screen.text).rpartition("Name:")
    assert "may be old" not in last[0].rpartition("Name:")[2]
    assert not [word for word in ("Traceback", "list or watch failed") if word in screen.text]
    screen.child.kill(signal.SIGINT)
    assert await screen.end() == Exit.INTERRUPTED


async def test_ux_9_piped_it_prints_lines_that_changed_and_no_escape(arena, game):
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *game.line("get", "arena", "-w"),
        env=environment(game.kubeconfig),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    lines = []

    async def until(pattern):
        while True:
            lines.append((await asyncio.wait_for(process.stdout.readline(), 20)).decode())
            if re.search(pattern, lines[-1]):
                return

    await until("3 ready")
    await arena.release("arena", 2)
    await until("game:1 → game:2")
    await arena.complete("arena", 2)
    await until("✔ Complete")
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in err.decode()
    assert "\x1b" not in "".join(lines)
    assert sum(line.startswith("Name:") for line in lines) == 1


async def test_colours_are_on_in_a_terminal_and_off_by_no_color_and_flag(arena, game):
    coloured = Terminal(game, "get", "arena")
    assert await coloured.end() == Exit.REACHED
    assert "\x1b[32m" in coloured.text
    for arguments, more in ((("--no-color",), {}), ((), {"NO_COLOR": "1"})):
        bare = Terminal(game, "get", "arena", *arguments, **more)
        assert await bare.end() == Exit.REACHED
        assert "\x1b[3" not in bare.text
        assert "✔ Complete" in bare.text


@pytest.mark.parametrize("columns", [80, 60])
async def test_in_a_narrow_terminal_no_line_is_wider_and_info_goes_first(arena, game, columns):
    screen = Terminal(game, "get", "arena", "--all", columns=columns)
    assert await screen.end() == Exit.REACHED
    lines = ESCAPES.sub("", screen.text).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= columns
    assert any(line.startswith("NAME") for line in lines)
    assert sum("□ arena-" in line for line in lines) == 3


async def test_ux_15_an_interrupted_wait_leaves_the_terminal_sane(arena, game):
    container = {"name": "web", "image": "game:2", "env": [{"name": "MODE", "value": "ranked"}]}
    await arena.change("arena", template={"spec": {"containers": [container]}})
    screen = Terminal(game, "status", "arena", "--blocked-grace=60s")
    await screen.sees("blocked: ")
    screen.child.kill(signal.SIGINT)
    assert await screen.end() == Exit.INTERRUPTED
    assert "Traceback" not in screen.text
    assert screen.text.count(HIDE_CURSOR) == screen.text.count(SHOW_CURSOR)
