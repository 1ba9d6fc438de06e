"""The limits of the CRDs, applied before anything is compiled (docs/spec/admission.md 6)."""

from __future__ import annotations

from typing import Any

import pytest

from operators.api.crds import definitions
from tests.unit.webhooks.builders import hook_template, metric, web, workload
from webhooks.validation.limits import HOOK_TEMPLATE, WORKLOAD, Fields, Items, Text, known_part, limit_problems


def schema_of(kind: str) -> dict[str, Any]:
    (found,) = (d for d in definitions().values() if d["spec"]["names"]["kind"] == kind)
    return found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def assert_same(fields: Fields, schema: dict[str, Any], where: str) -> None:
    for name, limit in fields.items():
        node, field = schema["properties"][name], f"{where}.{name}"
        if isinstance(limit, Text):
            assert (node["type"], node["maxLength"]) == ("string", limit.longest), field
        elif isinstance(limit, Items):
            assert (node["type"], node["maxItems"]) == ("array", limit.most), field
            assert_same(limit.item, node["items"], f"{field}[]")
        elif limit is None:
            assert node["type"] == "integer" or "enum" in node, field
        else:
            assert_same(limit, node, field)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [(HOOK_TEMPLATE, "HookTemplate"), (WORKLOAD, "GameDeployment"), (WORKLOAD, "GameStatefulSet")],
)
def test_the_limits_are_those_of_the_crds(fields, kind):
    assert_same(fields, schema_of(kind), "spec")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            hook_template(*[metric(f"m{i}") for i in range(2000)]),
            "spec.metrics: has 2000 items, at most 32 are allowed",
        ),
        (hook_template(args=[{"name": "a"}] * 129), "spec.args: has 129 items, at most 128 are allowed"),
        (
            hook_template(metric(successCondition="x" * 4097)),
            "spec.metrics[0].successCondition: has 4097 characters, at most 4096 are allowed",
        ),
        (
            hook_template(metric(), metric(provider=web(jsonPath="{" * 2000))),
            "spec.metrics[1].provider.web.jsonPath: has 2000 characters, at most 1024 are allowed",
        ),
        (
            hook_template(metric(provider=web(headers=[{"key": "a", "value": "b"}] * 65))),
            "spec.metrics[0].provider.web.headers: has 65 items, at most 64 are allowed",
        ),
    ],
)
def test_attack_f4_what_is_beyond_a_limit_is_told_with_field_number_and_limit(template, said):
    assert [str(problem) for problem in limit_problems(HOOK_TEMPLATE, template)] == [said]


def test_what_is_within_the_limits_is_no_problem():
    full = metric(successCondition="x" * 4096, provider=web(headers=[{"key": "k" * 256, "value": "v" * 4096}] * 64))
    assert limit_problems(HOOK_TEMPLATE, hook_template(*[full] * 32, args=[{"name": "a"}] * 128)) == []
    steps = {"canary": {"steps": [{"hook": {"templateName": "t" * 253}}] * 128}}
    assert limit_problems(WORKLOAD, workload(updateStrategy=steps)) == []
    steps["canary"]["steps"].append({"pause": {}})
    assert [str(p) for p in limit_problems(WORKLOAD, workload(updateStrategy=steps))] == [
        "spec.updateStrategy.canary.steps: has 129 items, at most 128 are allowed"
    ]


@pytest.mark.parametrize("spec", [None, [], 5, {"metrics": None}, {"metrics": ["x", 5]}, {"metrics": {"provider": 1}}])
def test_any_shape_has_limits(spec):
    odd = {"spec": spec}
    assert limit_problems(HOOK_TEMPLATE, odd) == []
    assert known_part({"spec": HOOK_TEMPLATE}, odd).get("spec", {}) in ({}, {"metrics": []})


def test_only_what_is_judged_goes_to_a_worker():
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    odd = metric("m", count=3, successfulLimit=10**400, odd=deep, failureCondition=["x"])
    template = hook_template(odd, args=[{"name": "a", "value": "b", "odd": deep}]) | {"status": deep}
    assert known_part({"spec": HOOK_TEMPLATE}, template) == {
        "spec": {
            "metrics": [{"name": "m", "count": 3, "provider": {"web": odd["provider"]["web"]}}],
            "args": [{"name": "a", "value": "b"}],
        }
    }
