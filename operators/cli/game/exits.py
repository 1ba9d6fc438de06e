"""Exit codes, and the errors that end a command with one."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a pipeline reads."""

    REACHED = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    TIMEOUT = 4
    RESTS = 5
    CHANGES = 10
    INTERRUPTED = 130


class CommandError(Exception):
    """A command ends: the text goes to standard error, the code to the shell."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """The command line names something that is not there, or is not one thing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.USAGE)


class NothingToDo(CommandError):
    """What was asked for is so already: told, and the command ends well."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.REACHED)
