"""AdmissionReview, without and with a server around it (docs/spec/admission.md 7, cases 43 to 52 and 56)."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from operators.kube.errors import ApiError
from operators.kube.wire import read_deep
from tests.unit.webhooks.builders import DEFAULT, LABEL, workload
from webhooks.handlers import ReviewHandlers
from webhooks.judging import Options
from webhooks.load import LoadLimits
from webhooks.metrics import Metrics
from webhooks.reviews import BadReview, answer, read
from webhooks.server import Admission
from webhooks.verdicts import allow, refuse

JSON = "application/json"


def body(version: str = "v1", **request: Any) -> dict[str, Any]:
    full = {
        "uid": "b9a2-1",
        "kind": {"group": "tkex.tencent.com", "version": "v1alpha1", "kind": "GameDeployment"},
        "resource": {"group": "tkex.tencent.com", "version": "v1alpha1", "resource": "gamedeployments"},
        "operation": "DELETE",
        "namespace": "games",
        "name": "lobby",
        "userInfo": {"username": "ann"},
        "oldObject": workload(),
        "object": None,
    }
    return {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview", "request": full | request}


class NoLookups:
    """An API server that is away."""

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: Any) -> Any:
            raise ApiError(0, "NoAnswer", "the API server is away")

        return fail


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
async def client(metrics):
    admission = Admission(ReviewHandlers(Options(), NoLookups(), metrics), metrics)
    async with TestClient(TestServer(admission.application)) as found:
        yield found


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_adm_45_46_a_review_is_answered_in_its_version_with_its_uid(version):
    asked = read(json.dumps(body(version)).encode(), JSON)
    told = json.loads(answer(asked, allow("mind the gap")))
    assert told == {
        "apiVersion": f"admission.k8s.io/{version}",
        "kind": "AdmissionReview",
        "response": {"uid": "b9a2-1", "allowed": True, "warnings": ["mind the gap"]},
    }


def test_adm_56_a_refusal_carries_code_and_reason():
    asked = read(json.dumps(body()).encode(), JSON)
    told = json.loads(answer(asked, refuse("no")))
    assert told["response"]["status"] == {"status": "Failure", "message": "no", "reason": "Forbidden", "code": 403}


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/yaml", "application/jsonp"])
def test_adm_47_another_content_type_is_refused(content_type):
    with pytest.raises(BadReview, match="content type must be application/json") as refused:
        read(b"{}", content_type)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;a=b"]
)
def test_adm_48_parameters_of_the_content_type_do_not_matter(content_type):
    assert read(json.dumps(body()).encode(), content_type).uid == "b9a2-1"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"{", "Request could not be decoded", id="49"),
        pytest.param(b"", "Request could not be decoded", id="empty"),
        pytest.param(b"\xff\xfe", "Request could not be decoded", id="binary"),
        pytest.param(b"[]", "an object is needed", id="list"),
        pytest.param(b'{"apiVersion":"v1","kind":"Foo"}', "Unsupported group version kind: v1, Kind=Foo", id="50"),
        pytest.param(
            b'{"apiVersion":"admission.k8s.io/v2","kind":"AdmissionReview"}', "Unsupported group version", id="50-v2"
        ),
        pytest.param(b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "has no request", id="51"),
        pytest.param(json.dumps(body(uid="")).encode(), "has no uid", id="no-uid"),
        pytest.param(json.dumps(body(oldObject="text")).encode(), "oldObject is a str", id="old-object"),
        pytest.param(json.dumps(body(resource=[])).encode(), "resource is a list", id="resource"),
        pytest.param(json.dumps(body(operation=7)).encode(), "operation is a int", id="operation"),
        pytest.param(b"[" * 5000, "Request could not be decoded", id="deep"),
    ],
)
def test_adm_49_50_51_what_is_no_review_is_told_so(raw, said):
    with pytest.raises(BadReview, match=said) as refused:
        read(raw, JSON)
    assert refused.value.status == 400


def test_errors_never_quote_the_body():
    raw = json.dumps(body(oldObject={"spec": "s3cret"})).encode()[:-2] + b'"s3cret'
    with pytest.raises(BadReview) as refused:
        read(raw, JSON)
    assert "s3cret" not in str(refused.value)


async def test_adm_49_50_51_the_server_survives_bad_requests(client, metrics):
    for raw, content_type, status in (
        (b"{", JSON, 400),
        (b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', JSON, 400),
        (json.dumps(body()).encode(), "text/plain", 415),
        (b"x" * (LoadLimits().body_bytes + 1), JSON, 413),
    ):
        response = await client.post("/validate-workload", data=raw, headers={"Content-Type": content_type})
        assert response.status == status, await response.text()
    response = await client.post("/validate-workload", json=body())
    told = await response.json()
    assert response.status == 200
    assert told["response"]["status"]["message"].startswith(DEFAULT)
    count = metrics.registry.get_sample_value
    labels = {"path": "/validate-workload", "resource": "gamedeployments", "operation": "DELETE", "outcome": "denied"}
    assert count("bkbcs_admission_requests_total", labels) == 1
    assert count("bkbcs_admission_requests_in_flight") == 0


async def test_only_post_is_answered_at_the_endpoints(client):
    for path in ("/validate-crd", "/validate-workload", "/validate-spec"):
        assert (await client.get(path)).status == 405
    assert (await client.post("/elsewhere", json=body())).status == 404


async def test_adm_52_healthz_is_ok(client):
    response = await client.get("/healthz")
    assert (response.status, await response.text()) == (200, "ok")


async def test_a_mistake_of_ours_is_an_error_and_not_a_crash(metrics):
    class Broken:
        validate_crd = validate_workload = validate_spec = None

    async def decide(_: Any) -> Any:
        raise ZeroDivisionError

    broken = Broken()
    broken.validate_crd = broken.validate_workload = broken.validate_spec = decide
    async with TestClient(TestServer(Admission(broken, metrics).application)) as client:
        for _ in range(2):
            response = await client.post("/validate-workload", json=body())
            assert response.status == 500
            assert "s log says why" in await response.text()


@pytest.mark.parametrize(("timeout", "limit"), [("0.2s", "0.1 s"), ("0.8s", "0.4 s")])
async def test_a_verdict_that_would_come_too_late_is_given_up(metrics, timeout, limit):
    class Slow:
        async def decide(self, _: Any) -> Any:
            await asyncio.sleep(60)

        validate_crd = validate_workload = validate_spec = decide

    async with TestClient(TestServer(Admission(Slow(), metrics).application)) as client:
        response = await client.post(f"/validate-workload?timeout={timeout}", json=body())
        assert (response.status, await response.text()) == (504, f"no verdict within {limit}")


async def test_adm_39_away_from_the_api_server_a_definition_stays(client):
    crd = {
        "resource": {"group": "apiextensions.k8s.io", "version": "v1", "resource": "customresourcedefinitions"},
        "oldObject": {"metadata": {"name": "gamestatefulsets.tkex.tencent.com", "labels": {LABEL: "Cascading"}}},
    }
    response = await client.post("/validate-crd", json=body(**crd))
    status = (await response.json())["response"]["status"]
    assert status["message"] == "failed to list CRs of GameStatefulSets: the API server is away"
    assert status["code"] == 403


async def test_a_draining_server_answers_and_ends_the_connection(metrics):
    admission = Admission(ReviewHandlers(Options(), NoLookups(), metrics), metrics)
    async with TestClient(TestServer(admission.application)) as client:
        assert "close" not in (await client.post("/validate-workload", json=body())).headers.get("Connection", "")
        admission.draining = True
        response = await client.post("/validate-workload", json=body())
        assert response.status == 200
        assert response.headers["Connection"] == "close"


@pytest.fixture
def deep_reader():
    """This process reads as deep as the webhooks do."""
    before = sys.getrecursionlimit()
    read_deep()
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("operation", ["DELETE", "UPDATE"])
async def test_an_object_nested_absurdly_deep_can_be_deleted_and_mended(client, deep_reader, operation):
    """The API server stores it; a review that could not be read would keep it, and its namespace, for ever."""
    old = workload(label="Always")
    old["spec"]["template"] = {"spec": {"containers": [{"name": "web", "odd": "HERE"}]}}
    new = workload(label="Always") if operation == "UPDATE" else None
    text = json.dumps(body(operation=operation, oldObject=old, object=new))
    text = text.replace('"HERE"', '{"a":' * 3000 + "1" + "}" * 3000)
    path = "/validate-workload" if operation == "DELETE" else "/validate-spec"
    reply = await client.post(path, data=text, headers={"Content-Type": JSON})
    assert reply.status == 200
    assert (await reply.json())["response"]["allowed"]
