"""The condition language (docs/spec/hooks.md 2) and the cases of section 8 that need no server."""

from __future__ import annotations

import re

import pytest

from operators.api.hooktemplate import Metric
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate
from operators.hookrun.conditions.parser import parse
from operators.hookrun.conditions.patterns import Pattern, PatternError, Patterns
from operators.hookrun.outcome import measurement_phase
from operators.hookrun.parsecache import ParseCache
from operators.hookrun.providers.base import MeasuredValue
from tests.unit.hookrun.runs import metric


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("asInt(result) == 1", "1"),
        ("asInt(result) == -5", "-5"),
        ("asFloat(result) > 1e3", "1.5e3"),
        ("isInf(asFloat(result)) && !isNaN(asFloat(result))", "-Inf"),
        ("asInt(result) == 7", 7.0),
        ("asInt(result) == 0", [0.0]),
        ("len(result) == 0", []),
        ("len(result) > 0 && result[0] >= 1 || true", []),
        ("not (len(result) > 0 and result[0] >= 1)", []),
        ("0 in result and 5 not in result", [0.0, 1.0]),
        ("result[0] == 0", [0.0]),
        ("result == 'ok'", "ok"),
        ('result contains "an" && result startsWith "ba" && result endsWith "na"', "banana"),
        ('result matches "^v[0-9]+(\\\\.[0-9]+){2}$"', "v1.22.3"),
        ('!(result matches "^x")', "ax"),
        ("all(result, {# > 1}) && none(result, {# > 9}) && any(result, {# == 2}) && one(result, {# == 3})", [2.0, 3.0]),
        ("count(result, {# > 1}) == 2 && len(filter(result, {# < 3})) == 2", [1.0, 2.0, 3.0]),
        ("map(1..3, {# * 2})[2] == 6", ""),
        ("all(1..3, {count(1..#, {# > 0}) > 0})", ""),
        ("asInt(result) in 1..5", "3"),
        ('{a: 1, "b c": 2}.a == 1 && {a: 1}["b"] == nil', ""),
        ("{1: 'a', 2.5: 'b'}['1'] == 'a' && {1: 'a', 2.5: 'b'}['2.5'] == 'b'", ""),
        ("result[1:3] == 'bc' && len([1, 2, 3][1:]) == 2 && len([1, 2][:1]) == 1", "abcd"),
        ("2 ** 3 ** 2 == 512 && -7 % 3 == -1 && 7 / 2 == 3.5 && 1 + 2 * 3 == 7", ""),
        ("1_000 == 1000 && .5 == 0.5 && 0x10 == 16 && 1e2 == 100", ""),
        ('"a" + "b" == "ab" && "\\n\\x41\\u00e9" == "\\nAé"', ""),
        ("asInt(result) > 3 ? false : true", "2"),
        ("result != nil && nil == nil", "x"),
        ("[1, 'a'][1] == 'a' && [1, 'a'][0] == 1 && !([1, 'a'][0] == 2)", ""),
        ("map(result, {# > 1 ? 'up' : 'down'})[1] == 'up'", [1.0, 2.0]),
        ("all(filter(result, {# >= 0.5}), {# * 2 >= 1})", [0.1, 0.5, 7.0]),
        ("'a' in {a: 1} && 'b' not in {a: 1} && 1 not in ['1']", ""),
        ("asFloat(result) / 0 > 1e308 && -asFloat(result) / 0.0 < -1e308 && isNaN(0.0 / 0)", "1"),
        ("len(result) == 0 || result[0] >= 1", []),
        ("map(1..2, {map(1..2, {#})})[1][1] == 2 && map(1..2, {count(1..3, {# > 1}) + #})[1] == 4", ""),
        ("any([[1, 2], [3]], {len(#) == 1}) && [{a: 1}][0].a == 1 && any([{a: 2}], {.a == 2})", ""),
        ("result matches '^a.*z$'", "a" + "b" * 9000 + "z"),
    ],
)
def test_language(text: str, result: object) -> None:
    assert evaluate(text, result) is True


@pytest.mark.parametrize(
    ("text", "result", "reason"),
    [
        ("result", "1", "must be true or false"),
        ("result == 1", "1", "string == number"),
        ("result > true", 1.0, "number > bool"),
        ("result[0] > 1", [], "out of range"),
        ("result[-1] > 1", [1.0], "out of range"),
        ("asInt(result) == 1", "1.0", "asInt"),
        ("asInt(result) == 1", " 1", "asInt"),
        ("asInt(result) == 1", [1.0, 2.0], "asInt: a list of 2 elements is not a whole number"),
        ("asInt([true]) == 1", "", "asInt: a bool is not a whole number"),
        ("asFloat([nil]) == 1", "", "asFloat: a nil is not a number"),
        ("all([result[1:]], {" + " && ".join(["# <= result"] * 80) + "})", "a" * 65_000, "takes too long"),
        ("asInt(result) == 1", "9" * 30, "64 bits"),
        ("asFloat(result) == 1", "1e999", "out of range"),
        ("1 in result", "1", "needs a list"),
        ("1 && true", "", "&& needs a bool"),
        ("!result == 1", 1.0, "! needs a bool"),
        ("-result == 1", "1", "- needs a number"),
        ("1 / 0 == 1", "", "a whole number cannot be divided by 0"),
        ("1 % 0 == 1", "", "a whole number cannot be divided by 0"),
        ("9 ** 9 ** 9 > 1", "", "out of the range of 64-bit floats"),
        ("asInt(result) > 1", float("inf"), "asInt: inf is not a whole number"),
        ("result[1:0-1] == ''", "abc", "the ends of a slice must be whole numbers from 0 on"),
        ("9223372036854775807 + 1 > 0", "", "64 bits"),
        ("pods > 1", "", "unknown name 'pods'"),
        ("result.__class__ == 1", "", "not a string"),
        ("().x", "", "unexpected"),
        ("# > 1", "", "element"),
        ("asInt", "1", "unknown name"),
        ("asInt(result, 2) == 1", "1", "unexpected"),
        ("all(result, # > 1)", [1.0], "unexpected"),
        ("1 == ", "", "ends too early"),
        ('result == "a', "", "cannot be read"),
        ("1 == 1; 2", "", "cannot be read"),
        ("", "", "ends too early"),
        ("len(1..99999) > 1", "", "range"),
        ("all(1..9999, {all(1..9999, {# > 0})})", "", "takes too long"),
        ('result matches "("', "", "matches"),
        ('result matches "(a)\\\\1"', "", "not valid in RE2: invalid escape sequence: \\1"),
        ("asFloat(result) > 1", "1" * 351, "asFloat: a text of 351 characters is too long for a number"),
        ("asInt(result) > 1", "1" * 100_000 + "x", "asInt: a text of 100001 characters is too long for a number"),
        ("asFloat(result) > 1", "1" * 300 + "x", "is not a number"),
        ("asFloat(result) > 1", "\u0131nf", "is not a number"),
        ("result matches '(\\\\pL){100}'", "", "too large: it needs more than 1 MiB of memory"),
        ("(" * 200 + "true" + ")" * 200, "", "too deeply"),
        ("+".join(["1"] * 1500) + " == 1500", "", "too large"),
        ("true || result == 1", "1", "string == number"),
        ("len(result) == 0 || result[0] == 'x'", [], "number == string"),
        ("false && asInt(true) == 1", "", "asInt needs a string or number or list, not a bool"),
        ("true || asInt(result) + 'x' == 'x'", "1", "number + string"),
        ('true || result matches "("', "", "matches"),
        ("result % 2 == 0", 4.0, "% needs whole numbers"),
        ("true || 1..2.5 == nil", "", "whole numbers"),
        ("true || [1][0.5] == 1", "", "whole numbers"),
        ("true || (1 ? true : false)", "", "needs a bool"),
        ("all([1, 'a'], {# > 0})", "", "string > number"),
        ("result[0:1] == 1", [1.0], "list == number"),
        ("len(1) == 1", "", "len needs a string or list or map"),
        ("isNaN(result)", "1", "isNaN needs a number"),
        ("all(result, {#})", [1.0], "all needs a bool"),
        ("result contains 'a'", [1.0], "contains needs a string"),
        ("map(1..5000, {result + result})[0] == ''", "x" * 30_000, "takes too long"),
        ("true || " * 600 + "true", "", "longer than 4096"),
        ("!" * 500 + "true", "", "too deeply"),
        ("0x_ == 1", "", "unexpected"),
        ("\u0663 == 3", "", "cannot be read"),
    ],
)
def test_errors_say_why(text: str, result: object, reason: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(reason)):
        evaluate(text, result)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^a.c$", "abc", True),
        ("b+", "abbc", True),
        ("^(ab|cd)*$", "abcdab", True),
        ("^(ab|cd)*$", "abc", False),
        ("(?i)OK", "its ok", True),
        ("[^a-c]", "abc", False),
        (r"\bcat\b", "a cat.", True),
        (r"\bcat\b", "concat", False),
        (r"^\d{2,3}$", "1234", False),
        (r"^\d{2,3}$", "123", True),
        ("(?m)^b$", "a\nb", True),
        ("^(a*)*$", "aaa", True),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        ("", "", True),
        ("^[[:digit:]]+$", "0123", True),
        ("^[[:^alpha:]_]+$", "1a", False),
        ("^a(?i:x)$", "aX", True),
        ("^a(?i:x)$", "AX", False),
        (r"^\pL+$", "Zoë", True),
        (r"^\Q1+1\E$", "1+1", True),
        ("^(?P<major>[0-9]+)$", "7", True),
        (r"\Aa\z", "a", True),
        ("(" * 101 + "a" + ")" * 101, "a", True),
        ("^.$", "\ud800", True),
        ("^\ufffd$", "\ud800", True),
        ("é$", "\N{LATIN SMALL LETTER E WITH ACUTE}", True),
        ("a\x00b", "a\x00b", True),
    ],
)
def test_patterns(pattern: str, text: str, found: bool) -> None:
    assert Pattern(pattern).search(text, lambda _: None) is found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing )"),
        ("(?=a)", "(?="),
        (r"(a)\1", "invalid escape sequence"),
        ("a{1001}", "invalid repetition size"),
        ("((a{100}){100}){100}", "invalid repetition size"),
        (r"(\pL){100}", "needs more than 1 MiB of memory"),
        ("a" * 1025, "has 1025 characters, at most 1024 are allowed"),
        ("(?x)a", "(?x"),
        ("a++", "bad repetition operator"),
        ("(" * 512 + "a" + ")" * 511, "missing )"),
    ],
)
def test_patterns_that_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason)):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)*b", "(.*){50}b", "(x+x+)+y", "(?:(?:a*)*)*b"])
def test_a_pattern_that_takes_exponential_time_elsewhere_is_charged_text_times_instructions(pattern: str) -> None:
    compiled, spent = Pattern(pattern), []
    assert not compiled.search("a" * 4000 + "c", spent.append)
    assert compiled.size < 500
    assert spent == [2 + 4002 * compiled.size // 256]


def test_each_pattern_of_a_condition_is_compiled_and_charged_once() -> None:
    spent: list[int] = []
    patterns = Patterns(spent.append)
    first = patterns.compiled("^a$")
    assert patterns.compiled("^a$") is first
    assert spent == [32, first.size // 2]
    for number in range(8):
        patterns.compiled(str(number))
    spent.clear()
    assert patterns.compiled("^a$") is not first
    assert spent == [32, first.size // 2]


def test_patterns_made_while_evaluating_are_charged_by_their_size() -> None:
    """A condition that makes a new pattern of each element is stopped by their sizes, not by their number."""
    value = "".join("abcdefgh"[n * n * 7 % 8] + "ijklmnop"[n // 3 % 8] for n in range(1500))
    with pytest.raises(ExpressionError, match="takes too long"):
        evaluate('count(0..2500, {"x" matches result[#:#+390]}) >= 0', value)


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("[a-ce-gb-f]", "abcdefg", "`hz"),
        ("[^a-c]", "dz\n", "abc"),
        ("[0-9A-Fx]", "0F9x", "Gg"),
        (r"[\d_]", "5_", "a"),
        (r"[^\W]", "a_9", "-"),
        ("(?i)[k-m]", "KLMklm", "jN"),
        ("(?i)[^k-m]", "jN", "Kl"),
    ],
)
def test_classes(pattern: str, inside: str, outside: str) -> None:
    compiled = Pattern(pattern)
    assert [c for c in inside + outside if compiled.search(c, lambda _: None)] == list(inside)


def test_a_search_for_a_text_is_charged_by_both_lengths() -> None:
    wanted = "a" * 600 + "b" + "a" * 600
    with pytest.raises(ExpressionError, match="takes too long"):
        evaluate(f"count(0..100, {{result contains '{wanted}'}}) == 0", "a" * 2499)
    assert evaluate("result contains 'b' || len(result) > 0", "a" * 500_000) is True


def test_lists_within_lists_are_charged_when_compared() -> None:
    with pytest.raises(ExpressionError, match="takes too long"):
        evaluate("map(1..100, {result[0:]}) == map(1..100, {result[0:]})", [1.0] * 1000)
    assert evaluate("[[1, 'a'], [{a: 2}]] == [[1, 'a'], [{a: 2}]]", "") is True
    assert evaluate("[[1, 'a'], [{a: 2}]] != [[1, 'a'], [{a: 3}]] && [[1]] != [[1, 2]] && [{a: 1}] != [{b: 1}]", "")


def test_parsed_conditions_are_kept_by_their_weight() -> None:
    """Trees are some hundred times as large as their texts, so their number says nothing."""
    parsed: list[str] = []

    def parse(text: str) -> str:
        parsed.append(text)
        return text

    cache = ParseCache(parse, lambda text, _: len(text), 10)
    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb", "x" * 11, "x" * 11):
        assert cache(text) == text
        assert cache.weight <= 10
    assert parsed == ["aaaa", "bbbb", "cccc", "bbbb", "x" * 11, "x" * 11]


def judged(value: MeasuredValue, **conditions: str) -> tuple[str, str]:
    return measurement_phase(Metric.model_validate(metric(**conditions)), value)


def test_hook_83_failed() -> None:
    assert judged(MeasuredValue("45", "45"), successCondition="asInt(result) < 30")[0] == "Failed"


def test_hook_84_string_against_number() -> None:
    phase, message = judged(MeasuredValue("1", "1"), successCondition="result == 1")
    assert phase == "Error"
    assert message.startswith("successCondition: ")


def test_hook_91_failure_condition_on_a_string() -> None:
    assert judged(MeasuredValue("0", "0"), failureCondition="asInt(result) == 0")[0] == "Failed"
    assert judged(MeasuredValue("1", "1"), failureCondition="asInt(result) == 0") == ("Successful", "")


def test_hook_95_both_conditions() -> None:
    both = {"successCondition": "asInt(result) > 5", "failureCondition": "asInt(result) < 8"}
    assert judged(MeasuredValue("6", "6"), **both)[0] == "Failed"
    assert judged(MeasuredValue("9", "9"), **both)[0] == "Successful"
    neither = {"successCondition": "asInt(result) > 8", "failureCondition": "asInt(result) < 2"}
    assert judged(MeasuredValue("5", "5"), **neither)[0] == "Inconclusive"


def test_an_error_of_the_first_condition_is_told() -> None:
    phase, message = judged(MeasuredValue("x", "x"), successCondition="asInt(result) == 1", failureCondition="nonsense")
    assert (phase, message.split(":")[0]) == ("Error", "successCondition")


def test_without_conditions_any_value_is_good() -> None:
    assert judged(MeasuredValue("x", "x")) == ("Successful", "")


def test_the_limit_of_nodes_counts_what_it_names():
    """A comparison is four nodes: itself, its operator and both sides; a list is one, and one for each element."""
    assert parse(f"[{','.join(['1'] * 1190)}] == []")
    with pytest.raises(ExpressionError, match=r"more than 1200 nodes \(result == 1 has four\)"):
        parse(f"[{','.join(['1'] * 1200)}] == []")
    assert parse(" && ".join(["asInt(result) == 17"] * 178)), "4 KiB of what manifests of today hold"
