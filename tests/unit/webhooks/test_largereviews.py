"""Large reviews go to a worker under limits; what stays in the server's own process is cheap at the worst."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from operators import planning
from operators.sandbox.errors import FunctionDefect, Unavailable, WallLimitExceeded, WorkerDied
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool
from tests.unit.webhooks.builders import DEFAULT, hook_template, metric, strategy, template_of, web, workload
from tests.unit.webhooks.test_hooktemplates import hostile
from tests.unit.webhooks.test_protocol import JSON, NoLookups, body
from webhooks.handlers import ReviewHandlers
from webhooks.judging import COMPARED, CRD, DECODED, SPEC, WORKLOAD_PATH, Options, judge
from webhooks.largereviews import WEIGHT_LIMIT, LargeReviews, read_small
from webhooks.load import LoadLimits, weight
from webhooks.metrics import Metrics
from webhooks.process import VALIDATION_LIMITS
from webhooks.protection import Rules
from webhooks.reviews import head
from webhooks.server import Admission
from webhooks.verdicts import Verdict

INPLACE = strategy("InplaceUpdate")
#: Seconds of CPU: several times what was seen, and far less than one that grows with more than the size.
CHEAP = 0.04


def asked(operation: str = "UPDATE", **request: Any) -> bytes:
    """A review of a GameDeployment as an API server writes it: its kind first, no spaces."""
    whole = body(operation=operation, **request)
    ordered = {"kind": whole["kind"], "apiVersion": whole["apiVersion"], "request": whole["request"]}
    return json.dumps(ordered, separators=(",", ":")).encode()


def changed(spec: dict[str, Any]) -> bytes:
    """An update of a pod spec by one field: the dearest of all reviews, because both are read in full."""
    old = {"metadata": {"name": "lobby"}, "spec": {"updateStrategy": INPLACE, "template": {"spec": spec}}}
    new = {**old, "spec": {**old["spec"], "template": {"spec": {**spec, "hostname": "b"}}}}
    return asked(oldObject=old, object=new)


def filled(size: int, make: Callable[[int], bytes]) -> bytes:
    """The largest that is no larger than ``size``."""
    least, most = 0, size
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if len(make(middle)) <= size else (least, middle - 1)
    return make(least)


def _lists(name: str, types: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, ...]]:
    """Paths to all lists of objects in a type of the pod spec."""
    for key, found in types[name].items():
        kind = (found[0] if isinstance(found, list) else found).removeprefix("*")
        inner = kind.removeprefix("[]")
        if kind.startswith("[]"):
            yield (key,)
        if inner in types and depth < 3:
            yield from ((key, *path) for path in _lists(inner, types, depth + 1))


def _at(path: tuple[str, ...], value: Any, listed: set[tuple[str, ...]], before: tuple[str, ...] = ()) -> Any:
    if not path:
        return value
    here = (*before, path[0])
    inner = _at(path[1:], value, listed, here)
    return {path[0]: [inner] if here in listed and len(path) > 1 else inner}


def shapes() -> dict[str, Callable[[int], dict[str, Any]]]:
    """Pod specs of so many items, by what they are full of: each list that a pod spec has, and what it has not."""
    types = json.loads((Path(planning.__file__).parent / "podfields.json").read_text())
    paths = list(_lists("PodSpec", types))
    listed = set(paths)
    made: dict[str, Callable[[int], dict[str, Any]]] = {}
    for path in paths:
        made[f"{'.'.join(path)} of nothing"] = lambda n, path=path: _at(path, [{}] * n, listed)
        made[f"{'.'.join(path)} of names"] = lambda n, path=path: _at(path, [{"name": "a"}] * n, listed)
    limits = {"resources": {"limits": {"cpu": "1"}}}
    made["amounts"] = lambda n: {"containers": [{"resources": {"limits": {f"a{i}": "1" for i in range(n)}}}]}
    made["containers with amounts"] = lambda n: {"containers": [limits] * n}
    made["unknown fields"] = lambda n: {f"a{i}": 0 for i in range(n)}
    made["lists in lists"] = lambda n: {"odd": [[]] * n}
    return made


SHAPES = shapes()


def test_the_generated_shapes_are_many():
    assert len(SHAPES) > 60
    assert "containers.env of names" in SHAPES


def seconds(path: str, made: bytes) -> float:
    """CPU time until the review is judged, or found to be one for a worker; the best of three."""
    taken = []
    for _ in range(3):
        began = time.thread_time()
        small = read_small(path, made, JSON)
        if small is not None:
            judge(path, small, Options(strict_inplace=True))
        taken.append(time.thread_time() - began)
    return min(taken)


@pytest.mark.parametrize("shape", SHAPES)
def test_attack_f4_what_this_process_compares_takes_milliseconds(shape):
    made = filled(COMPARED, lambda n: changed(SHAPES[shape](n)))
    assert len(made) > COMPARED - 200
    assert read_small(SPEC, made, JSON) is not None
    assert seconds(SPEC, made) < CHEAP


@pytest.mark.parametrize("shape", SHAPES)
def test_attack_f4_what_this_process_decodes_takes_milliseconds(shape):
    made = filled(DECODED, lambda n: changed(SHAPES[shape](n)))
    assert read_small(SPEC, made, JSON) is None, "a worker compares it"
    assert seconds(SPEC, made) < CHEAP
    assert seconds(WORKLOAD_PATH, made) < CHEAP


@pytest.mark.parametrize("path", [CRD, WORKLOAD_PATH, SPEC])
@pytest.mark.parametrize("size", [DECODED, DECODED + 1])
def test_beyond_the_size_nothing_is_decoded_in_this_process(path, size):
    made = asked("DELETE", oldObject=workload(), pad="")
    made = made[:-3] + b"x" * (size - len(made)) + made[-3:]
    assert (read_small(path, made, JSON) is None) == (size > DECODED)


def test_attack_f4_many_labels_steps_and_hooks_take_milliseconds():
    hook = {"hook": {"templateName": "t", "args": [{"name": f"a{i}"} for i in range(64)]}}
    for extra in (
        lambda n: {"metadata": {"labels": {f"a{i}": "" for i in range(n)}}},
        lambda n: {"spec": {"updateStrategy": {"canary": {"steps": [{}] * n}}}},
        lambda n: {"spec": {"updateStrategy": {"canary": {"steps": [hook] * min(n, 128)}}}},
        lambda n: {"spec": {"preDeleteUpdateStrategy": {"hook": {"args": [{}] * n}}}},
    ):
        made = filled(DECODED, lambda n, extra=extra: asked("CREATE", oldObject=None, object=extra(n)))
        assert seconds(SPEC, made) < CHEAP


@asynccontextmanager
async def serving(pool: Any, lookups: Any = None):
    options, metrics = Options(), Metrics(CollectorRegistry())
    handlers = ReviewHandlers(options, lookups or NoLookups(), metrics, pool)
    admission = Admission(handlers, metrics, LoadLimits(), None, LargeReviews(pool, options))
    async with TestClient(TestServer(admission.application)) as client:
        yield client


@asynccontextmanager
async def working(limits: Limits = VALIDATION_LIMITS):
    pool = WorkerPool("webhooks.validation.functions", limits=limits)
    try:
        await pool.start()
        async with serving(pool) as client:
            yield client
    finally:
        await pool.close()


async def answered(client: TestClient, made: bytes, path: str = SPEC) -> dict[str, Any]:
    response = await client.post(path, data=made, headers={"Content-Type": JSON})
    assert response.status == 200, await response.text()
    found: dict[str, Any] = (await response.json())["response"]
    assert found["uid"] == "b9a2-1"
    return found


async def test_attack_f4_the_dearest_reviews_of_3_mib_cost_the_loop_little_and_are_judged_or_refused():
    size, refused = LoadLimits().body_bytes, 0
    async with working() as client:
        for shape in ("containers of nothing", "containers.env of names", "tolerations of nothing", "lists in lists"):
            made = filled(size, lambda n, shape=shape: changed(SHAPES[shape](n)))
            began = time.thread_time()
            told = await answered(client, made)
            # It sends the body as well, and this client and the server share a thread.
            assert time.thread_time() - began < 0.25, shape
            if not told["allowed"]:
                refused += 1
                assert told["status"]["code"] == 422
                assert "cannot be judged: " in told["status"]["message"]
                assert "limit" in told["status"]["message"]
        assert refused
        assert (await answered(client, asked(object=workload())))["allowed"], "others are judged"


def large(image: str = "game:1", label: str = "Always", **container: Any) -> dict[str, Any]:
    env = [{"name": f"V{i}", "value": "x" * 40} for i in range(3000)]
    made = workload(label=label, updateStrategy=INPLACE)
    made["spec"]["template"] = template_of(image, env=env, **container)
    return made


async def test_attack_f4_a_large_review_is_judged_as_a_small_one():
    async with working() as client:
        same = await answered(client, asked(oldObject=large(), object=large("game:2")))
        assert (same["allowed"], same.get("warnings")) == (True, None)
        other = await answered(client, asked(oldObject=large(), object=large(command=["b"])))
        assert "cannot change in place" in other["warnings"][0]
        kept = await answered(client, asked("DELETE", oldObject=large(label="Cascading")), WORKLOAD_PATH)
        assert "replicas 2>0" in kept["status"]["message"]
        unlabelled = await answered(client, asked("DELETE", oldObject=large(label="no")), WORKLOAD_PATH)
        assert unlabelled["status"]["message"].startswith(DEFAULT)
        with_hook = large()
        with_hook["spec"]["preDeleteUpdateStrategy"] = {"hook": {"templateName": "may-go"}}
        assert (await answered(client, asked("CREATE", oldObject=None, object=with_hook)))["allowed"]
        response = await client.post(SPEC, data=b'{"a":' + b" " * DECODED + b"1}", headers={"Content-Type": JSON})
        assert (response.status, await response.text()) == (400, "Unsupported group version kind: None, Kind=None")
        assert (await client.post(SPEC, data=b" " * DECODED * 2, headers={"Content-Type": "text/plain"})).status == 415


async def test_templates_are_tried_after_a_worker_judged_them_unless_they_are_large():
    class Trying:
        def __init__(self) -> None:
            self.asked: list[Any] = []

        async def problems(self, namespace: str, new: Any, old: Any) -> list[Any]:
            self.asked.append((namespace, new, old))
            return []

    trials, options, metrics = Trying(), Options(), Metrics(CollectorRegistry())
    pool = WorkerPool("webhooks.validation.functions", limits=VALIDATION_LIMITS)
    handlers = ReviewHandlers(options, NoLookups(), metrics, pool, trials)
    admission = Admission(handlers, metrics, LoadLimits(), None, LargeReviews(pool, options))
    old, new = workload(label="Always", updateStrategy=INPLACE), workload(label="Always", updateStrategy=INPLACE)
    env = [{"name": f"V{i}", "value": "x" * 40} for i in range(40)]
    old["spec"]["template"], new["spec"]["template"] = template_of(env=env), template_of(env=env, command=["b"])
    try:
        async with TestClient(TestServer(admission.application)) as client:
            made = asked(oldObject=old, object=new)
            assert COMPARED < len(made) < DECODED
            assert (await answered(client, made))["allowed"]
            ((namespace, tried, before),) = trials.asked
            assert (namespace, tried.pod["spec"]["containers"][0]["command"]) == ("games", ["b"])
            assert "command" not in before.template["template"]["spec"]["containers"][0]
            told = await answered(client, asked(oldObject=large(), object=large("game:2")))
            assert "not tried as a pod: its review has more than 128 KiB" in told["warnings"][0]
            assert len(trials.asked) == 1
    finally:
        await pool.close()


async def test_attack_f6_a_large_hook_template_is_read_by_the_worker_alone():
    resource = {"group": "tkex.tencent.com", "version": "v1alpha1", "resource": "hooktemplates"}
    long = web(headers=[{"key": "a", "value": "x" * 4096}])
    bad = hook_template(metric(successCondition="asInt(result) =="), *(metric(f"m{i}", long) for i in range(31)))
    async with working() as client:
        told = await answered(client, asked("CREATE", resource=resource, oldObject=None, object=bad))
        assert "'asInt(result) ==' does not compile" in told["status"]["message"]
        assert (await answered(client, asked(resource=resource, oldObject=bad, object=bad)))["allowed"], "as before"
        full = await answered(client, asked("CREATE", resource=resource, oldObject=None, object=hostile()))
        assert full["allowed"] or "CPU time" in full["status"]["message"]


async def test_attack_f4_what_passes_a_limit_is_refused_with_the_limit():
    dear = filled(500_000, lambda n: changed(SHAPES["containers of nothing"](n)))
    async with working(Limits(cpu_seconds=0.05)) as client:
        told = await answered(client, dear)
        assert told["status"] == {
            "status": "Failure",
            "code": 422,
            "reason": "Invalid",
            "message": "the review cannot be judged: the limit of 50 ms of CPU time was exceeded; make the object "
            "smaller",
        }


async def test_attack_f4_a_body_of_too_many_values_is_sent_to_no_worker():
    heavy = filled(LoadLimits().body_bytes, lambda n: changed(SHAPES["containers of nothing"](n)))
    assert weight(heavy) > WEIGHT_LIMIT
    async with serving(AssertionPool()) as client:
        told = await answered(client, heavy)
    assert told["status"]["message"].startswith("the review cannot be judged: its values may take ")
    assert "the limit is 64 MiB" in told["status"]["message"]


class AssertionPool:
    """Nobody may ask it."""

    async def call(self, *_: Any) -> Any:
        raise AssertionError("asked")


class Failing:
    """A pool whose calls fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def call(self, *_: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error", [Unavailable("x"), WorkerDied("x"), FunctionDefect("judge_review", "d"), WallLimitExceeded(2.0), None]
)
async def test_without_a_worker_large_specs_are_accepted_with_a_warning_and_large_deletions_refused(error):
    pool = None if error is None else Failing(error)
    async with serving(pool) as client:
        told = await answered(client, asked(oldObject=large(), object=large()))
        assert told["allowed"]
        assert "not checked, because the worker for it is not available" in told["warnings"][0]
        kept = await answered(client, asked("DELETE", oldObject=large(), object=None), WORKLOAD_PATH)
        assert kept["status"]["code"] == 403
        assert "the worker for it is not available" in kept["status"]["message"]
        small = workload(label="Always")
        assert (await answered(client, asked("DELETE", oldObject=small), WORKLOAD_PATH))["allowed"], "needs no worker"
        unordered = b'{"request":{},' + asked(oldObject=large())[1:]
        response = await client.post(SPEC, data=unordered, headers={"Content-Type": JSON})
        assert response.status == 503
        assert "could not be judged" in await response.text()


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_head_of_a_review_is_read_without_the_rest(version):
    whole = body(version)
    first = (
        b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/%b","request":{"uid":"b9a2-1",' % version.encode()
    )
    found = head(first + b'"namespace":"games","object":{' + b"x" * (1 << 20))
    assert (found.api_version, found.uid, found.namespace) == (f"admission.k8s.io/{version}", "b9a2-1", "games")
    assert head(json.dumps(whole, indent=1).encode()).uid == "b9a2-1"
    assert head(first.replace(b"b9a2-1", b"b9a2\\u0041")) is None
    assert head(b" " * 5000 + first) is None
    assert head(b"") is None


async def test_a_large_deletion_may_still_wait_for_its_namespace():
    """What the worker hands back is enough for the questions that follow."""

    class Ending:
        async def namespace_ending(self, namespace: str) -> bool:
            return namespace == "games"

    options, metrics = Options(Rules(allow_namespace_termination=True)), Metrics(CollectorRegistry())
    pool = WorkerPool("webhooks.validation.functions", limits=VALIDATION_LIMITS)
    try:
        asked_ = asked("DELETE", oldObject=large(label="no"), name="")
        found, finding = await LargeReviews(pool, options).examine(WORKLOAD_PATH, asked_)
    finally:
        await pool.close()
    assert (found.namespace, found.name, found.operation, found.old) == ("games", "lobby", "DELETE", None)
    assert isinstance(finding, Verdict)
    assert not finding.allowed
    assert (await ReviewHandlers(options, Ending(), metrics).decide(found, finding)).allowed
