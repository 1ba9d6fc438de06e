"""HookRuns on the real API server: what is written, what is not, and what is told (docs/spec/hooks.md 4)."""

from __future__ import annotations

import asyncio
import json

import pytest

from operators.hookrun.controller import GRACE
from operators.hookrun.status import STATUS_LIMIT
from operators.kube.errors import Invalid, NotFound
from operators.kube.resources import HOOK_RUNS
from tests.integration.hookrun.hooks import STATUS_ROUTE, Hooks, until, web
from tests.unit.hookrun.servers import Server

YES = "asInt(result) == 1"


async def test_hook_12_policy_is_one_of_two(hooks: Hooks) -> None:
    with pytest.raises(Invalid, match="policy"):
        await hooks.create("r", web("http://x/"), policy="Serial")


async def test_hook_69_one_write_for_a_run_that_succeeds_at_once(hooks: Hooks, server: Server) -> None:
    async with hooks.working():
        await hooks.create("r", web(server.url, successCondition=YES))
        status = await hooks.end_of("r")
        await until("the cache has it", lambda: hooks.runs.store.get(hooks.namespace, "r").status == status)
        assert (hooks.requests("PATCH", STATUS_ROUTE), len(server.asked)) == (1, 1)
    result = status["metricResults"][0]
    assert (status["phase"], result["phase"], result["count"], result["successful"]) == (
        "Successful",
        "Successful",
        1,
        1,
    )
    assert result["measurements"][0]["value"] == "1"
    assert status["startedAt"] <= result["measurements"][0]["startedAt"] <= status["completedAt"]
    assert status["observedGeneration"] == 1
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [
        ("Complete", "True", "Successful"),
        ("Ready", "True", "Successful"),
    ]
    told = [("Normal", "Complete", f"{what} completed Successful") for what in ("metric 'web'", "hook")]
    assert await hooks.events("r") == told


async def test_hook_69_the_first_write_does_not_wait_for_a_slow_measurement(hooks: Hooks, server: Server) -> None:
    server.holds()
    async with hooks.working():
        await hooks.create("r", web(server.url))
        status = await hooks.wait("r", lambda s: s.get("phase") == "Running", GRACE + 4)
        assert "metricResults" not in status
        assert hooks.requests("PATCH", STATUS_ROUTE) == 1
        server.hold.set()
        assert (await hooks.end_of("r"))["startedAt"] == status["startedAt"]
        assert (hooks.requests("PATCH", STATUS_ROUTE), len(server.asked)) == (2, 1)


async def test_hook_73_a_run_with_an_argument_without_value(hooks: Hooks, server: Server) -> None:
    async with hooks.working():
        await hooks.create("r", web(server.url), args=[{"name": "x"}])
        status = await hooks.end_of("r")
    assert (status["phase"], server.asked) == ("Error", [])
    assert status["metricResults"][0]["measurements"][0]["message"] == 'argument "x" was not supplied'


async def test_hook_66_a_final_run_is_left_alone(hooks: Hooks, server: Server) -> None:
    async with hooks.working():
        await hooks.create("r", web(server.url, successCondition="asInt(result) == 2"))
        assert (await hooks.end_of("r"))["phase"] == "Failed"
    before = await hooks.get("r")
    async with hooks.working() as controller:
        await controller.reconcile((hooks.namespace, "r"))
        await hooks.client.merge_patch(HOOK_RUNS, hooks.namespace, "r", {"metadata": {"labels": {"touched": "yes"}}})
        await until(
            "the change is seen",
            lambda: (
                hooks.runs.store.get(hooks.namespace, "r").resource_version != before["metadata"]["resourceVersion"]
            ),
        )
        await controller.reconcile((hooks.namespace, "r"))
        assert (hooks.requests("PATCH", STATUS_ROUTE), len(server.asked)) == (0, 1)
    assert (await hooks.get("r"))["status"] == before["status"]


async def test_hook_67_a_run_on_its_way_out_is_left_alone(hooks: Hooks, server: Server) -> None:
    await hooks.create("r", web(server.url), metadata={"finalizers": ["example.com/held"]})
    await hooks.client.delete(HOOK_RUNS, hooks.namespace, "r")
    async with hooks.working() as controller:
        await controller.reconcile((hooks.namespace, "r"))
        assert (hooks.requests("PATCH", STATUS_ROUTE), server.asked) == (0, [])
    assert await hooks.status("r") == {"observedGeneration": -1}, "what the API server puts in: nobody has looked at it"
    await hooks.client.merge_patch(HOOK_RUNS, hooks.namespace, "r", {"metadata": {"finalizers": None}})


async def test_a_run_deleted_while_it_is_measured_is_dropped(hooks: Hooks, server: Server) -> None:
    server.holds()
    async with hooks.working() as controller:
        run = await hooks.create("r", web(server.url))
        await until("it is measured", lambda: bool(server.asked))
        await hooks.client.delete(HOOK_RUNS, hooks.namespace, "r")
        await until("it is forgotten", lambda: not controller._tasks.running(run["metadata"]["uid"]))
        await until("so are its series", lambda: not _series(hooks, "bkbcs_hook_hookrun_survive_time_seconds"))
        again = await hooks.create("r", web(server.url, successCondition=YES))
        assert again["metadata"]["uid"] != run["metadata"]["uid"]
        server.hold.set()
        assert (await hooks.end_of("r"))["phase"] == "Successful"


@pytest.mark.parametrize("key", [("default", "nobody"), ("a/b", "c"), ("", ""), ("a/b/c", "")])
async def test_hook_68_unknown_keys(hooks: Hooks, key: tuple[str, str]) -> None:
    async with hooks.working() as controller:
        assert (await controller.reconcile(key)).requeue_after is None
        assert hooks.requests("PATCH", STATUS_ROUTE) == 0


async def test_hook_65_terminated_while_polling(hooks: Hooks, server: Server) -> None:
    server.text('{"result": 0}')
    async with hooks.working():
        await hooks.create("r", web(server.url, interval="1s", successCondition=YES, successfulLimit=1))
        await hooks.wait("r", lambda s: bool(s.get("metricResults")))
        await hooks.client.merge_patch(HOOK_RUNS, hooks.namespace, "r", {"spec": {"terminate": True}})
        assert (await hooks.end_of("r"))["phase"] == "Successful"
        asked = len(server.asked)
        await hooks.create("later", web(server.url))
        await hooks.end_of("later")
    assert len(server.asked) == asked + 1


async def test_hook_64_terminated_in_mid_measurement(hooks: Hooks, server: Server) -> None:
    server.holds()
    async with hooks.working():
        await hooks.create("r", web(server.url), policy="Ordered")
        await until("it is measured", lambda: bool(server.asked))
        await hooks.client.merge_patch(HOOK_RUNS, hooks.namespace, "r", {"spec": {"terminate": True}})
        status = await hooks.end_of("r", 5)
    assert (status["phase"], status["metricResults"][0]["message"]) == ("Successful", "Run Terminated")


async def test_ordered_metrics_follow_each_other(hooks: Hooks, server: Server) -> None:
    async with hooks.working():
        metrics = [web(f"{server.url}/{n}", name=f"m{n}", successCondition=YES) for n in range(3)]
        await hooks.create("r", *metrics, policy="Ordered")
        status = await hooks.end_of("r")
    assert [request.path for request in server.asked] == ["/0", "/1", "/2"]
    assert [r["name"] for r in status["metricResults"]] == ["m0", "m1", "m2"]


async def test_slow_hooks_hold_up_no_other(hooks: Hooks, server: Server) -> None:
    server.holds("/slow")
    async with hooks.working():
        await asyncio.gather(*(hooks.create(f"slow{n}", web(server.url + "/slow")) for n in range(40)))
        await until("all slow ones are measured", lambda: len(server.asked) == 40)
        await asyncio.gather(*(hooks.create(f"quick{n}", web(server.url + "/quick")) for n in range(20)))
        await asyncio.gather(*(hooks.end_of(f"quick{n}", 10) for n in range(20)))
        await asyncio.gather(*(hooks.wait(f"slow{n}", lambda s: s.get("phase") == "Running") for n in range(40)))
        server.hold.set()
        await asyncio.gather(*(hooks.end_of(f"slow{n}", 10) for n in range(40)))


async def test_a_run_that_nobody_owns_goes_after_its_time(hooks: Hooks, server: Server) -> None:
    async with hooks.working():
        await hooks.create("r", web(server.url), ttlSecondsAfterFinished=1)
        await hooks.create("kept", web(server.url))
        await hooks.end_of("kept")

        async def gone() -> bool:
            try:
                await hooks.get("r")
            except NotFound:
                return True
            return False

        deadline = asyncio.get_running_loop().time() + 15
        while not await gone():
            assert asyncio.get_running_loop().time() < deadline, "it is still there"
            await asyncio.sleep(0.1)
    assert (await hooks.status("kept"))["phase"] == "Successful"


async def test_a_failed_run_says_why(hooks: Hooks, server: Server) -> None:
    server.text('{"result": 3}')
    async with hooks.working():
        await hooks.create("r", web(server.url, successCondition=YES))
        status = await hooks.end_of("r")
        assert status["phase"] == "Failed"
        text = "successCondition 'asInt(result) == 1' does not hold for '3'"
        assert status["metricResults"][0]["message"] == text
        assert [c["type"] for c in status["conditions"]] == ["Failed", "Ready"]
    assert [e[:2] for e in await hooks.events("r")] == [("Warning", "Failed")] * 2


def _series(hooks: Hooks, name: str) -> list[dict[str, str]]:
    return [s.labels for family in hooks.registry.collect() for s in family.samples if s.name == name]


async def test_series_of_a_run_go_with_it(hooks: Hooks, server: Server) -> None:
    async with hooks.working():
        await hooks.create("r", web(server.url))
        await hooks.end_of("r")
        name = "bkbcs_hook_hookrun_survive_time_seconds"
        await until("there is one", lambda: [s["phase"] for s in _series(hooks, name)] == ["Successful"])
        labels = {"namespace": hooks.namespace, "owner": "", "metric": "web", "phase": "Successful"}
        assert hooks.registry.get_sample_value("bkbcs_hook_metric_exec_duration_seconds_count", labels) == 1
        labels = {"provider": "web", "phase": "Successful"}
        assert hooks.registry.get_sample_value("bkbcs_hook_measurements_total", labels) == 1
        await hooks.client.delete(HOOK_RUNS, hooks.namespace, "r")
        await until("it is gone", lambda: not _series(hooks, name))


@pytest.mark.parametrize("count", [9, 12])
async def test_attack_f10_large_values_of_many_metrics_do_not_keep_a_run_from_its_end(
    hooks: Hooks, server: Server, count: int
) -> None:
    server.text(json.dumps({"result": "\U0001f3ae" * 1024}))
    asked = {"interval": "1s", "count": count, "onCountExhausted": "Failed", "successCondition": "result == 'x'"}
    async with hooks.working():
        names = [f"metric-{number}" for number in range(32)]
        await hooks.create("r", *(web(server.url, name=name, failureLimit=count, **asked) for name in names))
        status = await hooks.end_of("r", 60)
    assert status["phase"] == "Failed"
    counts = [result["count"] for result in status["metricResults"]]
    assert len(counts) == 32
    assert max(counts) == count, "the first that is exhausted ends the run; others may be a measurement behind"
    assert len(json.dumps(status, ensure_ascii=False).encode()) <= STATUS_LIMIT + 20_000, "keys that API servers add"


async def test_attack_f10_a_run_that_etcd_does_not_take_any_more_ends_and_says_why(
    hooks: Hooks, server: Server
) -> None:
    """The spec leaves too little room for the status."""
    server.text(json.dumps({"result": "x" * 2000}))
    headers = [{"key": f"X-{number}", "value": "v" * 4096} for number in range(64)]
    large = [web("http://x/", name=f"large-{number}", initialDelay="1h") for number in range(6)]
    for number, metric in enumerate(large):
        metric["provider"]["web"]["headers"] = headers if number < 5 else headers[:16]
    asked = {"interval": "1s", "count": 30, "failureLimit": 30, "successCondition": "result == 'x'"}
    async with hooks.working():
        await hooks.create("r", *large, *(web(server.url, name=f"small-{number}", **asked) for number in range(26)))
        status = await hooks.end_of("r", 60)
    assert status["phase"] == "Error"
    assert status["message"].startswith("the status cannot be written: ")
    assert "too large" in status["message"]
    counted = [result["count"] for result in status["metricResults"]]
    assert len(counted) == 26
    assert min(counted) >= 3
    told = await hooks.events("r")
    assert ("Warning", "Failed", status["message"]) in told
