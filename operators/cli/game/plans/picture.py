"""A plan as a picture: one SVG that needs nothing beside itself. Pure, and written by hand.

Up to `MOST_PODS` pods each has a lane. Of more, lanes are the places of the budget, and pods are boxes that take one
while they do not serve. Colours follow the reader's scheme, and each state has a pattern of its own besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from operators.cli.game.plans.build import headline, outcome
from operators.cli.game.plans.documents import Does, PlanLane, PlanSpan, RolloutPlan
from operators.cli.game.text import age

WIDTH: Final = 1000
#: Pods that have a lane each.
MOST_PODS: Final = 60
#: Places that are drawn at most; what takes more at the same time is counted.
MOST_PLACES: Final = 300
LANE: Final = 14
BAR: Final = 10
_TOP, _RIGHT, _FOOT = 84, 24, 54
_LETTER: Final = 6.4
#: Colours of text, background and lines, and of each state: light scheme, dark scheme.
COLOURS: Final = {
    "bg": ("#ffffff", "#0d1117"),
    "fg": ("#1f2328", "#e6edf3"),
    "line": ("#6e7781", "#8b949e"),
    "old": ("#768390", "#768390"),
    "new": ("#1a7f37", "#3fb950"),
    "asked": ("#9a6700", "#d29922"),
    "grace": ("#0969da", "#58a6ff"),
    "restarting": ("#cf222e", "#ff7b72"),
    "starting": ("#8250df", "#bc8cff"),
    "unready": ("#bf3989", "#f778ba"),
    "leaving": ("#57606a", "#8b949e"),
    "ended": ("#424a53", "#6e7681"),
}
#: Class, and what the legend says.
STATES: Final[dict[str, tuple[str, str]]] = {
    "old": ("o", "ready, old"),
    "new": ("n", "ready, new"),
    "asked": ("a", "asked by a hook"),
    "grace": ("g", "in grace"),
    "restarting": ("r", "restarting"),
    "starting": ("s", "starting"),
    "unready": ("u", "not ready"),
    "leaving": ("l", "leaving"),
    "ended": ("e", "ended"),
}
#: Strokes of the patterns, on a square of 6.
_PATTERNS: Final = {
    "asked": "M0 6L6 0",
    "grace": "M0 0L6 6",
    "restarting": "M3 0V6",
    "starting": "M0 3H6",
    "unready": "M3 0V6M0 3H6",
    "leaving": "M0 6L6 0M0 0L6 6",
    "ended": "M0 1H6M0 4H6",
}


def state_of(span: PlanSpan) -> str:
    """The state that a span is drawn as."""
    does: Does = span.does
    if does == "ready":
        return "new" if span.new else "old"
    return "unready" if does == "not ready" else does


@dataclass(frozen=True, slots=True)
class Box:
    """A pod's span on a lane."""

    lane: int
    pod: str
    span: PlanSpan


@dataclass(frozen=True, slots=True)
class Layout:
    """What is drawn where: ``labels`` of the lanes, and boxes; ``left_out`` boxes found no place."""

    labels: tuple[str, ...]
    boxes: tuple[Box, ...]
    by_pod: bool
    left_out: int = 0


def layout(plan: RolloutPlan) -> Layout:
    """A lane for each pod, or for each place that pods take while they do not serve."""
    if len(plan.lanes) <= MOST_PODS:
        boxes = [Box(n, lane.pod, span) for n, lane in enumerate(plan.lanes) for span in lane.spans]
        return Layout(tuple(lane.pod for lane in plan.lanes), tuple(boxes), by_pod=True)
    groups = sorted(
        (group for lane in plan.lanes for group in _busy(lane)), key=lambda g: (g[1][0].begin, g[1][-1].end, g[0])
    )
    free: list[float] = []
    placed: list[Box] = []
    left_out = 0
    for pod, spans in groups:
        place = next((n for n, until in enumerate(free) if until <= spans[0].begin), None)
        if place is None:
            if len(free) >= MOST_PLACES:
                left_out += 1
                continue
            place = len(free)
            free.append(0.0)
        free[place] = spans[-1].end
        placed += [Box(place, pod, span) for span in spans]
    return Layout(tuple(f"place {n + 1}" for n in range(len(free))), tuple(placed), by_pod=False, left_out=left_out)


def _busy(lane: PlanLane) -> Iterator[tuple[str, list[PlanSpan]]]:
    """Times in a row in which a pod does anything but serve."""
    group: list[PlanSpan] = []
    for span in lane.spans:
        if span.does != "ready":
            group.append(span)
        elif group:
            yield lane.pod, group
            group = []
    if group:
        yield lane.pod, group


def picture(plan: RolloutPlan) -> str:
    """The SVG."""
    return _Drawing(plan).text()


class _Drawing:
    def __init__(self, plan: RolloutPlan) -> None:
        self.plan, self.layout = plan, layout(plan)
        longest = max((len(label) for label in self.layout.labels), default=0)
        self.left = min(260.0, max(70.0, longest * _LETTER + 14))
        self.scale = (WIDTH - _RIGHT - self.left) / max(plan.lanes_end, 1e-9)
        self.bottom = _TOP + LANE * max(1, len(self.layout.labels))
        self.foot = self.bottom + 34
        self.height = self.foot + _FOOT + 58

    def x(self, at: float) -> float:
        return self.left + at * self.scale

    def text(self) -> str:
        plan = self.plan
        title = _clean(f"{plan.workload.name}: {headline(plan)}")
        font = 'font-family="ui-monospace,Menlo,Consolas,monospace" font-size="11"'
        box = f'viewBox="0 0 {WIDTH} {self.height}" role="img" aria-labelledby="title desc"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} {font}>',
            f'<title id="title">{title}</title>',
            f'<desc id="desc">{_clean(_described(plan, self.layout))}</desc>',
            f"<style>{style()}</style>",
            "<defs>",
            *(_pattern(state) for state in _PATTERNS),
            "</defs>",
            f'<rect class="bg" width="{WIDTH}" height="{self.height}"/>',
            f'<text class="t" x="12" y="24">{_cut(title, 105)}</text>',
            f'<text x="12" y="42">{_cut(_clean(outcome(plan)), 140)}</text>',
            *self._steps(),
            *self._lanes(),
            *self._axis(),
            *self._budget(),
            *self._legend(),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _steps(self) -> Iterator[str]:
        """Vertical lines where steps begin; the name where there is room."""
        starts = [self.plan.legs[s.leg - 1] + s.begin for s in self.plan.steps]
        free = 0.0
        for number, (step, at) in enumerate(zip(self.plan.steps, starts, strict=True)):
            x = self.x(at)
            name = f"{step.number} {step.does}" if step.number else step.does
            words = f"{name}: you" if step.person else name
            kind = "you" if step.person else "step"
            told = f"<title>{_clean(words)}, from +{age(at)}</title>"
            yield f'<path class="{kind}" d="M{_n(x)} 62V{self.bottom}">{told}</path>'
            room = (self.x(starts[number + 1]) if number + 1 < len(starts) else WIDTH - _RIGHT) - max(x, free)
            for text in (words, str(step.number or "")):
                if (
                    text
                    and max(x, free) + len(text) * _LETTER + 6 <= WIDTH
                    and (len(text) * _LETTER + 6 <= room or (step.person and text == words))
                ):
                    begin = max(x, free)
                    yield f'<text x="{_n(begin + 3)}" y="72">{_clean(text)}</text>'
                    free = begin + len(text) * _LETTER + 8
                    break

    def _lanes(self) -> Iterator[str]:
        for number, label in enumerate(self.layout.labels):
            y = _TOP + number * LANE + BAR - 1
            yield f'<text x="{_n(self.left - 6)}" y="{y}" text-anchor="end">{_cut(_clean(label), 38)}</text>'
        names: list[str] = []
        named: dict[int, float] = {}
        last = ("", -1)
        for box in self.layout.boxes:
            y = _TOP + box.lane * LANE
            begin, end = self.x(box.span.begin), self.x(box.span.end)
            state = state_of(box.span)
            what = f"{box.pod} {STATES[state][1]} +{age(box.span.begin)} to +{age(box.span.end)}"
            told = f"<title>{_clean(what)}</title>" if self.layout.by_pod else ""
            shape = f'class="{STATES[state][0]}" x="{_n(begin)}" y="{y}" width="{_n(end - begin)}" height="{BAR}"'
            yield f"<rect {shape}>{told}</rect>" if told else f"<rect {shape}/>"
            if self.layout.by_pod or (box.pod, box.lane) == last:
                continue
            last = (box.pod, box.lane)
            short = box.pod.removeprefix(f"{self.plan.workload.name}-")
            if named.get(box.lane, 0.0) <= begin:
                named[box.lane] = begin + len(short) * 5.0 + 4
                names.append(f'<text class="p" x="{_n(begin + 2)}" y="{y + 8}">{_clean(short)}</text>')
        yield from names  # above all boxes

    def _axis(self) -> Iterator[str]:
        yield f'<path class="axis" d="M{_n(self.left)} {self.bottom + 3}H{WIDTH - _RIGHT}"/>'
        for at in ticks(self.plan.lanes_end):
            x = self.x(at)
            yield f'<path class="axis" d="M{_n(x)} {self.bottom + 3}v4"/>'
            yield f'<text x="{_n(x)}" y="{self.bottom + 18}" text-anchor="middle">+{age(at)}</text>'

    def _budget(self) -> Iterator[str]:
        """Pods that do not serve, as an area; what an update may take, as a line."""
        down = self.plan.down or ()
        most = max([self.plan.allowed, 1, *(d.pods for d in down)])
        base, unit = self.foot + _FOOT, (_FOOT - 6) / most
        path = f"M{_n(self.left)} {_n(base)}"
        for one in down:
            path += f"H{_n(self.x(one.at))}V{_n(base - one.pods * unit)}"
        path += f"H{_n(self.x(self.plan.lanes_end))}V{_n(base)}Z"
        yield f'<path class="down" d="{path}"><title>pods that do not serve, {most} at most</title></path>'
        if self.plan.allowed:
            y = base - self.plan.allowed * unit
            yield f'<path class="allowed" d="M{_n(self.left)} {_n(y)}H{WIDTH - _RIGHT}"/>'
            yield f'<text x="{_n(self.left - 6)}" y="{_n(y + 4)}" text-anchor="end">{self.plan.allowed} may</text>'
        yield f'<path class="axis" d="M{_n(self.left)} {_n(base)}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_n(self.left - 6)}" y="{_n(base)}" text-anchor="end">down</text>'

    def _legend(self) -> Iterator[str]:
        used = {state_of(box.span) for box in self.layout.boxes}
        x, y = 12.0, self.height - 16
        for state, (name, words) in STATES.items():
            if state in used:
                yield f'<rect class="{name} key" x="{_n(x)}" y="{y - 9}" width="16" height="{BAR}"/>'
                yield f'<text x="{_n(x + 20)}" y="{y}">{words}</text>'
                x += 34 + len(words) * _LETTER
        if self.layout.left_out:
            yield f'<text x="{_n(x)}" y="{y}">and {self.layout.left_out} pods more at the same time</text>'


def _described(plan: RolloutPlan, drawn: Layout) -> str:
    lanes = "Each lane is a pod" if drawn.by_pod else "Each lane is a place that pods take while they do not serve"
    steps = "; ".join(f"{s.number or ''} {s.does}".strip() for s in plan.steps)
    return f"{lanes}, time runs to the right for {age(plan.seconds)}. Steps: {steps or 'none'}. {outcome(plan)}"


def style() -> str:
    """Colours by the reader's scheme; no part of it comes from elsewhere.

    Written out for both, without variables: what draws pictures outside of a browser does not know these.
    """
    shapes = [
        ".t{font-size:15px;font-weight:bold}.p{font-size:8px;font-weight:bold}",
        ".axis,.step,.you,.allowed,.h{fill:none}.you{stroke-width:2;stroke-dasharray:4 3}",
        ".allowed{stroke-dasharray:3 3}.down{fill-opacity:.5}",
        *(f".{name}{{fill:url(#p{name})}}" for state, (name, _) in STATES.items() if state in _PATTERNS),
    ]
    return f"{''.join(shapes)}{_colours(0)}@media (prefers-color-scheme:dark){{{_colours(1)}}}"


def _colours(scheme: int) -> str:
    colour = {name: pair[scheme] for name, pair in COLOURS.items()}
    rules = [
        f"text{{fill:{colour['fg']}}}.bg,.p{{fill:{colour['bg']}}}.h{{stroke:{colour['bg']}}}",
        f".axis,.step{{stroke:{colour['line']}}}.you{{stroke:{colour['asked']}}}",
        f".allowed{{stroke:{colour['fg']}}}.down{{fill:{colour['grace']}}}",
    ]
    for state, (name, _) in STATES.items():
        rules.append(f".{'f' if state in _PATTERNS else ''}{name}{{fill:{colour[state]}}}")
    return "".join(rules)


def _pattern(state: str) -> str:
    name = STATES[state][0]
    return (
        f'<pattern id="p{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect class="f{name}" width="6" height="6"/><path class="h" d="{_PATTERNS[state]}"/></pattern>'
    )


def ticks(end: float) -> Sequence[float]:
    """Times at the foot: ten at most, at steps that people count in."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    step = next((s for s in steps if end / s <= 10), steps[-1] * (1 + int(end // (10 * steps[-1]))))
    return [float(n * step) for n in range(int(end // step) + 1)]


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    """Text in XML, whatever it holds."""
    return escape("".join(c if c.isprintable() else " " for c in text), {'"': "&quot;"})


def _cut(text: str, letters: int) -> str:
    """Cut where it is too long, but never inside of an entity."""
    if len(text) <= letters:
        return text
    head = text[: letters - 1]
    entity = head.rfind("&")
    return (head[:entity] if entity > head.rfind(";") else head) + "…"
