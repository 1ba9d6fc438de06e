"""The pure part of a review: what it says by itself, and what else has to be known before it can be answered.

`judge` runs in this process for small reviews and in a worker for large ones, so what it finds travels as JSON too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, TypeAlias

from operators.api import keys
from webhooks import protection
from webhooks.objects import Json, number, part, text, texts
from webhooks.protection import KINDS, LABEL, WORKLOADS, CountInstances, FindUsers, Rules
from webhooks.reviews import Review
from webhooks.validation.limits import HOOK_TEMPLATE, WORKLOAD, known_part, limit_problems
from webhooks.validation.problems import Problem, new_problems, verdict, warning
from webhooks.validation.references import Added, Reference, references
from webhooks.validation.trials import Trial, template_changed, trial
from webhooks.validation.workloads import change_problems, compares_templates, workload_problems
from webhooks.verdicts import Verdict, allow

#: Bytes of a body up to which the server's own process decodes it, and up to which it compares the pod templates in it
#: field by field: a few milliseconds at the worst (docs/decisions/0042-large-reviews.md).
DECODED, COMPARED = 128 << 10, 4 << 10
CRD, WORKLOAD_PATH, SPEC = "/validate-crd", "/validate-workload", "/validate-spec"


@dataclass(frozen=True, slots=True)
class Options:
    """What the cluster's owner decided."""

    rules: Rules = field(default_factory=Rules)
    strict_inplace: bool = False
    enable_hotpatch: bool = False


@dataclass(frozen=True, slots=True)
class WorkloadFindings:
    """What is wrong with a workload by itself, and its hooks, whose HookTemplates are to be looked up.

    ``trial`` is its template if that is to be tried, ``before`` the old one; ``untried`` says why it is not.
    """

    problems: tuple[Problem, ...]
    hooks: tuple[Reference, ...]
    trial: Trial | None = None
    before: Trial | None = None
    untried: str = ""


@dataclass(frozen=True, slots=True)
class TemplateTexts:
    """What a worker has to read of a HookTemplate, and of the one before unless that is beyond the limits itself."""

    new: Json
    old: Json | None


@dataclass(frozen=True, slots=True)
class ScaleOut:
    """A GameDeployment that is to grow to so many pods."""

    replicas: int


Finding: TypeAlias = Verdict | CountInstances | FindUsers | WorkloadFindings | TemplateTexts | ScaleOut


def judge(path: str, review: Review, options: Options) -> Finding:
    """What a review at a path (``/validate-crd``, ``/validate-workload``, ``/validate-spec``) comes to."""
    if path == CRD:
        return protection.check_definition_deletion(review, options.rules)
    if path == WORKLOAD_PATH:
        return protection.check_object_deletion(review, options.rules)
    return _judge_spec(review, options)


def takes_long(path: str, review: Review) -> bool:
    """Whether judging takes much longer than decoding did: pod templates are compared field by field."""
    if path != SPEC or review.resource.resource not in WORKLOADS or review.old is None or review.new is None:
        return False
    return compares_templates(review.old, review.new)


def _judge_spec(review: Review, options: Options) -> Finding:
    """Creations and updates of workloads and HookTemplates, and their scaling."""
    kind, new = KINDS.get(review.resource.resource, ""), review.new
    if review.resource.group != keys.GROUP or new is None or review.operation not in ("CREATE", "UPDATE"):
        return allow()
    if review.subresource == "scale" and kind == "GameDeployment":
        return _judge_scale(review, new)
    if review.subresource or part(new, "metadata").get("deletionTimestamp"):
        return allow()
    if review.resource.resource in WORKLOADS:
        return _judge_workload(kind, review, new, options)
    if kind == "HookTemplate":
        return _judge_template(review.old, new)
    return allow()


def _judge_scale(review: Review, scale: Json) -> Finding:
    """Scaling in is always allowed; scaling out within the range of indexes (V14)."""
    replicas = number(part(scale, "spec"), "replicas", 0)
    if replicas <= number(part(review.old, "spec"), "replicas", 0):
        return allow()
    return ScaleOut(replicas)


def _judge_workload(kind: str, review: Review, new: Json, options: Options) -> Finding:
    old = review.old
    if limit_problems(WORKLOAD, new):
        added = new_problems(lambda o: limit_problems(WORKLOAD, o), old, new)
        return verdict(added or [warning("spec", "not checked, because it is beyond a limit")])
    problems = new_problems(lambda o: workload_problems(kind, o, hotpatch=options.enable_hotpatch), old, new)
    if old is not None:
        problems += change_problems(old, new, strict=options.strict_inplace)
    found = WorkloadFindings(tuple(problems), tuple(references(new)))
    if any(problem.fatal for problem in problems) or not template_changed(old, new):
        return found
    name = review.name or text(part(new, "metadata"), "generateName")
    tried = trial(kind, name, new)
    if tried is None:
        return replace(found, untried="it has not the shape of a template")
    return replace(found, trial=tried, before=None if old is None else trial(kind, name, old))


def without_large_trial(finding: Finding, size: int) -> Finding:
    """A finding about a body of so many bytes, as a worker hands it back: large templates stay where they are."""
    if size <= DECODED or not isinstance(finding, WorkloadFindings) or finding.trial is None:
        return finding
    return replace(finding, trial=None, before=None, untried=f"its review has more than {DECODED >> 10} KiB")


def _judge_template(old: Json | None, new: Json) -> Finding:
    beyond = limit_problems(HOOK_TEMPLATE, new)
    added = new_problems(lambda o: limit_problems(HOOK_TEMPLATE, o), old, new) if beyond else []
    if added:
        return verdict(added)
    if beyond:  # older than the limits, and as it was
        return verdict([warning("spec", f"not checked, because it is beyond a limit: {beyond[0]}")])
    if old is not None and limit_problems(HOOK_TEMPLATE, old):
        old = None
    return TemplateTexts(_template_texts(new), None if old is None else _template_texts(old))


def _template_texts(template: Json) -> Json:
    label = texts(template, "metadata", "labels").get(LABEL)
    return {
        "metadata": {"labels": {} if label is None else {LABEL: label}},
        "spec": known_part({"spec": HOOK_TEMPLATE}, template).get("spec", {}),
    }


def options_to_json(options: Options) -> dict[str, Any]:
    """Options as they travel to a worker."""
    return {**asdict(options), "rules": {**asdict(options.rules), "exempt_users": sorted(options.rules.exempt_users)}}


def options_from_json(told: Mapping[str, Any]) -> Options:
    """The options of `options_to_json`."""
    rules = told["rules"]
    return Options(**{**told, "rules": Rules(**{**rules, "exempt_users": frozenset(rules["exempt_users"])})})


def finding_to_json(finding: Finding) -> list[Any]:
    """A finding as it travels back, once it is written as JSON: its type, and its fields."""
    return [type(finding).__name__, finding]


def finding_from_json(told: list[Any]) -> Finding:
    """The finding of `finding_to_json`."""
    name, fields = told
    return _MADE[name](fields)


def _verdict(told: Mapping[str, Any]) -> Finding:
    return Verdict(**{**told, "warnings": tuple(told["warnings"])})


def _workload(told: Mapping[str, Any]) -> Finding:
    trials = {name: None if told[name] is None else Trial(**told[name]) for name in ("trial", "before")}
    hooks = ({**hook, "given": tuple(hook["given"]), "added": Added(**hook["added"])} for hook in told["hooks"])
    return WorkloadFindings(
        tuple(Problem(**problem) for problem in told["problems"]),
        tuple(Reference(**hook) for hook in hooks),
        trials["trial"],
        trials["before"],
        told["untried"],
    )


_MADE: Final[Mapping[str, Callable[[Mapping[str, Any]], Finding]]] = {
    "Verdict": _verdict,
    "CountInstances": lambda told: CountInstances(**told),
    "FindUsers": lambda told: FindUsers(**told),
    "WorkloadFindings": _workload,
    "TemplateTexts": lambda told: TemplateTexts(**told),
    "ScaleOut": lambda told: ScaleOut(**told),
}
