"""The digest of a template is found once for the same content, and never taken from another (decision 16)."""

import copy

import pytest

from operators.planning import templates
from operators.planning.templates import template_digest


def template(image="game:1", **container):
    return {"spec": {"containers": [{"name": "web", "image": image, **container}]}}


@pytest.fixture
def found(monkeypatch):
    """Digests that were worked out."""
    worked_out, real = [], templates._digest

    def count(template_):
        worked_out.append(template_)
        return real(template_)

    monkeypatch.setattr(templates, "_digest", count)
    monkeypatch.setattr(templates, "_DIGESTS", type(templates._DIGESTS)())
    return worked_out


def test_the_same_content_is_worked_out_once(found):
    first = template_digest(template())
    assert template_digest(copy.deepcopy(template())) == first
    assert len(found) == 1


def test_what_was_changed_in_place_is_worked_out_anew(found):
    held = template()
    first = template_digest(held)
    held["spec"]["containers"][0]["image"] = "game:2"
    assert template_digest(held) != first
    assert len(found) == 2


def test_another_spelling_gives_the_same_digest():
    assert template_digest(template(ports=[])) == template_digest(template())


def test_numbers_beyond_64_bits_are_no_hindrance():
    assert template_digest(template(odd=2**80)) != template_digest(template(odd=2**80 + 1))


def test_the_oldest_are_forgotten(found, monkeypatch):
    monkeypatch.setattr(templates, "_DIGESTS_KEPT", 2)
    for version in (1, 2, 1, 3):  # 2 was not asked for as lately as 1
        template_digest(template(f"game:{version}"))
    assert len(found) == 3
    template_digest(template("game:1"))
    assert len(found) == 3
    template_digest(template("game:2"))
    assert len(found) == 4
