"""The recorder in virtual time: what reaches the API server."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from operators.kube.errors import Forbidden, Invalid, NotFound, Unavailable
from operators.runtime.events import EventRecorder, ObjectReference
from operators.runtime.eventseries import SIMILAR
from operators.runtime.metrics import EventMetrics
from tests.logged import all_told
from tests.unit.runtime.memory import MemoryApi, never

pytestmark = pytest.mark.looptime
START = 1_800_000_000.0


class Running:
    def __init__(self):
        self.api, self.registry = MemoryApi(), CollectorRegistry()
        loop = asyncio.get_running_loop()
        self.recorder = EventRecorder(
            self.api,
            "game-operators",
            components={"Game": "game-controller"},
            metrics=EventMetrics(self.registry),
            now=lambda: START + loop.time(),
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.recorder.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def note(self, message, *, reason="Created", type_="Normal", name="lobby", kind="Game", namespace="default"):
        about = ObjectReference("games/v1", kind, namespace, name, f"uid-{name}")
        self.recorder.note(about, type_, reason, message)

    @property
    def events(self):
        return [body for (plural, *_), body in self.api.objects.items() if plural == "events"]

    @property
    def counts(self):
        return {body["message"]: body["count"] for body in self.events}

    def counted(self, result):
        return self.registry.get_sample_value("game_operators_events_total", {"result": result})


async def test_an_event_says_what_about_whom_and_by_whom():
    async with Running() as run:
        run.note("succeed to create pod a")
        await asyncio.sleep(1)
        (event,) = run.events
    assert event["involvedObject"] == {
        "apiVersion": "games/v1",
        "kind": "Game",
        "namespace": "default",
        "name": "lobby",
        "uid": "uid-lobby",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Created", "succeed to create pod a")
    assert (event["count"], event["firstTimestamp"]) == (1, "2027-01-15T08:00:00Z")
    assert event["source"] == {"component": "game-controller"}
    assert event["reportingComponent"] == "game-controller"


async def test_other_kinds_are_reported_by_the_operators():
    async with Running() as run:
        run.note("x", kind="Thing")
        await asyncio.sleep(1)
        assert run.events[0]["source"] == {"component": "game-operators"}


async def test_a_repeated_note_raises_the_count():
    async with Running() as run:
        for _ in range(3):
            run.note("pod a")
            await asyncio.sleep(20)
        assert run.counts == {"pod a": 3}
        assert run.events[0]["lastTimestamp"] == "2027-01-15T08:00:40Z"
        assert [verb for verb, *_ in run.api.requests] == ["POST", "PATCH", "PATCH"]


async def test_five_hundred_pods_cost_a_dozen_requests():
    async with Running() as run:
        for n in range(500):
            run.note(f"succeed to create pod {n}")
        await asyncio.sleep(60)
        assert len(run.api.requests) == SIMILAR + 1
        assert sum(run.counts.values()) == 500
        assert run.counted("written") == SIMILAR + 1
        assert run.counted("merged") == 500 - SIMILAR - 1


async def test_a_slow_rollout_costs_no_request_per_pod_either():
    async with Running() as run:
        for n in range(600):
            run.note(f"succeed to update pod {n}")
            await asyncio.sleep(0.5)
        await asyncio.sleep(30)
        assert sum(run.counts.values()) == 600
        assert len(run.api.requests) <= SIMILAR + 25 + 300 / 10


async def test_a_note_never_waits_and_a_slow_server_merges():
    async with Running() as run:

        async def slow(verb, name):
            await asyncio.sleep(10)

        run.api.answer = slow
        before = asyncio.get_running_loop().time()
        for _ in range(1000):
            run.note("pod a")
        assert asyncio.get_running_loop().time() == before
        await asyncio.sleep(5)
        run.note("pod a")  # while the first is being written
        await asyncio.sleep(30)
        assert run.counts == {"pod a": 1001}
        assert len(run.api.requests) == 2


async def test_an_outage_delays_events_but_loses_none():
    async with Running() as run:
        loop = asyncio.get_running_loop()

        async def down(verb, name):
            if loop.time() < 10:
                raise Unavailable(0, "NoAnswer", "refused")

        run.api.answer = down
        run.note("pod a")
        run.note("pod b")
        await asyncio.sleep(60)
        assert run.counts == {"pod a": 1, "pod b": 1}
        assert run.recorder.dropped == 0


async def test_an_answer_that_got_lost_makes_no_second_event():
    async with Running() as run:
        lost = []

        async def lose(verb, name):
            if not lost:
                lost.append(name)
                raise Unavailable(0, "NoAnswer", "reset")

        run.api.lose = lose
        run.note("pod a")
        await asyncio.sleep(60)
        assert len(run.events) == 1
        run.note("pod a")
        await asyncio.sleep(60)
        assert run.counts == {"pod a": 2}


async def test_what_never_succeeds_is_dropped_and_counted(caplog):
    async with Running() as run:

        async def down(verb, name):
            raise Unavailable(0, "NoAnswer", "refused")

        run.api.answer = down
        for _ in range(3):
            run.note("pod a")
        await asyncio.sleep(600)
        assert len(run.api.requests) == 5
        assert run.recorder.dropped == 3
        assert run.counted("dropped") == 3
        assert "dropped" in caplog.text


@pytest.mark.parametrize(
    ("error", "quiet"),
    [
        (NotFound(404, "NotFound", "namespaces not found"), True),
        (Forbidden(403, "Forbidden", "unable to create: namespace x is being terminated"), True),
        (Forbidden(403, "Forbidden", "events is forbidden: user may not create"), False),
        (Invalid(422, "Invalid", "message too long"), False),
    ],
)
async def test_a_refused_event_is_dropped_and_the_next_one_written(caplog, error, quiet):
    async with Running() as run:

        async def refuse(verb, name):
            if name.startswith("bad."):
                raise error

        run.api.answer = refuse
        run.note("pod a", name="bad")
        run.note("pod b", name="bad")
        run.note("pod c", name="good")
        await asyncio.sleep(5)
        assert run.counts == {"pod c": 1}
        assert run.recorder.dropped == 2
        warnings = [r for r in caplog.records if r.levelname == "WARNING"]
        assert len(warnings) == (0 if quiet else 1), "told, but not for every single one"


async def test_an_event_that_expired_meanwhile_is_written_anew():
    async with Running() as run:
        run.note("pod a")
        await asyncio.sleep(10)
        run.api.objects.clear()
        run.note("pod a")
        await asyncio.sleep(10)
        assert run.counts == {"pod a": 2}


async def test_a_defect_in_writing_silences_no_other_event(caplog):
    async with Running() as run:

        async def defect(verb, name):
            if name.startswith("bad."):
                raise KeyError("a defect")

        run.api.answer = defect
        run.note("pod a", name="bad")
        run.note("pod b", name="good")
        await asyncio.sleep(5)
        assert run.counts == {"pod b": 1}
        assert run.recorder.dropped == 1


async def test_events_of_cluster_scoped_objects_go_to_the_default_namespace():
    async with Running() as run:
        run.note("x", namespace="")
        await asyncio.sleep(1)
        assert run.events[0]["metadata"]["namespace"] == "default"


async def test_the_end_waits_for_nothing_that_is_due_later_and_loses_nothing():
    async with Running() as run:
        for n in range(60):
            run.note("text", reason=f"Reason{n}")
        await asyncio.sleep(1)
        assert len(run.events) == 25
        before = asyncio.get_running_loop().time()
        await run.recorder.flush()
        assert asyncio.get_running_loop().time() - before < 1
        assert len(run.events) == 60
        assert run.recorder.dropped == 0


async def test_the_end_is_bounded_and_tells_what_was_lost(caplog):
    async with Running() as run:

        async def hang(verb, name):
            await never()

        run.api.answer = hang
        run.note("pod a")
        run.note("pod b")
        run.note("pod b")
        await asyncio.sleep(1)
        before = asyncio.get_running_loop().time()
        await run.recorder.flush(3.0)
        assert asyncio.get_running_loop().time() - before == pytest.approx(3)
        assert run.recorder.dropped == 3
        assert "events dropped at shutdown count=3" in all_told(caplog.records)


async def test_with_nothing_to_write_the_end_comes_at_once():
    async with Running() as run:
        before = asyncio.get_running_loop().time()
        await run.recorder.flush()
        assert asyncio.get_running_loop().time() == before


async def test_more_than_can_be_kept_is_dropped_and_counted(monkeypatch):
    monkeypatch.setattr("operators.runtime.events.CAPACITY", 10)
    run = Running()
    for n in range(15):
        run.note("text", name=f"g{n}")
    assert run.recorder.dropped == 5
    assert run.counted("dropped") == 5
