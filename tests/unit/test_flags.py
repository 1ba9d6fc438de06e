"""Flags of both programs: what wins, what is refused, what the documentation shows."""

import argparse

import pytest

from operators.flags import (
    Flag,
    Flags,
    InvalidSettings,
    comma_separated,
    namespace_and_name,
    not_empty,
    one_of,
    seconds,
    seconds_or_none,
    truth,
    whole_number,
)

FLAGS = Flags(
    "TEST_",
    (
        Flag("metric-port metricPort", "80", whole_number(0, 100), "port of metrics", stored_as="port"),
        Flag("strict", "false", truth, "100 % strict", switch=True),
        Flag("name", None, not_empty, "a name"),
    ),
)


def read(*arguments, **environment):
    parser = argparse.ArgumentParser(exit_on_error=False)
    FLAGS.add_to(parser)
    return FLAGS.read(parser.parse_args(arguments), environment)


def test_a_flag_wins_over_the_environment_and_that_over_the_default():
    assert read() == {"port": 80, "strict": False, "name": None}
    assert read(TEST_METRIC_PORT="1", TEST_NAME=" x ") == {"port": 1, "strict": False, "name": "x"}
    assert read("--metric-port=2", TEST_METRIC_PORT="1")["port"] == 2
    assert read("--metricPort=3", TEST_METRIC_PORT="1")["port"] == 3


def test_a_switch_needs_no_value_but_takes_one():
    assert read("--strict")["strict"] is True
    assert read("--strict=false", TEST_STRICT="true")["strict"] is False
    with pytest.raises(argparse.ArgumentError, match="expected one argument"):
        read("--name")


def test_a_mistake_is_told_by_the_name_that_was_used():
    with pytest.raises(InvalidSettings, match="--metric-port: '101': must be from 0 to 100"):
        read("--metricPort=101")
    with pytest.raises(InvalidSettings, match="environment variable TEST_METRIC_PORT: 'x'"):
        read(TEST_METRIC_PORT="x")


def test_people_see_default_variable_and_meaning():
    parser = argparse.ArgumentParser(prog="test")
    FLAGS.add_to(parser)
    text = " ".join(parser.format_help().split())
    assert "port of metrics (default 80); env TEST_METRIC_PORT" in text
    assert "100 % strict (default false); env TEST_STRICT" in text
    assert "a name; env TEST_NAME" in text
    assert FLAGS.table().splitlines()[2:] == [
        "| `--metric-port`, `--metricPort` | `80` | `TEST_METRIC_PORT` | port of metrics |",
        "| `--strict` | `false` | `TEST_STRICT` | 100 % strict |",
        "| `--name` |  | `TEST_NAME` | a name |",
    ]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (seconds, "90", 90.0),
        (seconds, "1.5", 1.5),
        (seconds, "900s", 900.0),
        (seconds, "15m", 900.0),
        (seconds, "1h", 3600.0),
        (seconds, "1m30s", 90.0),
        (seconds, "400ms", 0.4),
        (seconds_or_none, "0s", 0.0),
        (seconds_or_none, "2", 2.0),
        (truth, "Yes", True),
        (truth, "0", False),
        (one_of(("A", "B"), str.upper), "a", "A"),
        (comma_separated, " a, ,b ", ("a", "b")),
        (comma_separated, "", ()),
        (namespace_and_name, "a/b", ("a", "b")),
    ],
)
def test_texts_become_values(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        *(
            (seconds, text, "positive number of seconds")
            for text in ("0", "-1", "soon", "nan", "inf", "1e300", "s", "")
        ),
        (seconds_or_none, "-1", "positive number of seconds"),
        (truth, "maybe", "true or false"),
        (one_of(("A",)), "a", "one of A"),
        (not_empty, "  ", "not be empty"),
        *((namespace_and_name, text, "namespace/name") for text in ("a", "/b", "a/", "a/b/c", "")),
    ],
)
def test_texts_that_cannot_be_are_refused(parse, text, said):
    with pytest.raises(ValueError, match=said):
        parse(text)
