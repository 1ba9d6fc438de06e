"""How long callers wait: 99 of 100 decisions within 5 ms at 50 reviews a second, on this machine.

Reviews with a new template are another matter: two dry runs are asked of the API server.
"""

from __future__ import annotations

import asyncio
import json
import re
import time

import httpx
import pytest

from tests.integration.webhooks.conftest import Hooks, create, hook_template, workload

pytestmark = pytest.mark.alone

RATE, SECONDS, TRIES, LIMIT = 50, 6, 5, 0.005
DURATION = "bkbcs_admission_request_duration_seconds_bucket"


def review(operation: str, resource: str, namespace: str, **objects) -> bytes:
    request = {
        "uid": "1",
        "operation": operation,
        "namespace": namespace,
        "name": "lobby",
        "resource": {"group": "tkex.tencent.com", "version": "v1alpha1", "resource": resource},
        "kind": {"group": "tkex.tencent.com", "version": "v1alpha1", "kind": "GameDeployment"},
        "userInfo": {"username": "ann"},
        **objects,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def large(image: str = "game:1", replicas: int = 2) -> dict:
    """A workload as big as real ones get: ten containers, fifty variables each."""
    env = [{"name": f"VARIABLE_{i}", "value": "x" * 40} for i in range(50)]
    containers = [{"name": f"c{i}", "image": image, "env": env} for i in range(10)]
    body = workload("lobby", label="Cascading", updateStrategy={"type": "InplaceUpdate", "maxSurge": 0})
    body["spec"]["replicas"] = replicas
    body["metadata"]["namespace"] = "x"
    body["spec"]["template"]["spec"]["containers"] = containers
    body["spec"]["preDeleteUpdateStrategy"] = {"hook": {"templateName": "quick"}}
    return body


def questions(namespace: str) -> list[tuple[str, bytes]]:
    """What clusters ask: deletions, updates of big workloads with a hook, HookTemplates."""
    templates = {"old": hook_template("quick", "Always"), "new": hook_template("quick", None)}
    return [
        ("/validate-workload", review("DELETE", "gamedeployments", namespace, oldObject=large("game:1"))),
        (
            "/validate-spec",
            review("UPDATE", "gamedeployments", namespace, oldObject=large(), object=large(replicas=3)),
        ),
        ("/validate-workload", review("DELETE", "hooktemplates", namespace, oldObject=templates["new"])),
        (
            "/validate-spec",
            review("UPDATE", "hooktemplates", namespace, oldObject=templates["old"], object=templates["new"]),
        ),
    ]


def buckets(hooks: Hooks) -> dict[float, float]:
    """Decisions by how long they took at most, over all paths."""
    found: dict[float, float] = {}
    for line in hooks.plain("/metrics").text.splitlines():
        if match := re.match(DURATION + r'\{le="([^"]+)",path="[^"]+"\} (\S+)', line):
            found[float(match.group(1))] = found.get(float(match.group(1)), 0.0) + float(match.group(2))
    return found


async def load(
    hooks: Hooks, context, asked: list[tuple[str, bytes]], rate: int = RATE, seconds: int = SECONDS
) -> list[float]:
    """Reviews at a steady rate over kept connections, as an API server sends them; round trips in seconds."""
    taken: list[float] = []
    url = f"https://127.0.0.1:{hooks.port}"
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=url, verify=context, headers=headers, timeout=5) as client:

        async def one(path: str, body: bytes) -> None:
            start = time.monotonic()
            answer = await client.post(path, content=body)
            taken.append(time.monotonic() - start)
            assert answer.status_code == 200, answer.text

        async with asyncio.TaskGroup() as group:
            began = time.monotonic()
            for index in range(rate * seconds):
                await asyncio.sleep(max(0.0, began + index / rate - time.monotonic()))
                group.create_task(one(*asked[index % len(asked)]))
    return sorted(taken)


async def test_99_of_100_decisions_take_less_than_5_ms(api, games, hooks, certificates, capsys):
    """Measured by the process itself. The machine is shared, so the best of five runs counts."""
    create(api, games, hook_template("quick", "Always"))
    shares = []
    for _ in range(TRIES):
        before = buckets(hooks)
        trips = await load(hooks, certificates.context(), questions(games))
        after = buckets(hooks)
        delta = {edge: count - before.get(edge, 0.0) for edge, count in after.items()}
        assert delta[float("inf")] == RATE * SECONDS
        shares.append(delta[LIMIT] / delta[float("inf")])
        with capsys.disabled():
            p99 = trips[int(len(trips) * 0.99)] * 1000
            spread = {f"{edge * 1000:g} ms": int(n) for edge, n in sorted(delta.items()) if edge <= 0.05}
            print(f"\ndecisions within {spread}; round trips p50 {trips[len(trips) // 2] * 1000:.1f}, p99 {p99:.1f} ms")
        if shares[-1] >= 0.99:
            break
    assert max(shares) >= 0.99, shares


async def test_a_new_template_takes_two_requests_longer_and_holds_nobody_else_up(games, hooks, certificates, capsys):
    """Ten large new templates a second, which is a busy cluster, beside the usual questions."""
    changed = review("UPDATE", "gamedeployments", games, oldObject=large("game:1"), object=large("game:2"))
    tried = [("/validate-spec", changed)]
    untried = hooks.metric("bkbcs_admission_template_trials_total", outcome="untried")
    before = hooks.metric("bkbcs_admission_template_trials_total")
    new, usual = await asyncio.gather(
        load(hooks, certificates.context(), tried, rate=10),
        load(hooks, certificates.context(), questions(games), rate=20),
    )
    assert hooks.metric("bkbcs_admission_template_trials_total") - before == len(new)
    assert hooks.metric("bkbcs_admission_template_trials_total", outcome="untried") == untried
    with capsys.disabled():
        for what, trips in (("new templates", new), ("the others", usual)):
            p50, p99 = (trips[int(len(trips) * share)] * 1000 for share in (0.5, 0.99))
            print(f"\n{what}: round trips p50 {p50:.1f}, p99 {p99:.1f} ms")
    assert new[-1] < 2.5, "the time of a trial is bounded"
    assert usual[len(usual) // 2] < 0.05
