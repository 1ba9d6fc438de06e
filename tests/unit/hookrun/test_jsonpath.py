"""The JSONPath dialect of docs/spec/hooks.md 5.1."""

from __future__ import annotations

import json

import pytest

from operators.hookrun.jsonpath import JsonPathError, _Extraction, check, extract, parse

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
        ("{}", None),
        ("{.l[*]['x','v']}", "y 1 z 2 w 3"),
        ("{.l[1:]['x']}", "z w"),
        ('{.result["name"]}', "Tom"),
        ("{.l[?(@.v)].x}", "y z w"),
        ("{.l[?(@['v'] != 2)].x}", "y w"),
        ("{.l[?(@.none == null)].x}", ""),
        ("{range .l[*]}{$.v}{end}", "123"),
        ('{"{"}{.n}{"}"}', "{1234567}"),
        ("{..l[?(@.x == 'w')].v}", "3"),
        ("{.e[*].x}", ""),
    ],
)
def test_paths(path: str, text: str) -> None:
    assert extract(path, BODY) == (json.dumps(BODY, separators=(",", ":")) if text is None else text)


@pytest.mark.parametrize(
    "path", ["{.missing}", "{.result.missing}", "{.l[9]}", "{.l[*].missing}", "{.n.x}", "{..missing}"]
)
def test_hook_87_missing_keys(path: str) -> None:
    with pytest.raises(JsonPathError, match=r"Could not find JsonPath in body: .* is not found"):
        extract(path, BODY)


@pytest.mark.parametrize(
    "path",
    [
        "{",
        "{.a",
        "{range .l[*]}{.x}",
        "{.x}{end}",
        "{.l[}",
        "{.l[?(}",
        "{.l[?(@.x =~ 'y')]}",
        "{.l.`len`}",
        "{.x * 9}",
        "{..x..x}",
        "{..x}{..x}",
        "{.l[0:1:0]}",
        "{.l[?(@.x == y)]}",
        "{..}",
        "{range .l[*]}" * 5_000,
        "{'a}",
        "{" * 1000,
    ],
)
def test_paths_that_cannot_be_read(path: str) -> None:
    with pytest.raises(JsonPathError):
        extract(path, {"x": 1, "l": [{"x": "y"}]})


@pytest.mark.parametrize(
    "path", ["{", "{'a}", "{range .l[*]}" * 5_000, "{.x}{end}", "{..x}{..x}", "{.l[?(@.x == y)]}", "{[?(@['*'])]}"]
)
def test_paths_are_checked_without_an_answer(path: str) -> None:
    with pytest.raises(JsonPathError):
        check(path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("{[?(@.a.b.c)]}", ""),
        ("{[?(@.a == ')]')].b}", "1"),
        ("{[?( @['a'] == \")]\" )].b}", "1"),
        ("{[?(@.b >= 1)].a}", ")]"),
        ("{[?(@)].b}", "1"),
    ],
)
def test_filters(path: str, text: str) -> None:
    assert extract(path, [{"a": ")]", "b": 1}]) == text


@pytest.mark.parametrize(
    ("path", "parts", "looked_at"),
    [
        ("{.a}", 3, [1, 1]),  # the name, what it found
        ("{['a','b']}", 3, [2, 2]),
        ("{.l[*]}", 3, [1, 1, 4 + 1, 4]),
        ("{.l[0,1,2]}", 3, [1, 1, 3, 3]),
        ("{.l[?(@.x.y.z)]}", 3, [1, 1, (3 + 1) * (4 + 1), 0]),
        ("{.l['*','*']}", 3, [1, 1, 2 * (4 + 1), 4]),
        ('{range .l[*]}{"x"}{end}', 3 + 4 * 3, [1, 1, 4 + 1, 4]),
    ],
)
def test_what_is_looked_at_is_charged(path: str, parts: int, looked_at: list[int]) -> None:
    extraction = _Extraction()
    extraction.apply(parse(path), {"a": 1, "b": 2, "l": [{"x": 1}] * 4})
    assert extraction.steps == parts + sum(looked_at)


#: Every part of it is nearly as large as the whole.
NESTED: dict[str, object] = {"pad": "x" * 1_000_000}
for _ in range(400):
    NESTED = {"a": NESTED}
DEEP: dict[str, object] = {}
for _ in range(900):
    DEEP = {"a": DEEP, "b": [DEEP]} if len(str(DEEP)) < 1000 else {"a": DEEP}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("{[*]}", [0] * 500_000),
        ("{..a}", {"a": [[0] * 1000] * 500}),
        ("{" + "[0,0]" * 60 + "}", None),
        ("{" + "['a','a']" * 100 + "}", DEEP),
        ("{range ..*}{.*.*.*}{end}", DEEP),
        ("{.a}" * 250, {"a": "x" * 10_000}),
        ("{..a}", NESTED),
        ("{[?(@" + ".a" * 490 + ")]}", [{}] * 19_000),
        ("{range [*]}" + '{"x"}' * 190 + "{end}", [0] * 5_000),
    ],
)
def test_work_and_outcome_are_bounded(path: str, body: object) -> None:
    if body is None:
        body = 0
        for _ in range(60):
            body = [body]
    with pytest.raises(JsonPathError, match=r"takes too long|too (large|deep)"):
        extract(path, body)
