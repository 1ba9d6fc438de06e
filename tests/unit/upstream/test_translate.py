"""What the translating proxy of the upstream tests does to objects, patches and paths."""

import copy

import pytest

from tests.upstream import translate
from tests.upstream.document import table, written

SET = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "ss", "labels": {"a": "b"}},
    "spec": {
        "ordinals": {"start": 2},
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
    },
}
OWNED = {"kind": "Pod", "metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "uid": "u"}]}}


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/apis/apps/v1/namespaces/n/statefulsets", "/apis/tkex.tencent.com/v1alpha1/namespaces/n/gamestatefulsets"),
        ("/apis/apps/v1/statefulsets", "/apis/tkex.tencent.com/v1alpha1/gamestatefulsets"),
        (
            "/apis/apps/v1/namespaces/n/statefulsets/ss/scale",
            "/apis/tkex.tencent.com/v1alpha1/namespaces/n/gamestatefulsets/ss/scale",
        ),
        ("/apis/apps/v1/namespaces/n/replicasets", "/apis/apps/v1/namespaces/n/replicasets"),
        ("/api/v1/namespaces/statefulsets/pods", "/api/v1/namespaces/statefulsets/pods"),
    ],
)
def test_paths(path, ours):
    assert translate.path_to_ours(path) == ours


def test_a_set_and_back():
    ours = translate.to_ours(copy.deepcopy(SET))
    assert (ours["apiVersion"], ours["kind"]) == ("tkex.tencent.com/v1alpha1", "GameStatefulSet")
    assert ours["spec"]["reserveOrders"] == [0, 1]
    assert ours["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 1, "maxUnavailable": 1}
    assert ours["metadata"]["labels"]["io.tencent.bcs.dev/deletion-allow"] == "Always"
    back = translate.to_native(ours)
    assert back["kind"] == "StatefulSet"
    assert (back["spec"]["ordinals"], back["metadata"]["labels"]) == ({"start": 2}, {"a": "b"})


def test_owner_references_in_lists_and_watches():
    ours = translate.to_ours(copy.deepcopy(OWNED))
    assert ours["metadata"]["ownerReferences"][0]["kind"] == "GameStatefulSet"
    for shown in (
        translate.to_native(ours),
        translate.to_native({"kind": "PodList", "items": [ours]})["items"][0],
        translate.to_native({"type": "ADDED", "object": ours})["object"],
    ):
        assert shown == OWNED


def test_strategic_merge_patches_know_names():
    patch = {"spec": {"containers": [{"name": "web", "image": "web:2"}, {"name": "log"}], "args": ["x"]}}
    held = {"spec": {"containers": [{"name": "web", "image": "web:1", "tty": True}], "args": ["y", "z"]}}
    assert translate.merged(held, patch) == {
        "spec": {"containers": [{"name": "log"}, {"name": "web", "image": "web:2", "tty": True}], "args": ["x"]}
    }
    assert translate.merged(held, {"spec": {"containers": [{"name": "web", "$patch": "delete"}], "args": None}}) == {
        "spec": {"containers": []}
    }


def test_a_cordon_is_a_label():
    assert translate.cordon({"spec": {"unschedulable": True}}) is True
    assert translate.cordon({"spec": {"unschedulable": None}}) is False
    assert translate.cordon({"metadata": {}}) is None
    bare = {"metadata": {"name": "one", "labels": {}}}
    assert translate.node_shown(bare, "one")["spec"] == {"unschedulable": True}
    assert translate.node_shown(bare, "other") == bare
    labelled = {"metadata": {"name": "one", **translate.label_patch(cordoned=False)["metadata"]}}
    assert translate.node_shown(labelled, "one") == labelled


def test_the_table_claims_nothing_that_was_not_seen():
    known = "[sig-apps] StatefulSet a [x]"
    rows = table([known, "b", "c"], {known: {"verdict": "passed", "seconds": 3}}, {"b": {"verdict": "failed"}})
    assert rows.splitlines()[2:] == [
        "| a \\[x] | passed | 3 | not run |",
        "| b | not run |  | failed |",
        "| c | not run |  | not run |",
    ]
    assert written("t\n<!-- verdicts -->\nold\n<!-- end of verdicts -->\nrest", "new") == (
        "t\n<!-- verdicts -->\n\nnew\n\n<!-- end of verdicts -->\nrest"
    )
