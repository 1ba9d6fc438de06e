"""Printing: text with or without colours, JSON, YAML, names, and a picture that is drawn again."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final, Protocol, TextIO

from operators.cli.game.flags import Flags
from operators.cli.game.text import BAD, BUSY, DIM, GOOD, HOLD, TITLE, Line, Span, cut, in_zone, to_ascii, without_ages

_COLOURS: Final = {TITLE: "bold", DIM: "bright_black", GOOD: "green", BUSY: "cyan", HOLD: "yellow", BAD: "bold red"}


class Document(Protocol):
    """What a command finds out, as it stands in JSON."""

    def dump(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Screen:
    """How to write for the reader at the other end."""

    flags: Flags
    stream: TextIO
    terminal: bool
    colours: bool

    @classmethod
    def of(cls, flags: Flags, stream: TextIO | None = None) -> Screen:
        """The screen of standard output, or of another stream."""
        stream = stream or sys.stdout
        terminal = stream.isatty()
        colours = (
            terminal and not flags.no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        return cls(flags, stream, terminal, colours)

    @property
    def width(self) -> int | None:
        """Columns of the terminal as it is now; None where nothing is cut."""
        return shutil.get_terminal_size((80, 24)).columns if self.terminal else None

    @property
    def zone(self) -> tzinfo | None:
        """The zone of times in texts: None for the local one."""
        return UTC if self.flags.utc else None

    @property
    def wide(self) -> bool:
        """More columns are wanted."""
        return self.flags.output == "wide"

    def text(self, lines: Sequence[Line]) -> None:
        """Write lines."""
        shown = self._fitted(lines)
        if self.colours:
            self._console().print(self._rich(shown))
        else:
            for one in shown:
                self.say(str(one))

    def say(self, text: str) -> None:
        """Write one line as it is."""
        print(to_ascii(text) if self.flags.ascii else text, file=self.stream, flush=True)

    def show(self, document: Document, render: Callable[[Screen], Sequence[Line]], names: Sequence[str]) -> None:
        """Write a document in the form that was asked for; ``names`` are what ``-o name`` prints."""
        if self.flags.output in ("json", "yaml"):
            self.say(self.serialized(document).rstrip("\n"))
        elif self.flags.output == "name":
            for name in names:
                self.say(name)
        else:
            self.text(render(self))

    def serialized(self, document: Document) -> str:
        """JSON or YAML."""
        if self.flags.output == "yaml":
            import yaml

            return yaml.safe_dump(document.dump(), sort_keys=False, allow_unicode=not self.flags.ascii)
        return json.dumps(document.dump(), indent=2, ensure_ascii=self.flags.ascii)

    @contextmanager
    def redrawn(self) -> Iterator[Callable[[Sequence[Line]], None]]:
        """A picture that is drawn over itself on a terminal; elsewhere each line that is new is written once.

        The cursor and the terminal are as before when this ends, however it ends.
        """
        if not self.terminal or os.environ.get("TERM") == "dumb":
            yield self._changes()
            return
        from rich.live import Live

        with Live(console=self._console(), auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda lines: live.update(self._rich(self._fitted(lines)), refresh=True)

    def _changes(self) -> Callable[[Sequence[Line]], None]:
        before: set[str] = set()

        def write(lines: Sequence[Line]) -> None:
            now = {without_ages(str(one)): str(one) for one in self._fitted(lines)}
            for known, text in now.items():
                if text and known not in before:
                    self.say(text)
            before.clear()
            before.update(now)

        return write

    def _fitted(self, lines: Sequence[Line]) -> list[Line]:
        """With times in the zone of the reader, in the width of the terminal."""
        moved = [Line(tuple(Span(in_zone(s.text, self.zone), s.style) for s in one.spans)) for one in lines]
        return moved if self.width is None else [cut(one, self.width) for one in moved]

    def _console(self) -> Any:
        from rich.console import Console

        return Console(file=self.stream, force_terminal=True, highlight=False, soft_wrap=False, legacy_windows=False)

    def _rich(self, lines: Sequence[Line]) -> Any:
        from rich.text import Text

        drawn = Text(no_wrap=True, overflow="ellipsis", end="")
        for number, one in enumerate(lines):
            if number:
                drawn.append("\n")
            for span in one.spans:
                style = _COLOURS.get(span.style, "") if self.colours else ""
                drawn.append(to_ascii(span.text) if self.flags.ascii else span.text, style)
        return drawn


def complain(text: str) -> None:
    """Write to standard error."""
    print(text, file=sys.stderr)
