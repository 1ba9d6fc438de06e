"""What stands on the screens of ``get`` and ``list``: lines from documents. Pure.

A screen has one look on every terminal; where it is narrow, INFO goes first, then lines are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from operators.cli.game.documents import (
    Explanation,
    HookState,
    ImageChange,
    PodState,
    RevisionState,
    Summary,
    WorkloadTree,
)
from operators.cli.game.hookstates import answer
from operators.cli.game.text import (
    BAD,
    BUSY,
    DIM,
    GOOD,
    HOLD,
    TITLE,
    Cell,
    Line,
    Span,
    Style,
    age,
    cut,
    line,
    sentence,
    table,
    wrapped,
)
from operators.kube.times import timestamp

Shown = Literal["folded", "all", "unready", "waiting", "new", "old"]
SIGNS: Final = {
    "complete": ("✔", GOOD),
    "progressing": ("⟳", BUSY),
    "waiting": ("◷", HOLD),
    "held": ("‖", HOLD),
    "blocked": ("✖", BAD),
    "unseen": ("?", BAD),
    "deleting": ("⊗", DIM),
}
_POD_SIGNS: Final = {
    "ready": ("✔", GOOD),
    "grace": ("◌", BUSY),
    "restarting": ("⟳", BUSY),
    "asked": ("◷", HOLD),
    "hook failed": ("✖", BAD),
    "starting": ("⟳", BUSY),
    "failing": ("✖", BAD),
    "young": ("◌", BUSY),
    "leaving": ("⊗", DIM),
    "ended": ("⊗", DIM),
}
#: Pods that are told one by one while the rest is folded, and revisions that have pods.
_MOST_PODS, _MOST_REVISIONS = 10, 4
_WAITS: Final = 3
_LABEL: Final = 11


def since(now: float, time: str | None) -> str:
    """How long ago; "" where that is not known."""
    began = timestamp(time)
    return "" if began is None else age(now - began)


def status(found: Summary) -> Span:
    """``◷ Waiting for players``."""
    sign, style = SIGNS[found.state]
    return Span(f"{sign} {found.words}", style)


def step(found: Summary) -> str:
    """``1/5 partition 30: 12 of 20``."""
    of = found.step
    where = f"{of.number}/{of.count} " if of.count else ""
    counted = f": {of.done} of {of.due}" if of.does not in ("", "done") else ""
    return f"{where}{of.does}{counted}"


def head(found: Summary, now: float, width: int | None = None) -> list[Line]:
    """What is to be read first of a workload; sentences are wrapped in ``width`` columns."""
    name, pods = found.workload, found.pods
    ago = since(now, found.since)
    words = [status(found)] if found.state != "unseen" else [Span(f"? not seen by the operators for {ago}", BAD)]
    lines = [
        _pair("Name:", f"{name.namespace}/{name.name}  {name.kind}", "Strategy:", found.strategy),
        _pair("Status:", Line(tuple(words)), "Since:", ago),
    ]
    if found.step.does:
        lines.append(_pair("Step:", step(found), "Next:", found.step.next))
    lines += [_labelled("Image:", _image(image)) for image in found.images]
    counted = f"{pods.wanted} wanted  {pods.exist} exist  {pods.ready} ready"
    lines.append(_labelled("Pods:", line(f"{counted}  {pods.new} new  {pods.new_ready} new and ready")))
    if found.budget is not None:
        lines.append(_labelled("Budget:", line(_budget(found))))
    lines += _told_of("Needs you:", found.needs_you or "no", BAD if found.needs_you else "", width)
    if found.waits_for:
        lines += _told_of("Waits for:", waits(found.waits_for, now), "", width)
    elif found.state in ("progressing", "waiting", "held"):
        lines += _told_of("Waits for:", found.message.partition(". ")[2] or found.message, "", width)
    return lines


def _told_of(label: str, text: str, style: Style, width: int | None) -> list[Line]:
    """A sentence behind its label, in as many lines as it takes."""
    parts = wrapped(text, None if width is None else max(20, width - _LABEL))
    return [_labelled(label if not number else "", line(Span(part, style))) for number, part in enumerate(parts)]


def warning(stale: str) -> list[Line]:
    """A line above a picture that may be old."""
    return [line(Span(f"△ the API server does not answer, this may be old: {stale}", BAD))] if stale else []


def waits(hooks: Sequence[HookState], now: float, most: int = _WAITS) -> str:
    """``arena-7xk2p players 37 (12m)   …``: the first few, and how many more."""
    told = [f"{h.pod or h.run} {answer(h)} ({since(now, h.since)})" for h in hooks[:most]]
    more = f"   and {len(hooks) - most} more" if len(hooks) > most else ""
    return "   ".join(told) + more


def _budget(found: Summary) -> str:
    used = found.budget
    assert used is not None
    parts = [
        (used.grace, "in grace"),
        (used.restarting, "restarting"),
        (used.not_ready, "not ready"),
        (used.asked, "asked by hooks"),
    ]
    told = " + ".join(f"{count} {words}" for count, words in parts if count) or "none"
    return f"{told} = {used.taken} of {used.allowed} taken" if used.taken else f"0 of {used.allowed} taken"


def _image(image: ImageChange) -> Line:
    if image.old in ("", image.new):
        return line(f"{image.container}  {short_image(image.new)}")
    return line(f"{image.container}  {short_image(image.old)} → ", Span(short_image(image.new), TITLE))


def short_image(image: str) -> str:
    """The image without registry and folders: ``arena:1.4.2``."""
    return image.rsplit("/", 1)[-1]


def _labelled(label: str, value: Line) -> Line:
    return Line((Span(f"{label:<{_LABEL}}", DIM), *value.spans))


def _pair(label: str, value: str | Line, second: str, other: str) -> Line:
    shown = value if isinstance(value, Line) else line(value)
    if not other:
        return _labelled(label, shown)
    gap = " " * max(2, 38 - len(shown))
    return Line((*_labelled(label, shown).spans, Span(gap), Span(f"{second:<11}", DIM), Span(other)))


# ---- the tree


class _Rows:
    """Rows of the tree."""

    def __init__(self, now: float, shown: Shown, *, wide: bool) -> None:
        self.now, self.shown, self.wide = now, shown, wide
        self.rows: list[tuple[Cell, Cell, Cell, Cell]] = []

    def add(self, prefix: str, name: str, status_: Span | str, age_: str, info: str, style: Style = "") -> None:
        """One row; the branches before the name are dimmed."""
        self.rows.append((Line((Span(prefix, DIM), Span(name, style))), status_, age_, Span(info, DIM)))

    def revision(self, found: RevisionState, told: list[PodState], *, last: bool, of: WorkloadTree) -> None:
        """A revision with those of its pods that are told one by one, and the count of the others."""
        turn, down = ("└─", "  ") if last else ("├─", "│ ")
        number = str(found.number) if found.number else "?"
        kind = "" if found.role in ("other", "unknown") else f" ({found.role})"
        name = found.name or "no revision"
        images = ", ".join(i if self.wide else short_image(i) for i in found.images.values())
        staying = sum(p.state not in ("leaving", "ended") for p in found.pods)
        counted = f"{staying} of {of.summary.pods.wanted}"
        self.add(turn, f"# {number} {name}{kind}", counted, since(self.now, found.created), images, TITLE)
        folded = _folded([p for p in found.pods if p not in told])
        for position, pod in enumerate(told):
            self.pod(down, pod, last=position == len(told) - 1 and not folded)
        if folded:
            self.add(f"{down}└─", f"… {folded}", "", "", "", DIM)

    def pod(self, down: str, pod: PodState, *, last: bool) -> None:
        """A pod and the HookRuns about it."""
        sign, style = _POD_SIGNS[pod.state]
        turn, below = ("└─", "  ") if last else ("├─", "│ ")
        index = f"index {pod.instance}" if pod.instance.isdigit() else ""
        parts = [pod.detail, index, pod.node]
        if self.wide:
            parts += [pod.address, f"{pod.restarts} restarts"]
        words = Span(f"{sign} {pod.words}", style)
        self.add(f"{down}{turn}", f"□ {pod.name}", words, since(self.now, pod.created), ", ".join(filter(None, parts)))
        hooks = pod.hooks if self.shown == "all" else [h for h in pod.hooks if h.state != "passed"]
        for position, hook in enumerate(hooks):
            self.hook(f"{down}{below}", hook, last=position == len(hooks) - 1)

    def hook(self, prefix: str, hook: HookState, *, last: bool) -> None:
        """A HookRun: what it says, and what it wants to hear."""
        counted = {
            "says no": Span(f"◷ {hook.asked} times no", HOLD),
            "only errors": Span(f"✖ {hook.asked} times an error", BAD),
            "failed": Span(f"✖ {hook.phase.lower()}", BAD),
            "passed": Span("✔ passed", GOOD),
        }.get(hook.state, Span(f"◷ {hook.state}", HOLD))
        wants = f", wants {hook.wants}" if hook.wants and hook.state != "passed" else ""
        told = f"{answer(hook)}{wants}" if hook.state != "not asked yet" else wants.removeprefix(", ")
        self.add(f"{prefix}{'└─' if last else '├─'}", f"α {hook.run}", counted, since(self.now, hook.since), told)


def _folded(pods: Sequence[PodState]) -> str:
    """``35 ready, 2 in grace``."""
    counts: dict[str, int] = {}
    for pod in pods:
        counts[pod.state] = counts.get(pod.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _told(pod: PodState, shown: Shown) -> bool:
    if shown == "folded":
        return pod.state != "ready"
    if shown == "unready":
        return not pod.ready
    if shown == "waiting":
        return pod.state in ("asked", "hook failed")
    return {"all": True, "new": pod.new, "old": not pod.new}[shown]


_FIRST: Final = ("hook failed", "failing", "ended", "asked", "grace", "restarting", "starting", "young", "leaving")


def _choose(pods: Sequence[PodState], shown: Shown, most: int) -> list[PodState]:
    """Pods to tell one by one: those that need somebody first, then those that wait the longest."""
    found = [p for p in pods if _told(p, shown)]
    if shown != "folded":
        return found
    order = {state: rank for rank, state in enumerate(_FIRST)}
    found.sort(key=lambda p: (order.get(p.state, len(order)), min((h.since for h in p.hooks), default=""), p.name))
    return sorted(found[:most], key=lambda p: p.name)


def tree(
    found: WorkloadTree, now: float, shown: Shown = "folded", *, wide: bool = False, width: int | None = None
) -> list[Line]:
    """The whole screen of ``get``."""
    rows = _Rows(now, shown, wide=wide)
    summary, name = found.summary, found.summary.workload.name
    sign, style = SIGNS[summary.state]
    rows.add(f"{sign} ", name, Span(f"{sign} {summary.words}", style), since(now, found.created), "", TITLE)
    for hook in _canary_hooks(found, shown):
        rows.hook("", hook, last=False)
    filled = [r for r in found.revisions if r.pods or r.role in ("new", "current") or shown == "all"]
    told = filled if shown != "folded" else filled[:_MOST_REVISIONS]
    left = [r for r in filled if r not in told]
    most = max(2, _MOST_PODS // max(1, len(told)))
    more = bool(left) or bool(found.foreign)
    for position, revision in enumerate(told):
        last = position == len(told) - 1 and not more
        rows.revision(revision, _choose(revision.pods, shown, most), last=last, of=found)
    if left:
        pods = sum(len(r.pods) for r in left)
        turn = "├─" if found.foreign else "└─"
        rows.add(turn, f"… {len(left)} more revisions", f"{pods} of {summary.pods.wanted}", "", "", DIM)
    for line_ in _foreign(found, shown):
        rows.add(*line_)
    lines = [*head(summary, now, width), Line()]
    lines += table(("NAME", "STATUS", "AGE", "INFO"), rows.rows, width=width, drop=("INFO",))
    return lines if width is None else [cut(one, width) for one in lines]


def _canary_hooks(found: WorkloadTree, shown: Shown) -> list[HookState]:
    """HookRuns of steps, and those whose pod is gone."""
    return [h for h in found.hooks if shown == "all" or h.state not in ("passed", "being removed")]


def _foreign(found: WorkloadTree, shown: Shown) -> Iterator[tuple[str, str, Span | str, str, str, Style]]:
    """Pods with the workload's labels that belong to somebody else."""
    if not found.foreign:
        return
    most = len(found.foreign) if shown == "all" else 2
    yield "└─", "# pods of others with these labels", "", "", "", DIM
    for pod in found.foreign[:most]:
        yield "  ├─", f"□ {pod.name}", Span("not ours", DIM), "", f"belongs to {pod.owner}", DIM
    if len(found.foreign) > most:
        yield "  └─", f"… {len(found.foreign) - most} more", "", "", "", DIM


# ---- the list


def listing(
    items: Sequence[Summary], now: float, *, namespaced: bool, wide: bool = False, width: int | None = None
) -> list[Line]:
    """One line for each workload; with ``wide`` what needs a person is told in full."""
    if not items:
        return [line("No workloads.")]
    header = ("NAMESPACE",) if namespaced else ()
    rows: list[tuple[Cell, ...]] = []
    for found in items:
        name = found.workload
        short = {"GameDeployment": "gd", "GameStatefulSet": "gsts"}[name.kind]
        first: tuple[Cell, ...] = (name.namespace,) if namespaced else ()
        waiting = waits(found.waits_for, now, most=1) if found.waits_for else ""
        needs = found.needs_you if wide else sentence(found.needs_you_reason)
        rows.append(
            (
                *first,
                f"{short}/{name.name}",
                status(found),
                step(found),
                f"{found.pods.new}/{found.pods.wanted}",
                str(found.pods.ready),
                waiting,
                Span(needs, BAD),
            )
        )
    columns = (*header, "NAME", "STATUS", "STEP", "NEW/WANTED", "READY", "WAITS FOR", "NEEDS YOU")
    return table(columns, rows, width=width, drop=("WAITS FOR", "STEP"))


# ---- hooks

_ANSWERS: Final = {"says no": HOLD, "not asked yet": HOLD, "only errors": BAD, "failed": BAD, "passed": GOOD}


def hooks_screen(hooks: Sequence[HookState], now: float, *, width: int | None = None) -> list[Line]:
    """The table of ``hooks``, and below it what runs are made from an older template."""
    if not hooks:
        return [line("No hook is being asked.")]
    rows: list[tuple[Cell, ...]] = []
    for hook in hooks:
        sign = {"passed": "✔", "failed": "✖", "only errors": "✖", "being removed": "⊗"}.get(hook.state, "◷")
        state = Span(f"{sign} {hook.state}", _ANSWERS.get(hook.state, DIM))
        told = hook.value or hook.message or "-"
        rows.append(
            (
                hook.pod or hook.run,
                hook.hook,
                hook.template or "?",
                state,
                str(hook.asked),
                told,
                hook.wants or "-",
                since(now, hook.since),
            )
        )
    columns = ("POD", "HOOK", "TEMPLATE", "STATE", "ASKED", "LAST ANSWER", "WANTS", "SINCE")
    lines = table(columns, rows, width=width, drop=("WANTS", "HOOK"))
    old = [h for h in hooks if h.outdated and h.state not in ("passed", "being removed")]
    for hook in old:
        what = "is made anew by the next pass" if hook.state == "only errors" else "asks in the old way"
        lines.append(line(Span(f"  {hook.template} has changed since: HookRun {hook.run} {what}", HOLD)))
    return lines


# ---- why


def explanation_screen(found: Explanation, *, width: int | None = None) -> list[Line]:
    """Numbered causes, what the next pass would do, and what was looked at. Long sentences are wrapped, never cut."""
    lines = [line(Span(found.verdict, GOOD))] if found.healthy else []
    for number, one in enumerate(found.findings, start=1):
        text = wrapped(f"{number}. {one.text}", width, indent=3)
        lines += [line(Span(part, BAD if number == 1 else "")) for part in text]
        if one.look:
            lines.append(line(Span(f"   look: {one.look}", DIM)))
    if found.next_actions:
        lines.append(line("The next pass would:"))
        lines += [line(part) for one in found.next_actions for part in wrapped(f"   {one}", width, indent=5)]
    lines += [line(Span(part, HOLD)) for one in found.status_differs for part in wrapped(one, width, indent=2)]
    lines += [line(Span(p, DIM)) for p in wrapped(f"Looked at: {', '.join(found.looked_at)}.", width, indent=2)]
    if found.unreadable:
        told = f"Not readable for you: {', '.join(found.unreadable)}."
        lines += [line(Span(p, HOLD)) for p in wrapped(told, width, indent=2)]
    return lines
