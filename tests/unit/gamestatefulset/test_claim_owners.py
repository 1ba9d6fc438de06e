"""Owner references of claims, for generated lists of owners (docs/spec/gamestatefulset.md 2.11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.gamestatefulset.claimowners import ClaimOwner, Retention, ownership, wanted_owner
from operators.gamestatefulset.claimviews import claim_view
from operators.planning import actions as act
from operators.simulation.cluster import gamedeployment
from operators.simulation.statefulset import SimulatedSet

SET = ClaimOwner("GameStatefulSet", "foo", "uid-foo")
POD = ClaimOwner("Pod", "foo-2", "uid-2")
FLAGS = st.fixed_dictionaries(
    {},
    optional={"controller": st.sampled_from([None, False, True]), "blockOwnerDeletion": st.sampled_from([None, False])},
)
OURS = [SET.reference(), POD.reference(), {**POD.reference(), "uid": "uid-past"}]
OTHERS = [
    {"apiVersion": "backup.example.com/v1", "kind": "Backup", "name": "b", "uid": "uid-b"},
    {"apiVersion": "v1", "kind": "ConfigMap", "name": "foo-2", "uid": "uid-c"},
    {"apiVersion": "v1", "kind": "Pod", "name": "2", "uid": "uid-other-pod"},
    {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "foo", "uid": "uid-native"},
    {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameStatefulSet", "name": "foo", "uid": "uid-set-before"},
]


@st.composite
def owner_lists(draw):
    """Owners as the API server may hold them: no UID twice, and one controller at most."""
    chosen = draw(st.lists(st.sampled_from(OURS + OTHERS), unique_by=lambda o: o["uid"]))
    listed, controlled = [], False
    for owner in chosen:
        reference = {**owner, **draw(FLAGS)}
        if reference.get("controller") and controlled:
            reference["controller"] = False
        controlled = controlled or bool(reference.get("controller"))
        listed.append(reference)
    return listed


def view(owners):
    return claim_view({"metadata": {"name": "data-foo-2", "ownerReferences": owners}})


def patched(owners, wanted):
    """The list as the API server holds it afterwards."""
    cluster = SimulatedSet(gamedeployment({}))
    cluster.claims["data-foo-2"] = {"metadata": {"name": "data-foo-2", "uid": "u", "ownerReferences": owners}}
    change = ownership(view(owners), wanted, SET.uid, "foo-2")
    if change:
        cluster.apply(act.OwnClaim("data-foo-2", "u", change.entries, change.order))
    return cluster.claims["data-foo-2"]["metadata"]["ownerReferences"]


def others(owners):
    return [o for o in owners if o["uid"] not in {r["uid"] for r in OURS}]


@given(owner_lists(), st.sampled_from([None, SET, POD]))
def test_public_f1_and_f2_owners_come_out_right_whatever_they_were(owners, wanted):
    after = patched(owners, wanted)
    assert others(after) == others(owners), "those of others stay as they are, in their order"
    ours = [o for o in after if o not in others(after)]
    if any(o.get("controller") for o in others(owners)) or wanted is None:
        assert ours == []
    else:
        assert [{k: o[k] for k in wanted.reference()} for o in ours] == [wanted.reference()]
        if wanted.uid not in {o["uid"] for o in owners}:
            assert after[-1] == wanted.reference(), "appended"
    assert not ownership(view(after), wanted, SET.uid, "foo-2"), "once is enough"


@pytest.mark.parametrize("flags", [{}, {"controller": False}, {"controller": True}, {"blockOwnerDeletion": True}])
@pytest.mark.parametrize("owner", [SET, POD])
def test_public_f2_flags_that_are_missing_or_false_are_mended(owner, flags):
    reference = owner.reference()
    del reference["controller"], reference["blockOwnerDeletion"]
    held = {**reference, **flags}
    assert patched([OTHERS[0], held, OTHERS[1]], owner) == [OTHERS[0], owner.reference(), OTHERS[1]]


@pytest.mark.parametrize("when_deleted", [False, True])
@pytest.mark.parametrize("when_scaled", [False, True])
@pytest.mark.parametrize("leaving", [False, True])
@pytest.mark.parametrize("foreign", [False, True])
def test_public_f1_the_four_policies_with_and_without_another_controller(when_deleted, when_scaled, leaving, foreign):
    held = [{**OTHERS[0], "controller": foreign}]
    wanted = wanted_owner(Retention(when_deleted, when_scaled), SET, POD, leaving=leaving)
    added = [o["kind"] for o in patched(held, wanted)[1:]]
    if foreign:
        assert added == []
    elif leaving and when_scaled:
        assert added == ["Pod"]
    else:
        assert added == (["GameStatefulSet"] if when_deleted else [])
