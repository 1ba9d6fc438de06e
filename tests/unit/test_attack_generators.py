"""The attack's generators stay within what the CRDs accept, reach their limits, and repeat themselves by seed."""

from random import Random

import pytest

from operators.api.hookrun import HookRunSpec
from tests.attack import generators
from tests.attack.cases import CASES
from tests.attack.judge import Figures, latest

SEEDS = range(6)


@pytest.mark.parametrize("kind", generators.KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_made_is_accepted_by_the_crd(kind, seed):
    made = generators.KINDS[kind](Random(seed))
    assert made.kind == kind
    assert made.answer.text is None or 0 < len(made.answer.text) <= generators.BODY
    for number, spec in enumerate(made.runs):
        body = generators.hook_run(f"r{number}", spec, "http://127.0.0.1:1", "/a7")
        read = HookRunSpec.model_validate(body["spec"])
        assert 1 <= len(read.metrics) <= generators.METRICS
        assert len({metric.name for metric in read.metrics}) == len(read.metrics)


@pytest.mark.parametrize("kind", generators.KINDS)
def test_the_same_seed_makes_the_same_attack(kind):
    make = generators.KINDS[kind]
    assert make(Random(5)) == make(Random(5))
    assert len({repr(make(Random(seed))) for seed in range(20)}) > 1, "other seeds make others"


def test_the_server_and_the_answer_are_put_in():
    (first, *_) = generators.digits(Random(1)).runs
    body = generators.hook_run("r", first, "http://127.0.0.1:81", "/a7")
    assert body["spec"]["metrics"][0]["provider"]["web"]["url"] == "http://127.0.0.1:81/a7"


def test_conditions_are_as_large_as_the_crd_allows_and_not_larger():
    sizes = [len(generators.condition(Random(seed))) for seed in range(100)]
    assert max(sizes) > 3500
    assert max(sizes) <= generators.CONDITION


def test_templates_pass_the_limits_of_the_crd_sometimes():
    counts = {len(generators.template(Random(seed))["spec"]["metrics"]) for seed in range(40)}
    assert {1, 32, 2000} <= counts


@pytest.mark.parametrize("name", CASES)
def test_the_inputs_of_the_attack_log_are_accepted_by_the_crd(name):
    for spec in CASES[name].runs:
        HookRunSpec.model_validate(generators.hook_run("r", spec, "http://127.0.0.1:1", "/a7")["spec"])


def test_the_judge_reads_the_latest_turn_from_the_buckets():
    assert latest({"0.05": 20, "0.25": 20, "0.5": 20, "+Inf": 20}) == 0.05
    assert latest({"0.05": 19, "0.25": 19, "0.5": 20, "+Inf": 20}) == 0.5
    assert latest({"0.05": 19, "0.25": 19, "0.5": 19, "+Inf": 20}) == float("inf")
    assert latest({}) == 0


def test_figures_keep_the_worst_of_each_kind():
    figures = Figures()
    for kind, value in (("digits", 1.0), ("digits", 0.5), ("names", 2.0)):
        figures.saw(kind, "hook", value)
    assert (figures.worst["digits"]["hook"], figures.most("hook"), figures.looks["hook"]) == (1.0, 2.0, 3)
