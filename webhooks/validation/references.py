"""What workloads say about HookTemplates that are other objects.

Rules: docs/spec/admission.md V15; docs/spec/hooks.md 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from operators.planning.hooks.arguments import UnresolvedArgument, merge_arguments
from webhooks.objects import Json, entries, part, text
from webhooks.validation.problems import Problem, warning

#: Declared arguments of a template, with their values; None where there is no such template.
Arguments = Sequence[tuple[str, str | None]]
_HOLDERS = ("preDeleteUpdateStrategy", "preInplaceUpdateStrategy", "postInplaceUpdateStrategy")
#: Arguments of every hook that is about one pod.
_OF_POD = ("PodName", "PodNamespace", "PodIP", "HostIP")
_OF_CONTAINER = re.compile(r"(Pod|Modified)Container\[(0|[1-9][0-9]{0,8})\]")


@dataclass(frozen=True, slots=True)
class Added:
    """The arguments that the controller adds to a hook. They are not listed: a pod may have any number of containers.

    ``about`` is ``pod``, ``pod to restart`` (then the containers that change have theirs) or ``step``.
    """

    about: str
    containers: int = 0

    def __contains__(self, name: str) -> bool:
        if self.about == "step":
            return name == "HostIP"
        found = _OF_CONTAINER.fullmatch(name)
        if found is None:
            return name in _OF_POD
        return (found[1] == "Pod" or self.about == "pod to restart") and int(found[2]) < self.containers


@dataclass(frozen=True, slots=True)
class Reference:
    """A hook of a workload: where it stands, its template, the names of arguments given, and those added to them."""

    field: str
    template: str
    given: tuple[str, ...]
    added: Added


def references(workload: Json) -> list[Reference]:
    """All hooks of a workload, in the order of its fields."""
    spec = part(workload, "spec")
    containers = len(entries(part(spec, "template", "spec"), "containers"))
    found = []
    for holder in _HOLDERS:
        added = Added("pod to restart" if holder == "preInplaceUpdateStrategy" else "pod", containers)
        found.append(_reference(f"spec.{holder}.hook", part(spec, holder, "hook"), added))
    for index, step in enumerate(entries(part(spec, "updateStrategy", "canary"), "steps")):
        field = f"spec.updateStrategy.canary.steps[{index}].hook"
        found.append(_reference(field, part(step, "hook"), Added("step")))
    return [reference for reference in found if reference.template]


def _reference(field: str, hook: Json, added: Added) -> Reference:
    given = tuple(text(a, "name") for a in entries(hook, "args"))
    return Reference(field, text(hook, "templateName"), given, added)


def declared(template: Json) -> Arguments:
    """The names of a HookTemplate's arguments, with "" for those that have a value."""
    spec = part(template, "spec")
    return [(text(a, "name"), "" if "value" in a else None) for a in entries(spec, "args")]


def reference_problems(found: Sequence[Reference], templates: Mapping[str, Arguments | None]) -> Iterator[Problem]:
    """Warnings only, because a template may be applied after the workload. Templates not in the mapping are unknown."""
    for reference in found:
        if reference.template not in templates:
            continue
        arguments = templates[reference.template]
        if arguments is None:
            said = f"HookTemplate {reference.template!r} does not exist: the hook waits until it does"
            yield warning(f"{reference.field}.templateName", said)
        else:
            yield from _argument_problems(reference, arguments)


def _argument_problems(reference: Reference, arguments: Arguments) -> Iterator[Problem]:
    field = f"{reference.field}.args"
    # Of the arguments that come by themselves only those that are wanted: a pod may have any number of containers.
    supplied = [(name, "") for name in (*reference.given, *(name for name, _ in arguments if name in reference.added))]
    try:
        merged = merge_arguments(arguments, supplied)
    except UnresolvedArgument as error:
        said = f"HookTemplate {reference.template!r} needs a value for {error.name!r}: the hook cannot start without it"
        yield warning(field, said)
        return
    for name in merged.dropped:
        if name not in reference.added:
            yield warning(field, f"HookTemplate {reference.template!r} has no argument {name!r}: it is dropped")
