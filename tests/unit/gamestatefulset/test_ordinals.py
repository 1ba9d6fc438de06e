"""Which ordinals there are, and who is a member."""

import pytest

from operators.gamestatefulset.ordinals import members, ordinal_of


@pytest.mark.parametrize(
    ("name", "ordinal"),
    [("test-set-0", 0), ("test-set-17", 17), ("test-set-2147483647", 2**31 - 1)],
)
def test_members_of_a_set_are_named_after_it(name, ordinal):
    assert ordinal_of("test-set", name) == ordinal


@pytest.mark.parametrize("name", ["test-set-f", "test-set", "other-0", "test-set-1-0", "test-set-01", "test-set--1"])
def test_gss_4_other_names_are_no_members(name):
    assert ordinal_of("test-set", name) is None


def test_gss_4_a_number_beyond_32_bits_is_no_ordinal():
    assert ordinal_of("foo", "foo-99999999999") is None


def test_a_set_whose_own_name_ends_in_a_number():
    assert ordinal_of("web-1", "web-1-2") == 2
    assert ordinal_of("web", "web-1-2") is None


def test_gss_50_reserved_ordinals_do_not_exist():
    assert members(3, [1]) == ((0, 2, 3), ())
    assert members(2, [1]) == ((0, 2), ())
    assert members(2, []) == ((0, 1), ())


def test_surge_ordinals_come_after_the_members_and_skip_reserved_ones():
    assert members(3, [4], 2) == ((0, 1, 2), (3, 5))
