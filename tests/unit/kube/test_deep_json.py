"""One object that is nested absurdly deep hides no other.

Rules: docs/spec/gamedeployment.md 7.5: bad objects, never a crash.
"""

import sys

import orjson
import pytest

from operators.gamedeployment.observed import gamedeployment_view
from operators.gamestatefulset.observed import gamestatefulset_view
from operators.kube.wire import decode, read_deep
from operators.simulation.cluster import gamedeployment


@pytest.fixture
def deep():
    """This process reads as deep as the operators do."""
    before = sys.getrecursionlimit()
    read_deep()
    yield
    sys.setrecursionlimit(before)


def nested(levels):
    return b'{"a":' * levels + b"1" + b"}" * levels


def depth(value):
    levels = 0
    while isinstance(value, dict):
        value, levels = value["a"], levels + 1
    return levels


@pytest.mark.parametrize("levels", [3, 1000, 2000, 10_000])
def test_what_the_api_server_stores_can_be_read(deep, levels):
    assert depth(decode(nested(levels))) == levels


def test_what_is_no_json_is_refused(deep):
    with pytest.raises(orjson.JSONDecodeError):
        decode(b'{"a":')
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(nested(50_000))


@pytest.mark.parametrize("levels", [300, 9000])
@pytest.mark.parametrize("where", ["template", "volumeClaimTemplates"])
def test_a_workload_that_nobody_could_store_is_refused_with_a_reason(deep, where, levels):
    odd = decode(nested(levels))
    body = gamedeployment({})
    if where == "template":
        body["spec"]["template"]["spec"]["containers"][0]["odd"] = odd
        view = gamedeployment_view(body)
    else:
        claim = {"metadata": {"name": "data"}, "spec": odd}
        body["spec"] |= {"serviceName": "s", "volumeClaimTemplates": [claim]}
        view = gamestatefulset_view(body)
    assert view.invalid == "spec: cannot be stored, most likely it is nested too deeply: Recursion limit reached"
    assert view.spec is None
