"""What a plan takes for granted: from the command line, else from what pods took so far, else a default. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from operators.cli.game.exits import UsageError
from operators.cli.game.flags import seconds
from operators.cli.game.plans.documents import PlanAssumption
from operators.cli.game.plans.observed import Spans, Took
from operators.cli.game.text import age, counted
from operators.simulation.driver import Assumptions

Json = Mapping[str, Any]
_DEFAULTS: Final = Assumptions()
_TERMINATION: Final = 30


@dataclass(frozen=True, slots=True)
class Wishes:
    """The flags as they were given; "" where one was not."""

    hooks: str = "yes"
    start: str = ""
    restart: str = ""
    end: str = ""
    resume: str = "0s"
    horizon: str = "6h"
    slow: bool = False


def assumptions(wishes: Wishes, spec: Json, took: Spans) -> tuple[Assumptions, tuple[PlanAssumption, ...]]:
    """The numbers, and how they are told; ``spec`` is that of the workload.

    Raises:
        UsageError: a flag cannot be read.
    """
    hooks, after = read_hooks(wishes.hooks)
    start, of_start = _span(wishes.start, took.start, _DEFAULTS.start, slow=wishes.slow)
    restart, of_restart = _span(wishes.restart, took.restart, _DEFAULTS.restart, slow=wishes.slow)
    end = seconds(wishes.end) if wishes.end else None
    resume = None if wishes.resume == "never" else seconds(wishes.resume)
    found = Assumptions(
        start=start,
        restart=restart,
        end=end,
        hooks=hooks,
        after=after,
        resume=resume,
        horizon=seconds(wishes.horizon) or _DEFAULTS.horizon,
    )
    words = [
        PlanAssumption(about="new pod to ready", value=_words(start), source=of_start, flag="--assume-start"),
        PlanAssumption(about="restart to ready", value=_words(restart), source=of_restart, flag="--assume-restart"),
        _ending(end, spec),
        PlanAssumption(about="hooks say", value=_hook_words(hooks, after), source="", flag="--hooks"),
        *_grace(spec),
        PlanAssumption(
            about="a person goes on",
            value="never" if resume is None else f"after {_words(resume)}" if resume else "at once",
            source="",
            flag="--assume-resume",
        ),
    ]
    return found, tuple(words)


def read_hooks(text: str) -> tuple[Literal["yes", "no"], float]:
    """``yes``, ``no``, or ``after:10m``: yes after that time.

    Raises:
        UsageError: it is none of these.
    """
    if text in ("yes", "no"):
        return ("yes" if text == "yes" else "no"), 0.0
    word, sign, span = text.partition(":")
    if word != "after" or not sign:
        raise UsageError(f"--hooks {text!r}: write yes, no, or after:10m")
    return "yes", seconds(span)


def _span(given: str, took: Took, otherwise: float, *, slow: bool) -> tuple[float, str]:
    if given:
        return seconds(given), "given"
    if took.seconds is None:
        return otherwise, "a default"
    return took.seconds, f"{'nine of ten' if slow else 'median'} of {counted(took.count, 'pod')} here"


def _ending(end: float | None, spec: Json) -> PlanAssumption:
    pod = (spec.get("template") or {}).get("spec") or {}
    given = pod.get("terminationGracePeriodSeconds")
    if end is not None:
        value, source = _words(end), "given"
    else:
        value, source = _words(_TERMINATION if given is None else float(given)), "its termination grace period"
    return PlanAssumption(about="a pod ends within", value=value, source=source, flag="--assume-end")


def _hook_words(hooks: str, after: float) -> str:
    if hooks == "no":
        return "no, for ever"
    return f"yes after {_words(after)}" if after else "yes at once"


def _grace(spec: Json) -> Iterator[PlanAssumption]:
    """The grace of in-place updates is no assumption, but the time of it is asked for all the same."""
    strategy = spec.get("updateStrategy") or {}
    grace = (strategy.get("inPlaceUpdateStrategy") or {}).get("gracePeriodSeconds")
    if grace and strategy.get("type") == "InplaceUpdate":
        yield PlanAssumption(about="grace", value=_words(float(grace)), source="spec", flag="")


def _words(value: float) -> str:
    return age(value) if value == int(value) else f"{value:g}s"
