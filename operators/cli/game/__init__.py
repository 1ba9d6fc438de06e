"""``kubectl game``: see, steer and look ahead. Its commands hang under ``game-operators``, too.

Nothing of Typer, Rich, the client or the planner is loaded here: each command loads what it needs.
"""

from __future__ import annotations

from typing import Final

#: Name of each command, and the module of `operators.cli.game.commands` that holds it.
COMMANDS: Final = {
    "get": "get",
    "tree": "get",
    "list": "list",
    "status": "status",
    "why": "why",
    "history": "history",
    "diff": "diff",
    "hooks": "hooks",
    "plan": "plan",
    "pause": "steer",
    "resume": "steer",
    "promote": "steer",
    "skip-step": "steer",
    "abort": "steer",
    "retry": "steer",
    "undo": "change",
    "set image": "change",
    "scale": "change",
    "restart": "change",
    "hook run": "hook",
    "hook renew": "hook",
    "hook pass": "hook",
    "hook cancel": "hook",
    "schema": "schema",
    "version": "version",
    "completion": "completion",
}
#: What commands of two words have in common, by the first of them.
GROUPS: Final = {"set": "Set one thing of a workload.", "hook": "Try a hook, or act on one that is being asked."}
#: The first words of all commands.
FIRST_WORDS: Final = frozenset(name.partition(" ")[0] for name in COMMANDS)
