"""JSON that is not quite JSON, read as Go reads it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.hookrun.providers.answers import read_json
from operators.hookrun.providers.base import MeasuredValue
from operators.hookrun.providers.web import Web


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"ok": 1, "name": "\xff\xfe"}', {"ok": 1, "name": "\ufffd\ufffd"}),
        (rb'{"ok": 1, "name": "a\ud800b"}', {"ok": 1, "name": "a\ufffdb"}),
        (rb'{"name": "\\ud800"}', {"name": "\\ud800"}),
        (rb'["\ud83d\ude00", "\udc00"]', ["\U0001f600", "\ufffd"]),
        (b'\xff"', None),
        (b"{", None),
    ],
)
def test_public_what_is_no_text_is_replaced_and_the_rest_is_read(body, value):
    if value is None:
        with pytest.raises(ValueError, match=r"."):
            read_json(body)
    else:
        assert read_json(body) == value


def test_public_a_field_that_nobody_reads_may_hold_any_bytes():
    read = Web().read({"jsonPath": "{$.players}"}, b'{"players": 3, "motd": "gr\xfc\xdfe"}')
    assert read == MeasuredValue("3", "3")


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**64 - 1), max_size=3), st.booleans())
def test_json_means_what_it_says(value, escaped):
    assert read_json(json.dumps({**value, "x": "y"}, ensure_ascii=escaped).encode() + b" ") == {**value, "x": "y"}
