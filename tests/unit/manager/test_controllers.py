"""Which caches a process has: those its controllers use, and no others."""

import asyncio

import pytest
from kubernetes.aio.client.configuration import Configuration

from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.view import RunView, run_view
from operators.kube import resources
from operators.kube.official import OfficialCredentials
from operators.manager.manager import Manager
from operators.planning.views import HookRunView, hookrun_view
from operators.runtime.store import Store
from tests.unit.manager.test_settings import parsed
from tests.unit.runtime.views import thing

OF_GAMEDEPLOYMENT = {"gamedeployments", "hooktemplates", "pods", "controllerrevisions", "hookruns", "nodes"}


def operators(*arguments):
    return Manager(parsed(*arguments), OfficialCredentials(Configuration(host="http://127.0.0.1:1")))


@pytest.fixture
async def made():
    built = []

    def make(*arguments):
        built.append(operators(*arguments))
        return built[-1]

    yield make
    for one in built:
        await one.client.close()
        await one._background_client.close()


async def test_the_hook_controller_watches_hookruns_and_what_no_hook_may_reach(made):
    controllers = made("hook", "--hook-deny-service=default/kubernetes,ops/a,ops/b").controllers
    services = {"endpointslices/default", "services/default", "endpointslices/ops", "services/ops"}
    assert set(controllers.sources()) == {"hookruns", "nodes", *services}
    assert not controllers.feeds
    assert len(controllers.workers) == 1


async def test_the_gamedeployment_controller_watches_what_it_reads(made):
    controllers = made("gamedeployment").controllers
    assert set(controllers.sources()) == OF_GAMEDEPLOYMENT
    assert set(controllers.feeds) == {"gamedeployments", "hooktemplates"}
    assert len(controllers.workers) == 1


async def test_without_names_all_controllers_run(made):
    controllers = made().controllers
    assert len(controllers.workers) == 3
    assert set(controllers.sources()) > OF_GAMEDEPLOYMENT


async def test_the_gamestatefulset_controller_watches_claims_too(made):
    controllers = made("gamestatefulset").controllers
    others = OF_GAMEDEPLOYMENT - {"gamedeployments"}
    assert set(controllers.sources()) == {*others, "gamestatefulsets", "persistentvolumeclaims"}
    assert set(controllers.feeds) == {"gamestatefulsets", "hooktemplates"}
    assert "persistentvolumeclaims" not in made("gamedeployment").controllers.sources()


async def test_both_kinds_of_workload_share_their_caches(made):
    controllers = made("gamedeployment", "gamestatefulset").controllers
    assert len(controllers.workers) == 2
    assert set(controllers.sources()) == {*OF_GAMEDEPLOYMENT, "gamestatefulsets", "persistentvolumeclaims"}


@pytest.mark.parametrize(
    ("names", "decode"),
    [
        (("hook",), run_view),
        (("gamedeployment",), hookrun_view),
        (("gamedeployment", "gamestatefulset"), hookrun_view),
        (("gamedeployment", "hook"), run_view),
        (("hook", "gamestatefulset"), run_view),
        ((), run_view),
    ],
)
async def test_hookruns_are_listed_watched_and_decoded_once(made, names, decode):
    """By the hook controller's decoder where there is one: its view is what the workloads read, and more."""
    sources = made("--namespace", "games", *names).controllers.sources()
    (hook_runs,) = (source for source in sources.values() if source.resource is resources.HOOK_RUNS)
    assert hook_runs is sources["hookruns"]
    assert (hook_runs._decode, hook_runs._namespace) == (decode, "games")


async def test_both_readers_are_told_of_a_hookrun(made):
    controllers = made("gamedeployment", "hook").controllers
    owner = {"apiVersion": "v1", "kind": "GameDeployment", "name": "lobby", "uid": "g", "controller": True}
    metadata = {"namespace": "games", "name": "r", "uid": "u", "resourceVersion": "1", "ownerReferences": [owner]}
    hook_runs = controllers.sources()["hookruns"]
    hook_runs._apply("ADDED", {"metadata": metadata, "spec": {"metrics": []}})
    (seen,) = hook_runs.store.by("owner", "g")
    assert isinstance(seen, RunView)
    assert isinstance(seen, HookRunView)
    workloads, hooks = controllers.workers
    assert await workloads.queue.get() == ("games", "lobby")
    assert await hooks._queue.get() == ("games", "r")


async def test_in_one_namespace_nothing_needs_rights_outside_of_it(made):
    refused = (resources.ENDPOINT_SLICES, resources.SERVICES)
    for source in made("--namespace", "games").controllers.sources().values():
        assert source._namespace == "games" or (source.resource in (resources.NODES, *refused) and source._optional)
    for source in made().controllers.sources().values():
        assert source._namespace is None or (source.resource in refused and source._optional)
        assert source.resource in refused or not getattr(source, "_optional", False)
    assert "nodes" not in made("--namespace", "games", "hook").controllers.sources()


async def test_not_ready_until_every_cache_is_filled(made):
    one = made("gamedeployment")
    assert one.missing() == "waiting for the API server"
    one._waiting_for = ""
    assert "pods" in one.missing()
    for source in one.controllers.sources().values():
        source.synced.set()
    assert one.missing() == ""
    one.stopping.set()
    assert one.missing() == "stopping"


async def test_writes_are_fenced_by_the_lease_and_only_by_it(made):
    assert made()._background_client._fence is None, "Lease and Events are written without it"
    assert made().client._fence() == 0.0, "nobody leads yet"
    assert made("--leader-elect=false").client._fence is None


async def test_a_part_that_fails_ends_the_process_with_code_1(made, caplog):
    one = made("hook")

    async def part():
        raise RuntimeError("a defect")

    await one._start(part())
    assert one.stopping.is_set()
    assert one.exit_code == 1
    assert "background task failed" in caplog.text


async def test_the_second_signal_cuts_the_drain_short(made):
    import signal

    one = made("hook")
    stuck = asyncio.create_task(asyncio.Event().wait())
    one._worker_tasks = [stuck]
    one.handle_signal(signal.SIGTERM)
    draining = asyncio.create_task(one._drain())
    await asyncio.sleep(0.05)
    assert not draining.done()
    one.handle_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        await draining
    assert stuck.cancelled()


@pytest.mark.looptime
async def test_passes_under_way_get_a_bounded_time_to_end(made):
    one = made("hook")
    ended = []

    async def work():
        await asyncio.sleep(10)
        ended.append("work")

    one._worker_tasks = [asyncio.create_task(work())]
    await one._drain()
    assert ended == ["work"]
    one._worker_tasks = [asyncio.create_task(asyncio.Event().wait())]
    before = asyncio.get_running_loop().time()
    await one._drain()
    assert asyncio.get_running_loop().time() - before == pytest.approx(15.0)
    assert one._worker_tasks[0].cancelled()


@pytest.mark.looptime
async def test_every_resync_period_everything_is_looked_at(made):
    one = made("--resync-period", "100")
    assert [subject.resource for subject in one.controllers.resynced] == [
        resources.GAME_DEPLOYMENTS,
        resources.GAME_STATEFUL_SETS,
        resources.HOOK_RUNS,
    ]
    told = []
    for number, subject in enumerate(one.controllers.resynced):
        subject._handlers.clear()
        subject.store = Store()
        subject.store.put(thing("a", number + 1))
        subject.subscribe(lambda change, subject=subject: told.append(subject.resource.kind))
    task = asyncio.create_task(one._resync())
    await asyncio.sleep(305)
    task.cancel()
    assert told == ["GameDeployment", "GameStatefulSet", "HookRun"] * 3


async def test_attack_f8_hooks_are_kept_from_what_the_caches_say(made, monkeypatch):
    monkeypatch.setenv("HOST_IP", "192.168.0.1")
    one = made("hook", "--hook-allow-node-ports=7000-8000")
    policy = EgressPolicy(cluster=one.controllers._cluster_addresses())
    sources = one.controllers.sources()
    assert policy.refusal("192.168.0.1", 80)
    assert not policy.refusal("192.168.0.2", 10250)
    address = [{"type": "InternalIP", "address": "192.168.0.2"}, {"type": "Hostname", "address": "n"}]
    metadata = {"name": "n", "uid": "n", "resourceVersion": "1"}
    sources["nodes"]._apply("ADDED", {"metadata": metadata, "status": {"addresses": address}})
    labels = {"kubernetes.io/service-name": "kubernetes"}
    metadata = {"namespace": "default", "name": "kubernetes", "uid": "k", "resourceVersion": "2", "labels": labels}
    body = {"metadata": metadata, "endpoints": [{"addresses": ["192.168.0.2"]}], "ports": [{"port": 7443}]}
    sources["endpointslices/default"]._apply("ADDED", body)
    assert [bool(policy.refusal("192.168.0.2", port)) for port in (10250, 7443, 7777)] == [True, True, False]
