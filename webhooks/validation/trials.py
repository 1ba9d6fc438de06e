"""What is asked about a pod template, and what the API server's answers mean (docs/spec/admission.md 6.4).

Two dry runs try a template that is new. As a PodTemplate the API server reads and validates it as it would that of a
Deployment, and nothing else looks at it: what is refused there is refused for good. As the pod that the operators would
make of it, admission is asked too (quota, PodSecurity, service accounts, webhooks of others): what is refused there may
be cured by what is applied a moment later, so it is a warning (docs/decisions/0048-tried-at-admission.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from operators.gamestatefulset.pods import ordinal_pod
from operators.kube.errors import AlreadyExists, ApiError
from operators.planning.identity import InvalidIndexRange, index_range, pod_body
from webhooks.objects import Json, entries, part, text, texts
from webhooks.validation.problems import Problem, warning

Strictness = Literal["Refuse", "Warn", "Ignore"]
#: What the API server is asked to do about unknown fields.
FIELD_VALIDATION: Final[Mapping[Strictness, Literal["Strict", "Warn", "Ignore"]]] = {
    "Refuse": "Strict",
    "Warn": "Warn",
    "Ignore": "Ignore",
}
FIELD: Final = "spec.template"
#: Stands for what a pod is given when it is made: a revision's hash, an instance's id.
_HASH, _INSTANCE = "0" * 10, "b" * 5
#: Of the refusals of one template so many are told.
_TOLD: Final = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """A template as a PodTemplate and as the pod that the operators would create."""

    template: Json
    pod: Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said of one dry run: its error, if it refused, and its warnings."""

    error: ApiError | None = None
    warnings: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """It said no. That the name is taken is looked at last, after everything else was found good."""
        return self.error is not None and not isinstance(self.error, AlreadyExists)


def template_changed(old: Json | None, new: Json) -> bool:
    """Whether there is a template to try: of a new workload, or another than before."""
    after = part(new, "spec").get("template")
    return isinstance(after, dict) and (old is None or part(old, "spec").get("template") != after)


def trial(kind: str, name: str, workload: Json) -> Trial | None:
    """What to ask about a workload's template, None when it has not the shape of one.

    The pod is made by the operators' own builders, with the volumes of a set's claims, its host name, and the readiness
    gate. The PodTemplate has the spec of that pod, and all else as the user wrote it.
    """
    template = part(workload, "spec", "template")
    try:
        pod = _pod(kind, name, workload)
    except (AttributeError, KeyError, TypeError, ValueError):  # the schema forbids it, but anybody may send a review
        return None
    metadata = {k: v for k, v in pod["metadata"].items() if k in ("name", "finalizers")}
    asked = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata}
    return Trial({**asked, "template": {**template, "spec": pod["spec"]}}, pod)


def _pod(kind: str, name: str, workload: Json) -> dict[str, Any]:
    spec = part(workload, "spec")
    template, revision = part(spec, "template"), f"{name}-{_HASH}"
    gate = spec.get("disableReadinessGate") is not True
    if kind == "GameStatefulSet":
        claims = entries(spec, "volumeClaimTemplates")
        return ordinal_pod(name, template, revision, 0, service=text(spec, "serviceName"), claims=claims, gate=gate)
    try:
        indexes = index_range(name, texts(workload, "metadata", "annotations"), 0)
    except InvalidIndexRange:  # told of by a rule of its own
        indexes = None
    return pod_body(name, template, revision, _INSTANCE, indexes.start if indexes else None, gate=gate)


def refusals(answer: Answer) -> list[Problem]:
    """Why the API server refuses the template itself, in its words; none where it does not, or could not be asked.

    Only what decoding (400) and validation (422) say counts. Fields are named as they stand in the workload.
    """
    error = answer.error
    if error is None or error.status not in (400, 422):
        return []
    if error.causes:
        return [Problem(_place(field), said) for field, said in error.causes]
    unknown = list(_unknown_fields(str(error)))
    return unknown or [Problem(FIELD, _of_workload(str(error)))]


def _unknown_fields(said: str) -> Iterator[Problem]:
    for which in ("unknown", "duplicate"):
        for rest in said.split(f'{which} field "')[1:]:
            field = rest.partition('"')[0]
            yield Problem(FIELD, _of_workload(f'strict decoding error: {which} field "{field}"'))


def _place(field: str) -> str:
    """Where a field of the PodTemplate stands in the workload: finalizers of the pods are those of its own metadata."""
    if field.startswith("template"):
        return f"spec.{field}"
    return f"{FIELD}.{field}" if field else FIELD


def _of_workload(said: str) -> str:
    """With the path of a field as it is in the workload."""
    return said.replace('"template.', '"spec.template.')


def added(found: Sequence[Problem], before: Sequence[Problem]) -> list[Problem]:
    """Those that were not there before; where in a list something stands makes it no other."""
    known = Counter(map(_without_indexes, before))
    new = []
    for problem in found:
        same = _without_indexes(problem)
        if known[same]:
            known[same] -= 1
        else:
            new.append(problem)
    more = [Problem(FIELD, f"and {len(new) - _TOLD} more")] if len(new) > _TOLD else []
    return [*new[:_TOLD], *more]


def _without_indexes(problem: Problem) -> tuple[str, str]:
    return _without_index(problem.field), _without_index(problem.text)


def _without_index(said: str) -> str:
    first, *rest = said.split("[")
    return first + "".join("[" + part.lstrip("0123456789") if "]" in part else "[" + part for part in rest)


def remarks(template: Answer, pod: Answer, before: Answer) -> list[Problem]:
    """What is only worth a warning: refusals that may pass, and the warnings of the API server itself.

    ``before`` is the answer to the old template: what it was warned of is nothing new.
    """
    found = []
    if template.refused and not refusals(template):
        found.append(not_tried(str(template.error)))
    elif pod.refused:
        found.append(warning(FIELD, f"a pod of it would be refused now: {pod.error}"))
    # Admission warns of templates and of pods alike.
    said = [warning(FIELD, line) for line in dict.fromkeys((*map(_of_workload, template.warnings), *pod.warnings))]
    return [*found, *added(said, [warning(FIELD, _of_workload(line)) for line in before.warnings])]


_NOT_TRIED: Final = "not tried as a pod: "


def not_tried(why: str) -> Problem:
    """The template was not tried, which is no reason to hold a change up."""
    return warning(FIELD, _NOT_TRIED + why)


def outcome(found: Sequence[Problem]) -> Literal["accepted", "warned", "refused", "untried"]:
    """What became of a trial, in one word."""
    if any(problem.fatal for problem in found):
        return "refused"
    if any(problem.text.startswith(_NOT_TRIED) for problem in found):
        return "untried"
    return "warned" if found else "accepted"
