"""Why a call did not give a result. The texts may go into a status."""

from __future__ import annotations

from operators.sandbox.protocol import ANSWER_LIMIT, REQUEST_LIMIT


class SandboxError(Exception):
    """A call without result."""


class Refused(SandboxError, ValueError):
    """The function itself refused its input; the text is its own."""


class LimitExceeded(SandboxError):
    """The call passed a limit, and was ended."""


class CpuLimitExceeded(LimitExceeded):
    """More CPU time than one call may take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the limit of {seconds * 1000:.0f} ms of CPU time was exceeded")
        self.seconds = seconds


class WallLimitExceeded(LimitExceeded):
    """No answer in time, although the CPU limit was not reached: the worker was stopped, or got too little CPU."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the limit of {seconds:g} s was exceeded")
        self.seconds = seconds


class MemoryLimitExceeded(LimitExceeded):
    """More memory than a worker may have."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the limit of {size >> 20} MiB of memory was exceeded")
        self.size = size


class RequestTooLarge(LimitExceeded):
    """The request was not sent."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the input has {size} bytes, and the limit is {REQUEST_LIMIT}")


class AnswerTooLarge(LimitExceeded):
    """The result was not sent."""

    def __init__(self) -> None:
        super().__init__(f"the result exceeds the limit of {ANSWER_LIMIT} bytes")


class WorkerDied(SandboxError):
    """The worker ended without an answer, and not by one of its limits."""


class FunctionDefect(SandboxError):
    """The function failed in a way it should not; ``details`` is its traceback."""

    def __init__(self, name: str, details: str) -> None:
        super().__init__(f"internal error in {name}")
        self.details = details


class Unavailable(SandboxError):
    """There is no worker: the pool is closed, or its processes cannot be started."""
