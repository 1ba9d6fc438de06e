"""Creations and updates on the real API server: what is refused, and the warnings that clients see."""

from __future__ import annotations

import copy
import json

import pytest

from devcluster.processes import wait
from tests.integration.webhooks.conftest import MARK, collection, create, hook_template, refused, workload

pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture(scope="module", autouse=True)
def _judged(registered, api, games):
    """Validation is in force once something is refused by it."""
    bad = hook_template("judged", condition="asInt(result) ==")
    path = collection(games, "HookTemplate")
    assert wait(lambda: api.ask("POST", path, bad, dryRun="All")[0] == 422, 30, 0.2)


def made(api, namespace, body, said: str = "") -> list[str]:
    """Create it as a dry run; the warnings."""
    api.good("POST", collection(namespace, body["kind"]), body, dryRun="All")
    if said:
        assert any(said in w for w in api.warnings), api.warnings
    return list(api.warnings)


def inplace(name: str, image: str = "game:1", **container) -> dict:
    strategy = {"type": "InplaceUpdate", "maxSurge": 0}
    body = workload(name, label="Always", updateStrategy=strategy, replicas=0)
    body["spec"]["template"]["spec"]["containers"] = [{"name": "game", "image": image, **container}]
    return body


def test_adm_63_64_what_cannot_change_in_place_is_a_warning(api, games):
    path = create(api, games, inplace("inplace"))
    assert not api.warnings
    api.good("PATCH", path, {"spec": inplace("inplace", env=[{"name": "MODE", "value": "duel"}])["spec"]})
    assert any("/spec/template/spec/containers/0/env cannot change in place" in w for w in api.warnings), api.warnings
    api.good(
        "PATCH", path, {"spec": inplace("inplace", env=[{"name": "MODE", "value": "duel"}], image="game:2")["spec"]}
    )
    assert not api.warnings
    api.good("DELETE", path)


def test_decision_7_hotpatch_is_refused(api, games):
    body = workload("hot", updateStrategy={"type": "HotPatchUpdate"})
    refused(api.ask("POST", collection(games, "GameDeployment"), body), "HotPatchUpdate needs a patched kubelet", 422)


def indexed(name: str, replicas: int, prefix: str) -> dict:
    body = workload(name, label="Always", replicas=replicas, updateStrategy={"type": "RollingUpdate", "maxSurge": 0})
    body["metadata"]["annotations"] = {
        f"{prefix}/gamedeployment-index-on": "true",
        f"{prefix}/gamedeployment-index-range": json.dumps({"podStartIndex": 100, "podEndIndex": 110}),
    }
    return body


@pytest.mark.parametrize("prefix", ["tkex.bkbcs.tencent.com", "tkex.bkbc.tencent.com"])
def test_adm_66_67_68_ranges_hold_when_made_updated_and_scaled(api, games, prefix):
    name = prefix.split(".")[1]
    path = collection(games, "GameDeployment")
    refused(api.ask("POST", path, indexed(name, 11, prefix)), "replicas 11", 422)
    path = create(api, games, indexed(name, 9, prefix))
    refused(api.ask("PATCH", path, {"spec": {"replicas": 11}}, dryRun="All"), "replicas 11", 422)
    refused(api.ask("PATCH", f"{path}/scale", {"spec": {"replicas": 11}}), "replicas 11", 422)
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 10}})
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 1}})
    api.good("DELETE", path)


def test_adm_74_conditions_that_do_not_compile_are_refused(api, games):
    body = hook_template("broken", condition="asInt(result) ==")
    said = refused(api.ask("POST", collection(games, "HookTemplate"), body), "does not compile: ends too early", 422)
    assert "spec.metrics[ready].successCondition" in said


def test_adm_77_an_object_older_than_the_rule_stays_editable(api, games, mark):
    """It is made while nobody is asked about its namespace."""
    namespace = f"/api/v1/namespaces/{games}"
    api.good("PATCH", namespace, {"metadata": {"labels": {MARK: None}}})
    old = hook_template("old", "Always", condition="asInt(result) ==")
    assert wait(lambda: api.ask("POST", collection(games, "HookTemplate"), old)[0] == 201, 30, 0.2)
    api.good("PATCH", namespace, {"metadata": {"labels": {MARK: mark}}})
    path = f"{collection(games, 'HookTemplate')}/old"
    worse = copy.deepcopy(old["spec"])
    worse["metrics"][0]["successCondition"] = "asInt(result) <"
    assert wait(lambda: api.ask("PATCH", path, {"spec": worse}, dryRun="All")[0] == 422, 30, 0.2)
    api.good("PATCH", path, {"metadata": {"labels": {"team": "a"}}})
    api.good("PATCH", path, {"spec": {"policy": "Ordered"}})
    api.good("DELETE", path)


def test_adm_78_a_missing_template_is_a_warning(api, games):
    body = workload("asks", label="Always", preDeleteUpdateStrategy={"hook": {"templateName": "later"}})
    made(api, games, body, "HookTemplate 'later' does not exist")
    path = create(api, games, hook_template("later", "Always"))
    assert made(api, games, body) == []
    api.good("DELETE", path)


def test_what_cannot_be_deleted_is_said_when_it_is_made(api, games):
    made(api, games, hook_template("unlabelled"), "so this HookTemplate cannot be deleted")
    made(api, games, workload("odd", label="NotAllow"), "'NotAllow' is neither Always nor Cascading")


def test_updates_that_no_rule_looks_at_do_not_reach_us(api, games, hooks):
    path = create(api, games, workload("busy", label="Always", replicas=0))

    def asked() -> float:
        return hooks.metric("bkbcs_admission_requests_total", path="/validate-spec")

    before = asked()
    api.good("PATCH", f"{path}/status", {"status": {"collisionCount": 0}})
    api.good("PATCH", path, {"metadata": {"finalizers": ["game-operators.test/hold"]}})
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 0}})
    api.good("DELETE", path)
    api.good("PATCH", path, {"metadata": {"finalizers": None}})
    assert asked() == before
