"""Electors on one Lease, in virtual time: at most one leads, whatever clocks, networks and processes do."""

import asyncio
import random

import pytest

from operators.kube.errors import Conflict, Forbidden, Unavailable
from operators.kube.resources import LEASES
from operators.runtime import leaderelection
from operators.runtime.leaderelection import LeaderElector, LeadershipLost
from tests.logged import told
from tests.unit.runtime.memory import MemoryApi, never

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


class Line:
    """One replica's connection to the API server; ``fault`` is awaited before a request, ``loss`` after it."""

    def __init__(self, api):
        self.api, self.fault, self.loss, self.requests = api, None, None, 0

    async def _through(self, call, *args):
        self.requests += 1
        if self.fault is not None:
            await self.fault()
        done = await call(*args)
        if self.loss is not None:
            await self.loss()
        return done

    async def get(self, *args):
        return await self._through(self.api.get, *args)

    async def create(self, *args):
        return await self._through(self.api.create, *args)

    async def replace(self, *args):
        return await self._through(self.api.replace, *args)


async def refused():
    raise Unavailable(0, "NoAnswer", "connection refused")


class Replica:
    """One process: it waits for the lease, leads, and ends when it loses it."""

    def __init__(self, api, name, **options):
        self.line = Line(api)
        self.elector = LeaderElector(self.line, "system", "lease", name, **options)
        self.led = []
        self.ended = None
        self.task = asyncio.create_task(self._live(), name=name)

    async def _live(self):
        await self.elector.acquire()
        self.led.append(now())
        try:
            await self.elector.hold()
        except LeadershipLost:
            self.ended = now()

    @property
    def leads(self):
        """Leads and may still write, as far as the replica itself can know."""
        return self.elector.leading and self.elector.remaining() > 0

    def kill(self):
        self.task.cancel()

    async def end_politely(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.elector.release()


@pytest.fixture
async def api():
    return MemoryApi()


@pytest.fixture
async def replicas(api):
    made = []

    def make(name, **options):
        made.append(Replica(api, name, **options))
        return made[-1]

    yield make
    for replica in made:
        replica.task.cancel()
    await asyncio.gather(*(r.task for r in made), return_exceptions=True)


def lease(api):
    return api.objects["leases", "system", "lease"]["spec"]


async def test_the_first_leads_and_the_others_wait(api, replicas):
    first, second = replicas("first"), replicas("second")
    await asyncio.sleep(60)
    assert first.led == [0]
    assert second.led == []
    assert lease(api)["holderIdentity"] == "first"
    assert lease(api)["leaseDurationSeconds"] == 15
    assert lease(api)["leaseTransitions"] == 0


async def test_a_killed_leader_is_followed_within_lease_duration_and_a_period(api, replicas):
    first, second = replicas("first"), replicas("second")
    await asyncio.sleep(60)
    first.kill()
    await asyncio.sleep(30)
    assert 60 + 10 < second.led[0] <= 60 + 15 + 2 + 0.1
    assert lease(api)["leaseTransitions"] == 1


async def test_a_leader_that_ends_politely_is_followed_within_a_period(api, replicas):
    first, second = replicas("first"), replicas("second")
    await asyncio.sleep(60)
    await first.end_politely()
    assert lease(api)["holderIdentity"] == ""
    await asyncio.sleep(3)
    assert second.led[0] <= 62.1


async def test_the_holders_clock_is_never_asked(api, replicas):
    body = {"metadata": {"name": "lease", "namespace": "system"}}
    far = {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "2099-01-01T00:00:00.000000Z"}
    for number in range(30):
        api.put(LEASES, {**body, "spec": {**far, "leaseTransitions": number}})
        if number == 0:
            replica = replicas("late")
        await asyncio.sleep(2)
    assert replica.led == [], "renewed before our eyes, by whatever clock"
    await asyncio.sleep(20)
    assert len(replica.led) == 1, "not renewed any more, although its clock says it is good for decades"


async def test_a_leader_cut_off_ends_before_another_can_begin(api, replicas):
    first, second = replicas("first"), replicas("second")
    await asyncio.sleep(60)
    first.line.fault = refused
    await asyncio.sleep(30)
    assert first.ended <= 60 + 10 + 0.1
    assert second.led[0] >= first.ended + 2, "time for the process to end"
    assert not first.leads


async def test_a_leader_whose_requests_hang_ends_in_time_too(api, replicas):
    first, second = replicas("first"), replicas("second")
    await asyncio.sleep(60)
    first.line.fault = never
    await asyncio.sleep(30)
    assert first.ended <= 60 + 10 + 0.1
    assert second.led[0] > first.ended


async def test_a_renewal_counts_from_when_it_was_asked_for(api, replicas):
    """The answer of the last renewal is late: others saw it 3 s before we did."""
    first = replicas("first")
    await asyncio.sleep(61)
    seen = []

    async def late():
        seen.append((now(), api.version))
        await asyncio.sleep(1.5)

    first.line.loss = late
    await asyncio.sleep(10)
    first.line.fault = never
    changed = max(at for at, _ in seen)
    await asyncio.sleep(30)
    assert first.ended <= changed + 10 + 0.1


@pytest.mark.parametrize("answered", [8.0, 9.5, 9.99, 10.5])
@pytest.mark.parametrize("lost", [0, 1])
async def test_a_lease_whose_taking_was_answered_late_is_renewed_and_not_given_up(api, replicas, answered, lost):
    """An API server that has just come back answers late: a leader that ended for that would leave nobody."""
    await api.create(LEASES, "system", {"metadata": {"name": "lease", "namespace": "system"}})
    first, left = replicas("first"), [0.0] * lost + [answered]

    async def late():
        await asyncio.sleep(left.pop(0) if left else 0.0)

    first.line.loss = late
    await asyncio.sleep(60)
    assert first.ended is None
    assert first.leads
    assert first.elector.remaining() > 10


async def test_a_process_that_was_held_up_may_not_write_any_more(api, replicas):
    """As if it had been stopped for 20 s: nothing of it ran, then everything at once."""
    first = replicas("first")
    await asyncio.sleep(60)
    assert 10 < first.elector.remaining() <= 15
    first.kill()
    await asyncio.sleep(20)
    assert first.elector.leading
    assert first.elector.remaining() < 0


async def test_an_unknown_outcome_of_a_renewal_is_no_loss(api, replicas):
    first = replicas("first")
    await asyncio.sleep(60)
    first.line.loss = refused  # the write happens, its answer is lost
    await asyncio.sleep(6)
    first.line.loss = None
    await asyncio.sleep(60)
    assert first.ended is None
    assert first.leads


async def test_somebody_elses_write_on_the_lease_is_no_loss(api, replicas):
    first = replicas("first")
    await asyncio.sleep(60)
    held = api.objects["leases", "system", "lease"]
    api.put(LEASES, {**held, "metadata": {**held["metadata"], "annotations": {"note": "x"}}})
    await asyncio.sleep(60)
    assert first.leads


async def test_a_lease_that_was_taken_away_is_given_up_at_once(api, replicas):
    first = replicas("first")
    await asyncio.sleep(60)
    held = api.objects["leases", "system", "lease"]
    api.put(LEASES, {**held, "spec": {**held["spec"], "holderIdentity": "thief"}})
    await asyncio.sleep(3)
    assert first.ended is not None
    assert first.elector.remaining() <= 0


async def test_a_lease_that_was_deleted_is_made_anew(api, replicas):
    first = replicas("first")
    await asyncio.sleep(60)
    api.drop(LEASES, "system", "lease")
    await asyncio.sleep(10)
    assert first.leads
    assert lease(api)["holderIdentity"] == "first"


async def test_of_two_that_take_an_expired_lease_at_once_one_wins(api, replicas):
    old = replicas("old")
    await asyncio.sleep(30)
    others = [replicas(name) for name in ("a", "b", "c")]
    await asyncio.sleep(30)
    old.kill()
    await asyncio.sleep(60)
    assert sum(r.leads for r in others) == 1
    assert sum(len(r.led) for r in others) == 1


async def test_a_lease_without_a_holder_or_spec_is_taken(api, replicas):
    api.put(LEASES, {"metadata": {"name": "lease", "namespace": "system"}})
    first = replicas("first")
    await asyncio.sleep(1)
    assert first.leads


async def test_a_restarted_process_of_the_same_name_goes_on_at_once(api, replicas):
    first = replicas("pod-0")
    await asyncio.sleep(30)
    first.kill()
    again = replicas("pod-0")
    await asyncio.sleep(1)
    assert again.led == [30]


async def test_release_gives_away_only_what_is_ours(api, replicas):
    first = replicas("first")
    await asyncio.sleep(30)
    held = api.objects["leases", "system", "lease"]
    api.put(LEASES, {**held, "spec": {**held["spec"], "holderIdentity": "other"}})
    await first.end_politely()
    assert lease(api)["holderIdentity"] == "other"
    waiting = replicas("waiting")
    await waiting.end_politely()
    assert lease(api)["holderIdentity"] == "other"


async def test_release_takes_no_longer_than_a_few_seconds(api, replicas):
    first = replicas("first")
    await asyncio.sleep(30)
    first.line.fault = never
    await first.end_politely()
    assert now() <= 30 + leaderelection._RELEASE_TIMEOUT + 0.1


@pytest.mark.parametrize(
    "error",
    [Forbidden(403, "Forbidden", "leases is forbidden"), Unavailable(0, "NoAnswer", "refused")],
)
async def test_why_there_is_no_lease_is_told_once(api, replicas, caplog, error):
    async def fault():
        raise error

    first = replicas("first")
    first.line.fault = fault
    with caplog.at_level("WARNING"):
        await asyncio.sleep(60)
    assert [str(error) in told(r) for r in caplog.records] == [True]
    assert not first.led


async def test_a_lost_race_is_no_error(api, replicas):
    first = replicas("first")

    async def conflict():
        raise Conflict(409, "Conflict", "changed")

    first.line.fault = conflict
    await asyncio.sleep(5)
    first.line.fault = None
    await asyncio.sleep(3)
    assert first.leads


@pytest.mark.parametrize(("retry", "deadline", "duration"), [(10, 10, 15), (2, 15, 15), (2, 20, 15), (0, 10, 15)])
async def test_times_that_do_not_fit_are_refused(retry, deadline, duration):
    with pytest.raises(ValueError, match="retry period < renew deadline < lease duration"):
        LeaderElector(None, "n", "l", "i", lease_duration=duration, renew_deadline=deadline, retry_period=retry)


@pytest.mark.parametrize("duration", [15.0, 3.5])
async def test_the_lease_never_says_less_than_we_hold(api, replicas, duration):
    replicas("first", lease_duration=duration, renew_deadline=duration * 0.6, retry_period=duration * 0.1)
    await asyncio.sleep(1)
    assert lease(api)["leaseDurationSeconds"] >= duration


@pytest.mark.parametrize("seed", range(10))
async def test_never_two_may_write_whatever_fails(api, seed):
    """Four replicas, random outages, hangs, lost answers, kills and restarts for twenty minutes."""
    chance = random.Random(seed)
    alive = [Replica(api, f"r{n}") for n in range(4)]
    everybody, serial, led = list(alive), 4, 0

    async def tardy():
        await asyncio.sleep(chance.uniform(0, 6))

    try:
        while now() < 1200:
            victim = chance.choice(alive)
            victim.line.fault = chance.choice([None, None, None, refused, never, tardy])
            victim.line.loss = chance.choice([None, None, None, refused, never, tardy])
            if chance.random() < 0.05 or victim.ended is not None:
                if chance.random() < 0.5 and victim.ended is None:
                    await victim.end_politely()
                victim.kill()
                alive.remove(victim)
                alive.append(Replica(api, f"r{serial}"))
                everybody.append(alive[-1])
                serial += 1
            for _ in range(chance.randrange(1, 20)):
                await asyncio.sleep(0.5)
                writers = [r.task.get_name() for r in everybody if r.leads]
                assert len(writers) <= 1, f"{writers} may all write at {now()}"
                led += bool(writers)
        assert led > 300, "the test is worth nothing when nobody ever leads"
    finally:
        for replica in everybody:
            replica.kill()
        await asyncio.gather(*(r.task for r in everybody), return_exceptions=True)


async def test_a_process_that_is_not_fit_any_more_lets_the_lease_go(api, replicas):
    trouble = []
    first = replicas("first", unfit=lambda: "".join(trouble))
    await asyncio.sleep(5)
    second = replicas("second")
    await asyncio.sleep(60)
    assert first.leads
    trouble.append("no heartbeat for 30 s")
    await asyncio.sleep(40)
    assert first.ended is not None
    assert second.leads
    assert lease(api)["holderIdentity"] == "second"
