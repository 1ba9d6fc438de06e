"""Flags of both programs: one table makes the command line, reads the environment and writes the documentation.

A flag that is not given is taken from its environment variable, else it has its default. Every value goes through
``parse`` as a text, so a mistake is told in the same words wherever the value came from.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from operators.api.durations import parse_duration

#: Longer than any time that makes sense here, and short enough to be added to a date.
_LONGEST = 1e9


class InvalidSettings(ValueError):
    """A value that cannot be used, or values that contradict each other; the text names flag or variable."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag.

    Attributes:
        spellings: All of them, with spaces between. The first names the environment variable; the others are those of
            the Go operators.
        default: The text that stands in for a value; None makes the value None.
        parse: Reads the text; a ``ValueError`` says what is wrong with it.
        text: What the flag means, for people.
        stored_as: What the value is called in the program, where it is not called like the flag.
        switch: The flag counts as ``true`` when it is given without a value.
    """

    spellings: str
    default: str | None
    parse: Callable[[str], Any]
    text: str
    stored_as: str = ""
    switch: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All spellings, without the dashes before them."""
        return tuple(self.spellings.split())

    @property
    def field(self) -> str:
        """What the value is called in the program."""
        return self.stored_as or self.names[0].replace("-", "_")


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of one command; ``prefix`` begins the names of its environment variables."""

    prefix: str
    flags: tuple[Flag, ...]

    def variable(self, flag: Flag) -> str:
        """The environment variable of a flag."""
        return self.prefix + flag.names[0].upper().replace("-", "_")

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Let a parser take these flags."""
        for flag in self.flags:
            default = f" (default {flag.default})" if flag.default else ""
            bare: dict[str, Any] = {"nargs": "?", "const": "true"} if flag.switch else {}
            parser.add_argument(
                *(f"--{name}" for name in flag.names),
                dest=flag.field,
                metavar="true|false" if flag.switch else "VALUE",
                help=f"{flag.text}{default}; env {self.variable(flag)}".replace("%", "%%"),
                **bare,
            )

    def read(self, options: argparse.Namespace, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The values by field; the environment is that of the process where none is given.

        Raises:
            InvalidSettings: a value cannot be used.
        """
        variables = os.environ if environment is None else environment
        return {flag.field: self._value(flag, getattr(options, flag.field), variables) for flag in self.flags}

    def _value(self, flag: Flag, given: str | None, variables: Mapping[str, str]) -> Any:
        variable = self.variable(flag)
        text = given if given is not None else variables.get(variable, flag.default)
        if text is None:
            return None
        try:
            return flag.parse(text)
        except ValueError as error:
            where = f"--{flag.names[0]}" if given is not None else f"environment variable {variable}"
            raise InvalidSettings(f"{where}: {text!r}: {error}") from error

    def table(self) -> str:
        """All flags as a Markdown table, as the documentation shows it."""
        rows = ["| Flag | Default | Environment | Meaning |", "|---|---|---|---|"]
        for flag in self.flags:
            names = ", ".join(f"`--{name}`" for name in flag.names)
            default = f"`{flag.default}`" if flag.default else ""
            rows.append(f"| {names} | {default} | `{self.variable(flag)}` | {flag.text} |")
        return "\n".join(rows)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError(f"must be from {least} to {most}")
        return number

    return parse


port = whole_number(0, 65535)


def seconds(text: str) -> float:
    """A positive number of seconds, plain or as Go writes them: 15, 1.5, 15s, 2m, 1m30s, 400ms."""
    try:
        value = parse_duration(text) if text[-1:] in ("s", "m", "h") else float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < _LONGEST:
        raise ValueError("must be a positive number of seconds")
    return value


def seconds_or_none(text: str) -> float:
    """Seconds as above, or 0."""
    return 0.0 if text.strip() in ("0", "0s") else seconds(text)


def truth(text: str) -> bool:
    """True or false."""
    if text.lower() in ("1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise ValueError("must be true or false")


def one_of(words: tuple[str, ...], change: Callable[[str], str] = str) -> Callable[[str], str]:
    """One of some words, after ``change`` was made to it."""

    def parse(text: str) -> str:
        if change(text) not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return change(text)

    return parse


def not_empty(text: str) -> str:
    """A text with something in it."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def comma_separated(text: str) -> tuple[str, ...]:
    """A list, separated by commas."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def namespace_and_name(text: str) -> tuple[str, str]:
    """``namespace/name``."""
    namespace, _, name = text.partition("/")
    if not (namespace and name) or "/" in name:
        raise ValueError("must be namespace/name")
    return namespace, name
