"""The store: newest views, indexes, whole lists."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.runtime.store import Change, Store, newer, went_back
from tests.unit.runtime.views import SPACE, thing


def store_of(*views):
    store = Store({"colour": lambda view: (view.colour,)})
    for view in views:
        store.put(view)
    return store


def held(store):
    return {view.name: int(view.resource_version) for view in store.values()}


def test_an_added_object_is_there_and_indexed():
    store = Store({"colour": lambda view: (view.colour,)})
    red = thing("a", 5, colour="red")
    assert store.put(red) == Change(None, red)
    assert store.get(SPACE, "a") is red
    assert list(store.by("colour", "red")) == [red]
    assert list(store.by("colour", "blue")) == []


def test_a_changed_object_moves_in_the_index():
    red, blue = thing("a", 5, colour="red"), thing("a", 6, colour="blue")
    store = store_of(red)
    assert store.put(blue) == Change(red, blue)
    assert list(store.by("colour", "red")) == []
    assert list(store.by("colour", "blue")) == [blue]


@pytest.mark.parametrize("version", [5, 4])
def test_what_is_not_newer_says_nothing(version):
    store = store_of(thing("a", 5, colour="red"))
    assert store.put(thing("a", version, colour="blue")) is None
    assert store.get(SPACE, "a").colour == "red"


def test_an_older_object_of_the_same_name_does_not_displace_the_new_one():
    store = store_of(thing("a", 9, uid="second"))
    assert store.put(thing("a", 5, uid="first")) is None
    assert store.get(SPACE, "a").uid == "second"


def test_a_deletion_of_another_uid_removes_nothing():
    store = store_of(thing("a", 9, uid="second"))
    assert store.remove(SPACE, "a", "first") is None
    assert store.remove(SPACE, "a", "second").new is None
    assert store.remove(SPACE, "a", "second") is None
    assert len(store) == 0
    assert list(store.by("colour", "")) == []


def test_a_list_tells_what_was_added_changed_and_deleted():
    stays, goes, old = thing("stays", 3), thing("goes", 4), thing("changes", 5)
    store = store_of(stays, goes, old)
    new, added = thing("changes", 8), thing("added", 9)
    changes = store.replace([stays, new, added], "10")
    assert {(c.old, c.new) for c in changes} == {(goes, None), (old, new), (None, added)}


def test_a_list_does_not_remove_what_came_in_after_it_was_taken():
    store = store_of(thing("old", 3))
    store.put(thing("late", 12))
    store.replace([], "10")
    assert held(store) == {"late": 12}


def test_a_list_does_not_put_an_older_view_over_a_newer_one():
    store = store_of(thing("a", 12, colour="new"))
    assert store.replace([thing("a", 8, colour="old")], "10") == []
    assert held(store) == {"a": 12}


def test_what_a_list_no_longer_held_does_not_come_back_by_a_late_event():
    store = store_of(thing("a", 3))
    store.replace([], "10")
    assert store.put(thing("a", 7)) is None
    assert store.put(thing("a", 11, uid="another")) is not None


def test_an_object_of_the_list_that_cannot_be_read_keeps_its_old_view():
    store = store_of(thing("odd", 3), thing("goes", 4))
    store.replace([], "10", keep={(SPACE, "odd")})
    assert held(store) == {"odd": 3}


def test_a_list_from_a_restored_backup_is_taken_as_it_is():
    store = store_of()
    store.replace([thing("changed", 80), thing("lost", 90), thing("same", 20)], "100")
    changes = store.replace([thing("changed", 40), thing("same", 20)], "50")
    assert held(store) == {"changed": 40, "same": 20}
    assert len(changes) == 2
    assert store.put(thing("changed", 51)) is not None


def test_reached_says_whether_everything_up_to_a_version_is_in():
    store = Store()
    assert not store.reached("5")
    store.version = "7"
    assert store.reached("7")
    assert store.reached("5")
    assert not store.reached("8")
    assert not store.reached("")


@pytest.mark.parametrize(
    ("candidate", "than", "expected"),
    [("10", "9", True), ("9", "10", False), ("9", "9", False), ("b", "a", True), ("a", "a", False), ("9", "", True)],
)
def test_versions_are_compared_as_numbers(candidate, than, expected):
    assert newer(candidate, than) is expected


def test_only_numbers_can_be_seen_to_go_back():
    assert went_back("5", "9")
    assert not went_back("9", "5")
    assert not went_back("a", "b")
    assert not went_back("5", "")


# ---- any order of lists and late events


@st.composite
def histories(draw):
    """What happened to objects, as (name, uid or None when deleted), one version each from 1 on."""
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=25))
    alive, events = {}, []
    for version, name in enumerate(names, start=1):
        if name in alive and draw(st.booleans()):
            events.append((version, "DELETED", thing(name, version, uid=alive.pop(name))))
        else:
            uid = alive.setdefault(name, f"{name}{version}")
            events.append((version, "PUT", thing(name, version, uid=uid)))
    return events


@settings(max_examples=300, deadline=None)
@given(histories(), st.data())
def test_lists_and_events_in_any_order_end_in_the_truth(events, data):
    """Events keep their order by object only, deletions get lost, lists come in between; a last list settles it."""
    last = len(events)

    def truth(at):
        state = {}
        for version, kind, view in events:
            if version <= at:
                if kind == "DELETED":
                    state.pop(view.name, None)
                else:
                    state[view.name] = view
        return state

    store = Store({"name": lambda view: (view.name,)})
    backlog = {name: [e for e in events if e[2].name == name] for name in "abc"}
    listed = 0
    while any(backlog.values()):
        step = data.draw(st.sampled_from([name for name in "abc" if backlog[name]] + ["list"]))
        if step == "list":
            listed = data.draw(st.integers(listed, last))
            store.replace(truth(listed).values(), str(listed))
        else:
            _, kind, view = backlog[step].pop(0)
            if kind == "PUT":
                store.put(view)
            elif data.draw(st.booleans()):
                store.remove(view.namespace, view.name, view.uid)
    store.replace(truth(last).values(), str(last))
    assert {v.name: v for v in store.values()} == truth(last)
    for name in "abc":
        expected = [truth(last)[name]] if name in truth(last) else []
        assert list(store.by("name", name)) == expected
