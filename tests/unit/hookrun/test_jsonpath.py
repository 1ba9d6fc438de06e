"""The JSONPath dialect of spec/hooks.md 5.1."""

from __future__ import annotations

import pytest

from operators.hookrun.jsonpath import JsonPathError, extract

BODY = {
    "result": {"name": "Tom", "age": 18},
    "a.b": {"c": 7},
    "n": 1234567,
    "f": 1.5,
    "whole": 3.0,
    "z": None,
    "t": True,
    "l": [{"x": "y", "v": 1}, {"x": "z", "v": 2}, {"x": "w", "v": 3}],
    "e": [],
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("{$.result.age}", "18"),
        ("${.result.age}", "18"),
        ("{.result.name}", "Tom"),
        ("{@.result.name}", "Tom"),
        ("{.a\\.b.c}", "7"),
        ("{['a.b'].c}", "7"),
        ("{.n}", "1234567"),
        ("{.f} {.whole}", "1.5 3"),
        ("{.z}", "<nil>"),
        ("{.t}", "true"),
        ("{.result}", '{"name":"Tom","age":18}'),
        ("{.l[0].v}", "1"),
        ("{.l[-1].v}", "3"),
        ("{.l[0:2].v}", "1 2"),
        ("{.l[0:3:2].v}", "1 3"),
        ("{.l[0,2].v}", "1 3"),
        ("{['n','f']}", "1234567 1.5"),
        ("{.l[*].v}", "1 2 3"),
        ("{.result.*}", "Tom 18"),
        ("{..v}", "1 2 3"),
        ('{.l[?(@.x == "y")].v}', "1"),
        ("{.l[?(@.v > 1)].x}", "z w"),
        ('{.l[?(@.x == "none")].v}', ""),
        ("{.e[*]}", ""),
        ('{range .l[*]}{.x}:{.v}{"\\n"}{end}', "y:1\nz:2\nw:3\n"),
        ("age={.result.age};", "age=18;"),
        ("$.result", "$.result"),
    ],
)
def test_paths(path: str, text: str) -> None:
    assert extract(path, BODY) == text


@pytest.mark.parametrize("path", ["{.missing}", "{.result.missing}", "{.l[9]}"])
def test_hook_87_missing_keys(path: str) -> None:
    with pytest.raises(JsonPathError, match=r"Could not find JsonPath in body: .* is not found"):
        extract(path, BODY)


@pytest.mark.parametrize("path", ["{", "{.a", "{range .l[*]}{.x}", "{.x}{end}", "{.l[}", "{.l[?(}"])
def test_paths_that_cannot_be_read(path: str) -> None:
    with pytest.raises(JsonPathError):
        extract(path, {"x": 1, "l": []})
