"""Numbers that may be percentages, and durations."""

import re

import pytest

from operators.api.durations import PATTERN, parse_duration
from operators.api.quantities import parse_int_or_percent
from operators.api.rules import PERCENT


@pytest.mark.parametrize("value", [0, 1, 5000, "0%", "1%", "25%", "99%", "100%"])
def test_a_number_or_a_percentage(value):
    assert parse_int_or_percent(value) == value
    assert isinstance(value, int) or re.match(PERCENT, value)


@pytest.mark.parametrize("value", ["150%", "101%", "-1%", "2.5%", "5", "abc", "%", "", "25 %", "25%\n", "٣%"])
def test_adm_59_no_percentage(value):
    with pytest.raises(ValueError, match="must be a percentage between 0% and 100%") as error:
        parse_int_or_percent(value)
    assert repr(value) in str(error.value)
    assert not re.fullmatch(PERCENT.strip("^$"), value)


def test_a_negative_number():
    with pytest.raises(ValueError, match="must not be negative: -1"):
        parse_int_or_percent(-1)


@pytest.mark.parametrize("value", [True, False, 1.5, [1], {}])
def test_neither_number_nor_text(value):
    with pytest.raises(ValueError, match="must be an integer or a percentage like 25%"):
        parse_int_or_percent(value)


DURATIONS = {
    "0": 0.0,
    "5s": 5.0,
    "+5s": 5.0,
    "1h30m": 5400.0,
    "1.5h": 5400.0,
    ".5m": 30.0,
    "5.s": 5.0,
    "500ms": 0.5,
    "2us": 2e-6,
    "2µs": 2e-6,
    "3ns": 3e-9,
    "1m1m": 120.0,
    "05s": 5.0,
}


@pytest.mark.parametrize("text", DURATIONS)
def test_hook_8_durations_as_go_reads_them(text):
    assert parse_duration(text) == pytest.approx(DURATIONS[text])
    assert re.match(PATTERN, text)


@pytest.mark.parametrize("text", ["", "30", "1", "1d", "5 s", "s", ".s", "5s ", "1h30", "00", "++5s", "five", "٥s"])
def test_hook_8_no_durations(text):
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)
    assert not re.fullmatch(PATTERN.strip("^$"), text)


def test_negative_durations_are_refused_here_and_there():
    with pytest.raises(ValueError, match="'-5s': must not be negative"):
        parse_duration("-5s")
    assert parse_duration("-0s") == 0.0
    assert not re.match(PATTERN, "-5s")


def test_a_text_longer_than_the_api_server_takes_is_no_duration():
    assert parse_duration("0" * 63 + "s") == 0.0
    with pytest.raises(ValueError, match="it has 8000 characters, at most 64 are allowed"):
        parse_duration("1" * 8000)
