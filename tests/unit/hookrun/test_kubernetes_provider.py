"""Whose annotations a run may reach: owners are compared by kind, name and UID."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from operators.api import keys
from operators.api.providers.kubernetes import KubernetesProvider
from operators.hookrun.providers.base import Connections, ProviderError
from operators.hookrun.providers.kubernetes import Kubernetes
from operators.kube.resources import Json, Resource
from operators.planning.views import OwnerView
from tests.unit.hookrun.runs import request

WORKLOAD = OwnerView("GameDeployment", "arena", "1")
PATH = "metadata.annotations.a"


class OneObject:
    """An API server with one object, whatever is asked for."""

    def __init__(self, uid: str, owner: OwnerView | None) -> None:
        self.metadata: Json = {"name": "arena", "uid": uid, "resourceVersion": "1", "annotations": {"a": "1"}}
        if owner is not None:
            reference = {"kind": owner.kind, "name": owner.name, "uid": owner.uid, "controller": True}
            self.metadata["ownerReferences"] = [reference]

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        del resource, namespace, name
        return {"metadata": self.metadata}


async def ask(run: OwnerView | None, uid: str, owner: OwnerView | None, kind: str = "Pod") -> str:
    """ "Successful", or why the object was not reached."""
    args = {"PodName": "arena", "PodNamespace": "d"}
    if kind != "Pod":
        args |= {"Group": keys.GROUP, "Version": keys.VERSION, "Kind": kind}
    settings = KubernetesProvider.model_validate({"function": "get", "fields": [{"path": PATH, "value": "1"}]})
    connections = cast(Any, SimpleNamespace(objects=OneObject(uid, owner)))
    try:
        found = await Kubernetes().measure(settings, request(owner=run, **args), cast(Connections, connections))
    except ProviderError as error:
        return str(error)
    return found.phase or ""


async def test_a_run_reaches_what_it_belongs_to_and_what_belongs_to_the_same() -> None:
    assert await ask(WORKLOAD, "7", WORKLOAD) == "Successful"
    assert await ask(WORKLOAD, WORKLOAD.uid, None, WORKLOAD.kind) == "Successful"
    assert await ask(None, "7", None) == "Successful"
    assert "has an owner, and this run has none" in await ask(None, "7", WORKLOAD)


@pytest.mark.parametrize(
    "forged",
    [
        OwnerView("Nothing", "arena", "1"),
        OwnerView("GameStatefulSet", "arena", "1"),
        OwnerView("GameDeployment", "other", "1"),
        OwnerView("GameDeployment", "arena", "2"),
    ],
    ids=lambda owner: f"{owner.kind} {owner.name} {owner.uid}",
)
async def test_attack_f13_an_owner_that_fits_in_part_is_another_one(forged: OwnerView) -> None:
    assert "does not belong to the workload of this run" in await ask(forged, "7", WORKLOAD)
    assert "does not belong to the workload of this run" in await ask(forged, "1", None, "GameDeployment")


@pytest.mark.parametrize(
    ("owner", "uid", "theirs"),
    [(OwnerView("Pod", "arena", "7"), "7", WORKLOAD), (OwnerView("ReplicaSet", "web", "3"), "7", None)],
)
async def test_attack_f13_only_workloads_lend_a_run_their_reach(
    owner: OwnerView, uid: str, theirs: OwnerView | None
) -> None:
    """Everybody may make a run of such an owner, so it must open nothing."""
    assert "does not belong" in await ask(owner, uid, theirs)
    assert "does not belong" in await ask(owner, uid, owner)
