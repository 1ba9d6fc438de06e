"""Shares of namespaces, in virtual time."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.fairqueue import FairQueue


def serve(queue, cost=1.0):
    served = queue.pop()
    queue.done(served, cost(served.item) if callable(cost) else cost)
    return served


def order(queue, costs, number=None):
    """Namespaces in the order in which they are served, at a cost for each namespace."""
    found = []
    while queue and (number is None or len(found) < number):
        served = queue.pop()
        queue.done(served, costs[served.namespace])
        found.append(served.namespace)
    return "".join(found)


def filled(queue, **numbers):
    for namespace, number in numbers.items():
        for item in range(number):
            queue.push(namespace, item)
    return queue


def test_items_of_a_namespace_keep_their_order():
    queue = filled(FairQueue(), a=3)
    assert [serve(queue).item for _ in range(3)] == [0, 1, 2]
    with pytest.raises(IndexError):
        queue.pop()


def test_equal_costs_take_turns():
    assert order(filled(FairQueue(), a=3, b=3, c=3), {"a": 1, "b": 1, "c": 1}) == "abcabcabc"


def test_one_that_costs_much_is_served_less_often():
    assert order(filled(FairQueue(), a=3, b=20), {"a": 10, "b": 1}, 13) == "abbbbbbbbbbab"


def test_a_lone_namespace_gets_everything_and_owes_nothing_afterwards():
    queue = filled(FairQueue(), a=5)
    assert order(queue, {"a": 100}) == "aaaaa"
    assert queue.remembered == 0
    assert order(filled(queue, b=2, a=2), {"a": 1, "b": 1}) == "baba"


def test_idle_time_earns_no_credit():
    queue = filled(FairQueue(), a=1, b=40)
    assert order(queue, {"a": 1, "b": 1}, 20) == "ab" + "b" * 18
    filled(queue, a=20)
    assert order(queue, {"a": 1, "b": 1}, 10).count("a") in (5, 6)


def test_what_was_had_beyond_the_share_counts_after_a_rest():
    queue = filled(FairQueue(), a=1, b=20)
    assert order(queue, {"a": 10, "b": 1}, 3) == "abb"
    filled(queue, a=1)
    assert order(queue, {"a": 10, "b": 1}, 9) == "b" * 8 + "a"


def test_fewest_first_counts_what_is_being_served():
    queue = filled(FairQueue(fewest_first=True), a=5, b=1)
    first = queue.pop()
    assert (first.namespace, queue.pop().namespace, queue.pop().namespace) == ("a", "b", "a")
    queue.push("b", 0)
    assert (queue.head().ticket.namespace, queue.head().running) == ("b", 1)
    queue.done(first, 1000.0)
    queue.push("c", 0)
    assert queue.head().ticket.namespace == "c"


def test_a_discarded_item_is_not_served():
    queue = FairQueue()
    tickets = [queue.push("a", item) for item in range(3)]
    assert queue.discard(tickets[1])
    assert not queue.discard(tickets[1])
    assert [serve(queue).item for _ in range(2)] == [0, 2]
    assert not queue.discard(tickets[0])
    assert queue.remembered == 0


def test_namespaces_without_items_are_forgotten():
    queue = filled(FairQueue(debtors=50), busy=3000)
    serve(queue)
    for number in range(1000):
        queue.push(f"n{number}", 0)
        while queue.running("busy") == 0 and queue.head().ticket.namespace != "busy":
            serve(queue, 5.0)
    assert queue.remembered <= 51
    order(queue, {"busy": 1.0})
    assert queue.remembered == 0


def test_pushing_and_discarding_takes_no_memory():
    queue = filled(FairQueue(), busy=1)
    held = queue.pop()
    for number in range(5000):
        queue.discard(queue.push(f"n{number % 7}", 0))
    assert queue.remembered <= 8
    assert len(queue._order) < 200
    queue.done(held, 1.0)
    assert queue.remembered == 0


_NAMESPACES = st.sampled_from("abcd")
_COSTS = st.integers(1, 10)
_ACTIONS = st.lists(st.one_of(st.tuples(_NAMESPACES, _COSTS), st.just(None)), max_size=80)


def history(actions):
    """What a single server did: for each service namespace, cost, and who waited before and after it."""
    queue, services = FairQueue(), []
    for action in actions:
        if action is not None:
            queue.push(action[0], action[1])
        elif queue:
            before = waiting(queue)
            served = serve(queue, lambda cost: cost)
            services.append((served.namespace, served.item, before, waiting(queue)))
    return services


def waiting(queue):
    return {namespace for namespace, share in queue._shares.items() if share.waiting}


@settings(max_examples=300, deadline=None)
@given(_ACTIONS)
def test_a_waiting_namespace_gets_what_any_other_gets_up_to_an_item_of_each(actions):
    services = history(actions)
    largest = {n: max((cost for name, cost, *_ in services if name == n), default=0) for n in "abcd"}
    for mine in "abcd":
        for start in range(len(services)):
            got = dict.fromkeys("abcd", 0)
            for name, cost, before, after in services[start:]:
                if mine not in before:
                    break
                got[name] += cost
                for other in "abcd":
                    assert got[mine] >= got[other] - largest[mine] - largest[other]
                if mine not in after:
                    break


@settings(max_examples=300, deadline=None)
@given(_ACTIONS, st.integers(0, 80))
def test_a_new_namespace_gets_its_share_less_one_item_from_the_first_moment(actions, arrival):
    queue, total, got, sharers, largest = FairQueue(), 0, 0, {"new"}, 10
    for action in actions[:arrival]:
        if action is not None:
            queue.push(*action)
        elif queue:
            serve(queue, lambda cost: cost)
    for number in range(80):
        queue.push("new", 1 + number % 10)
    for action in actions[arrival:]:
        if action is not None:
            queue.push(*action)
            continue
        served = serve(queue, lambda cost: cost)
        sharers.add(served.namespace)
        total += served.item
        got += served.item if served.namespace == "new" else 0
        assert got >= total / len(sharers | waiting(queue)) - largest


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.tuples(_NAMESPACES, _COSTS), st.sampled_from(["take", "end"])), max_size=120))
def test_with_several_servers_nothing_is_lost_and_nothing_is_kept(actions):
    queue, taken, pushed, ended = FairQueue(fewest_first=True), [], 0, 0
    for action in actions:
        if isinstance(action, tuple):
            queue.push(*action)
            pushed += 1
        elif action == "take" and queue:
            taken.append(queue.pop())
        elif action == "end" and taken:
            served = taken.pop(0)
            queue.done(served, served.item)
            ended += 1
        assert len(queue._order) <= 2 * 4 + 65
        assert len(queue) == pushed - ended - len(taken)
        assert sum(map(queue.running, "abcd")) == len(taken)
    for served in taken:
        queue.done(served, served.item)
    while queue:
        serve(queue)
    assert queue.remembered == 0


def test_shares_hold_for_fractions_too():
    queue = filled(FairQueue(), a=300, b=300)
    got = dict.fromkeys("ab", 0.0)
    for _ in range(300):
        served = queue.pop()
        cost = 0.7 if served.namespace == "a" else 0.1
        queue.done(served, cost)
        got[served.namespace] += cost
    assert math.isclose(got["a"], got["b"], abs_tol=0.71)
