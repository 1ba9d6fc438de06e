"""What stands on a pod about its update in place (docs/spec/gamedeployment.md 3.3, 3.4)."""

import base64
import json

import pytest

from operators.planning.inplace.annotations import ContainerBefore, Grace, UpdateState, read_grace, read_state


@pytest.mark.parametrize(
    "state",
    [
        UpdateState("gd-a", 1000.0),
        UpdateState("gd-a", 1000.0, {"web": ContainerBefore("sha256:1", "c-1", 1005.0, "game:1")}, post_hook=True),
        UpdateState("gd-a", 1000.0, {"web": ContainerBefore("sha256:1")}, containers=frozenset({"web", "side"})),
        UpdateState("gd-a", 1000.0, containers=frozenset()),
    ],
)
def test_a_state_is_read_as_it_was_written(state):
    assert read_state(state.dump()) == state


def test_a_state_of_the_go_operators():
    text = (
        '{"revision":"gd-b","updateTimestamp":"2022-10-01T08:00:00Z",'
        '"lastContainerStatuses":{"web":{"imageID":"docker-pullable://x@sha256:1"}},"unknown":{"x":1}}'
    )
    state = read_state(text)
    assert (state.revision, state.containers, state.post_hook) == ("gd-b", None, False)
    assert state.recorded == {"web": ContainerBefore("docker-pullable://x@sha256:1")}


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "7", "null", '{"updateTimestamp":"soon"}', '{"lastContainerStatuses":{"web":7}}'],
)
def test_a_state_that_cannot_be_read_is_none(text):
    assert read_state(text) is None


def test_a_grace_period_is_read_as_it_was_written():
    grace = Grace(30.0, {"tier": "gold", "old": None}, {"motd": "hi"}, "gd-a")
    assert read_grace(grace.dump("gd-b", {"web": "game:2"})) == grace


def test_a_grace_period_of_the_go_operators_loses_its_directives():
    patch = base64.b64encode(b'{"metadata":{"labels":{"a":"1","$patch":"replace"},"annotations":null}}').decode()
    text = json.dumps({"revision": "gd-b", "containerImages": {}, "metaDataPatch": patch, "graceSeconds": 20})
    assert read_grace(text) == Grace(20.0, {"a": "1"})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"metaDataPatch":"%%%"}', '{"graceSeconds":"x"}', '{"graceSeconds":1e999}']
)
def test_a_grace_period_that_cannot_be_read_is_over(text):
    assert read_grace(text) == Grace(0.0)
    assert read_grace(None) is None
