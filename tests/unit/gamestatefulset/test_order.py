"""The order of creating and retiring pods."""

import pytest

from operators.gamestatefulset.order import created_at_current, ordered_changes, parallel_changes
from operators.planning.actions import Blocked
from operators.planning.views import READY_DEADLINE
from tests.unit.gamestatefulset.builders import ordinals, pod


def in_order(*args, target="A", now=0.0, **kwargs):
    return ordered_changes(ordinals(*args, **kwargs), target, lambda p: p.ready, now)


def test_gss_34_the_first_pod_is_created_alone_and_the_next_when_it_is_ready():
    assert in_order(3).create == (0,)
    assert in_order(3, pod(0, ready=False)).create == ()
    assert in_order(3, pod(0)).create == (1,)


def test_gss_35_a_pod_of_the_newest_version_that_is_not_ready_blocks_an_older_one_does_not():
    assert in_order(3, pod(0), pod(1, "A", ready=False), target="A").create == ()
    assert in_order(3, pod(0), pod(1, "A", ready=False), target="B").create == (2,)


def test_gss_36_scaling_in_goes_from_the_top_and_waits_until_a_pod_is_gone():
    pods = [pod(i) for i in range(5)]
    assert in_order(2, *pods).retire == (4,)
    assert in_order(2, *pods[:4], pod(4, deleting=True)).retire == ()
    assert in_order(2, *pods[:4]).retire == (3,)
    done = in_order(2, *pods[:2])
    assert done.retire == ()
    assert done.open


def test_gss_37_nothing_happens_while_a_condemned_pod_leaves():
    order = in_order(1, pod(0, "old"), pod(1), pod(2), pod(3, deleting=True))
    assert (order.create, order.remove, order.retire, order.open) == ((), (), (), False)


def test_gss_38_a_condemned_pod_that_is_not_ready_waits_unless_it_is_the_lowest_of_them():
    assert in_order(2, pod(0), pod(1), pod(2, ready=False), pod(3), pod(4, ready=False)).retire == ()
    assert in_order(2, pod(0), pod(1), pod(2), pod(3), pod(4, ready=False)).retire == (4,)


def test_a_condemned_pod_that_cannot_get_ready_does_not_block_scaling_in():
    crashing = pod(4, ready=False, problem="container web: CrashLoopBackOff")
    assert in_order(2, pod(0), pod(1), pod(2, ready=False), pod(3), crashing).retire == (4,)


def never_ready(ordinal, since=0.0):
    return pod(ordinal, ready=False, unready_since=since)


def test_gss_38_two_condemned_pods_that_never_get_ready_do_not_wait_for_each_other_for_ever():
    pods = [pod(0), pod(1), pod(2), never_ready(3), never_ready(4)]
    order = in_order(3, *pods, now=READY_DEADLINE - 10)
    assert (order.retire, order.wait) == ((), 10)
    assert "foo-3 is not ready either" in order.blocked[0].message
    assert in_order(3, *pods, now=READY_DEADLINE).retire == (4,)
    assert in_order(3, *pods[:4], now=0.0).retire == (3,)


def test_gss_38_nor_for_a_replica_that_waits_for_its_update():
    pods = [pod(0), pod(1, ready=False), pod(2), never_ready(3, since=50.0)]
    assert in_order(3, *pods, target="B", now=READY_DEADLINE).retire == ()
    assert in_order(3, *pods, target="B", now=READY_DEADLINE + 50).retire == (3,)


def test_gss_66_only_what_others_wait_for_in_order_may_still_be_repaired():
    unready = in_order(3, pod(0), pod(1, ready=False))
    assert (unready.open, unready.repairs) == (False, True)
    leaving = in_order(3, pod(0), pod(1, ready=False), pod(2, deleting=True))
    for waiting in (leaving, in_order(3, pod(0, deleting=True)), in_order(3, pod(0)), in_order(1, pod(0), pod(1))):
        assert (waiting.open, waiting.repairs) == (False, False)


def test_gss_39_the_lowest_pod_that_failed_is_removed_alone():
    order = in_order(3, pod(0, phase="Failed"), pod(1), pod(2, phase="Failed"))
    assert (order.remove, order.create, order.open) == ((0,), (), False)
    assert in_order(3, pod(1), pod(2, phase="Failed")).create == (0,)


def test_gss_40_a_pod_that_is_leaving_is_waited_for():
    order = in_order(3, pod(0, deleting=True))
    assert (order.create, order.open) == ((), False)
    assert "foo-0 is being deleted" in order.blocked[0].message


@pytest.mark.parametrize("mode", [in_order, lambda *a: parallel_changes(ordinals(*a))])
def test_gss_41_a_pod_that_completed_is_removed_like_one_that_failed(mode):
    assert mode(1, pod(0, phase="Succeeded")).remove == (0,)


def test_gss_42_scaling_to_nothing_retires_one_by_one():
    assert in_order(0, pod(0), pod(1)).retire == (1,)
    assert in_order(0).open


def test_gss_43_parallel_creates_all_at_once():
    assert parallel_changes(ordinals(5)).create == (0, 1, 2, 3, 4)


def test_gss_44_parallel_removes_all_that_failed():
    assert parallel_changes(ordinals(3, pod(0, phase="Failed"), pod(1), pod(2, phase="Failed"))).remove == (0, 2)


def test_gss_46_and_47_parallel_retires_each_once_from_the_top_and_skips_what_leaves():
    order = parallel_changes(ordinals(1, pod(0), pod(1), pod(2, phase="Pending"), pod(3, deleting=True)))
    assert order.retire == (2, 1)


def test_gss_50_a_reserved_ordinal_is_retired_and_another_takes_its_place():
    pods = [pod(i) for i in range(3)]
    assert in_order(3, *pods, reserved=[1]).create == (3,)
    assert in_order(3, *pods, pod(3), reserved=[1]).retire == (1,)
    assert parallel_changes(ordinals(2, *pods, reserved=())).retire == (2,)


def test_gss_71_surge_pods_are_wanted_and_not_condemned():
    pods = [pod(i) for i in range(8)]
    assert parallel_changes(ordinals(8, *pods, surge=2)).create == (8, 9)
    assert parallel_changes(ordinals(8, *pods, pod(8), pod(9), surge=1)).retire == (9,)


def test_gss_73_a_lost_surge_pod_comes_back_at_its_own_ordinal():
    pods = [pod(i) for i in range(8)]
    order = parallel_changes(ordinals(8, *pods, pod(9), surge=2))
    assert order.create == (8,)
    assert order.retire == ()


def test_an_ordinal_that_cannot_be_filled_blocks_in_order_and_is_left_out_in_parallel():
    gone = {1: Blocked("ClaimTerminating", "claim data-foo-1 is being deleted", "foo-1")}
    assert in_order(3, pod(0), not_creatable=gone).create == ()
    assert in_order(3, pod(0), not_creatable=gone).blocked == (gone[1],)
    assert parallel_changes(ordinals(3, pod(0), not_creatable=gone)).create == (2,)
    assert parallel_changes(ordinals(3, pod(0), not_creatable=gone)).blocked == (gone[1],)


# ---- the version of a pod that comes back


def at_current(ordinal, *args, target="B", ordered_changes=True, held=False, on_delete=False, **kwargs):
    return created_at_current(
        ordinal, ordinals(*args, **kwargs), target, ordered_changes=ordered_changes, held=held, on_delete=on_delete
    )


def test_gss_32_the_partition_keeps_its_version_when_its_last_pod_is_lost():
    assert at_current(0, 2, pod(1, "B"), kept=1)
    assert at_current(0, 2, pod(1, "B"), kept=1, ordered_changes=False)


def test_gss_54_scale_out_below_the_partition_is_old():
    assert at_current(3, 4, pod(0), pod(1), pod(2), kept=4)
    assert not at_current(3, 4, pod(0), pod(1), pod(2), kept=3)


@pytest.mark.parametrize("kept", [0, 2])
def test_gss_58_and_59_on_delete_comes_back_new_whatever_the_partition(kept):
    assert not at_current(0, 3, pod(1), pod(2), kept=kept, on_delete=True)


def test_gss_60_in_mid_update_a_lower_pod_comes_back_new_in_parallel_and_old_in_order():
    pods = [pod(1), pod(2), pod(3, "B"), pod(4, "B")]
    assert not at_current(0, 5, *pods, ordered_changes=False)
    assert at_current(0, 5, *pods, ordered_changes=True)
    assert not at_current(3, 5, pod(0), pod(1), pod(2), pod(4, "B"), ordered_changes=True)


def test_a_first_version_that_never_got_ready_does_not_spread():
    assert not at_current(1, 3, pod(0, "A", ready=False))


def test_gss_69_under_a_pause_scale_out_is_old_until_an_update_has_begun():
    old = [pod(i) for i in range(3)]
    assert at_current(3, 5, *old, held=True, ordered_changes=False)
    begun = [pod(0), pod(1), pod(2, "B")]
    assert not at_current(3, 5, *begun, held=True, ordered_changes=False)
    assert at_current(0, 3, pod(1), pod(2, "B"), held=True, ordered_changes=False)
