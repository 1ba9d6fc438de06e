"""A plan as text, and as Markdown for merge requests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from operators.cli.game.exits import Exit
from operators.cli.game.names import short
from operators.cli.game.plans.build import headline, outcome, totals
from operators.cli.game.plans.documents import PlanAction, PlanStep, RolloutPlan, RolloutPlanList
from operators.cli.game.text import BAD, DIM, GOOD, HOLD, TITLE, Cell, Line, Span, age, line, table, wrapped

_COLUMNS: Final = ("STEP", "PODS", "FROM", "TO", "ASKED", "DOWN AT MOST", "WAITS FOR")
#: What people call the actions that ``-o wide`` lists; others are the planner's own book-keeping.
_ACTIONS: Final = {
    "CreateHookRun": "ask",
    "UpdatePodInPlace": "update",
    "CreatePod": "create",
    "DeletePod": "delete",
    "ForceDeletePod": "delete by force",
    "SetGate": "back in service",
    "AdoptPod": "adopt",
    "ReleasePod": "release",
}
_DELETED: Final = {
    "rollingUpdate": "to be replaced",
    "deletePod": "one too many, or named",
    "failedPod": "it has ended",
}


def plan_screen(plan: RolloutPlan, *, wide: bool = False, width: int | None = None) -> list[Line]:
    """The plan: what changes, the steps, the sum, what was assumed, what nobody can know."""
    style = {"stuck": BAD, "limit": HOLD, "changes": GOOD, "nothing": GOOD}[plan.verdict]
    first, *more = wrapped(f"{plan.workload.name}: {headline(plan)}.", width, indent=2)
    lines = [line(Span(first, TITLE)), *(line(part) for part in more)]
    lines += [line(Span(part, style)) for part in wrapped(outcome(plan), width, indent=2)]
    lines += [line(Span(part, HOLD)) for note in plan.notes for part in wrapped(note, width, indent=2)]
    if plan.verdict == "nothing":
        return lines
    if plan.strategy:
        lines += [line(Span(part, DIM)) for part in wrapped(f"{plan.strategy}.", width, indent=2)]
    if plan.steps:
        lines += table(_COLUMNS, [_row(s) for s in plan.steps], width=width, drop=("DOWN AT MOST", "ASKED"))
    lines += [line(part) for part in wrapped(totals(plan), width, indent=2)]
    if wide:
        lines += list(_timeline(plan))
    lines += [line(Span(part, DIM)) for part in wrapped(assumed(plan), width, indent=2)]
    lines += [line(Span(part, DIM)) for part in wrapped(unknown(plan), width, indent=2)]
    return lines


def plans_screen(found: RolloutPlanList, *, wide: bool = False, width: int | None = None) -> list[Line]:
    """One plan after the other, and what they ask together."""
    lines: list[Line] = []
    for plan in found.items:
        lines += [*plan_screen(plan, wide=wide, width=width), line()]
    for told in together(found):
        lines += [line(Span(part, HOLD)) for part in wrapped(told, width, indent=2)]
    return lines if together(found) else lines[:-1]


def together(found: RolloutPlanList) -> list[str]:
    """HookTemplates that several rollouts ask at once."""
    return [
        f"HookTemplate {s.template}: begun together they ask about up to {sum(s.asked.values())} pods at once "
        f"({', '.join(f'{name} {count}' for name, count in s.asked.items())})."
        for s in found.shared
    ]


def _row(step: PlanStep) -> tuple[Cell, ...]:
    name = f"{step.number} {step.does}" if step.number else step.does
    waits = [*step.waits_for, *(["you"] if step.person else [])]
    until = "a person" if step.person else f"+{age(step.end)}"
    down = f"{step.down} of {step.allowed}" if step.down else "-"
    return (
        name,
        str(step.pods or "-"),
        f"+{age(step.begin)}",
        Span(until, HOLD) if step.person else until,
        str(step.asked or "-"),
        down,
        Span(", ".join(waits), HOLD),
    )


def assumed(plan: RolloutPlan) -> str:
    """What was taken for granted, as far as it matters in this plan."""
    matters = {
        "new pod to ready": plan.created,
        "restart to ready": plan.restarts,
        "a pod ends within": plan.deleted,
        "hooks say": plan.hooks,
        "a person goes on": plan.pauses,
    }
    parts = []
    for one in plan.assumptions:
        if not matters.get(one.about, True):
            continue
        said = [s for s in (one.source, one.flag) if s and one.source not in ("given", "spec")]
        parts.append(f"{one.about} {one.value}" + (f" ({', '.join(said)})" if said else ""))
    return f"Assumed: {'; '.join([*parts, 'images there already'])}."


def unknown(plan: RolloutPlan) -> str:
    """What no plan knows."""
    return f"Not known: {', '.join(plan.unknown)}."


def _timeline(plan: RolloutPlan) -> Iterator[Line]:
    """Every action on a pod, in order."""
    rows: list[Sequence[Cell]] = []
    made = {a.pod for a in plan.actions if a.action == "CreatePod"}
    for one in plan.actions:
        word = _ACTIONS.get(one.action)
        if word is None or not one.pod or (one.action == "SetGate" and one.pod in made):
            continue
        moved = f"{one.down_before} → {one.down_after}" if one.down_before != one.down_after else str(one.down_after)
        rows.append((f"+{age(one.at)}", word, one.pod, _why(one), moved))
    if rows:
        yield line()
        yield from table(("AT", "ACTION", "POD", "WHY", "DOWN"), rows)
        yield line()


def _why(one: PlanAction) -> str:
    return _DELETED.get(one.why, one.why)


def names(found: Sequence[RolloutPlan]) -> list[str]:
    """What ``-o name`` prints."""
    return [short(p.workload.kind, p.workload.name) for p in found]


def worst(found: Sequence[RolloutPlan]) -> int:
    """The exit code of several plans: stuck before cut short before changes."""
    codes = {p.exit_code for p in found}
    order = (Exit.BLOCKED, Exit.TIMEOUT, Exit.CHANGES)
    return next((code for code in order if code in codes), Exit.REACHED)


# ---- Markdown


def markdown(plan: RolloutPlan, link: str = "") -> str:
    """The plan for a merge request: a table that any forge shows, and where the picture is."""
    lines = [f"### {_escaped(short(plan.workload.kind, plan.workload.name))}: {_escaped(headline(plan))}", ""]
    lines.append(f"**{_escaped(outcome(plan))}**")
    lines += [f"> {_escaped(note)}" for note in plan.notes]
    if plan.verdict != "nothing":
        lines += ["", f"| {' | '.join(c.lower() for c in _COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}"]
        lines += [f"| {' | '.join(_escaped(_plain(cell)) for cell in _row(step))} |" for step in plan.steps]
        lines += ["", _escaped(totals(plan)), "", f"<sub>{_escaped(assumed(plan))} {_escaped(unknown(plan))}</sub>"]
    if link:
        lines += ["", f"[Each pod in time]({link.replace(')', '%29').replace(' ', '%20')})"]
    return "\n".join(lines) + "\n"


def markdown_of_several(found: RolloutPlanList, link: str = "") -> str:
    """The same of several plans."""
    parts = [markdown(plan) for plan in found.items]
    parts += [f"{_escaped(told)}\n" for told in together(found)]
    if link:
        parts.append(f"[Each pod in time]({link.replace(')', '%29').replace(' ', '%20')})\n")
    return "\n".join(parts)


def _plain(cell: Cell) -> str:
    return cell.text if isinstance(cell, Span) else str(cell)


def _escaped(text: str) -> str:
    """Names and messages of others are text, never markup."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"&#{ord(sign)};" if sign in "<>|" else f"\\{sign}")
    return " ".join(text.split())
