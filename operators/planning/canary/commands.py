"""A person's command to a canary: one annotation on the workload, obeyed once (docs/canary.md, Commands)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from operators.kube.times import rfc3339, timestamp

SKIP, PROMOTE_FULL, ABORT, RETRY = "skip", "promote-full", "abort", "retry"
COMMANDS = (SKIP, PROMOTE_FULL, ABORT, RETRY)
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class CanaryCommand:
    """What is to be done, and where its author saw the rollout.

    ``revision``, ``steps`` (the hash of the list) and ``index`` (from 0) are those that the author saw in force. ``to``
    is the index to go to, None for the next step (``skip``) or the first one (``retry``). ``by`` is who asks, a claim;
    ``at`` is in Unix seconds. ``problem`` says why the text cannot be read, "" where it can.
    """

    do: str = ""
    revision: str = ""
    steps: str = ""
    index: int = -1
    to: int | None = None
    by: str = ""
    at: float = 0.0
    problem: str = ""

    def dump(self) -> str:
        """The annotation's text."""
        body: dict[str, Any] = {
            "do": self.do,
            "revision": self.revision,
            "steps": self.steps,
            "index": self.index,
            "by": self.by,
            "at": rfc3339(self.at),
        }
        if self.to is not None:
            body["to"] = self.to
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    @property
    def author(self) -> str:
        """``ada at 2024-05-01T03:00:00Z``, for people."""
        return f"{self.by or 'somebody'} at {rfc3339(self.at)}"


def read_command(text: str | None) -> CanaryCommand | None:
    """The command; an unreadable one is a command all the same, of which nothing but its problem is known."""
    if text is None:
        return None
    try:
        body = json.loads(text)
        at, to = timestamp(body["at"]), body.get("to")
        do, revision, steps, index = body["do"], body["revision"], body["steps"], body["index"]
        by = " ".join(str(body.get("by") or "").split())[:_LONGEST_NAME]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        return CanaryCommand(problem=f"it cannot be read ({type(error).__name__}: {error})"[:200])
    if do not in COMMANDS:
        return CanaryCommand(problem=f"there is no command {str(do)[:40]!r}, there are {', '.join(COMMANDS)}")
    if at is None or type(index) is not int or not (to is None or type(to) is int):
        return CanaryCommand(problem="index and to are whole numbers, at is a time such as 2024-05-01T03:00:00Z")
    return CanaryCommand(do, str(revision), str(steps), index, to, by, at)
