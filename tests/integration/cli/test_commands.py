"""Each command on the real API server."""

import asyncio
import json
import signal

import pytest
import yaml
from jsonschema import Draft202012Validator

from operators.api import keys
from operators.cli.game.exits import Exit
from operators.cli.game.schemas import load
from operators.kube.resources import (
    CONTROLLER_REVISIONS,
    GAME_STATEFUL_SETS,
    HOOK_RUNS,
    HOOK_TEMPLATES,
    PODS,
    Resource,
)
from tests.integration.cli.programs import Game
from tests.integration.gamedeployment.fleet import template

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 2, "maxSurge": 0}
STEPS = [{"partition": 3}, {"pause": {}}, {"partition": 0}]
METRIC = {
    "name": "players",
    "interval": "5s",
    "successCondition": "asInt(result) == 0",
    "provider": {"web": {"url": "http://{{ args.PodIP }}:8080/", "jsonPath": "{$.players}"}},
}
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
#: Every reading command, as a user types it.
READING = (
    ("get", "arena"),
    ("get", "arena", "--all"),
    ("list",),
    ("status", "arena", "--watch=false"),
    ("why", "arena"),
    ("history", "arena"),
    ("diff", "arena"),
    ("diff", "arena", "1", "2"),
    ("hooks", "arena"),
    ("plan", "arena"),
    ("plan", "arena", "--set", "web=game:3"),
)


@pytest.fixture
async def canary(fleet):
    """A canary whose first two pods are asked for their players; nobody answers but the test."""
    hook_template = {
        "apiVersion": keys.API_VERSION,
        "kind": "HookTemplate",
        "metadata": {"name": "no-players"},
        "spec": {"args": [{"name": "PodIP"}], "metrics": [METRIC]},
    }
    await fleet.user.create(HOOK_TEMPLATES, fleet.namespace, hook_template)
    async with fleet.kubelets(), fleet.operator():
        hook = {"hook": {"templateName": "no-players"}}
        strategy = {**IN_PLACE, "canary": {"steps": STEPS}}
        await fleet.apply("arena", replicas=5, updateStrategy=strategy, preInplaceUpdateStrategy=hook)
        await fleet.complete("arena", 1)
        await fleet.release("arena", 2)

        async def asked():
            runs = await fleet.hook_runs()
            return runs if len(runs) == 2 else None

        for run in await fleet.until("two pods are asked", asked):
            await measure(fleet, run, value="37")
        yield fleet


async def measure(fleet, run, *, value="", phase="Running"):
    """A hook is asked, and answers."""
    measurement = {"phase": "Failed" if phase == "Running" else phase, "value": value}
    result = {"name": "players", "phase": phase, "count": 3, "measurements": [measurement]}
    status = {"phase": phase, "metricResults": [result]}
    await fleet.user.merge_patch(HOOK_RUNS, fleet.namespace, run, {"status": status}, subresource="status")


async def test_ux_2_and_3_every_reading_command_in_every_form(canary, game):
    for command in READING:
        ended = await game.inside(*command)
        assert ended.code in (Exit.REACHED, Exit.BLOCKED, Exit.TIMEOUT), (command, ended)
        assert ended.out, command
        assert "\x1b" not in ended.out + ended.err, command
        assert "Traceback" not in ended.err, command
        as_json, as_yaml = [await game.inside(*command, "-o", form) for form in ("json", "yaml")]
        as_names, as_ascii = await game.inside(*command, "-o", "name"), await game.inside(*command, "--ascii")
        Draft202012Validator(load(as_json.body["kind"])).validate(as_json.body)
        assert yaml.safe_load(as_yaml.out).keys() == as_json.body.keys()
        assert as_ascii.out.isascii(), command
        assert all("/" in line for line in as_names.out.splitlines()), command


async def test_ux_7_the_head_equals_status_and_api(canary, game):
    body = (await game.inside("get", "arena", "-o", "json")).body
    pods, status = body["summary"]["pods"], (await canary.get("arena"))["status"]
    assert (pods["exist"], pods["ready"], pods["new"]) == (
        status["replicas"],
        status["readyReplicas"],
        status["updatedReplicas"],
    )
    names = [p["name"] for r in body["revisions"] for p in r["pods"]]
    assert sorted(names) == [p["metadata"]["name"] for p in await canary.pods()]
    assert [h["value"] for h in body["summary"]["waitsFor"]] == ["37", "37"]
    assert body["summary"]["budget"] | {"allowed": 2, "asked": 2, "taken": 2} == body["summary"]["budget"]
    assert body["summary"]["words"] == "Waiting for no-players"


async def test_ux_39_why_names_the_hook_its_answer_and_what_it_wants(canary, game):
    ended = await game.inside("why", "arena", "-o", "json")
    assert ended.code == Exit.BLOCKED
    (finding,) = (f for f in ended.body["findings"] if f["cause"] == "HookRunning")
    assert "Hook no-players is asked about 2 pods" in finding["text"]
    assert "players 37, wants asInt(result) == 0" in finding["text"]


async def test_why_is_asked_about_pods_runs_and_namespaces_too(canary, game):
    run = (await canary.hook_runs())[0]
    pod = f"arena-{run.removeprefix('preinplace-arena-').split('-')[1]}"
    about_pod = await game.inside("why", f"pod/{pod}", "-o", "json")
    about_run = await game.inside("why", f"hookrun/{run}", "-o", "json")
    about_gone = await game.inside("why", "pod/arena-gone")
    about_namespace = await game.inside("why", f"ns/{canary.namespace}", "-o", "json")
    about_stranger = await game.inside("why", "pod/arena-gone", "--as=nobody")
    assert about_pod.body["findings"][0]["cause"] == "HookRunning"
    assert "players 37" in about_pod.body["verdict"]
    assert about_run.body["verdict"].startswith("Its preinplace hook no-players says no for ")
    assert (about_gone.code, "Pod arena-gone is not there" in about_gone.out) == (Exit.BLOCKED, True)
    assert (about_namespace.code, about_namespace.body["healthy"]) == (Exit.REACHED, True)
    assert (about_stranger.code, "cluster role 'view'" in about_stranger.err) == (Exit.FAILED, True)


async def test_history_and_diff_name_revisions_by_number(canary, game):
    past = (await game.inside("history", "arena", "-o", "json")).body["revisions"]
    assert [(r["number"], r["pods"], r["role"]) for r in past] == [(2, 0, "new"), (1, 5, "old")]
    ended = await game.inside("diff", "arena", "1", "2", "--exit-code", "-o", "json")
    assert ended.code == Exit.CHANGES
    assert [(c["path"], c["old"], c["new"], c["cost"]) for c in ended.body["changes"]] == [
        ("spec.containers[web].image", "game:1", "game:2", "restart")
    ]
    assert (await game.inside("diff", "arena", "1", "9")).code == Exit.FAILED


async def test_diff_takes_the_manifest_that_was_applied_for_no_change(canary, game, tmp_path):
    live = await canary.get("arena")
    manifest = {k: live[k] for k in ("apiVersion", "kind", "metadata", "spec")}
    file = tmp_path / "arena.yaml"
    file.write_text(yaml.safe_dump_all([{"kind": "Namespace", "metadata": {"name": "x"}}, manifest]))
    assert (await game.inside("diff", "arena", "-f", str(file), "-o", "json")).body["changes"] == []
    manifest["spec"] = {"selector": {"matchLabels": {"app": "arena"}}, "template": template("arena", 3)}
    file.write_text(yaml.safe_dump(manifest))
    changes = (await game.inside("diff", "arena", "-f", str(file), "-o", "json")).body["changes"]
    assert [(c["new"], c["words"]) for c in changes] == [("game:3", "in place, 1 restart")]


async def test_ux_12_each_code_in_a_scripted_rollout(canary, game):
    assert (await game("status", "arena", "--timeout=1s")).code == Exit.TIMEOUT
    assert (await game("status", "nobody")).code == Exit.FAILED
    waiting = asyncio.create_task(game("status", "arena", "--timeout=60s"))
    reached = asyncio.create_task(game("status", "arena", "--for=paused", "--timeout=60s"))
    for run in await canary.hook_runs():
        await measure(canary, run, value="0", phase="Successful")
    rested = await waiting
    assert rested.code == Exit.RESTS, rested
    assert rested.out.splitlines()[-1] == "arena rests for a person at step 2/3 pause."
    assert (await reached).code == Exit.REACHED

    await canary.change("arena", preInplaceUpdateStrategy={"hook": None}, updateStrategy={"paused": False})
    done = await game("status", "arena", "--timeout=60s")
    assert done.code == Exit.REACHED, done
    assert done.out.splitlines()[-1].startswith("arena is complete: 5 of 5 pods run game:2 and are ready after 00:")

    containers = [{"name": "web", "image": "game:3", "env": [{"name": "A", "value": "b"}]}]
    await canary.change("arena", template={"spec": {"containers": containers}}, updateStrategy={"canary": None})
    stuck = await game("status", "arena", "--blocked-grace=1s", "--timeout=60s")
    assert stuck.code == Exit.BLOCKED, stuck
    assert "needs a person: pod arena-" in stuck.out


async def test_ux_14_a_new_release_is_told_of_and_followed(canary, game):
    wanted = (await canary.get("arena"))["status"]["updateRevision"]
    followed = await game.start("status", "arena", "--timeout=60s")
    pinned = await game.start("status", "arena", f"--revision={wanted}", "--timeout=60s")
    for one in (followed, pinned):
        await one.until("2 asked by hooks")
    await canary.release("arena", 3)
    lost = await pinned.end()
    assert (lost.code, f"not to {wanted}" in lost.out) == (Exit.FAILED, True), lost
    await followed.until(f"a new release: arena-.* takes the place of {wanted}, and is followed now")
    followed.process.send_signal(signal.SIGINT)
    assert (await followed.end()).code == Exit.INTERRUPTED


async def test_ux_13_nothing_is_complete_before_the_operators_have_seen_it(fleet, game):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        await fleet.complete("arena", 1)
    await fleet.release("arena", 2)
    ended = await game("status", "arena", "--timeout=2s")
    assert ended.code == Exit.TIMEOUT
    assert "generation 2 is not seen by the operators yet" in ended.out
    shown = await game.inside("get", "arena")
    assert "? not seen by the operators for" in shown.out


async def test_names_of_both_kinds_are_told_apart(fleet, game):
    await fleet.apply("arena")
    labels = {"matchLabels": {"app": "set"}}
    spec = {"replicas": 1, "serviceName": "set", "selector": labels, "template": template("set", 1)}
    await fleet.user.create(
        GAME_STATEFUL_SETS,
        fleet.namespace,
        {"apiVersion": keys.API_VERSION, "kind": "GameStatefulSet", "metadata": {"name": "arena"}, "spec": spec},
    )
    both = await game.inside("get", "arena")
    assert (both.code, both.out) == (Exit.USAGE, "")
    assert "gd/arena and gsts/arena" in both.err
    one = (await game.inside("get", "gsts/arena", "-o", "json")).body
    assert one["summary"]["workload"]["kind"] == "GameStatefulSet"
    listed = (await game.inside("list", "-o", "name")).out.split()
    assert listed == ["gamedeployment.tkex.tencent.com/arena", "gamestatefulset.tkex.tencent.com/arena"]


async def test_a_missing_definition_is_told_as_such(fleet, game):
    """The server of another cluster: a kind that it does not serve is no workload that is not there."""
    ended = await game.inside("get", "gd/nobody")
    assert ended.code == Exit.FAILED
    assert ended.err == f"Error: there is no GameDeployment nobody in namespace {fleet.namespace}\n"


async def test_ux_4_and_40_a_viewer_runs_every_reading_command(canary, game, viewer):
    for command in READING:
        ended = await game.inside(*command, viewer)
        assert ended.code in (Exit.REACHED, Exit.BLOCKED, Exit.TIMEOUT), (command, ended)
    why = (await game("why", "arena", viewer, "-o", "json")).body
    assert {"Leases", "nodes"} <= set(why["unreadable"])
    assert any(f["cause"] == "HookRunning" for f in why["findings"])


async def test_ux_4_whoever_may_not_read_is_told_which_role_would(fleet, game):
    await fleet.apply("arena")
    ended = await game.inside("get", "gd/arena", "--as=nobody")
    assert ended.code == Exit.FAILED
    assert "get on gamedeployments is in the cluster role 'view', to which the chart adds tkex-view" in ended.err


# ---- size


@pytest.mark.alone
async def test_ux_10_the_screen_of_500_pods_comes_within_two_seconds(fleet, game):
    """Pods as an operator left them; there is none here, so that only reading is measured."""
    workload = await fleet.apply("arena", replicas=500)
    owner = {
        "apiVersion": workload["apiVersion"],
        "kind": "GameDeployment",
        "name": "arena",
        "uid": workload["metadata"]["uid"],
        "controller": True,
    }
    data = {"spec": {"template": {**workload["spec"]["template"], "$patch": "replace"}}}
    revision = {"name": "arena-1", "labels": {"app": "arena"}, "ownerReferences": [owner]}
    await fleet.user.create(CONTROLLER_REVISIONS, fleet.namespace, {"metadata": revision, "revision": 1, "data": data})
    small = await measured(game)

    async def create(number):
        made = template("arena", 1)
        labels = {**made["metadata"]["labels"], keys.REVISION_LABEL: "arena-1", keys.INSTANCE_LABEL: f"i{number}"}
        metadata = {"name": f"arena-i{number}", "labels": labels, "ownerReferences": [owner]}
        await fleet.user.create(PODS, fleet.namespace, {"metadata": metadata, "spec": made["spec"]})

    await asyncio.gather(*(create(n) for n in range(500)))
    seconds, memory, lines = min([await measured(game) for _ in range(3)])
    assert seconds <= 2.0
    assert memory - small[1] <= 60 * 1024, "KiB"
    assert lines < 40
    everything = await game("get", "arena", "--all")
    assert everything.out.count("□ arena-i") == 500


async def measured(game: Game):
    """Seconds, KiB of memory at most and lines of one picture."""
    code = (
        "import json, resource, subprocess, sys, time; began = time.monotonic(); "
        "out = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True).stdout; "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
        "print(json.dumps([time.monotonic() - began, used, len(out.splitlines())]))"
    )
    from tests.integration.cli.programs import PROGRAM, environment

    process = await asyncio.create_subprocess_exec(
        PROGRAM[0],
        "-c",
        code,
        *PROGRAM,
        *game.line("get", "arena"),
        env=environment(game.kubeconfig),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return tuple(json.loads(out))


async def test_foreign_pods_are_greyed_with_their_owner(fleet, game):
    await fleet.apply("arena", replicas=1)
    settings = await fleet.user.create(CONFIG_MAPS, fleet.namespace, {"metadata": {"name": "other"}})
    uid, made = settings["metadata"]["uid"], template("arena", 1)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": uid, "controller": True}
    metadata = {"name": "stranger", "labels": made["metadata"]["labels"], "ownerReferences": [owner]}
    await fleet.user.create(PODS, fleet.namespace, {"metadata": metadata, "spec": made["spec"]})
    shown = await game.inside("get", "arena")
    assert "□ stranger" in shown.out
    assert "belongs to ConfigMap/other" in shown.out
