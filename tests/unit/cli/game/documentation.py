"""``python -m tests.unit.cli.game.documentation`` writes docs/cli.md: help of the commands, and golden screens."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from operators.cli.game import COMMANDS
from operators.cli.game.exits import Exit
from operators.cli.game.main import main
from operators.cli.game.plans.picture import picture
from tests.unit.cli.game.golden import FOLDER
from tests.unit.cli.game.plans.planworlds import PLANS
from tests.unit.cli.game.worlds import WORLDS

TARGET = Path(__file__).parents[4] / "docs" / "cli.md"
#: The picture of a plan that the page shows.
PICTURE = TARGET.with_name("plan.svg")
_CODES = {
    Exit.REACHED: "reached, or nothing is wrong",
    Exit.FAILED: "a request failed, or something is not there",
    Exit.USAGE: "wrong usage",
    Exit.BLOCKED: "something stops it, or will; in `status`: a person is needed",
    Exit.TIMEOUT: "the time is over; in `plan`: it was cut short",
    Exit.RESTS: "rests by wish: a pause, a partition, OnDelete",
    Exit.CHANGES: "something differs, or is to be done, with `--exit-code`",
    Exit.INTERRUPTED: "interrupted",
}
#: Golden screens that a command shows, by the name of the file, and what stands above each.
_SCREENS = {
    "get": [(f"get-{name}", title) for name, (_, title) in WORLDS.items()],
    "list": [("list", "All situations of this page")],
    "why": [
        (f"why-{name}", WORLDS[name][1])
        for name in ("waiting", "user-pause", "hook-failed", "failing", "refused", "unseen", "complete")
    ],
    "history": [("history-waiting", WORLDS["waiting"][1])],
    "diff": [(f"diff-{name}", WORLDS[name][1]) for name in ("waiting", "refused")],
    "plan": [
        *((f"plan-{name}", title) for name, (_, title) in PLANS.items()),
        ("plan-markdown", "The canary as `-o markdown`"),
    ],
    "hooks": [(f"hooks-{name}", WORLDS[name][1]) for name in ("waiting", "errors")],
}


def help_of(command: str) -> str:
    """What ``--help`` prints, in 100 columns."""
    before = {name: os.environ.get(name) for name in ("COLUMNS", "TERMINAL_WIDTH")}
    os.environ.update(COLUMNS="100", TERMINAL_WIDTH="100")
    try:
        with contextlib.redirect_stdout(io.StringIO()) as told:
            main([*command.split(), "--help"])
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    return told.getvalue().strip()


def codes() -> str:
    """The table of exit codes."""
    return "\n".join(["| code | means |", "|---|---|", *(f"| {code.value} | {_CODES[code]} |" for code in Exit)])


def commands() -> str:
    """Help of each command, and its screens."""
    parts = []
    for command in COMMANDS:
        if command == "tree":
            continue
        parts.append(f"### {command}\n\n```\n{help_of(command)}\n```")
        for file, title in _SCREENS.get(command, ()):
            parts.append(f"#### {command}: {title}\n\n```\n{(FOLDER / f'{file}.txt').read_text().rstrip()}\n```")
    return "\n\n".join(parts)


def text() -> str:
    """The document, its written parts anew."""
    page = TARGET.read_text()
    for name, content in (("codes", codes()), ("commands", commands())):
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, mark, after = rest.partition(f"<!-- /{name} -->")
        page = f"{before}<!-- {name} -->\n{content}\n{mark}{after}"
    return page


def drawn() -> str:
    """The picture: of the canary, with a person who takes a minute, and hooks that take a while."""
    return picture(PLANS["canary"][0](resume="60s", hooks="after:20s"))


if __name__ == "__main__":
    PICTURE.write_text(drawn())
    TARGET.write_text(text())
