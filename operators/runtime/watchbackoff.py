"""How long a list or a watch waits after a failure.

Three causes, three answers. A server that cannot be reached is asked again about once a second: a refused connection
costs nothing, and whoever sleeps longer is blind for as long after the server is back. A server that answers with an
error is busy or refuses: the wait doubles, up to half a minute. A version that has expired (410) is no trouble at all:
the list follows at once, and only a version that keeps expiring is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass

from operators.kube.errors import ApiError, Gone
from operators.kube.retries import backoff

#: Seconds: the first wait, the longest one for errors of the server, and the longest one without an answer.
FIRST, LONGEST, LONGEST_UNANSWERED = 0.4, 30.0, 1.0
_TOO_MANY = 429


@dataclass(slots=True)
class WatchBackoff:
    """Counts failures in a row. ``failures`` are those since the last event, list or change of their cause."""

    failures: int = 0
    _expired: int = 0
    _answered: bool = True

    def failed(self, error: ApiError, chance: float) -> float:
        """Seconds to wait after ``error``; ``chance`` from [0, 1) spreads the requests of many."""
        answered = bool(error.status)
        if answered != self._answered:
            self.failures = 0
        self._answered = answered
        self.failures += 1
        if isinstance(error, Gone):
            self._expired += 1
            return 0.0 if self._expired == 1 else self._wait(self._expired - 1, chance)
        return max(self._wait(self.failures, chance), self._asked(error))

    @staticmethod
    def _asked(error: ApiError) -> float:
        """Seconds that the server asks for.

        One that has too much to do (429) is obeyed. One that is starting says five seconds with every 503, and is
        ready long before: it is asked again after one, and later each time.
        """
        return min(error.retry_after or 0.0, LONGEST if error.status == _TOO_MANY else LONGEST_UNANSWERED)

    def _wait(self, failures: int, chance: float) -> float:
        cap = LONGEST if self._answered else LONGEST_UNANSWERED
        return backoff(failures, first=FIRST, cap=cap, chance=chance)

    def listed(self) -> None:
        """A list has succeeded. A version that expires again right after it is waited for all the same."""
        self.failures = 0
        self._answered = True

    def heard(self) -> None:
        """An event has come: whatever was wrong is over."""
        self.failures = self._expired = 0
        self._answered = True
