"""HookTemplates: the languages inside their texts (spec/admission.md 6, H7 to H10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from operators.hookrun import jsonpath
from operators.hookrun.arguments import ArgumentError, substitute
from operators.hookrun.conditions.parser import ExpressionError, parse
from operators.hookrun.conditions.typecheck import check_condition
from operators.planning.hooks.arguments import is_built_in
from webhooks.objects import Json, entries, part, text
from webhooks.validation.problems import Problem, warning
from webhooks.validation.workloads import label_problems

_KINDS = ("Pod", "GameDeployment", "GameStatefulSet")
#: What each provider may measure: an answer's text; a vector, a scalar or a string.
_RESULTS: Mapping[str, Sequence[Any]] = {"web": ("",), "prometheus": ([0.0], 0.0, "")}
_TAG = re.compile(r"\{\{([^{}]*)\}\}")


class _Values(Mapping[str, str]):
    """Arguments as they may be at run time: declared values, and a word for everything filled in later."""

    def __init__(self, declared: Mapping[str, str | None]) -> None:
        self._declared = declared

    def __getitem__(self, name: str) -> str:
        if name in self._declared:
            value = self._declared[name]
            return "x" if value is None else value
        if is_built_in(name):
            return "x"
        raise KeyError(name)

    def known(self, name: str) -> bool:
        """Whether the template itself gives the value."""
        return self._declared.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


def template_problems(template: Json) -> list[Problem]:
    """What is wrong with a HookTemplate as it stands."""
    spec = part(template, "spec")
    declared = {text(a, "name"): text(a, "value") if "value" in a else None for a in entries(spec, "args")}
    found = [*label_problems("HookTemplate", template), *_kind_problems(declared)]
    for metric in entries(spec, "metrics"):
        found += _metric_problems(metric, declared)
    return found


def _kind_problems(declared: Mapping[str, str | None]) -> Iterator[Problem]:
    kind = declared.get("Kind")
    if kind and kind not in _KINDS:
        yield Problem("spec.args[Kind].value", f"{kind!r} is not one of {', '.join(_KINDS)}: hooks reach no other kind")


def _metric_problems(metric: Json, declared: Mapping[str, str | None]) -> Iterator[Problem]:
    field = f"spec.metrics[{text(metric, 'name')}]"
    provider = part(metric, "provider")
    results = next((r for name, r in _RESULTS.items() if name in provider), ())
    for name in ("successCondition", "failureCondition"):
        yield from _condition_problems(f"{field}.{name}", text(metric, name), results)
    values = _Values(declared)
    web = part(provider, "web")
    if web:
        yield from _web_problems(f"{field}.provider.web", web, values)
    query = text(part(provider, "prometheus"), "query")
    yield from _tag_problems(f"{field}.provider.prometheus.query", query, values)
    if "kubernetes" in provider:
        yield from _limit_problems(field, metric)


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


def _web_problems(field: str, web: Json, values: _Values) -> Iterator[Problem]:
    path = text(web, "jsonPath")
    try:
        jsonpath.check(path)
    except jsonpath.JsonPathError as error:
        yield Problem(f"{field}.jsonPath", str(error))
    if path and "{" not in path:
        yield warning(f"{field}.jsonPath", f"{path!r} is a text, not a path: write {{{path}}} to read from the answer")
    for header in entries(web, "headers"):
        yield from _tag_problems(f"{field}.headers[{text(header, 'key')}]", text(header, "value"), values)
    url = text(web, "url")
    broken = list(_tag_problems(f"{field}.url", url, values))
    yield from broken
    if url and not broken:
        yield from _address_problems(f"{field}.url", url, values)


def _tag_problems(field: str, templated: str, values: _Values) -> Iterator[Problem]:
    """A tag that is not closed never works; one that names nothing may yet be given by a workload's hook."""
    try:
        substitute(templated, values)
    except ArgumentError as error:
        if templated.count("{{") != len(_TAG.findall(templated)):
            yield Problem(field, str(error))
        else:
            said = f"{error}: the template declares no such argument, so each measurement ends in an error"
            yield warning(field, said)


def _address_problems(field: str, url: str, values: _Values) -> Iterator[Problem]:
    """H9: the address as it is once its arguments are filled in; one that begins with an unknown value may be any."""
    first = _TAG.match(url)
    if first and not values.known(first.group(1).strip().removeprefix("args.")):
        return
    filled = substitute(url, values)
    try:
        address = urlsplit(filled)
        usable = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        usable = False
    if not usable:
        yield Problem(field, f"{filled[:80]!r} is no address that begins with http:// or https://")


def _limit_problems(field: str, metric: Json) -> Iterator[Problem]:
    """H10: without a limit the first success ends it, which users of `get` seldom expect."""
    if not any(metric.get(name) for name in ("successfulLimit", "count", "consecutiveSuccessfulLimit")):
        said = "successfulLimit is absent: a kubernetes metric without it ends at its first success"
        yield warning(field, said)
