"""What is sent is spelled as the API server itself spells it."""

import json

import pytest

from operators.kube.wire import encode


def test_keys_are_sorted_at_every_depth():
    assert encode({"b": [{"z": 1, "a": 2}], "$patch": "replace"}) == b'{"$patch":"replace","b":[{"a":2,"z":1}]}'


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("a && b < c > d", rb'"a \u0026\u0026 b \u003c c \u003e d"'),
        ("line\u2028and\u2029paragraph", rb'"line\u2028and\u2029paragraph"'),
        ("straße", '"straße"'.encode()),
        ('tab\tquote"backslash\\', rb'"tab\tquote\"backslash\\"'),
    ],
)
def test_what_html_could_misread_is_escaped_and_nothing_else(text, spelled):
    assert encode(text) == spelled
    assert json.loads(encode({text: text})) == {text: text}
