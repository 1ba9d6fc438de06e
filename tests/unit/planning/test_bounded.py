"""What users write into workloads is read in the event loop, so its cost and the memory it leaves are bounded."""

from __future__ import annotations

import time

import pytest

from operators.api.strategies import CanaryStep
from operators.planning import amounts, imagenames
from operators.planning.canary import stephash
from operators.planning.inplace.changes import ineligible_path
from operators.planning.revisions import revision_name
from operators.planning.templates import canonical_spec, template_digest


def _amounts(count):
    return {"containers": [{"resources": {"limits": {f"a{n}": f"{n}m" for n in range(count)}}}]}


#: As large as etcd stores them, and as full as is looked into.
SHAPES = {
    "lists": {"odd": [[]] * 450_000},
    "nested lists": {"odd": [[[[]]]] * 160_000},
    "maps": {"odd": [{}] * 450_000},
    "keys": {f"a{number}": 0 for number in range(110_000)},
    "containers": {"initContainers": [{}] * 450_000},
    "tolerations": {"tolerations": [{"a": 0}] * 150_000},
    "amounts": _amounts(70_000),
    "fewer amounts": _amounts(29_900),
    "fewer containers": {"initContainers": [{}] * 14_900},
    "a text": {"odd": "x" * 1_300_000},
    "large numbers": {"odd": [2**70] * 60_000},
}


def template(spec):
    return {"metadata": {"labels": {"app": "a"}}, "spec": spec}


@pytest.mark.parametrize("shape", SHAPES)
def test_attack_f3_the_dearest_templates_are_read_within_the_time_of_a_turn(shape):
    """Each of them by itself: there are turns of the loop between them. Seconds of CPU, the best of three."""
    spec = SHAPES[shape]
    other = {**spec, "hostname": "b"}
    for read in (
        lambda n: template_digest({**template(spec), "number": n}),
        lambda _: ineligible_path(template(spec), template(other)),
        lambda _: revision_name("lobby", template(spec), 0),
    ):
        taken = []
        for number in range(3):
            began = time.thread_time()
            read(number)
            taken.append(time.thread_time() - began)
        assert min(taken) < 0.25


def test_a_spec_of_more_values_than_anybody_writes_is_compared_as_it_is_written():
    small, huge = [{"name": "a"}] * 10, [{"name": "a"}] * 60_000
    written = {"dnsPolicy": "ClusterFirst", "volumes": huge}
    assert canonical_spec(written) == written
    assert canonical_spec({"dnsPolicy": "ClusterFirst", "volumes": small}) == canonical_spec({"volumes": small})
    assert template_digest(template(written)) == template_digest(template(dict(written)))
    assert template_digest(template(written)) != template_digest(template({"volumes": huge}))
    assert ineligible_path(template(written), template(written)) is None


def test_the_name_of_a_huge_revision_says_what_it_is_for():
    spec = {"odd": "x" * 1_000_000}
    assert revision_name("lobby", template(spec), 0) == revision_name("lobby", template(dict(spec)), 0)
    assert revision_name("lobby", template(spec), 0) != revision_name("lobby", template(spec), 1)
    assert revision_name("lobby", template(spec), 0) != revision_name("lobby", template({"odd": "y" * 1_000_000}), 0)


def test_attack_f6_long_texts_of_users_are_not_remembered():
    remembered = [amounts._kept_spelling, imagenames._kept_default, stephash._kept_hash]
    before = [cache.cache_info().misses for cache in remembered]
    for number in range(20):
        text = f"{number}" + "1" * 100_000
        assert amounts.spelled(text) == text
        assert imagenames.default_pull_policy(f"a/{text}:latest") in ("Always", "IfNotPresent")
        hook = {"hook": {"templateName": "t", "args": [{"name": "a", "value": text[:4096]}] * 3}}
        steps = (CanaryStep.model_validate(hook),)
        assert stephash.step_hash(steps) == stephash.step_hash(steps)
    assert [cache.cache_info().misses for cache in remembered] == before


def test_short_amounts_names_and_steps_are_remembered():
    remembered = [amounts._kept_spelling, imagenames._kept_default, stephash._kept_hash]
    for _ in range(2):
        before = [cache.cache_info().hits for cache in remembered]
        assert amounts.spelled("123456m") == "123.456"
        assert imagenames.default_pull_policy("remembered:latest") == "Always"
        stephash.step_hash((CanaryStep(partition=77), CanaryStep(partition=78)))
    assert [cache.cache_info().hits for cache in remembered] == [hits + 1 for hits in before]


def test_attack_f3_a_hash_of_the_go_operators_is_not_computed_for_a_list_that_none_of_theirs_was():
    hook = {"hook": {"templateName": "t", "args": [{"name": "a", "value": "x" * 4000}] * 64}}
    steps = [CanaryStep.model_validate(hook)] * 4
    assert stephash.go_step_hash(steps) is None
    assert not stephash.same_steps("65bb57b6b5", tuple(steps))
