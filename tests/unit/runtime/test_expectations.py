"""Own writes that the cache must show first: pure, with the time passed in."""

import logging
from dataclasses import replace

from operators.runtime.expectations import TIMEOUT, Expectations, created, deleted, written
from operators.runtime.store import Store
from tests.logged import all_told
from tests.unit.runtime.views import SPACE, thing


def test_a_creation_is_awaited_until_the_cache_shows_it():
    store, expectations = Store(), Expectations()
    expectations.expect("key", created(store, SPACE, "a", "7"), now=0)
    assert expectations.pending("key", 1).describe == "creation of a"
    store.put(thing("a", 7))
    assert expectations.pending("key", 2) is None


def test_a_creation_that_came_and_went_at_once_is_not_waited_for():
    store, expectations = Store(), Expectations()
    expectations.expect("key", created(store, SPACE, "a", "7"), now=0)
    store.version = "6"
    assert expectations.pending("key", 1) is not None
    store.version = "9"  # the watch has passed creation and deletion
    assert expectations.pending("key", 1) is None


def test_a_creation_of_unknown_outcome_is_awaited_by_name():
    store, expectations = Store(), Expectations()
    expectations.expect("key", created(store, SPACE, "a"), now=0)
    store.version = "9"
    assert expectations.pending("key", 1) is not None
    store.put(thing("a", 10))
    assert expectations.pending("key", 1) is None


def test_a_deletion_is_met_by_absence_by_another_object_and_by_being_on_its_way_out():
    for after in (None, thing("a", 9, uid="other"), replace(thing("a", 9), deleting=True)):
        store, expectations = Store(), Expectations()
        store.put(thing("a", 7))
        expectations.expect("key", deleted(store, SPACE, "a", "uid-a"), now=0)
        assert expectations.pending("key", 1) is not None
        if after is None:
            store.remove(SPACE, "a")
        else:
            store.put(after)
        assert expectations.pending("key", 2) is None


def test_a_write_is_met_by_its_version_or_a_newer_one():
    for version, met in ((7, False), (8, True), (9, True)):
        store, expectations = Store(), Expectations()
        store.put(thing("a", 5))
        expectations.expect("key", written(store, SPACE, "a", "uid-a", "8"), now=0)
        assert expectations.pending("key", 1) is not None
        store.put(thing("a", version))
        assert (expectations.pending("key", 2) is None) is met


def test_a_write_is_met_when_the_object_is_gone_or_another():
    store, expectations = Store(), Expectations()
    expectations.expect("key", written(store, SPACE, "a", "uid-a", "8"), now=0)
    assert expectations.pending("key", 1) is None
    store.put(thing("a", 5, uid="other"))
    expectations.expect("key", written(store, SPACE, "a", "uid-a", "8"), now=0)
    assert expectations.pending("key", 1) is None


def test_gd_137_creations_and_deletions_are_all_awaited_and_those_of_others_do_not_count():
    store, expectations = Store(), Expectations()
    store.put(thing("gone", 3))
    store.put(thing("others", 4))
    expectations.expect("key", created(store, SPACE, "p1", "10"), now=0)
    expectations.expect("key", created(store, SPACE, "p2", "11"), now=0)
    expectations.expect("key", deleted(store, SPACE, "gone", "uid-gone"), now=0)
    store.put(thing("p1", 10))
    store.put(thing("p2", 11))
    store.remove(SPACE, "others")
    assert expectations.pending("key", 1) is not None
    assert expectations.pending("another", 1) is None
    store.remove(SPACE, "gone")
    assert expectations.pending("key", 1) is None


def test_what_is_not_seen_within_five_minutes_is_given_up_and_told(caplog):
    store, expectations = Store(), Expectations()
    expectations.expect("key", created(store, SPACE, "lost"), now=0)
    expectations.expect("key", created(store, SPACE, "lost too"), now=10)
    assert expectations.pending("key", TIMEOUT - 1).describe == "creation of lost"
    with caplog.at_level(logging.WARNING):
        assert expectations.pending("key", TIMEOUT).describe == "creation of lost too"
    assert "expected=creation of lost seconds=300" in all_told(caplog.records)
    assert expectations.pending("key", TIMEOUT + 10) is None


def test_a_key_that_is_gone_is_forgotten():
    store, expectations = Store(), Expectations()
    expectations.expect("key", created(store, SPACE, "a"), now=0)
    expectations.forget("key")
    expectations.forget("key")
    assert expectations.pending("key", 1) is None
    assert not expectations._open
