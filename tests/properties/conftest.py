"""What holds of every write in every history, whatever the history is about."""

from collections.abc import Iterator

import pytest

from operators.planning.workloadstatus import PROMPT_FIELDS
from operators.simulation.cluster import SimulatedCluster

#: Conditions that repeat for tools of the field what the others say.
FOR_TOOLS = {"Ready", "Reconciling", "Stalled"}


def _without(status, types):
    return status | {"conditions": [c for c in status.get("conditions") or () if c["type"] not in types]}


def _turns(status):
    return {c["type"]: c["status"] for c in status.get("conditions") or ()}


def _reasons(status):
    return {c["type"]: c["reason"] for c in status.get("conditions") or ()}


def _prompt(old, new):
    """Whether the controller writes this change at once: mere counters may wait (docs/architecture.md)."""
    return any(old.get(key) != new.get(key) for key in PROMPT_FIELDS) or _turns(old) != _turns(new)


@pytest.fixture(autouse=True, scope="session")
def ux_67_conditions_for_tools_cause_no_write_of_their_own() -> Iterator[None]:
    """Whenever a status is written it would have been without these conditions too; and when it is written at once.

    Where a warning becomes something that needs a person, `Blocked` holds before and after, and `Stalled` turns: that
    is news, and the reason of `Blocked` says it too.
    """
    write = SimulatedCluster.write_status

    def judged(self, decision):
        old, new = dict(self.workload.get("status") or {}), decision.status.dump()
        if old.get("conditions"):
            before, after = _without(old, FOR_TOOLS), _without(new, FOR_TOOLS)
            assert old == new or before != after, "ux-67: a write for nothing but the conditions for tools"
            at_once = _prompt(before, after) or _reasons(before) != _reasons(after)
            assert at_once or not _prompt(old, new), "ux-67: a write that could have waited"
        return write(self, decision)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedCluster, "write_status", judged)
        yield
