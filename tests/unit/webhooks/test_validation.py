"""Rules on specs, as pure decisions (docs/spec/admission.md 7, cases 63 to 78)."""

from __future__ import annotations

import copy
import json
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from operators.kube.errors import ApiError, NotFound
from tests.unit.webhooks.builders import LABEL, hook_template, metric, review, strategy, template_of, web, workload
from webhooks.handlers import ReviewHandlers
from webhooks.judging import Options
from webhooks.metrics import Metrics
from webhooks.reviews import Review
from webhooks.validation.functions import FUNCTIONS
from webhooks.verdicts import Verdict


class Cluster:
    """What the API server would answer."""

    def __init__(self, *templates: dict[str, Any], workloads: Any = (), away: bool = False) -> None:
        self._templates = {t["metadata"]["name"]: t for t in templates}
        self._workloads = {w["metadata"]["name"]: w for w in workloads}
        self._away = away

    async def templates(self, namespace, names):
        from webhooks.validation.references import declared

        if self._away:
            raise ApiError(0, "NoAnswer", "away")
        return {n: declared(self._templates[n]) if n in self._templates else None for n in names}

    async def gamedeployment(self, namespace, name):
        if self._away or name not in self._workloads:
            raise NotFound(404, "NotFound", "not found")
        return self._workloads[name]


ANY = hook_template(label="Always")


class InProcess:
    """A worker without a process: arguments and results are what travels to one and back."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any:
        return orjson.loads(orjson.dumps(FUNCTIONS[name](orjson.loads(orjson.dumps(argument)), body)))


async def judged(asked: Review, cluster: Cluster | None = None, **options: Any) -> Verdict:
    handlers = ReviewHandlers(Options(**options), cluster or Cluster(ANY), Metrics(CollectorRegistry()), InProcess())
    return await handlers.validate_spec(asked)


async def created(kind: str, new: dict[str, Any], cluster: Cluster | None = None, **options: Any) -> Verdict:
    return await judged(review("CREATE", kind, new=new), cluster, **options)


async def updated(
    kind: str, old: dict[str, Any], new: dict[str, Any], cluster: Cluster | None = None, **options: Any
) -> Verdict:
    return await judged(review("UPDATE", kind, old=old, new=new), cluster, **options)


def assert_refused(verdict: Verdict, *said: str) -> None:
    assert not verdict.allowed
    assert (verdict.code, verdict.reason) == (422, "Invalid")
    for text in said:
        assert text in verdict.message, verdict.message


def assert_warned(verdict: Verdict, *said: str) -> None:
    assert verdict.allowed, verdict.message
    for text in said:
        assert any(text in w for w in verdict.warnings), verdict.warnings


def assert_silent(verdict: Verdict) -> None:
    assert verdict.allowed, verdict.message
    assert verdict.warnings == ()


def inplace(template: dict[str, Any], **more: Any) -> dict[str, Any]:
    return workload(label="Always", template=template, updateStrategy=strategy("InplaceUpdate", **more))


# What cannot change in place (V10)


async def test_adm_63_a_change_that_is_not_possible_in_place_is_named():
    old, new = inplace(template_of()), inplace(template_of(env=[{"name": "MODE", "value": "duel"}]))
    assert_warned(
        await updated("GameDeployment", old, new), "/spec/template/spec/containers/0/env cannot change in place"
    )


async def test_adm_63_strict_refuses_it():
    old, new = inplace(template_of()), inplace(template_of(env=[{"name": "MODE", "value": "duel"}]))
    refused = await updated("GameDeployment", old, new, strict_inplace=True)
    assert_refused(refused, "spec.template: /spec/template/spec/containers/0/env")


@pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet"])
async def test_adm_64_images_and_labels_change_silently(kind):
    old = workload(kind, "Always", updateStrategy={"type": "InplaceUpdate"}, template=template_of())
    for template in (template_of("game:2"), template_of(labels={"season": "2"})):
        new = workload(kind, "Always", updateStrategy={"type": "InplaceUpdate"}, template=template)
        assert_silent(await updated(kind, old, new, strict_inplace=True))


async def test_the_type_after_the_change_counts():
    env = template_of(env=[{"name": "MODE", "value": "duel"}])
    rolling = workload(label="Always", template=env)
    assert_silent(await updated("GameDeployment", inplace(template_of()), rolling, strict_inplace=True))
    old = workload(label="Always", template=template_of())
    assert_refused(await updated("GameDeployment", old, inplace(env), strict_inplace=True), "env")


async def test_recreate_makes_every_change_possible():
    recreate = {"inPlaceUpdateStrategy": {"onIneligible": "Recreate"}}
    new = inplace(template_of(command=["serve"]), **recreate)
    assert_silent(await updated("GameDeployment", inplace(template_of(), **recreate), new, strict_inplace=True))


# HotPatchUpdate (decision 7)


async def test_hotpatch_is_refused_unless_switched_on():
    new = workload(label="Always", updateStrategy=strategy("HotPatchUpdate"))
    assert_refused(
        await created("GameDeployment", new), "spec.updateStrategy.type: HotPatchUpdate", "--enable-hotpatch"
    )
    assert_warned(await created("GameDeployment", new, enable_hotpatch=True), "patched kubelet")


async def test_hotpatch_that_is_stored_already_stays_editable():
    old = workload(label="Always", updateStrategy=strategy("HotPatchUpdate"))
    assert_silent(await updated("GameDeployment", old, old | {"spec": old["spec"] | {"replicas": 3}}))


# Index ranges (V14)


def indexed(start: int, end: int, replicas: int, prefix: str = "tkex.bkbcs.tencent.com", **spec: Any) -> dict[str, Any]:
    new = workload(label="Always", replicas=replicas, **spec)
    new["metadata"]["annotations"] = {
        f"{prefix}/gamedeployment-index-on": "true",
        f"{prefix}/gamedeployment-index-range": json.dumps({"podStartIndex": start, "podEndIndex": end}),
    }
    return new


@pytest.mark.parametrize("prefix", ["tkex.bkbcs.tencent.com", "tkex.bkbc.tencent.com"])
async def test_adm_66_67_a_range_has_to_hold_all_replicas(prefix):
    no_surge = {"updateStrategy": strategy("RollingUpdate")}
    assert_silent(await created("GameDeployment", indexed(100, 110, 10, prefix, **no_surge)))
    assert_refused(await created("GameDeployment", indexed(100, 110, 11, prefix)), "replicas 11", "has 10")
    assert_refused(await created("GameDeployment", indexed(110, 100, 1, prefix)), "invalid index range")
    assert_refused(await created("GameDeployment", indexed(-1, 10, 1, prefix)), "invalid index range")


async def test_a_range_that_is_missing_or_no_json_is_refused():
    new = workload(label="Always")
    new["metadata"]["annotations"] = {"tkex.bkbcs.tencent.com/gamedeployment-index-on": "true"}
    assert_refused(await created("GameDeployment", new), "get index-range failed")
    new["metadata"]["annotations"]["tkex.bkbcs.tencent.com/gamedeployment-index-range"] = "100-110"
    assert_refused(await created("GameDeployment", new), "not valid JSON")


async def test_a_range_too_small_for_the_surge_is_a_warning():
    new = indexed(0, 10, 9, updateStrategy=strategy("RollingUpdate", maxSurge="25%"))
    assert_warned(await created("GameDeployment", new), "may need 12 pods at a time")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 1000, "is not valid JSON"),
        ('{"podStartIndex":1' + "1" * 1000 + "e", "is not valid JSON"),
        ('{"podStartIndex":[' + "[]," * 300 + "1]}", "is not valid JSON"),
        ("[" * 100_000, "index range has 100000 characters, at most 1024 are allowed"),
        ('{"podStartIndex":' + "1" * 100_000 + "}", "at most 1024 are allowed"),
    ],
)
async def test_attack_f4_an_index_range_that_cannot_be_read_is_refused(text, said):
    new = indexed(0, 5, 1)
    prefix = "tkex.bkbcs.tencent.com"
    new["metadata"]["annotations"][f"{prefix}/gamedeployment-index-range"] = text
    assert_refused(await created("GameDeployment", new), said)


async def test_attack_f4_an_index_range_may_be_wider_than_any_list():
    assert_silent(await created("GameDeployment", indexed(0, 10**900, 1)))


def scale(old: int, new: int) -> Review:
    return review(
        "UPDATE",
        "GameDeployment",
        subresource="scale",
        old={"metadata": {"name": "lobby"}, "spec": {"replicas": old}},
        new={"metadata": {"name": "lobby"}, "spec": {"replicas": new}},
    )


async def test_adm_68_scaling_beyond_the_range_is_refused():
    cluster = Cluster(workloads=[indexed(100, 110, 10)])
    assert_refused(await judged(scale(10, 11), cluster), "replicas 11")
    assert (await judged(scale(9, 10), cluster)).allowed
    assert_silent(await judged(scale(20, 15), cluster))


async def test_scaling_passes_when_the_workload_cannot_be_read():
    assert_silent(await judged(scale(10, 11), Cluster(away=True)))


# Numbers that mean nothing where they stand


async def test_canary_and_partition_together_are_a_warning():
    canary = {"canary": {"steps": [{"partition": 1}]}}
    new = workload(label="Always", updateStrategy=strategy("RollingUpdate", partition=2, **canary))
    assert_warned(await created("GameDeployment", new), "spec.updateStrategy.partition: 2 is ignored")
    new = workload(label="Always", updateStrategy=strategy("RollingUpdate", partition=0, **canary))
    assert_silent(await created("GameDeployment", new))
    stateful = {"type": "RollingUpdate", "rollingUpdate": {"partition": "50%"}, **canary}
    new = workload("GameStatefulSet", "Always", updateStrategy=stateful)
    assert_warned(await created("GameStatefulSet", new), "spec.updateStrategy.rollingUpdate.partition: 50% is ignored")


async def test_surge_in_place_is_a_warning():
    new = workload(label="Always", updateStrategy=strategy("InplaceUpdate", maxSurge=1))
    assert_warned(await created("GameDeployment", new), "maxSurge: 1 makes an in-place update create pods")


# V19: the label


@pytest.mark.parametrize(("kind", "new"), [("GameDeployment", workload()), ("HookTemplate", hook_template(label=None))])
async def test_what_cannot_be_deleted_is_said_when_it_is_made(kind, new):
    assert_warned(await created(kind, new), f"metadata.labels[{LABEL}]: absent, so this {kind} cannot be deleted")


async def test_a_label_of_an_unknown_value_is_a_warning():
    warned = await created("GameDeployment", workload(label="NotAllow"))
    assert_warned(warned, "'NotAllow' is neither Always nor Cascading")
    assert_silent(await updated("GameDeployment", workload(label="NotAllow"), workload(label="NotAllow", replicas=3)))
    assert_warned(await updated("GameDeployment", workload(label="Always"), workload(label="always")), "'always'")


# Hooks of workloads (V15)


def hooked(template: str = "may-go", holder: str = "preDeleteUpdateStrategy", **args: str) -> dict[str, Any]:
    given = [{"name": n, "value": v} for n, v in args.items()]
    return workload(label="Always", **{holder: {"hook": {"templateName": template, "args": given}}})


async def test_adm_78_a_missing_template_is_a_warning():
    new = hooked("nowhere")
    warned = await created("GameDeployment", new)
    assert_warned(warned, "spec.preDeleteUpdateStrategy.hook.templateName: HookTemplate 'nowhere' does not exist")
    assert_silent(await created("GameDeployment", new, Cluster(away=True)))
    assert_silent(await created("GameDeployment", hooked()))


async def test_a_missing_template_of_a_canary_step_is_a_warning():
    canary = {"canary": {"steps": [{"partition": 1}, {"hook": {"templateName": "nowhere"}}]}}
    new = workload(label="Always", updateStrategy=strategy("RollingUpdate", **canary))
    assert_warned(await created("GameDeployment", new), "canary.steps[1].hook.templateName")


async def test_an_argument_nobody_gives_is_a_warning():
    cluster = Cluster(hook_template(args=[{"name": "Region"}, {"name": "PodIP"}]))
    assert_warned(await created("GameDeployment", hooked(), cluster), "needs a value for 'Region'")
    assert_silent(await created("GameDeployment", hooked(Region="eu"), cluster))
    warned = await created("GameDeployment", hooked(Region="eu", Zone="a"), cluster)
    assert_warned(warned, "has no argument 'Zone': it is dropped")


async def test_containers_are_arguments_of_pod_hooks_only():
    cluster = Cluster(hook_template(args=[{"name": "PodContainer[0]"}]))
    assert_silent(await created("GameDeployment", hooked(), cluster))
    canary = {"canary": {"steps": [{"hook": {"templateName": "may-go"}}]}}
    new = workload(label="Always", updateStrategy=strategy("RollingUpdate", **canary))
    assert_warned(await created("GameDeployment", new, cluster), "needs a value for 'PodContainer[0]'")


async def test_only_containers_that_are_there_are_arguments():
    def cluster(name: str) -> Cluster:
        return Cluster(hook_template(args=[{"name": name}]))

    update = hooked(holder="preInplaceUpdateStrategy")
    for name in ("PodContainer[0]", "ModifiedContainer[0]", "HostIP"):
        assert_silent(await created("GameDeployment", update, cluster(name)))
    for name in ("PodContainer[1]", "ModifiedContainer[00]", "PodContainer[-1]", "PodContainer[99999999999]"):
        assert_warned(await created("GameDeployment", update, cluster(name)), f"needs a value for {name!r}")
    warned = await created("GameDeployment", hooked(), cluster("ModifiedContainer[0]"))
    assert_warned(warned, "needs a value for 'ModifiedContainer[0]'")


# HookTemplates


async def template(*metrics: dict[str, Any], args: Any = ()) -> Verdict:
    return await created("HookTemplate", hook_template(*metrics, args=args))


@pytest.mark.parametrize(
    "condition",
    ["asInt(result) ==", "import os", "result.__class__", "results == '1'", "asInt(result", "exec('x')", "result == 1"],
)
@pytest.mark.parametrize("field", ["successCondition", "failureCondition"])
async def test_adm_74_a_condition_that_does_not_compile_is_refused(field, condition):
    assert_refused(await template(metric(**{field: condition})), f"spec.metrics[ready].{field}", "does not compile")


@pytest.mark.parametrize("condition", ["asInt(result) == 1", "result in ['a', 'b'] && len(result) > 0", "true"])
async def test_conditions_that_compile_pass(condition):
    assert_silent(await template(metric(successCondition=condition)))


async def test_a_prometheus_condition_fits_one_of_its_results():
    def asked(condition: str) -> dict[str, Any]:
        provider = {"prometheus": {"address": "http://prometheus:9090", "query": "up"}}
        return metric(provider=provider, successCondition=condition)

    for condition in ("result[0] == 0", "result < 30", "asInt(result) == 1", "all(result, {# > 1})"):
        assert_silent(await template(asked(condition)))
    assert_refused(await template(asked("result && true")), "does not compile")


@pytest.mark.parametrize("path", ["{$.result", "{.items[}", "{range .a[*]}{.b}", "{end}"])
async def test_a_json_path_that_cannot_be_read_is_refused(path):
    assert_refused(await template(metric(provider=web(jsonPath=path))), "provider.web.jsonPath")


async def test_a_json_path_without_braces_is_a_warning():
    assert_warned(await template(metric(provider=web(jsonPath="$.result"))), "is a text, not a path: write {$.result}")
    for path in ("{$.result}", "${.result}", "{.items[0].x}", "{range .a[*]}{.b}{end}"):
        assert_silent(await template(metric(provider=web(jsonPath=path))))


async def test_an_argument_that_is_not_declared_is_a_warning():
    url = "http://{{ args.PodIP }}/{{ args.Region }}"
    assert_warned(await template(metric(provider=web(url=url))), "failed to resolve {{ args.Region }}")
    assert_silent(await template(metric(provider=web(url=url)), args=[{"name": "Region"}]))
    headers = [{"key": "X-Zone", "value": "{{ args.Zone }}"}]
    assert_warned(await template(metric(provider=web(headers=headers))), "headers[X-Zone]")
    query = {"prometheus": {"address": "http://p", "query": "up{pod='{{ args.Pod }}'}"}}
    assert_warned(await template(metric(provider=query)), "prometheus.query", "{{ args.Pod }}")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "Expect", "Proxy-Connection"])
async def test_attack_f13_headers_that_frame_a_message_are_refused(name):
    headers = [{"key": name, "value": "50"}]
    where = f"provider.web.headers[{name}].key"
    assert_refused(await template(metric(provider=web(headers=headers))), where, "hooks may not set it")


@pytest.mark.parametrize("url", ["http://u:s3cr3t@x/{{ args.PodIP", "ftp://u:s3cr3t@x/", "http:///x?s3cr3t"])
async def test_attack_f13_the_answer_of_admission_does_not_show_the_url(url):
    answer = await template(metric(provider=web(url=url)))
    assert_refused(answer, "provider.web.url")
    assert "s3cr3t" not in str(answer)


async def test_a_tag_that_is_not_closed_is_refused():
    assert_refused(await template(metric(provider=web(url="http://{{ args.PodIP/x"))), "Cannot find end tag")


@pytest.mark.parametrize(
    ("url", "args", "good"),
    [
        ("http://{{ args.PodIP }}:8080/", [], True),
        ("https://{{args.Host}}/x", [{"name": "Host"}], True),
        ("{{ args.Base }}/x", [{"name": "Base", "value": "https://gate"}], True),
        ("{{ args.Base }}/x", [{"name": "Base"}], True),
        ("{{ args.Base }}/x", [{"name": "Base", "value": "ftp://gate"}], False),
        ("file:///etc/passwd", [], False),
        ("http:///x", [], False),
        ("http://[::1/x", [], False),
    ],
)
async def test_the_address_is_judged_with_its_arguments_filled_in(url, args, good):
    verdict = await template(metric(provider=web(url=url)), args=args)
    assert verdict.allowed is good, verdict


async def test_hooks_reach_three_kinds_only():
    assert_refused(await template(args=[{"name": "Kind", "value": "Secret"}]), "spec.args[Kind].value: 'Secret'")
    for kind in ("Pod", "GameDeployment", "GameStatefulSet"):
        assert_silent(await template(args=[{"name": "Kind", "value": kind}]))


async def test_a_kubernetes_metric_without_a_limit_is_a_warning():
    provider = {"kubernetes": {"function": "get", "fields": [{"path": "metadata.annotations.a/b", "value": "1"}]}}
    assert_warned(await template(metric(provider=provider, interval="5s")), "successfulLimit is absent")
    assert_silent(await template(metric(provider=provider, interval="5s", successfulLimit=1)))


# Objects older than the rules


async def test_adm_77_what_was_wrong_before_does_not_hold_up_other_changes():
    old = hook_template(metric(successCondition="asInt(result) =="), metric("other"), label="NotAllow")
    new = copy.deepcopy(old)
    new["metadata"]["labels"]["team"] = "a"
    new["spec"]["metrics"][1]["successCondition"] = "true"
    assert_silent(await updated("HookTemplate", old, new))
    new["spec"]["metrics"][0]["successCondition"] = "asInt(result) <"
    assert_refused(await updated("HookTemplate", old, new), "asInt(result) <")


async def test_adm_77_reordering_metrics_makes_no_problem_new():
    old = hook_template(metric(successCondition="(("), metric("other"))
    new = hook_template(metric("other"), metric(successCondition="(("))
    assert_silent(await updated("HookTemplate", old, new))


async def test_adm_77_a_range_that_is_too_small_stays_editable_until_it_changes():
    old = indexed(0, 2, 5)
    new = copy.deepcopy(old)
    new["metadata"]["labels"]["team"] = "a"
    assert_silent(await updated("GameDeployment", old, new))
    new["spec"]["replicas"] = 6
    assert_refused(await updated("GameDeployment", old, new), "replicas 6")


@pytest.mark.parametrize("spec", [None, [], {"metrics": None}, {"metrics": ["x"]}, {"metrics": [{"provider": 5}]}])
async def test_adm_77_an_old_object_of_any_shape_is_no_hindrance(spec):
    old = hook_template() | {"spec": spec}
    assert_silent(await updated("HookTemplate", old, hook_template()))
    strange = workload(label="Always") | {"spec": spec if isinstance(spec, dict) else {}}
    assert (await updated("GameDeployment", strange, workload(label="Always"))).allowed


# What is not judged here


@pytest.mark.parametrize(
    "asked",
    [
        review("DELETE", "GameDeployment", old=workload()),
        review(
            "CREATE", "GameDeployment", new=workload(updateStrategy=strategy("HotPatchUpdate")), group="example.com"
        ),
        review("UPDATE", "GameDeployment", old=workload(), new=workload(), subresource="status"),
        review("CREATE", "HookRun", new=hook_template(metric(successCondition="(("))),
        review("CREATE", "Pod", new={"metadata": {"name": "p"}}, group=""),
        review("CREATE", "GameDeployment"),
    ],
)
async def test_other_reviews_pass(asked):
    assert_silent(await judged(asked))


async def test_a_finalizer_can_always_be_removed():
    old = workload(updateStrategy=strategy("HotPatchUpdate"))
    new = copy.deepcopy(old)
    new["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    del old["spec"]["updateStrategy"]
    assert_silent(await updated("GameDeployment", old, new))


async def test_warnings_fit_into_headers():
    long = "http://x/" + "".join(f"{{{{ args.a{i} }}}}\r\n" for i in range(200))
    verdict = await template(*(metric(f"m{i}", provider=web(url=long)) for i in range(32)))
    assert verdict.warnings
    assert sum(map(len, verdict.warnings)) < 4096
    assert all(w.isprintable() and len(w) <= 256 for w in verdict.warnings)
