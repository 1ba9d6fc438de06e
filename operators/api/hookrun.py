"""HookRun (docs/spec/hooks.md 1.5, 1.6)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from operators.api.base import SpecModel
from operators.api.hooktemplate import HookTemplateSpec
from operators.api.status import Condition, Time


class HookRunSpec(HookTemplateSpec):
    """One execution of a template."""

    terminate: Annotated[
        bool, Field(description="Set to true to interrupt the run; a run without a failed metric then succeeds.")
    ] = False
    ttl_seconds_after_finished: Annotated[
        int | None, Field(ge=0, description="Seconds after which a finished run that nobody owns is removed.")
    ] = None


class Measurement(SpecModel):
    """One measurement."""

    phase: Annotated[str, Field(description="Result.")] = ""
    message: Annotated[str, Field(description="What went wrong.")] = ""
    started_at: Annotated[Time | None, Field(description="Begin.")] = None
    finished_at: Annotated[Time | None, Field(description="End.")] = None
    resume_at: Annotated[Time | None, Field(description="When an unfinished one goes on.")] = None
    value: Annotated[str | None, Field(description="The value measured.")] = None


class MetricResult(SpecModel):
    """Where a metric stands."""

    name: Annotated[str, Field(description="The metric.")]
    phase: Annotated[str, Field(description="Its phase.")] = ""
    message: Annotated[str, Field(description="Message of the last measurement.")] = ""
    count: Annotated[int, Field(description="Measurements taken.")] = 0
    successful: Annotated[int, Field(description="Successful ones.")] = 0
    failed: Annotated[int, Field(description="Failed ones.")] = 0
    inconclusive: Annotated[int, Field(description="Inconclusive ones.")] = 0
    error: Annotated[int, Field(description="Those that could not be taken.")] = 0
    consecutive_error: Annotated[int, Field(description="Errors in a row.")] = 0
    consecutive_successful: Annotated[int, Field(description="Successes in a row.")] = 0
    measurements: Annotated[tuple[Measurement, ...], Field(description="The last ten measurements.")] = ()


class HookRunStatus(SpecModel):
    """Where a run stands."""

    phase: Annotated[str, Field(description="Running, Successful, Failed, Error or Inconclusive.")] = ""
    message: Annotated[str, Field(description="Why the run cannot be executed.")] = ""
    started_at: Annotated[Time | None, Field(description="First assessment.")] = None
    completed_at: Annotated[Time | None, Field(description="When the phase became final.")] = None
    observed_generation: Annotated[int, Field(description="Generation the status speaks of.")] = 0
    metric_results: Annotated[tuple[MetricResult, ...], Field(description="One entry a metric measured.")] = ()
    conditions: Annotated[
        tuple[Condition, ...], Field(description="Complete and Failed; Ready when it succeeded.")
    ] = ()
