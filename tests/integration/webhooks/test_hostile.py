"""The webhooks against callers without any right, and against users who write as much as the CRD allows."""

from __future__ import annotations

import asyncio
import ssl
import time

import httpx
import psutil
import pytest

from tests.integration.webhooks.conftest import DEFAULT, Hooks, collection, create, hook_template, refused, workload
from tests.integration.webhooks.test_speed import review

pytestmark = pytest.mark.usefixtures("registered")
MIB = 1 << 20
LARGE = f"[{','.join(['[]'] * 300)}] == []"


def memory(hooks: Hooks) -> int:
    return psutil.Process(hooks.process.pid).memory_info().rss


async def begin(hooks: Hooks, context: ssl.SSLContext, sent: bytes, announced: int) -> asyncio.StreamWriter | None:
    """A connection with a body that does not end; None when the server closed it."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", hooks.port, ssl=context)
        head = f"POST /validate-spec HTTP/1.1\r\nHost: a\r\nContent-Length: {announced}\r\n\r\n"
        writer.write(head.encode() + sent)
        await writer.drain()
    except OSError:
        return None
    return writer


async def deletion(hooks: Hooks, context: ssl.SSLContext) -> float:
    """Seconds until a deletion is refused over a new connection."""
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{hooks.port}", verify=context, timeout=30) as client:
        old = hook_template("quick", None)
        body = review("DELETE", "hooktemplates", "games", oldObject=old)
        answer = await client.post("/validate-workload", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["response"]["status"]["code"] == 403
    return time.monotonic() - began


async def test_attack_f4_bodies_that_do_not_end_stop_no_deletion(hooks, certificates):
    context = certificates.context()
    opened = [await begin(hooks, context, b"x" * 2_900_000, 3 * MIB) for _ in range(60)]
    assert await deletion(hooks, context) < 2
    assert memory(hooks) < 256 * MIB
    assert hooks.process.poll() is None
    for writer in opened:
        if writer is not None:
            writer.transport.abort()
    lines = [line for line in hooks.text().splitlines() if "connections ended early" in line]
    assert len(lines) <= 2
    assert "Traceback" not in hooks.text()


async def test_attack_f4_a_template_of_thousands_of_metrics_is_refused_at_once(hooks, certificates):
    template = hook_template("many", condition=LARGE)
    template["spec"]["metrics"] *= 1000
    body = review("CREATE", "hooktemplates", "games", object=template)
    context, headers = certificates.context(), {"Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{hooks.port}", verify=context, timeout=30) as client:
        answer = await client.post("/validate-spec", content=body, headers=headers)
        assert "spec.metrics: has 1000 items, at most 32" in answer.json()["response"]["status"]["message"]
        assert (await client.post("/validate-spec", content=body * 4, headers=headers)).status_code == 413
    assert memory(hooks) < 256 * MIB


def test_attack_f6_dry_runs_of_large_templates_leave_the_memory_as_it_was(api, games, hooks):
    def dry_run(number: int) -> None:
        template = hook_template("large", "Always")
        conditions = [f"{LARGE} || result == '{number} {i}'" for i in range(64)]
        (metric,) = template["spec"]["metrics"]
        template["spec"]["metrics"] = [
            metric | {"name": f"m{i}", "successCondition": conditions[i], "failureCondition": conditions[i + 32]}
            for i in range(32)
        ]
        status, answer = api.ask("POST", collection(games, "HookTemplate"), template, dryRun="All")
        assert status == 201 or "the limit of 250 ms of CPU time was exceeded" in answer["message"], answer

    for number in range(10):
        dry_run(number)
    before = memory(hooks)
    for number in range(10, 60):
        dry_run(number)
    assert memory(hooks) - before < 8 * MIB


def test_attack_f4_a_large_workload_is_judged_and_a_costly_one_refused_with_the_limit(api, games, hooks):
    """As the API server writes reviews: the worker reads them, and a refusal needs their first bytes alone."""

    def change(name: str, **spec: object) -> tuple[int, dict]:
        body = workload(name, label="Always", updateStrategy={"type": "InplaceUpdate"})
        body["spec"]["template"]["spec"] |= spec
        path = create(api, games, body)
        patch = {"spec": {"template": {"spec": {"hostname": "b"}}}}
        return api.ask("PATCH", path, patch, dryRun="All")

    env = [{"name": f"V{i}", "value": "x" * 40} for i in range(2000)]
    status, answer = change("large", containers=[{"name": "game", "image": "game:1", "env": env}])
    assert status == 200, answer
    assert any("hostname cannot change in place" in warning for warning in api.warnings), api.warnings
    status, answer = change("costly", tolerations=[{"a": 0}] * 120_000)
    assert status == 422, answer.get("message")
    assert "the review cannot be judged: its values may take " in answer["message"]
    assert "and the limit is 64 MiB" in answer["message"]
    label = {"metadata": {"labels": {"io.tencent.bcs.dev/deletion-allow": "no"}}}
    path = f"{collection(games, 'GameDeployment')}/large"
    api.good("PATCH", path, label)
    refused(api.ask("DELETE", path), DEFAULT)
