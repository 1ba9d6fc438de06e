"""The phases of HookRuns, of their metrics and of single measurements, as they stand in the status."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class HookPhase(StrEnum):
    """A phase. Equal to its plain text, which is what the API stores."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"


#: Phases that never change again.
FINAL_PHASES: Final = (HookPhase.SUCCESSFUL, HookPhase.FAILED, HookPhase.ERROR, HookPhase.INCONCLUSIVE)
