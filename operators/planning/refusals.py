"""Writes that the API server refused: tried again later each time, and told of meanwhile.

A quota, an admission webhook or a failing API server must neither be asked in a hot loop nor hold up everything else.
What was refused is remembered in memory only: after a restart it is tried once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operators.planning.actions import Action, Blocked, HeldBack
from operators.planning.findings import Findings

_FIRST, _FIRST_TRANSIENT, _CAP = 1.0, 0.25, 60.0
_SHOWN_FROM = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that failed ``count`` times in a row; not tried before ``until`` (Unix seconds).

    ``lasting`` tells what a person has to change (quota, admission, validation) from what passes by itself.
    """

    message: str
    until: float
    count: int = 1
    lasting: bool = True


def refused_again(before: Refusal | None, message: str, now: float, *, lasting: bool, at_least: float = 0.0) -> Refusal:
    """The refusal after one more failure: 1, 2, 4 … 60 seconds, quicker at first where it may pass by itself."""
    count = before.count + 1 if before is not None else 1
    first = _FIRST if lasting else _FIRST_TRANSIENT
    delay = max(at_least, min(_CAP, first * 2 ** min(count - 1, 16)))
    return Refusal(message, now + delay, count, lasting)


def pod_refused(refusals: Mapping[str, Refusal], action: type[Action], uid: str, now: float) -> bool:
    """Whether a write on a pod has to wait because it was refused."""
    found = refusals.get(f"{action.__name__}/{uid}") if refusals else None
    return found is not None and found.until > now


def withhold(actions: Sequence[Action], refusals: Mapping[str, Refusal], now: float) -> Findings:
    """The actions that may be tried now; what is said of those refused a moment ago, and when to look again."""
    if not refusals:
        return Findings(tuple(actions))
    held: dict[str, list[Action]] = {}
    tried: list[Action] = []
    for action in actions:
        refusal = refusals.get(action.refusal_key)
        if refusal is None or refusal.until <= now:
            tried.append(action)
        else:
            held.setdefault(action.refusal_key, []).append(action)
    blocked = tuple(
        _describe(same[0], len(same), refusals[about])
        for about, same in held.items()
        if refusals[about].lasting or refusals[about].count >= _SHOWN_FROM
    )
    return Findings(tuple(tried), blocked, tuple(max(0.05, refusals[about].until - now) for about in held))


def _describe(action: Action, count: int, refusal: Refusal) -> Blocked:
    tries = f" (refused {refusal.count} times)" if refusal.count > 1 else ""
    return action.refused(HeldBack(count, f"{refusal.message}{tries}", waiting=not refusal.lasting))
