"""How much work one condition may make, whatever its text and its value are.

Conditions are written by users and evaluated inside the operator, so each part of the language counts what it does:
a visited node, a touched element, a compiled or matched pattern. The unit is a step, about a microsecond of CPU.
"""

from __future__ import annotations

from typing import Final

from operators.hookrun.conditions.parser import ExpressionError

MAX_STEPS: Final = 50_000


class Work:
    """The steps of one condition: type check, patterns and evaluation together."""

    def __init__(self) -> None:
        self.steps = 0

    def spend(self, steps: int) -> None:
        """Count steps that are about to be taken.

        Raises:
            ExpressionError: there are more than ``MAX_STEPS`` by now.
        """
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise ExpressionError(f"takes too long: more than {MAX_STEPS} steps for this value")
