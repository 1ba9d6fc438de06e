"""Lines of styled text, columns and ages: what every command prints, without a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

#: Styles by what they mean; the colours are chosen where there is a terminal.
Style = str
PLAIN, TITLE, DIM, GOOD, BUSY, HOLD, BAD = "", "title", "dim", "good", "busy", "hold", "bad"

#: What stands for each sign where only ASCII is wanted.
ASCII: Final = {
    "✔": "+", "⟳": "*", "◷": "~", "‖": "=", "✖": "x", "⊗": "-", "□": "o", "◌": "~", "α": "?", "…": "...",
    "→": "->", "├": "|", "└": "`", "│": "|", "─": "-", "—": "-", "·": ".", "△": "!",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    text: str
    style: Style = PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """A line of spans."""

    spans: tuple[Span, ...] = ()

    def __str__(self) -> str:
        return "".join(s.text for s in self.spans).rstrip()

    def __len__(self) -> int:
        return sum(len(s.text) for s in self.spans)


_AGE: Final = re.compile(r"\b\d{1,5}(?: s left|(?:[smhdy](?:\d{1,2}[smhdy])?)\b)")
_TIME: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

Cell = str | Span | Line


def line(*parts: str | Span) -> Line:
    """A line of its parts."""
    return Line(tuple(p if isinstance(p, Span) else Span(p) for p in parts))


def as_line(cell: Cell) -> Line:
    """A cell of a table as a line."""
    return cell if isinstance(cell, Line) else line(cell)


def plain(lines: Iterable[Line]) -> str:
    """The text alone."""
    return "\n".join(str(one) for one in lines)


def to_ascii(text: str) -> str:
    """The text in ASCII; what has no counterpart becomes a question mark."""
    for sign, instead in ASCII.items():
        text = text.replace(sign, instead)
    return text.encode("ascii", "replace").decode()


def age(seconds: float) -> str:
    """A time span as kubectl writes it: the two largest units while they say something."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y"


def without_ages(text: str) -> str:
    """The text as it stays while only time passes: ages are left out, and the spaces that make room for them."""
    return " ".join(_AGE.sub("", text).split())


def in_zone(text: str, zone: tzinfo | None) -> str:
    """The text with its times (RFC 3339 in UTC) in a zone, None for the local one; each with its offset."""

    def moved(found: re.Match[str]) -> str:
        here = datetime.fromisoformat(found[0].replace("Z", "+00:00")).astimezone(zone)
        return here.isoformat().replace("+00:00", "Z")

    return _TIME.sub(moved, text)


def elapsed(seconds: float) -> str:
    """``01:25``, with hours where there are any."""
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole // 60 % 60:02}:{whole % 60:02}"


def counted(number: int, what: str) -> str:
    """``1 pod``, ``2 pods``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def sentence(reason: str) -> str:
    """``BudgetExhausted`` as words: ``budget exhausted``."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in reason).strip()
    return words.replace("in place", "in-place")


def sentence_of(text: str) -> str:
    """With a full stop, and a capital letter where a word and not a field's name begins it."""
    word = text.partition(" ")[0].rstrip(",;:")
    start = text[:1].upper() if word.isalpha() and word.islower() else text[:1]
    return f"{start}{text[1:].rstrip('.')}."


def table(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int | None = None, drop: Sequence[str] = ()
) -> list[Line]:
    """Columns under their names.

    Args:
        header: Name of each column.
        rows: The cells of each row.
        width: Columns of the terminal; None where nothing is cut.
        drop: Columns that go first, in this order, while the table is too wide.
    """
    shown = list(range(len(header)))
    cells = [[as_line(c) for c in row] for row in rows]

    def widths() -> list[int]:
        return [max(len(header[i]), *(len(row[i]) for row in cells), 0) for i in shown]

    for name in drop:
        if width is None or sum(widths()) + 2 * (len(shown) - 1) <= width:
            break
        if name in header:
            shown = [i for i in shown if header[i] != name]
    sizes = widths()
    lines = [_row([Line((Span(header[i], TITLE),)) for i in shown], sizes)]
    lines += [_row([row[i] for i in shown], sizes) for row in cells]
    return lines if width is None else [cut(one, width) for one in lines]


def _row(cells: Sequence[Line], sizes: Sequence[int]) -> Line:
    spans: list[Span] = []
    for position, (cell, size) in enumerate(zip(cells, sizes, strict=True)):
        spans += cell.spans
        if position < len(cells) - 1:
            spans.append(Span(" " * (size - len(cell) + 2)))
    return Line(tuple(spans))


def cut(one: Line, width: int) -> Line:
    """The line in so many columns, with a sign where it was cut."""
    if len(str(one)) <= width:
        return one
    spans, left = [], width - 1
    for span in one.spans:
        taken = span.text[:left]
        spans.append(Span(taken, span.style))
        left -= len(taken)
        if left <= 0:
            break
    return Line((*spans, Span("…", DIM)))


def wrapped(text: str, width: int | None, *, indent: int = 0) -> list[str]:
    """The text in lines of so many columns, all but the first indented; as it is where nothing is to be cut."""
    if width is None:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=" " * indent) or [""]
