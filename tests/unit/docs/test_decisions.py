"""Decision records have one numbering and one template, and the index tells all of them."""

import re

import pytest

from tests.unit.docs.markdown import ROOT, headings, links

FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
RECORDS = sorted(p for p in FOLDER.glob("*.md") if p != INDEX)
SECTIONS = ["Context", "Decision", "Figures", "Consequences"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda p: p.stem)
def test_a_record_follows_the_template(record):
    number = re.match(r"(\d{4})-[a-z0-9-]+$", record.stem)
    assert number, "NNNN-title.md"
    assert record.read_text().startswith(f"# {number[1]}: "), "the title begins with the number"
    assert [h for h in headings(record) if h in SECTIONS] == SECTIONS


def test_numbers_are_given_once():
    numbers = [p.name[:4] for p in RECORDS]
    assert len(numbers) == len(set(numbers))


def test_the_index_lists_every_record_and_no_other():
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+?)\) \|", INDEX.read_text(), re.MULTILINE)
    assert [name for _, name in listed] == [p.name for p in RECORDS]
    assert all(name.startswith(number) for number, name in listed)


def test_every_settled_point_has_one_address():
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| \[\d{4}\]\((\S+)\) \|$", INDEX.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len({address for _, address in rows}) == len(rows)
    assert {address for _, address in rows} <= set(links(INDEX))
