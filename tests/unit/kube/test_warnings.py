"""Warning headers as the API server sends them."""

import pytest

from operators.kube.wire import warnings


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "unknown field \\"spec.replcas\\""', ['unknown field "spec.replcas"']),
        ('299 - "one", 299 kube "two, three"', ["one", "two, three"]),
        ('299 - "a \\\\ b"', ["a \\ b"]),
        ("299 - unquoted", []),
        ('299 - "never ends', []),
        ("", []),
    ],
)
def test_texts_are_read_without_their_quotes(header, texts):
    assert list(warnings([header])) == texts


def test_several_headers_are_read_one_after_the_other():
    assert list(warnings(['299 - "a"', '299 - "b"'])) == ["a", "b"]
