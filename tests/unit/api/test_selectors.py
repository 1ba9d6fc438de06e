"""Label selectors: what they match, and how they are printed."""

import pytest

from operators.api.selectors import LabelSelector


def selector(labels=None, *expressions):
    requirements = [{"key": k, "operator": o, **({"values": v} if v else {})} for k, o, v in expressions]
    return LabelSelector.model_validate({"matchLabels": labels or {}, "matchExpressions": requirements})


@pytest.mark.parametrize(
    ("chosen", "labels", "matches"),
    [
        (selector({"app": "a"}), {"app": "a", "x": "y"}, True),
        (selector({"app": "a"}), {"app": "b"}, False),
        (selector({"app": "a"}), {}, False),
        (selector({"app": ""}), {"app": ""}, True),
        (selector(None, ("tier", "In", ["a", "b"])), {"tier": "b"}, True),
        (selector(None, ("tier", "In", ["a", "b"])), {}, False),
        (selector(None, ("tier", "NotIn", ["a"])), {}, True),
        (selector(None, ("tier", "NotIn", ["a"])), {"tier": "a"}, False),
        (selector(None, ("tier", "Exists", None)), {"tier": ""}, True),
        (selector(None, ("tier", "Exists", None)), {}, False),
        (selector(None, ("tier", "DoesNotExist", None)), {}, True),
        (selector(None, ("tier", "DoesNotExist", None)), {"tier": "a"}, False),
        (selector({"app": "a"}, ("tier", "Exists", None)), {"app": "a"}, False),
    ],
)
def test_matching(chosen, labels, matches):
    assert chosen.matches(labels) is matches


def test_gd_146_an_empty_selector_matches_nothing():
    assert selector().is_empty
    assert not selector().matches({"app": "a"})
    assert not selector().matches({})


def test_printed_sorted_and_complete():
    chosen = selector(
        {"b": "2", "a": "1"},
        ("c", "In", ["y", "x"]),
        ("d", "NotIn", ["z"]),
        ("e", "Exists", None),
        ("f", "DoesNotExist", None),
    )
    assert chosen.to_string() == "a=1,b=2,c in (x,y),d notin (z),e,!f"
