"""Whatever code, tests and documents cite is there: sections and cases, decisions, records, files, links."""

import re

import pytest

from tests.unit.docs import specifications
from tests.unit.docs.markdown import ROOT, anchors, documents, links
from tests.unit.docs.specifications import Citation, cited_in, places

DECISIONS = ROOT / "docs" / "decisions" / "README.md"
_DECISION = re.compile(r"\bdecisions? (\d+(?:(?:, | and |, and | to )\d+)*)")
_FILE = re.compile(r"\bdocs/(?!spec/|decisions/)[\w./-]*\w\.md\b")
_RECORD = re.compile(r"\b\d{4}-[a-z0-9-]+\.md\b")


def texts():
    return [(str(path.relative_to(ROOT)), path.read_text()) for path in specifications.sources()]


@pytest.mark.parametrize(
    ("name", "text", "cited"),
    [
        ("operators/api/x.py", "(docs/spec/hooks.md 2)", {("hooks.md", "2")}),
        ("operators/api/x.py", "(docs/spec/hooks.md)", {("hooks.md", "")}),
        ("operators/api/x.py", "docs/spec/hooks.md 1.5, 1.6).", {("hooks.md", "1.5"), ("hooks.md", "1.6")}),
        ("a.py", "docs/spec/gamedeployment.md 4 and 10)", {("gamedeployment.md", "4"), ("gamedeployment.md", "10")}),
        ("a.py", "docs/spec/admission.md 6 V10, V14", {("admission.md", p) for p in ("6", "V10", "V14")}),
        ("a.py", "docs/spec/admission.md 6, H1 to H12)", {("admission.md", p) for p in ("6", "H1", "H12")}),
        ("a.py", "docs/spec/hooks.md 5, and 8, cases 3 to 5, 9)", {("hooks.md", p) for p in ("5", "8")}
         | {("hooks.md", f"case {n}") for n in (3, 4, 5, 9)}),
        ("a.py", "docs/spec/hooks.md 1.4,\n# docs/spec/admission.md 3", {("hooks.md", "1.4"), ("admission.md", "3")}),
        ("operators/planning/a.py", "(spec 2.7,\n    decision 9)", {("gamedeployment.md", "2.7")}),
        ("operators/planning/a.py", "Spec 7.4 is", {("gamedeployment.md", "7.4")}),
        ("operators/gamestatefulset/a.py", "(spec 2.5 #143)", {("gamestatefulset.md", p) for p in ("2.5", "#143")}),
        ("tests/unit/hookrun/a.py", "(spec 2.3)", {("hooks.md", "2.3")}),
        ("webhooks/a.py", "(spec 2.3)", {("admission.md", "2.3")}),
        ("helm/a.py", "(spec 2.3)", {("packaging.md", "2.3")}),
        ("a.py", "in spec: 3 pods, the spec of 2", set()),
    ],
)  # fmt: skip
def test_citations_are_read(name, text, cited):
    assert set(cited_in(name, text)) == {Citation(name, file, place) for file, place in cited}


def test_places_are_read():
    text = "# T\n## 2. A\n### 2.7 B\n| V3 | rule |\n| hook 12 | Given a pod, nothing. |\n| 27 | x |\n## Other\n"
    assert places(text) == {"2", "2.7", "V3", "case 12", "#27", ""}


def test_sections_rules_and_cases_of_the_specifications_are_there():
    assert len(specifications.citations()) > 300
    assert not specifications.unresolved()


def test_numbered_decisions_are_there():
    known = set(re.findall(r"^\| (\d+) \|", DECISIONS.read_text(), re.MULTILINE))
    cited = {
        (name, number)
        for name, text in texts()
        for found in _DECISION.findall(text)
        for number in re.findall(r"\d+", found)
    }
    assert len(cited) > 10
    assert not {(name, number) for name, number in cited if number not in known}


def test_records_are_there():
    cited = {(name, record) for name, text in texts() for record in _RECORD.findall(text)}
    there = {path.name for path in DECISIONS.parent.glob("*.md")}
    reserved = set(re.findall(r"`(\d{4}-[a-z0-9-]+\.md)`", DECISIONS.read_text()))
    assert len(cited) > 5
    assert not {(name, record) for name, record in cited if record not in there | reserved}


def test_documents_that_texts_name_are_there():
    cited = {(name, found) for name, text in texts() for found in _FILE.findall(text)}
    assert len(cited) > 20
    assert not {(name, found) for name, found in cited if not (ROOT / found).exists()}


@pytest.mark.parametrize("document", documents(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    lost = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


def test_specifications_are_cited_in_one_form():
    code = [(name, text) for name, text in texts() if not name.endswith(".md")]
    loose = {name for name, text in code if re.search(r"(?<![/\w])spec/[a-z]+\.md", text)}
    assert not loose, "docs/spec/NAME.md"
