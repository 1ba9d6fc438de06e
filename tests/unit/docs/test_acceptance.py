"""The list of acceptance cases is true and complete."""

import pytest

from tests.unit.docs import acceptance, specifications


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("test_gd_57_partition", [("gd", 57)]),
        ("test_gd_35_to_37_named", [("gd", 35), ("gd", 36), ("gd", 37)]),
        ("test_gd_58_adm_58_no_budget", [("gd", 58), ("adm", 58)]),
        ("test_hook_15_16_initial_delay", [("hook", 15), ("hook", 16)]),
        ("test_ux_4_and_40_a_viewer", [("ux", 4), ("ux", 40)]),
        ("test_pods_of_5_replicas", []),
    ],
)
def test_names_tell_cases(name, cases):
    assert list(acceptance.cases_of(name)) == cases


def test_every_case_is_held_or_explained():
    known = acceptance.held().keys() | acceptance.reasons().keys()
    assert not sorted(acceptance.cases() - known)


def test_every_case_has_its_sentence_and_no_sentence_is_of_an_unknown_case():
    assert specifications.sentences().keys() == acceptance.cases()


def test_sentences_are_read(tmp_path):
    (tmp_path / "hooks.md").write_text("| case | it says |\n|---|---|\n| hook 7 | Given a `a|b`, then nothing. |\n")
    assert specifications.sentences(tmp_path) == {("hook", 7): "Given a `a|b`, then nothing."}


def test_no_reason_outlives_the_gap_it_explains():
    assert not sorted(acceptance.reasons().keys() & acceptance.held().keys())


def test_no_test_names_a_case_that_does_not_exist():
    assert not sorted(acceptance.held().keys() - acceptance.cases())


def test_the_document_is_current():
    assert acceptance.TARGET.read_text() == acceptance.text(), "run: python -m tests.unit.docs.acceptance"
