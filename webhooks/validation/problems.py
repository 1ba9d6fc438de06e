"""Problems, and which of them count."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from webhooks.objects import Json
from webhooks.verdicts import INVALID, Verdict, allow, refuse


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong where. ``text`` names the value, so that another bad value is another problem."""

    field: str
    text: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def warning(field: str, text: str) -> Problem:
    """Something that is allowed, but will not do what it seems to."""
    return Problem(field, text, fatal=False)


def new_problems(check: Callable[[Json], Iterable[Problem]], old: Json | None, new: Json) -> list[Problem]:
    """Problems of the new object that the old one did not have, in order."""
    found = list(check(new))
    if not found or old is None:
        return found
    known = set(check(old))
    return [problem for problem in found if problem not in known]


def verdict(problems: Iterable[Problem]) -> Verdict:
    """Refused when one problem is fatal; the others are warnings either way."""
    every = list(problems)
    fatal = [str(p) for p in every if p.fatal]
    warnings = tuple(str(p) for p in every if not p.fatal)
    if fatal:
        return refuse("; ".join(fatal), INVALID, warnings)
    return allow(*warnings)
