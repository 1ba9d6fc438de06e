"""Passes over GameDeployments on the real API server."""

import asyncio
import itertools
import json

import pytest

from operators.kube.errors import Invalid, Unavailable
from operators.kube.resources import CONTROLLER_REVISIONS, EVENTS, GAME_DEPLOYMENTS, PODS, Resource
from tests.integration.gamedeployment.fleet import Counting, template

ONE = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
POLICIES = Resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
BINDINGS = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")


async def test_gd_1_created_updated_and_then_silent(fleet):
    async with fleet.kubelets(), fleet.operator() as operator:
        await fleet.apply("arena", updateStrategy=IN_PLACE)
        before = await fleet.complete("arena", 1)
        assert len(before) == 3
        for pod in before:
            owner = pod["metadata"]["ownerReferences"][0]
            assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("GameDeployment", True, True)

        await fleet.release("arena", 2)
        after = await fleet.complete("arena", 2)

        assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in before]
        assert {p["status"]["containerStatuses"][0]["restartCount"] for p in after} == {1}
        version, written = (await fleet.get("arena"))["metadata"]["resourceVersion"], dict(operator.writes)
        # A settled workload costs nothing: neither its own words nor what agents write on its pods wake it.
        for pod in after:
            patch = {"metadata": {"annotations": {"agent/players": "7"}}}
            await fleet.user.merge_patch(PODS, fleet.namespace, pod["metadata"]["name"], patch)
        await asyncio.sleep(2)
        assert (await fleet.get("arena"))["metadata"]["resourceVersion"] == version
        assert dict(operator.writes) == written


async def test_gd_18_a_quota_is_told_with_its_numbers_and_not_run_against(fleet):
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}
    await fleet.user.create(QUOTAS, fleet.namespace, quota)

    async def counted():
        held = await fleet.user.get(QUOTAS, fleet.namespace, "few")
        return (held.get("status") or {}).get("hard")

    await fleet.until("the quota counts", counted)
    async with fleet.kubelets(), fleet.operator() as operator:
        await fleet.apply("arena", replicas=4, updateStrategy=ONE)

        async def refused():
            return (await fleet.conditions("arena")).get("FailedScale")

        told = await fleet.until("the refusal is told", refused)
        assert told["status"] == "True"
        assert "exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2" in told["message"]
        assert "2 pods to create are refused" in told["message"]
        assert (await fleet.conditions("arena"))["Blocked"]["reason"] == "FailedScale"
        tried = operator.writes["create", "pods"]
        await asyncio.sleep(4)
        assert operator.writes["create", "pods"] - tried <= 3, "creations are tried in a hot loop"
        assert "FailedCreate" in await fleet.reasons("arena")

        await fleet.user.merge_patch(QUOTAS, fleet.namespace, "few", {"spec": {"hard": {"pods": "9"}}})

        assert len(await fleet.complete("arena", 1)) == 4
        assert "FailedScale" not in await fleet.conditions("arena")


@pytest.fixture
async def policy(fleet):
    """Admission that refuses to update pods labelled ``stay: put`` (their images, not their status)."""
    name = f"refuse-{fleet.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods"]}
    same = "object.spec.containers[0].image == oldObject.spec.containers[0].image"
    validation = {"expression": f"!('stay' in object.metadata.labels) || {same}", "message": "this pod stays put"}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}
    selected = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": fleet.namespace}}}
    await fleet.user.create(POLICIES, None, {"metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": selected}
    await fleet.user.create(BINDINGS, None, {"metadata": {"name": name}, "spec": binding})
    yield
    await fleet.user.delete(BINDINGS, None, name)
    await fleet.user.delete(POLICIES, None, name)


async def test_gd_150_one_pod_that_admission_holds_is_named_and_the_others_are_updated(fleet, policy):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy={**IN_PLACE, "maxUnavailable": 2})
        held = (await fleet.complete("arena", 1))[0]["metadata"]["name"]
        await fleet.user.merge_patch(PODS, fleet.namespace, held, {"metadata": {"labels": {"stay": "put"}}})

        probe = template("probe", 1)
        probe["metadata"] |= {"name": "probe", "labels": {"stay": "put"}}
        await fleet.user.create(PODS, fleet.namespace, {"apiVersion": "v1", "kind": "Pod", **probe})
        versions = itertools.count(2)

        async def bites():
            image = {"spec": {"containers": [{"name": "web", "image": f"game:{next(versions)}"}]}}
            try:
                await fleet.user.strategic_patch(PODS, fleet.namespace, "probe", image)
            except Invalid as error:
                return "stays put" in str(error)
            return False

        await fleet.until("the policy is in force", bites)
        await fleet.release("arena", 2)

        async def told():
            found = (await fleet.conditions("arena")).get("FailedUpdate")
            images = {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in await fleet.pods()}
            done = [n for n, image in images.items() if image == "game:2" and n != "probe"]
            return found if found and len(done) == 2 and held not in done else None

        said = await fleet.until("the others are updated, and the refusal is told", told)
        assert held in said["message"]
        assert "this pod stays put" in said["message"]
        await fleet.user.merge_patch(PODS, fleet.namespace, held, {"metadata": {"labels": {"stay": None}}})
        await fleet.complete("arena", 2, seconds=90)
        assert "FailedUpdate" not in await fleet.conditions("arena")


@pytest.mark.parametrize("type_", [ONE, IN_PLACE], ids=["rolling", "inplace"])
async def test_gd_64_a_rollback_renumbers_the_old_revision_whatever_stands_in_it(fleet, type_):
    command = ["sh", "-c", "load < world.db && serve > log 2>&1; echo \u2028 ü"]

    def of(version):
        body = template("arena", version)
        body["spec"]["containers"][0]["command"] = command
        return body

    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", template=of(1), updateStrategy=type_)
        await fleet.complete("arena", 1)
        first = (await fleet.get("arena"))["status"]["updateRevision"]
        await fleet.change("arena", template=of(2))
        await fleet.complete("arena", 2)
        await fleet.change("arena", template=of(1))
        await fleet.complete("arena", 1)
        assert (await fleet.get("arena"))["status"]["updateRevision"] == first
        numbers = {r["metadata"]["name"]: r["revision"] for r in await _raw_revisions(fleet)}
        assert sorted(numbers.values()) == [2, 3]
        assert numbers[first] == 3


async def test_gd_131_a_workload_made_anew_takes_over_its_pods_and_revisions(fleet):
    async with fleet.kubelets():
        async with fleet.operator():
            await fleet.apply("arena", updateStrategy=IN_PLACE)
            before = await fleet.complete("arena", 1)
            revisions = await fleet.revisions()
        orphaning = fleet.kubectl("delete", "gamedeployment", "arena", "--cascade=orphan")
        assert "deleted" in orphaning

        async def orphaned():
            pods = await fleet.pods()
            return len(pods) == 3 and not any(p["metadata"].get("ownerReferences") for p in pods)

        await fleet.until("pods are orphans", orphaned)
        async with fleet.operator():
            await fleet.apply("arena", updateStrategy=IN_PLACE)
            after = await fleet.complete("arena", 1)
        assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in before]
        assert {p["status"]["containerStatuses"][0]["restartCount"] for p in after} == {0}
        assert await fleet.revisions() == revisions
        owners = {r["metadata"]["ownerReferences"][0]["uid"] for r in [*after, *(await _raw_revisions(fleet))]}
        assert owners == {(await fleet.get("arena"))["metadata"]["uid"]}


async def _raw_revisions(fleet):
    return (await fleet.user.list(CONTROLLER_REVISIONS, fleet.namespace))["items"]


async def test_gd_131_a_pod_made_by_hand_is_adopted_by_what_it_was_made_of(fleet):
    async with fleet.kubelets():
        async with fleet.operator():
            await fleet.apply("arena", replicas=2, updateStrategy=IN_PLACE)
            await fleet.complete("arena", 1)
        body = template("arena", 1)
        body["metadata"]["name"] = "arena-byhand"
        await fleet.user.create(PODS, fleet.namespace, {"apiVersion": "v1", "kind": "Pod", **body})
        await fleet.change("arena", replicas=3)
        async with fleet.operator():
            pods = await fleet.complete("arena", 1)
            assert "arena-byhand" in [p["metadata"]["name"] for p in pods]
            adopted = next(p for p in pods if p["metadata"]["name"] == "arena-byhand")
            assert adopted["metadata"]["labels"]["tkex.bkbcs.tencent.com/gamedeployment-instance-id"] == "byhand"
            await fleet.release("arena", 2)
            after = await fleet.complete("arena", 2)
    assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in pods]


async def test_gd_149_overlapping_selectors_leave_each_pod_with_its_owner(fleet):
    both = {"matchLabels": {"tier": "game"}}
    for name in ("older", "newer"):
        labelled = template(name, 1)
        labelled["metadata"]["labels"]["tier"] = "game"
        await fleet.apply(name, replicas=2, selector=both, template=labelled, updateStrategy=ONE)
    async with fleet.kubelets(), fleet.operator() as operator:

        async def settled():
            pods = await fleet.pods()
            owners = [p["metadata"]["ownerReferences"][0]["name"] for p in pods if p["metadata"].get("ownerReferences")]
            told = [await fleet.reasons(n) for n in ("older", "newer")]
            return sorted(owners) == ["newer"] * 2 + ["older"] * 2 and all("SelectorOverlap" in t for t in told)

        await fleet.until("each has its pods, and both tell of the overlap", settled)
        before = _owners(await fleet.pods())
        body = template("older", 1)
        body["metadata"] |= {"name": "stray", "labels": {"tier": "game"}, "finalizers": ["game/stays-in-sight"]}
        await fleet.user.create(PODS, fleet.namespace, {"apiVersion": "v1", "kind": "Pod", **body})

        async def taken():
            return [r["name"] for r in (await _stray(fleet))["metadata"].get("ownerReferences") or ()]

        both = [(await fleet.get(n))["metadata"] for n in ("older", "newer")]
        first = min(both, key=lambda m: (m["creationTimestamp"], m["uid"]))["name"]
        assert await fleet.until("the stray pod is adopted", taken) == [first]
        await operator.falls_silent("the workloads wrestle for a pod")
        assert await taken() == [first]
        after = _owners(await fleet.pods())
        assert len(before.keys() & after.keys()) >= 3
        assert all(after[name] == before[name] for name in before.keys() & after.keys())
        await fleet.user.merge_patch(PODS, fleet.namespace, "stray", {"metadata": {"finalizers": None}})


def _owners(pods):
    return {p["metadata"]["uid"]: p["metadata"]["ownerReferences"][0]["name"] for p in pods}


async def _stray(fleet):
    """The stray pod; once adopted it may be on its way out as one too many."""
    listed = (await fleet.user.list(PODS, fleet.namespace))["items"]
    return next(p for p in listed if p["metadata"]["name"] == "stray")


async def test_a_pod_that_a_finalizer_holds_is_replaced_and_told_of_as_leaving(fleet):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=ONE)
        held = (await fleet.complete("arena", 1))[0]["metadata"]["name"]
        await fleet.user.merge_patch(PODS, fleet.namespace, held, {"metadata": {"finalizers": ["game/saves-replays"]}})
        await fleet.release("arena", 2)
        pods = await fleet.complete("arena", 2)
        assert len(pods) == 3
        leaving = await fleet.user.get(PODS, fleet.namespace, held)
        assert leaving["metadata"]["deletionTimestamp"]
        assert leaving["metadata"]["ownerReferences"], "a pod that leaves keeps its owner"
        await fleet.user.merge_patch(PODS, fleet.namespace, held, {"metadata": {"finalizers": None}})


class Dies(Counting):
    """Is killed before or after its n-th write: from there on it does nothing any more."""

    at, after = 0, False

    async def _write(self, verb, resource, call):
        count = sum(self.writes.values())
        if resource is EVENTS or count < self.at:
            return await super()._write(verb, resource, call)
        if count == self.at and self.after:
            await super()._write(verb, resource, call)
        call.close()
        return await asyncio.Event().wait()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("strategy", [ONE, IN_PLACE], ids=["rolling", "inplace"])
async def test_killed_at_any_write_nothing_is_lost_or_doubled(fleet, strategy, after):
    async with fleet.kubelets():
        async with fleet.operator():
            await fleet.apply("arena", updateStrategy=strategy)
            old = {p["metadata"]["uid"] for p in await fleet.complete("arena", 1)}
        made = set(old)
        await fleet.release("arena", 2)
        for at in range(8):
            dying = type("DiesThere", (Dies,), {"at": at, "after": after})
            async with fleet.operator(dying) as operator:

                async def dead(operator=operator, at=at):
                    pods = await fleet.pods()
                    made.update(p["metadata"]["uid"] for p in pods)
                    assert len(pods) <= 3
                    return sum(operator.writes.values()) > at or await _is_complete(fleet)

                await fleet.until(f"it dies at write {at}", dead) if after else await asyncio.sleep(0.5)
        async with fleet.operator():
            pods = await fleet.complete("arena", 2)
        made.update(p["metadata"]["uid"] for p in pods)
    assert len(pods) == 3
    assert len(made - old) == (0 if strategy is IN_PLACE else 3), "pods were doubled"
    assert len(await fleet.revisions()) == 2


async def _is_complete(fleet):
    found = await fleet.get("arena")
    conditions = (found.get("status") or {}).get("conditions") or ()
    current = [c for c in conditions if c.get("observedGeneration") == found["metadata"]["generation"]]
    return any(c["type"] == "Complete" and c["status"] == "True" for c in current)


async def test_gd_18_a_creation_whose_answer_is_lost_is_not_made_twice(fleet):
    class LosesAnswers(Counting):
        lost = 0

        async def create(self, resource, *args, **options):
            answer = await super().create(resource, *args, **options)
            if resource is PODS and self.lost < 2:
                self.lost += 1
                raise Unavailable(0, "NoAnswer", "the connection broke")
            return answer

    async with fleet.kubelets(), fleet.operator(LosesAnswers) as operator:
        await fleet.apply("arena", updateStrategy=ONE)
        pods = await fleet.complete("arena", 1)
    assert operator.lost == 2
    assert len(pods) == 3
    assert operator.writes["create", "pods"] == 3
    assert operator.writes["delete", "pods"] == 0


async def test_status_says_nothing_that_the_schema_drops(fleet):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", updateStrategy=ONE)
        await fleet.complete("arena", 1)
        found = await fleet.get("arena")
    assert found["status"]["labelSelector"] == "app=arena"
    assert found["status"]["currentRevision"] == found["status"]["updateRevision"]
    assert all(c["observedGeneration"] == found["metadata"]["generation"] for c in found["status"]["conditions"])
    assert json.dumps(found["status"])
    assert await fleet.user.list(GAME_DEPLOYMENTS, fleet.namespace)
