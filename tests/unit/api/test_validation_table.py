"""docs/validation.md says what is so, and the controllers say what they should."""

import pytest

from tests.integration.api.broken import refused, shown
from tests.unit.api.shown_by_controllers import said
from tests.unit.api.validation_table import FILE, table


def test_the_page_is_what_the_cases_say():
    assert FILE.read_text(encoding="utf-8") == table(), "run `python -m tests.unit.api.validation_table`"


@pytest.mark.parametrize("case", shown(), ids=str)
def test_the_controllers_show(case):
    reason, message = said(case)
    assert reason == case.reason
    assert [name for name in case.names if name not in message] == [], message


def test_no_case_stands_twice():
    names = [str(case) for case in (*refused(), *shown())]
    assert len(names) == len(set(names))


SHOWN = {case.wrong: case for case in shown()}


def test_gd_9_index_injection_without_a_range():
    assert said(SHOWN["index injection without a range"])[1].endswith("inject index on, get index-range failed")


def test_adm_74_a_condition_that_never_parses_ends_the_run_however_often_it_may_measure():
    """Left to its measurements, all errors, the count would run out, and a run whose count runs out succeeds."""
    reason, message = said(SHOWN["a condition that does not parse"])
    assert reason == "Error"
    assert "successCondition 'asInt(result) ==' does not parse" in message


def test_gd_146_the_controller_acts_on_no_empty_selector():
    assert said(SHOWN["an empty selector, in an object older than the rule"])[0] == "InvalidSpec"
