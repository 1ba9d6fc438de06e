"""``undo``, ``set image`` and ``scale`` on the real API server."""

import json
import time

from operators.cli.game.exits import Exit
from operators.kube.resources import CONTROLLER_REVISIONS, PODS, Resource
from operators.kube.times import timestamp

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 2, "maxSurge": 0}
SCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")


def uids(pods):
    return {p["metadata"]["name"]: p["metadata"]["uid"] for p in pods}


async def test_ux_22_undo_and_undo_again_bring_back_templates_and_digests_and_touch_each_pod_once(fleet, game):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        before = uids(await fleet.complete("arena", 1))
        await fleet.release("arena", 2)
        await fleet.complete("arena", 2)
        held, stored = await fleet.get("arena"), await fleet.revisions()
        told = await game("undo", "arena")
        assert (told.code, told.err) == (Exit.REACHED, "")
        assert "gd/arena: template of revision 1 set: 3 pods go in place, at most 2 down, no steps" in told.out
        assert "back: kubectl game undo gd/arena --to 2" in told.out
        await fleet.complete("arena", 1)
        told = await game("undo", "arena", "--to", "2")
        assert (told.code, told.err) == (Exit.REACHED, "")
        pods = await fleet.complete("arena", 2)
    after = await fleet.get("arena")
    assert after["spec"]["template"] == held["spec"]["template"]
    assert after["status"]["updateRevision"] == held["status"]["updateRevision"]
    assert await fleet.revisions() == stored
    assert uids(pods) == before
    assert {p["status"]["containerStatuses"][0]["restartCount"] for p in pods} == {3}


async def test_ux_22_ux_25_undo_is_guarded_dry_and_asks_whoever_owns_the_object(fleet, game):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        await fleet.complete("arena", 1)
        await fleet.release("arena", 2)
        await fleet.complete("arena", 2)
    before = await fleet.get("arena")
    for dry in ("client", "server"):
        told = await game("undo", "arena", f"--dry-run={dry}")
        assert told.code == Exit.REACHED
        assert f"not written: --dry-run={dry}" in told.out
    assert await fleet.get("arena") == before
    owned = {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "games"}}}
    await fleet.user.merge_patch(fleet.kind, fleet.namespace, "arena", owned)
    told = await game("undo", "arena")
    assert told.code == Exit.FAILED
    assert "flux kustomization games owns spec.template" in told.err
    assert "--anyway" in told.err
    assert (await fleet.get("arena"))["spec"] == before["spec"]
    revisions = (await fleet.user.list(CONTROLLER_REVISIONS, fleet.namespace))["items"]
    (first,) = (r["metadata"]["name"] for r in revisions if r["revision"] == 1)
    await fleet.user.delete(CONTROLLER_REVISIONS, fleet.namespace, first)
    told = await game("undo", "arena", "--to", "1", "--anyway")
    assert told.code == Exit.FAILED
    assert "has no revision 1; stored are 2" in told.err
    assert (await fleet.get("arena"))["spec"] == before["spec"]


async def test_ux_25_a_revision_that_is_trimmed_between_reading_and_writing_is_refused(fleet, game, monkeypatch):
    from operators.cli.game import changing

    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        await fleet.complete("arena", 1)
        await fleet.release("arena", 2)
        await fleet.complete("arena", 2)
    before, usual = await fleet.get("arena"), changing.undo

    def meanwhile(resource, subject, goal):
        fleet.kubectl("delete", "controllerrevision", goal.name)
        return usual(resource, subject, goal)

    monkeypatch.setattr(changing, "undo", meanwhile)
    told = await game.inside("undo", "arena")
    assert told.code == Exit.FAILED
    assert "revision 1 (arena-" in told.err
    assert "was removed meanwhile; nothing was written" in told.err
    assert await fleet.get("arena") == before


async def test_ux_26_set_image_manages_one_path_and_is_refused_where_it_is_another_by_now(fleet, game, monkeypatch):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        before = uids(await fleet.complete("arena", 1))
        told = await game("set", "image", "arena", "web=game:2")
        assert (told.code, told.err) == (Exit.REACHED, "")
        assert "gd/arena: image web game:1 → game:2: 3 pods go in place, at most 2 down, no steps" in told.out
        assert "back: kubectl game set image gd/arena web=game:1" in told.out
        assert uids(await fleet.complete("arena", 2)) == before
    body = await fleet.get("arena")
    (ours,) = (f for f in body["metadata"]["managedFields"] if f["manager"] == "kubectl-game")
    named = 'k:{"name":"web"}'
    spec = ours["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert ours["fieldsV1"].keys() == {"f:spec"}
    assert spec in ({named: {"f:image": {}}}, {})
    assert (await game("set", "image", "arena", "web=game:2")).out == "gd/arena: 1 container has it already\n"
    wrong = await game("set", "image", "arena", "side=game:2")
    assert (wrong.code, "there are web" in wrong.err) == (Exit.USAGE, True)

    from operators.cli.game import changing

    usual = changing.set_image

    def meanwhile(*given):
        fleet.kubectl("patch", "gamedeployment", "arena", "--type=json", "-p", json.dumps(
            [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "game:9"}]))  # fmt: skip
        return usual(*given)

    monkeypatch.setattr(changing, "set_image", meanwhile)
    told = await game.inside("set", "image", "arena", "web=game:3")
    assert (told.code, "has changed meanwhile; nothing was written" in told.err) == (Exit.FAILED, True)
    assert (await fleet.get("arena"))["spec"]["template"]["spec"]["containers"][0]["image"] == "game:9"


async def test_ux_27_scale_removes_and_replaces_by_name_and_knows_autoscalers(fleet, game):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", replicas=4, updateStrategy=IN_PLACE)
        first, second, *_ = (p["metadata"]["name"] for p in await fleet.complete("arena", 1))
        target = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "name": "arena"}
        await fleet.user.create(SCALERS, fleet.namespace, {
            "metadata": {"name": "by-players"},
            "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9, "metrics": []}})  # fmt: skip
        told = await game("scale", "arena", "--remove", first)
        assert told.code == Exit.REACHED
        assert "Warning: HorizontalPodAutoscaler by-players sets the replicas too, 2 to 9" in told.err
        assert f"gd/arena: {first} goes, replicas 4 → 3" in told.out

        async def gone(name):
            return name not in {p["metadata"]["name"] for p in await fleet.pods()}

        await fleet.until("the named pod is gone", lambda: gone(first))
        left = await fleet.complete("arena", 1)
        assert (len(left), second in {p["metadata"]["name"] for p in left}) == (3, True)

        async def cleaned():
            return not ((await fleet.get("arena"))["spec"].get("scaleStrategy") or {}).get("podsToDelete")

        await fleet.until("the name is off the list", cleaned)
        told = await game("scale", "arena", "--replace", second)
        assert (told.code, "replicas stay 3" in told.out) == (Exit.REACHED, True)
        assert "Autoscaler" not in told.err
        await fleet.until("it is replaced", lambda: gone(second))
        assert len(await fleet.complete("arena", 1)) == 3
        for pod, why in ((first, f"it has no pod {first}"), ("stranger", "pod stranger belongs to nobody")):
            if pod == "stranger":
                body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod},
                        "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "i"}]}}  # fmt: skip
                await fleet.user.create(PODS, fleet.namespace, body)
                continue
            told = await game("scale", "arena", "--remove", pod)
            assert (told.code, why in told.err) == (Exit.FAILED, True)
        assert (await fleet.get("arena"))["spec"]["replicas"] == 3


async def a_second_later(fleet):
    """Instants have whole seconds: what started in the second of one is no older than it."""
    pods = await fleet.pods()
    states = [c["state"]["running"]["startedAt"] for p in pods for c in p["status"]["containerStatuses"]]
    last = max(timestamp(text) for text in (*states, *(p["metadata"]["creationTimestamp"] for p in pods)))

    async def over():
        return time.time() >= last + 1

    await fleet.until("the second of the last start is over", over)


async def test_ux_28_restart_in_place_keeps_pods_and_bits_and_is_one_patch(fleet, game):
    digest = "sha256:" + "d" * 64
    fleet.image_id = lambda image: f"docker.io/library/game@{digest}"
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy={**IN_PLACE, "maxUnavailable": 1})
        before = uids(await fleet.complete("arena", 1))
        revisions = await fleet.revisions()
        await a_second_later(fleet)
        told = await game("restart", "arena")
        assert (told.code, told.err) == (Exit.REACHED, "")
        assert "gd/arena: restart: 3 pods restart in place, at most 1 down, the longest running first" in told.out
        assert '"restartAt":null' in told.out

        async def restarted():
            body = await fleet.get("arena")
            held = {c["type"]: c["status"] for c in body["status"]["conditions"]}
            pods = await fleet.pods()
            counts = {p["status"]["containerStatuses"][0]["restartCount"] for p in pods}
            return pods if counts == {1} and held["Complete"] == "True" else None

        pods = await fleet.until("each pod has restarted once", restarted)
        assert uids(pods) == before
        assert {p["spec"]["containers"][0]["image"] for p in pods} == {f"game:1@{digest}"}
        assert await fleet.revisions() == revisions
        (ours,) = (f for f in (await fleet.get("arena"))["metadata"]["managedFields"] if f["manager"] == "kubectl-game")
        assert ours["fieldsV1"] == {"f:spec": {"f:restartAt": {}}}
        await a_second_later(fleet)
        again = await game.inside("restart", "arena", "--dry-run=server")
        assert "3 pods restart in place" in again.out
        assert "not written: --dry-run=server" in again.out
        await fleet.release("arena", 2)
        assert uids(await fleet.complete("arena", 2)) == before


async def test_restart_of_images_that_were_loaded_by_hand_says_so_and_recreate_replaces(fleet, game):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        before = uids(await fleet.complete("arena", 1))
        await a_second_later(fleet)
        told = await game.inside("restart", "arena")
        assert "no pod can restart" in told.out
        assert "Warning: pod arena-" in told.err
        assert "restartRecreate: true replaces pods instead (--recreate)" in told.err

        async def blocked():
            return (await fleet.conditions("arena"))["Blocked"]["reason"] == "RestartNotPossible"

        await fleet.until("the operators say so", blocked)
        told = await game.inside("restart", "arena", "--recreate")
        assert "restart: 3 pods are replaced, at most 2 down" in told.out

        async def replaced():
            return not set(uids(await fleet.pods()).values()) & set(before.values())

        await fleet.until("all pods are others", replaced)
        assert len(await fleet.complete("arena", 1)) == 3


async def test_ux_4_a_viewer_changes_nothing_and_learns_which_role_would(fleet, game, viewer):
    await fleet.apply("arena", updateStrategy=IN_PLACE)
    before = await fleet.get("arena")
    for arguments in (("set", "image", "arena", "web=game:2"), ("scale", "arena", "--replicas", "2")):
        told = await game.inside(*arguments, viewer)
        assert told.code == Exit.FAILED
        assert "patch on gamedeployments is in the cluster role 'edit', to which the chart adds tkex-edit" in told.err
    assert await fleet.get("arena") == before
