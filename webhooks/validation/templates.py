"""HookTemplates: the languages inside their texts (docs/spec/admission.md 6, H7 to H10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operators.api.keys import HOOK_TARGET_KINDS
from operators.hookrun.conditions.parser import ExpressionError, parse
from operators.hookrun.conditions.typecheck import check_condition
from operators.hookrun.providers.findings import TemplateArguments
from operators.hookrun.providers.registry import PROVIDERS, ProviderRegistry
from webhooks.objects import Json, entries, part, text
from webhooks.validation.labels import label_problems
from webhooks.validation.problems import Problem


def template_problems(template: Json, providers: ProviderRegistry = PROVIDERS) -> list[Problem]:
    """What is wrong with a HookTemplate as it stands."""
    spec = part(template, "spec")
    declared = {text(a, "name"): text(a, "value") if "value" in a else None for a in entries(spec, "args")}
    found = [*label_problems("HookTemplate", template), *_kind_problems(declared)]
    for metric in entries(spec, "metrics"):
        found += _metric_problems(metric, TemplateArguments(declared), providers)
    return found


def _kind_problems(declared: Mapping[str, str | None]) -> Iterator[Problem]:
    kind = declared.get("Kind")
    if kind and kind not in HOOK_TARGET_KINDS:
        known = ", ".join(HOOK_TARGET_KINDS)
        yield Problem("spec.args[Kind].value", f"{kind!r} is not one of {known}: hooks reach no other kind")


def _metric_problems(metric: Json, args: TemplateArguments, providers: ProviderRegistry) -> Iterator[Problem]:
    field = f"spec.metrics[{text(metric, 'name')}]"
    settings = part(metric, "provider")
    given = providers.select(settings)
    results = given[0].results if given else ()
    for name in ("successCondition", "failureCondition"):
        yield from _condition_problems(f"{field}.{name}", text(metric, name), results)
    for provider in given:
        for finding in provider.findings(part(settings, provider.name), metric, args):
            where = f"{field}.{finding.field}" if finding.field else field
            yield Problem(where, finding.text, finding.fatal)


def _condition_problems(field: str, condition: str, results: Sequence[Any]) -> Iterator[Problem]:
    """H7: it compiles, and its types fit one of the results that the provider may give."""
    if not condition:
        return
    try:
        tree = parse(condition)
    except ExpressionError as error:
        yield Problem(field, f"{condition!r} does not compile: {error}")
        return
    misfits = []
    for result in results:
        try:
            check_condition(tree, result)
        except ExpressionError as error:
            misfits.append(str(error))
    if results and len(misfits) == len(results):
        yield Problem(field, f"{condition!r} does not compile: {misfits[0]}")
