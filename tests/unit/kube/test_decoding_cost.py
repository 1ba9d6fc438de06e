"""A GameDeployment is decoded at each change of it, its status included: the size of its template must not count."""

import timeit

from operators.api.gamedeployment import GameDeploymentSpec
from tests.integration.api.broken import manifest


def spec(variables):
    body = manifest("GameDeployment")["spec"]
    env = [{"name": f"V{n}", "value": "v" * 60} for n in range(variables)]
    body["template"]["spec"]["containers"] = [{"name": f"c{n}", "image": "a:1", "env": env} for n in range(4)]
    return body


def seconds(body):
    """Of one decoding, the best of several rounds: other work on the machine only ever adds."""
    return min(timeit.repeat(lambda: GameDeploymentSpec.model_validate(body), number=20, repeat=7)) / 20


def test_a_template_of_200_kib_costs_no_more_than_a_small_one():
    small, large = spec(1), spec(600)
    assert len(str(large)) > 200_000
    assert seconds(large) < 2 * seconds(small) + 0.0005


def test_many_canary_steps_stay_cheap():
    body = spec(1)
    body["updateStrategy"] = {"canary": {"steps": [{"partition": n} for n in range(128)]}}
    assert seconds(body) < 0.01
