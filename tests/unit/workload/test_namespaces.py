"""When a namespace is labelled, and who wakes a look at it (docs/spec/admission.md 4.2)."""

from __future__ import annotations

import copy

import pytest

from operators.gamedeployment.observed import gamedeployment_view
from operators.kube.resources import GAME_DEPLOYMENTS, NAMESPACES
from operators.runtime.store import Change, Store
from operators.runtime.workqueue import WorkQueue
from operators.workload.namespaces import LABEL, OURS, NamespaceLabels, label_change, protects
from operators.workload.stores import WORKLOAD_INDEXES
from tests.unit.webhooks.builders import LABEL as ALLOW
from tests.unit.webhooks.builders import workload
from tests.unit.workload.harness import ClusterApi

PERIOD = 300.0


@pytest.mark.parametrize(
    ("found", "protected", "change"),
    [
        (None, True, (True, OURS)),
        (None, False, (False, None)),
        (OURS, True, (False, None)),
        (OURS, False, (True, None)),
        ("true", True, (False, None)),
        ("true", False, (False, None)),
        ("false", True, (False, None)),
        ("false", False, (False, None)),
        ("", True, (False, None)),
    ],
)
def test_attack_f9_the_label_comes_and_goes_and_the_owners_word_stays(found, protected, change):
    assert label_change(found, protected=protected) == change


def view(label=None, *, deleting=False):
    body = workload(label=label)
    body["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    if deleting:
        body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return gamedeployment_view(body)


def test_a_workload_protects_unless_its_label_or_its_own_end_lets_it_go():
    assert protects(view())
    assert protects(view("Cascading"))
    assert protects(view("always")), "the case matters"
    assert not protects(view("Always"))
    assert not protects(view(deleting=True))
    assert not protects(None)


class Api(ClusterApi):
    """Lists of metadata, as the client gives them."""

    def __init__(self, *workloads):
        super().__init__("games")
        self.living = list(workloads)

    async def items(self, resource, namespace, *, metadata_only):
        for item in self.living if resource is GAME_DEPLOYMENTS else ():
            yield copy.deepcopy(item)


def labels_of(api, *views):
    store = Store(WORKLOAD_INDEXES)
    for found in views:
        store.put(found)
    queue = WorkQueue(namespace_of=str)
    return NamespaceLabels(api, [store], queue, namespace=None, period=PERIOD), queue


def namespace(api, **labels):
    return api.put(NAMESPACES, {"metadata": {"name": "games", "labels": labels}})


def label(api):
    return api.objects["namespaces", None, "games"]["metadata"]["labels"].get(LABEL)


async def test_only_a_change_of_what_is_protected_wakes_a_look():
    labels, queue = labels_of(Api())
    labels.on_workload(Change(None, view("Always")))
    labels.on_workload(Change(view(), view("Cascading")))
    assert len(queue) == 0
    labels.on_workload(Change(view("Always"), view()))
    assert await queue.get() == "games"
    queue.done("games")
    labels.on_workload(Change(view(), None))
    assert await queue.get() == "games"


async def test_attack_f9_a_protected_namespace_is_looked_at_again_and_a_missing_one_is_no_fault():
    api = Api()
    labels, _ = labels_of(api, view())
    assert (await labels.reconcile("games")).requeue_after is None, "there is no such namespace"
    namespace(api)
    assert (await labels.reconcile("games")).requeue_after == PERIOD
    assert label(api) == OURS
    count = len(api.requests)
    await labels.reconcile("games")
    assert api.requests[count:] == [("GET", "namespaces", "games")], "nothing to write"


async def test_attack_f9_no_protection_is_taken_back_on_the_word_of_a_cache():
    api = Api(workload())
    namespace(api, **{LABEL: OURS})
    labels, _ = labels_of(api)
    await labels.reconcile("games")
    assert label(api) == OURS, "a workload that the cache has not seen yet"
    api.living = [workload(label="Always")]
    await labels.reconcile("games")
    assert label(api) is None


async def test_a_namespace_that_is_ending_is_left_alone():
    api = Api()
    body = namespace(api)
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    api.put(NAMESPACES, body)
    labels, _ = labels_of(api, view())
    await labels.reconcile("games")
    assert label(api) is None
    assert ALLOW not in body["metadata"]["labels"]
