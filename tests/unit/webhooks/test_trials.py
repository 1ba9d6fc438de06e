"""Templates that are tried: what is asked, and what the answers make of a review (docs/spec/admission.md 6.4)."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from operators.api import keys
from operators.kube.errors import AlreadyExists, ApiError, Forbidden, Invalid, Unavailable
from operators.kube.resources import POD_TEMPLATES, PODS
from tests.unit.webhooks.builders import hook_template, review, strategy, template_of, workload
from tests.unit.webhooks.test_validation import Cluster, InProcess, assert_refused, assert_silent, assert_warned
from webhooks.handlers import ReviewHandlers
from webhooks.judging import Options
from webhooks.metrics import Metrics
from webhooks.trials import Trials
from webhooks.validation.trials import trial

UNKNOWN = (
    'PodTemplate in version "v1" cannot be handled as a PodTemplate: strict decoding error: '
    'unknown field "template.spec.containers[0].livenesProbe"'
)
QUOTA = 'pods "lobby-bbbbb" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'


def unknown(*fields: str) -> ApiError:
    said = ", ".join(f'unknown field "template.{field}"' for field in fields)
    return ApiError(400, "BadRequest", f'PodTemplate in version "v1" cannot be handled: strict decoding error: {said}')


def invalid(*causes: tuple[str, str]) -> ApiError:
    error = Invalid(422, "Invalid", 'PodTemplate "lobby-bbbbb" is invalid: many things')
    error.causes = causes
    return error


class Client:
    """Answers by resource, or by what is asked; counts what was asked, and how much of it at a time."""

    def __init__(self, template: Any = None, pod: Any = None, warnings: dict[str, list[str]] | None = None) -> None:
        self._answers = {POD_TEMPLATES.plural: template, PODS.plural: pod}
        self._warnings = warnings or {}
        self.asked: list[tuple[str, str, dict[str, Any], str | None]] = []
        self.gate: asyncio.Event | None = None
        self.now = self.most = 0

    async def create(self, resource, namespace, body, *, dry_run=False, field_validation=None, warn=None):
        assert dry_run, "nothing is ever created"
        self.asked.append((resource.plural, namespace, body, field_validation))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.now -= 1
        for line in self._warnings.get(resource.plural, ()):
            warn(line)
        answer = self._answers[resource.plural]
        answer = answer(body) if callable(answer) else answer
        if answer is not None:
            raise answer
        return body


def handlers(client: Client, **given: Any) -> ReviewHandlers:
    metrics = Metrics(CollectorRegistry())
    cluster = Cluster(hook_template(label="Always"))
    return ReviewHandlers(Options(), cluster, metrics, InProcess(), Trials(client, **given))


async def created(client: Client, new: dict[str, Any] | None = None, kind: str = "GameDeployment", **given: Any):
    asked = review("CREATE", kind, new=new or workload(kind, "Always"))
    return await handlers(client, **given).validate_spec(asked)


async def updated(client: Client, old: dict[str, Any], new: dict[str, Any], kind: str = "GameDeployment", **given: Any):
    return await handlers(client, **given).validate_spec(review("UPDATE", kind, old=old, new=new))


def changed(image: str = "game:2") -> dict[str, Any]:
    return workload(label="Always", template=template_of(image))


async def test_a_template_is_tried_as_a_template_and_as_a_pod():
    client = Client()
    assert_silent(await created(client))
    pod, template = sorted(client.asked, key=lambda a: -len(a[0]), reverse=True)
    assert [a[0] for a in (template, pod)] == ["podtemplates", "pods"]
    assert {a[1] for a in client.asked} == {"games"}
    assert template[2]["template"]["spec"] == pod[2]["spec"]
    assert (template[3], pod[3]) == ("Strict", "Ignore")
    assert pod[2]["spec"]["readinessGates"] == [{"conditionType": keys.INPLACE_READY_GATE}]


async def test_what_the_template_cannot_be_is_refused_in_the_api_server_s_words_with_the_workload_s_fields():
    wrong = invalid(
        ("template.spec.containers[0].volumeMounts[0].name", 'Not found: "data"'),
        ("metadata.finalizers[0]", 'Invalid value: "x": name is not fully qualified'),
    )
    verdict = await created(Client(wrong))
    assert_refused(verdict, 'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"')
    assert_refused(verdict, 'spec.template.metadata.finalizers[0]: Invalid value: "x"')
    said = "cannot unmarshal number into Go struct field EnvVar.template.spec.containers.env.value of type string"
    assert_refused(await created(Client(ApiError(400, "BadRequest", said))), said)


async def test_public_f5_unknown_fields_are_refused_with_their_paths():
    verdict = await created(Client(ApiError(400, "BadRequest", UNKNOWN)))
    assert_refused(verdict, 'strict decoding error: unknown field "spec.template.spec.containers[0].livenesProbe"')


@pytest.mark.parametrize(("strictness", "mode"), [("Warn", "Warn"), ("Ignore", "Ignore")])
async def test_public_f5_unknown_fields_may_be_warned_of_or_ignored(strictness, mode):
    client = Client(warnings={"podtemplates": ['unknown field "template.metadata.foo"']} if mode == "Warn" else {})
    verdict = await created(client, strictness=strictness)
    assert [a[3] for a in client.asked if a[0] == "podtemplates"] == [mode]
    if mode == "Warn":
        assert_warned(verdict, 'unknown field "spec.template.metadata.foo"')
    else:
        assert_silent(verdict)


@pytest.mark.parametrize(
    "answer",
    [
        Forbidden(403, "Forbidden", QUOTA),
        Invalid(422, "Invalid", 'pods "lobby-bbbbb" is forbidden: ValidatingAdmissionPolicy denied request'),
        ApiError(400, "BadRequest", 'admission webhook "x" denied the request without explanation'),
        ApiError(400, "BadRequest", 'admission webhook "x" does not support dry run'),
        Unavailable(500, "InternalError", "failed calling webhook"),
        Unavailable(0, "NoAnswer", "no answer in time"),
    ],
    ids=lambda e: f"{e.status}-{e.reason}",
)
async def test_what_only_the_pod_meets_is_a_warning(answer):
    """Quota, policies, service accounts, webhooks of others: what they ask for may be applied a moment later."""
    assert_warned(await created(Client(pod=answer)), "a pod of it would be refused now", str(answer)[:60])


async def test_a_long_warning_keeps_its_reason():
    long = Forbidden(403, "Forbidden", f"pods {'x' * 600} is forbidden: it ends with why")
    (said,) = (await created(Client(pod=long))).warnings
    assert said.startswith("spec.template: a pod of it would be refused now")
    assert said.endswith("it ends with why")
    assert len(said) == 256


async def test_a_name_that_is_taken_is_a_good_answer():
    taken = AlreadyExists(409, "AlreadyExists", "it exists")
    assert_silent(await created(Client(taken, taken)))


@pytest.mark.parametrize(
    "answer",
    [Forbidden(403, "Forbidden", "User x cannot create resource"), Unavailable(0, "NoAnswer", "away")],
    ids=["no right", "away"],
)
async def test_a_template_that_cannot_be_tried_passes_with_a_warning(answer):
    assert_warned(await created(Client(answer, answer)), f"spec.template: not tried as a pod: {answer}")


async def test_a_trial_takes_no_longer_than_it_may():
    client = Client()
    client.gate = asyncio.Event()
    assert_warned(await created(client, seconds=0.05), "not tried as a pod: no answer within 0.05 s")
    assert client.now == 0, "requests ended"


async def test_warnings_of_the_api_server_are_passed_on():
    said = 'would violate PodSecurity "restricted:latest": privileged'
    client = Client(warnings={"podtemplates": [said], "pods": [said]})
    assert (await created(client)).warnings == (f"spec.template: {said}",)


async def test_only_a_template_that_changed_is_tried():
    old, new = changed("game:1"), changed("game:1")
    new["spec"]["replicas"] = 7
    client = Client(
        lambda body: unknown("x") if body["template"]["spec"]["containers"][0]["image"] == "game:2" else None
    )
    assert_silent(await updated(client, old, new))
    assert not client.asked
    assert_refused(await updated(client, old, changed("game:2")), "x")
    assert len([a for a in client.asked if a[0] == "podtemplates"]) == 2, "the new one, and the old one"


async def test_nothing_is_tried_when_the_review_fails_otherwise():
    client = Client()
    hot = workload(label="Always", updateStrategy=strategy("HotPatchUpdate"))
    assert_refused(await created(client, hot), "HotPatchUpdate")
    assert not client.asked


async def test_nothing_is_tried_for_subresources_and_for_what_is_ending():
    client = Client()
    judge = handlers(client)
    ending = changed()
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    for asked in (
        review("UPDATE", "GameDeployment", old=changed("game:1"), new=changed(), subresource="status"),
        review("UPDATE", "GameDeployment", old=changed("game:1"), new=changed(), subresource="scale"),
        review("UPDATE", "GameDeployment", old=changed("game:1"), new=ending),
    ):
        assert (await judge.validate_spec(asked)).allowed
    assert not client.asked


async def test_what_was_wrong_before_in_the_same_way_is_no_reason_to_refuse():
    def answer(body):
        fields = [f for c in body["template"]["spec"]["containers"] for f in c if f.startswith("odd")]
        return unknown(*(f"spec.containers[0].{f}" for f in fields)) if fields else None

    old = workload(label="Always", template=template_of("game:1", odd1=1))
    assert_silent(await updated(Client(answer), old, workload(label="Always", template=template_of("game:2", odd1=1))))
    worse = workload(label="Always", template=template_of("game:2", odd1=1, odd2=2))
    verdict = await updated(Client(answer), old, worse)
    assert_refused(verdict, "odd2")
    assert "odd1" not in verdict.message


async def test_what_was_warned_of_before_is_not_warned_of_again():
    """Another image beside the same misspelt field says nothing; a field more is told."""

    class Lenient(Client):
        async def create(self, resource, namespace, body, *, warn=None, **options):
            if resource is PODS:
                return
            for field in (f for c in body["template"]["spec"]["containers"] for f in c if f.startswith("odd")):
                warn(f'unknown field "template.spec.containers[0].{field}"')

    old = workload(label="Always", template=template_of("game:1", odd1=1))
    new = workload(label="Always", template=template_of("game:2", odd1=1))
    assert_silent(await updated(Lenient(), old, new, strictness="Warn"))
    worse = workload(label="Always", template=template_of("game:2", odd1=1, odd2=2))
    (said,) = (await updated(Lenient(), old, worse, strictness="Warn")).warnings
    assert "odd2" in said


async def test_the_order_of_containers_makes_no_problem_new():
    def answer(body):
        places = [i for i, c in enumerate(body["template"]["spec"]["containers"]) if "odd" in c]
        return unknown(*(f"spec.containers[{i}].odd" for i in places)) if places else None

    old = workload(label="Always")
    containers = [{"name": "a", "image": "a", "odd": 1}, {"name": "b", "image": "b"}]
    old["spec"]["template"]["spec"]["containers"] = containers
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"].reverse()
    assert_silent(await updated(Client(answer), old, new))
    for container in new["spec"]["template"]["spec"]["containers"]:
        container["odd"] = 1
    assert_refused(await updated(Client(answer), old, new), "containers[1].odd")


def test_of_a_set_the_pod_has_its_claims_its_host_name_and_its_service():
    claims = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]
    body = workload("GameStatefulSet", volumeClaimTemplates=claims, serviceName="svc", disableReadinessGate=True)
    asked = trial("GameStatefulSet", "lobby", body)
    spec = asked.pod["spec"]
    assert spec["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-lobby-0", "readOnly": False}}
    ]
    assert (spec["hostname"], spec["subdomain"]) == ("lobby-0", "svc")
    assert "readinessGates" not in spec
    assert asked.template["template"]["spec"] is spec


def test_an_index_is_injected_as_it_will_be():
    body = workload()
    prefix = keys.INDEX_PREFIXES[0]
    body["metadata"]["annotations"] = {
        prefix + keys.INDEX_ON: "true",
        prefix + keys.INDEX_RANGE: '{"podStartIndex": 7, "podEndIndex": 9}',
    }
    asked = trial("GameDeployment", "lobby", body)
    assert asked.pod["spec"]["containers"][0]["env"] == [{"name": keys.INDEX_ENV, "value": "7"}]
    body["metadata"]["annotations"][prefix + keys.INDEX_RANGE] = "nonsense"
    assert "env" not in trial("GameDeployment", "lobby", body).pod["spec"]["containers"][0]


def test_what_surrounds_the_spec_is_looked_at_too():
    body = workload()
    body["spec"]["template"]["metadata"]["foo"] = 1
    body["spec"]["template"]["sepc"] = {}
    template = trial("GameDeployment", "lobby", body).template["template"]
    assert template["metadata"]["foo"] == 1
    assert "sepc" in template


def test_a_name_that_is_yet_to_be_made_up_is_a_name():
    asked = trial("GameDeployment", "lobby-", workload())
    assert asked.template["metadata"]["name"][-1].isalnum()


@pytest.mark.parametrize(
    "template",
    [
        {"metadata": {"labels": ["a"]}, "spec": {}},
        {"metadata": "x", "spec": {}},
        {"spec": "x"},
        {"spec": {"readinessGates": 7}},
        {"metadata": {"finalizers": 7}},
    ],
    ids=str,
)
async def test_what_is_no_template_is_not_tried(template):
    client = Client()
    verdict = await created(client, workload(label="Always", template=template))
    assert verdict.allowed
    assert not client.asked


async def test_few_are_tried_at_a_time_and_no_namespace_takes_all():
    client = Client()
    client.gate = asyncio.Event()
    trials = Trials(client)
    asked = trial("GameDeployment", "lobby", workload())
    greedy = [asyncio.create_task(trials.problems("greedy", asked, None)) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    other = asyncio.create_task(trials.problems("other", asked, None))
    await asyncio.sleep(0.01)
    assert "other" in {a[1] for a in client.asked}, "it does not wait for the others"
    client.gate.set()
    found = await asyncio.gather(*greedy)
    assert sum(bool(f) for f in found) == 100 - 16
    assert await other == []
    assert client.most <= 2 * 8
    assert await trials.problems("greedy", asked, None) == [], "and what is over is forgotten"


async def test_a_template_nested_deeper_than_anything_passes_with_a_warning():
    class Real(Client):
        async def create(self, *args, **kwargs):
            raise TypeError("Recursion limit reached")

    assert_warned(await created(Real()), "not tried as a pod: it cannot be written as JSON")
