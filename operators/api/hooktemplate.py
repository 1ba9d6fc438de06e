"""HookTemplate (spec/hooks.md 1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from operators.api.base import SpecModel
from operators.api.durations import PATTERN

Duration = Annotated[str, Field(max_length=64, json_schema_extra={"pattern": PATTERN})]
Condition = Annotated[str, Field(max_length=4096)]


class Argument(SpecModel):
    """An argument; without a value it must be given when a HookRun is made."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name, used as {{ args.<name> }}.")]
    value: Annotated[str | None, Field(max_length=4096, description="Default value.")] = None


class Header(SpecModel):
    """A request header."""

    key: Annotated[str, Field(min_length=1, max_length=256, description="Name of the header.")]
    value: Annotated[str, Field(max_length=4096, description="Value; may hold {{ args.<name> }}.")]


class WebProvider(SpecModel):
    """Asks an HTTP endpoint that answers JSON."""

    url: Annotated[str, Field(min_length=1, max_length=4096, description="Address; may hold {{ args.<name> }}.")]
    headers: Annotated[tuple[Header, ...], Field(max_length=64, description="Request headers.")] = ()
    timeout_seconds: Annotated[int, Field(description="Seconds for the whole exchange; 10 when absent or 0.")] = 10
    json_path: Annotated[str, Field(min_length=1, max_length=1024, description="Which part of the answer, {$.result}.")]


class PrometheusProvider(SpecModel):
    """Asks Prometheus."""

    address: Annotated[str, Field(min_length=1, max_length=2048, description="Base URL of the Prometheus server.")]
    query: Annotated[str, Field(min_length=1, max_length=8192, description="PromQL; may hold {{ args.<name> }}.")]


class KubernetesField(SpecModel):
    """One annotation."""

    path: Annotated[
        str,
        Field(
            min_length=1, max_length=512, description="metadata.annotations.<key>; the key may hold dots and a slash."
        ),
    ]
    value: Annotated[str, Field(max_length=4096, description="Value to expect (get) or to write (patch).")]


class KubernetesProvider(SpecModel):
    """Reads or writes annotations of the pod (or of the workload named by Group, Version and Kind arguments)."""

    function: Annotated[Literal["get", "patch"], Field(description="Compare (get) or write (patch).")]
    fields: Annotated[
        tuple[KubernetesField, ...], Field(min_length=1, max_length=64, description="The annotations.", alias="fields")
    ]


class Provider(SpecModel):
    """Where a metric is measured: exactly one of web, prometheus and kubernetes."""

    web: Annotated[WebProvider | None, Field(description="An HTTP endpoint.")] = None
    prometheus: Annotated[PrometheusProvider | None, Field(description="A Prometheus query.")] = None
    kubernetes: Annotated[KubernetesProvider | None, Field(description="Annotations of an object.")] = None


class Metric(SpecModel):
    """One check of a hook."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name, unique in the template.")]
    interval: Annotated[Duration | None, Field(description="Time between two measurements, like 5s.")] = None
    initial_delay: Annotated[Duration | None, Field(description="Time before the first measurement.")] = None
    count: Annotated[
        int, Field(ge=0, description="Measurements to take; 0: one, or without end when an interval is set.")
    ] = 0
    success_condition: Annotated[Condition | None, Field(description="Expression that must be true.")] = None
    failure_condition: Annotated[Condition | None, Field(description="Expression that must not be true.")] = None
    failure_limit: Annotated[int | None, Field(ge=0, description="Failures tolerated; absent: any number.")] = None
    successful_limit: Annotated[int, Field(ge=0, description="Successes that end the metric well; 0: off.")] = 0
    inconclusive_limit: Annotated[int, Field(ge=0, description="Inconclusive results tolerated.")] = 0
    consecutive_error_limit: Annotated[
        int | None, Field(ge=0, description="Errors in a row that end the metric; absent: any number.")
    ] = None
    consecutive_successful_limit: Annotated[
        int | None, Field(ge=1, description="Successes in a row that end the metric well.")
    ] = None
    on_count_exhausted: Annotated[
        Literal["Successful", "Failed"],
        Field(description="Result when count runs out undecided; Failed keeps the pod, and suits canary steps."),
    ] = "Successful"
    provider: Annotated[Provider, Field(description="Where to measure.")]


class HookTemplateSpec(SpecModel):
    """A recipe for HookRuns."""

    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=64, description="The checks.")]
    args: Annotated[tuple[Argument, ...], Field(max_length=128, description="Arguments of the checks.")] = ()
    policy: Annotated[
        Literal["Parallel", "Ordered"], Field(description="All metrics at once, or one after the other.")
    ] = "Parallel"
