"""What of a run is written: bounded in bytes, whatever was measured, so that every run can end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from operators.hookrun.assess import RunState, add_measurement, assess
from operators.hookrun.controller import HookRunController
from operators.hookrun.outcome import clip, json_bytes
from operators.hookrun.settings import HookSettings
from operators.hookrun.status import STATUS_LIMIT, dump_status, end_as_too_large, is_too_large, read_state
from operators.hookrun.view import RunView, run_view
from operators.kube.errors import ApiError, error_for
from operators.runtime.store import Change, Store
from tests.unit.hookrun.runs import T0, measured, metric, run, spec

#: Values that Go's JSON makes long: characters of four bytes, escapes of six.
LONG = ("\U0001f3ae" * 5000, "\x01" * 5000, "<&>" * 2000, '"\\' * 3000, "\u2028" * 2000)


def as_go_writes(value: Any) -> bytes:
    """JSON as the API server stores it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    for short, long in (("\\b", "\\u0008"), ("\\f", "\\u000c")):
        text = text.replace(short, long)
    return text.encode()


@given(st.text(), st.integers(3, 40))
def test_texts_are_cut_by_bytes_of_json(text: str, most: int) -> None:
    found = clip(text, most)
    assert found is not None
    assert json_bytes(found) <= most
    assert clip(found, most) == found
    if json_bytes(text) <= most:
        assert found == text
    else:
        assert found.endswith("…")
        assert text.startswith(found[:-1])


@given(st.text())
def test_bytes_are_counted_as_go_writes_them(text: str) -> None:
    assert json_bytes(text) >= len(as_go_writes(text)) - 2


@pytest.mark.parametrize("value", LONG, ids=["four bytes", "control", "html", "escaped", "line separator"])
@pytest.mark.parametrize("count", [9, 15])
def test_attack_f10_a_status_of_32_metrics_is_bounded_and_count_holds(value: str, count: int) -> None:
    names = [f"metric-{number:02}-{'n' * 50}" for number in range(32)]
    fields = {"interval": "1s", "count": count, "onCountExhausted": "Failed", "successCondition": "false"}
    state = run(spec(*(metric(name, **fields) for name in names)), started=T0)
    now = T0
    for number in range(count):
        now = T0 + 2 * number
        for name in names:
            found = measured("Inconclusive", now, value=value, message=value)
            state = add_measurement(state, name, found)
        state = replace(state, results=tuple(replace(r, inconclusive=0) for r in state.results))
        state = assess(state, now).state
        status = dump_status(state, 1)
        assert len(as_go_writes(status)) <= STATUS_LIMIT
        again = read_state(state.spec, status)
        assert dump_status(again, 1) == status, "what was written is not written again"
        assert [r.count for r in again.results] == [number + 1] * 32
        assert all(r.measurements[-1].finished == now for r in again.results), "the last decides what comes next"
        state = again
    state = assess(state, now).state
    assert state.phase == "Failed"
    assert {r.phase for r in state.results} == {"Failed"}


def test_the_oldest_measurements_go_first_whatever_their_metric() -> None:
    state = run(spec(metric("old", interval="1s"), metric("new", interval="1s")), started=T0)
    for number in range(10):
        state = add_measurement(state, "old", measured("Failed", T0 + number, value="v" * 1024))
        state = add_measurement(state, "new", measured("Failed", T0 + 100 + number, value="v" * 1024))
    whole = dump_status(state, 1)
    assert [len(r["measurements"]) for r in whole["metricResults"]] == [10, 10], "what fits stays"
    big = replace(state, results=tuple(replace(r, name=f"{r.name}{n}") for n in range(20) for r in state.results))
    kept = {r["name"]: len(r["measurements"]) for r in dump_status(big, 1)["metricResults"]}
    assert {count for name, count in kept.items() if name.startswith("new")} == {10}
    assert {count for name, count in kept.items() if name.startswith("old")} <= {1, 2}


def test_the_message_of_a_run_is_bounded() -> None:
    state = RunState(spec(metric()), phase="Error", message="\x01" * 100_000, completed=T0)
    assert len(as_go_writes(dump_status(state, 1))) < 20_000


TOO_LARGE = [
    error_for(500, "InternalError", "etcdserver: request is too large"),
    error_for(413, "RequestEntityTooLarge", "limit is 3145728"),
    error_for(
        500, "InternalError", "rpc error: code = ResourceExhausted desc = trying to send message larger than max"
    ),
]


@pytest.mark.parametrize("error", TOO_LARGE)
def test_refusals_because_of_the_size_are_known(error: ApiError) -> None:
    assert is_too_large(error)
    assert not is_too_large(error_for(500, "InternalError", "etcdserver: leader changed"))


def test_attack_f10_a_run_that_cannot_be_written_ends_with_counters_and_the_reason() -> None:
    state = run(spec(metric("a", interval="1s")), started=T0)
    state = add_measurement(state, "a", measured("Failed", T0, value="v"))
    status = dump_status(end_as_too_large(state, TOO_LARGE[0], T0 + 9), 1)
    assert status["phase"] == "Error"
    assert status["message"] == "the status cannot be written: etcdserver: request is too large"
    assert status["metricResults"] == [
        {"name": "a", "phase": "Running", "count": 1, "failed": 1, "measurements": []},
    ]


class FullApi:
    """An API server that takes no status with measurements."""

    def __init__(self) -> None:
        self.credentials = SimpleNamespace(server="https://10.96.0.1")
        self.refused: list[Any] = []
        self.written: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def merge_patch(self, *_: Any, subresource: str) -> Any:
        body = _[-1]["status"]
        if any(result["measurements"] for result in body.get("metricResults", ())):
            self.refused.append(body)
            raise TOO_LARGE[0]
        if not self.written.done():
            self.written.set_result(body)
        return {"metadata": {"resourceVersion": "2"}}


async def test_attack_f10_a_write_that_is_refused_as_too_large_ends_the_run() -> None:
    api, store = FullApi(), Store[RunView]()
    notes: asyncio.Queue[Any] = asyncio.Queue()
    events = SimpleNamespace(note=lambda *note: notes.put_nowait(note[1:]))
    controller = HookRunController(api, store, events, CollectorRegistry(), HookSettings(), workers=1)
    metadata = {"namespace": "d", "name": "r", "uid": "u", "resourceVersion": "1"}
    refused = metric(provider={"web": {"url": "http://127.0.0.1/", "jsonPath": "{.a}"}}, interval="1s", count=99)
    view = run_view({"metadata": metadata, "spec": {"metrics": [refused]}})
    store.put(view)
    working = asyncio.create_task(controller.run())
    controller.on_change(Change(None, view))
    try:
        async with asyncio.timeout(10):
            status, told = await api.written, await notes.get()
        assert (status["phase"], len(api.refused)) == ("Error", 1)
        assert status["message"] == "the status cannot be written: etcdserver: request is too large"
        assert status["conditions"][0]["type"] == "Failed"
        assert told == ("Warning", "Failed", status["message"])
        assert notes.empty()
        assert controller._tasks.running("u") == frozenset()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
