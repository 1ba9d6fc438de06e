"""HookTemplate (docs/spec/hooks.md 1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from operators.api.base import Count, SpecModel
from operators.api.durations import PATTERN
from operators.api.providers.base import ProviderSettings
from operators.api.providers.kubernetes import KubernetesProvider
from operators.api.providers.prometheus import PrometheusProvider
from operators.api.providers.web import WebProvider

Duration = Annotated[str, Field(max_length=64, json_schema_extra={"pattern": PATTERN})]
Condition = Annotated[str, Field(max_length=4096)]


class Argument(SpecModel):
    """An argument; without a value it must be given when a HookRun is made."""

    name: Annotated[
        str, Field(min_length=1, max_length=253, description="Name, used as {{ args.<name> }}, brackets included.")
    ]
    value: Annotated[
        str | None, Field(max_length=4096, description="Default value; absent: the workload has to give one.")
    ] = None


class MetricProvider(SpecModel):
    """Where a metric is measured: one of the providers, each under its name.

    This is the list of providers that the API knows: rules, messages and the registry of what measures
    (`operators.hookrun.providers.registry`) take the names from here.
    """

    web: Annotated[WebProvider | None, Field(description="An HTTP endpoint that answers JSON.")] = None
    prometheus: Annotated[PrometheusProvider | None, Field(description="A Prometheus query.")] = None
    kubernetes: Annotated[
        KubernetesProvider | None,
        Field(description="Annotations of the pod, or of a GameDeployment or GameStatefulSet."),
    ] = None

    @classmethod
    def settings(cls) -> dict[str, type[ProviderSettings]]:
        """The settings of all providers, by name."""
        options = {name: get_args(field.annotation) for name, field in cls.model_fields.items()}
        return {name: next(o for o in found if o is not type(None)) for name, found in options.items()}

    def given(self) -> dict[str, ProviderSettings]:
        """The providers that are filled in, by name: exactly one where the object is valid."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: settings for name, settings in found.items() if settings is not None}


class Metric(SpecModel):
    """One check of a hook."""

    empty_is_absent: ClassVar[frozenset[str]] = frozenset({"interval", "initialDelay", "onCountExhausted"})

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name, unique in the template.")]
    interval: Annotated[
        Duration | None,
        Field(description="Time between two measurements, like 5s or 1h30m, at least 1s; needed when count is over 1."),
    ] = None
    initial_delay: Annotated[
        Duration | None, Field(description="Time before the first measurement, like 5s or 1h30m.")
    ] = None
    count: Annotated[
        Count, Field(description="Measurements to take; 0: one, or without end when an interval is set.")
    ] = 0
    success_condition: Annotated[
        Condition | None, Field(description='Expression that must be true, like asInt(result) == 1 or "0 in result".')
    ] = None
    failure_condition: Annotated[
        Condition | None,
        Field(description="Expression that must not be true; when both are given and neither holds: inconclusive."),
    ] = None
    failure_limit: Annotated[
        Count | None,
        Field(description="Failures tolerated: one more fails the metric; absent: any number; 0: none."),
    ] = None
    successful_limit: Annotated[Count, Field(description="Successes that end the metric well; 0: off.")] = 0
    inconclusive_limit: Annotated[
        Count, Field(description="Inconclusive results tolerated: one more ends the metric Inconclusive.")
    ] = 0
    consecutive_error_limit: Annotated[
        Count | None, Field(description="Errors in a row that end the metric with Error; absent: any number.")
    ] = None
    consecutive_successful_limit: Annotated[
        int | None,
        Field(ge=1, le=2_147_483_647, description="Successes in a row that end the metric well; absent: off."),
    ] = None
    on_count_exhausted: Annotated[
        Literal["Successful", "Failed"],
        Field(
            description="Result when count runs out undecided: Successful lets the pod go, Failed keeps it, and suits "
            "canary steps."
        ),
    ] = "Successful"
    provider: Annotated[
        MetricProvider,
        Field(description=f"Where to measure: exactly one of {', '.join(MetricProvider.model_fields)}."),
    ]


class HookTemplateSpec(SpecModel):
    """A recipe for HookRuns."""

    empty_is_absent: ClassVar[frozenset[str]] = frozenset({"policy"})

    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=32, description="The checks.")]
    args: Annotated[
        tuple[Argument, ...],
        Field(
            max_length=128,
            description="Arguments of the checks. PodName, PodNamespace, PodIP, HostIP, PodContainer[i] and "
            "ModifiedContainer[i] of pod hooks come by themselves.",
        ),
    ] = ()
    policy: Annotated[
        Literal["Parallel", "Ordered"],
        Field(description="Measure all metrics at once (Parallel), or each after the end of the one before (Ordered)."),
    ] = "Parallel"
