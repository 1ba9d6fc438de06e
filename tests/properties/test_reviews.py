"""Whatever arrives, the webhooks answer: with a verdict, or with what is wrong with the question."""

from __future__ import annotations

import json
import os

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from operators.kube.errors import ApiError, Forbidden
from operators.kube.wire import encode
from tests.unit.webhooks.builders import hook_template, metric, strategy, workload
from webhooks.handlers import ReviewHandlers
from webhooks.judging import Options, finding_from_json, finding_to_json, judge
from webhooks.metrics import Metrics
from webhooks.reviews import BadReview, Review, answer, read
from webhooks.trials import Trials
from webhooks.verdicts import Verdict

_EXAMPLES = settings(max_examples=int(os.environ.get("GAME_OPERATORS_EXAMPLES", "1000")), deadline=None)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_CANARY = {"canary": {"steps": [{"partition": 1}, {"hook": {"templateName": "may-go", "args": []}}]}}
_INDEXED = {
    "tkex.bkbcs.tencent.com/gamedeployment-index-on": "true",
    "tkex.bkbcs.tencent.com/gamedeployment-index-range": '{"podStartIndex": 0, "podEndIndex": 5}',
}


def _whole() -> list[dict]:
    deployment = workload(label="Cascading", updateStrategy=strategy("InplaceUpdate", partition="50%", **_CANARY))
    deployment["metadata"]["annotations"] = _INDEXED
    deployment["spec"]["preDeleteUpdateStrategy"] = {"hook": {"templateName": "may-go", "args": [{"name": "a"}]}}
    template = hook_template(metric(successCondition="asInt(result) == 1"), args=[{"name": "Kind", "value": "Pod"}])
    return [deployment, workload("GameStatefulSet", "Always"), template]


class _DryRuns:
    """A client that writes what it is given as JSON, as the real one does, and gets one answer."""

    def __init__(self, said):
        self._said = said

    async def create(self, resource, namespace, body, **options):
        encode(body)
        resource.path(namespace)
        if self._said is not None:
            raise self._said


class _Away:
    """Lookups that find nothing, or fail."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails

    def __getattr__(self, name):
        async def ask(*_):
            if self._fails:
                raise ApiError(0, "NoAnswer", "away")
            return {"templates": {"may-go": [("a", None)]}, "users": [], "count": 0}.get(name, {})

        return ask


def _places(value, path=()):
    """Paths of all parts of an object."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*path, index))


def _replaced(value, path, new):
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copied


@st.composite
def reviews(draw):
    """A good review of one of our objects, with up to three parts replaced by anything."""
    body = draw(st.sampled_from(_whole()))
    kind = body["kind"]
    crd = draw(st.booleans())
    group, plural = "tkex.tencent.com", f"{kind.lower()}s"
    labels = {"io.tencent.bcs.dev/deletion-allow": "Cascading"}
    definition = {"metadata": {"name": f"{plural}.{group}", "labels": labels}}
    resource = {"group": group, "version": "v1alpha1", "resource": plural}
    if crd:
        resource = {"group": "apiextensions.k8s.io", "version": "v1", "resource": "customresourcedefinitions"}
    request = {
        "uid": "1",
        "operation": draw(st.sampled_from(["CREATE", "UPDATE", "DELETE"])),
        "subResource": draw(st.sampled_from(["", "", "scale"])),
        "namespace": "games",
        "name": "lobby",
        "resource": resource,
        "kind": {"kind": kind},
        "userInfo": {"username": "ann"},
        "oldObject": definition if crd else body,
        "object": None if crd else _replaced(body, ("spec",), {**body["spec"], "template": {"spec": {}}}),
    }
    whole = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    for _ in range(draw(st.integers(0, 3))):
        whole = _replaced(whole, draw(st.sampled_from(list(_places(whole)))), draw(_JSON))
    return whole


def _read(raw: bytes, content_type: str) -> Review | BadReview:
    try:
        return read(raw, content_type)
    except BadReview as error:
        return error


@_EXAMPLES
@given(
    whole=reviews(),
    path=st.sampled_from(["validate_crd", "validate_workload", "validate_spec"]),
    fails=st.booleans(),
    said=st.sampled_from([None, ApiError(400, "BadRequest", "unknown field"), Forbidden(403, "Forbidden", "no")]),
)
async def test_every_review_gets_a_verdict_or_a_reason(whole, path, fails, said):
    trials = Trials(_DryRuns(said))
    handlers = ReviewHandlers(Options(), _Away(fails=fails), Metrics(CollectorRegistry()), trials=trials)
    asked = _read(json.dumps(whole).encode(), "application/json")
    if isinstance(asked, BadReview):
        assert asked.status == 400
        assert str(asked)
        return
    finding = judge(f"/{path.replace('_', '-')}", asked, Options())
    assert finding_from_json(json.loads(orjson.dumps(finding_to_json(finding)))) == finding, "as a worker tells it"
    verdict = await getattr(handlers, path)(asked)
    assert isinstance(verdict, Verdict)
    told = json.loads(answer(asked, verdict))["response"]
    assert told["uid"] == asked.uid
    assert told["allowed"] or told["status"]["message"]


@_EXAMPLES
@given(raw=st.binary(max_size=200) | _JSON.map(lambda v: json.dumps(v).encode()), content_type=st.text(max_size=30))
def test_every_body_is_refused_with_a_reason(raw, content_type):
    for given_type in (content_type, "application/json"):
        found = _read(raw, given_type)
        assert isinstance(found, BadReview)
        assert found.status in (400, 415)
        assert str(found)
