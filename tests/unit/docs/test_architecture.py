"""Documents for those who carry on name files and rooms that are there."""

import re

import pytest

from tests.unit.docs.markdown import ROOT, prose

ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = [
    ARCHITECTURE,
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "releasing.md",
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
#: A path inside of backticks: one of our folders, or a file at the root. Placeholders are no paths.
_PATH = re.compile(
    r"`((?:operators|webhooks|devcluster|tests|bench|examples|helm|crds|docs|requirements|release|website|\.ci|\.github)(?:/[\w.-]+)+/?"
    r"|(?:operators|webhooks|devcluster|tests|bench|examples|helm|crds|docs|requirements|release|website)/"
    r"|[\w.-]+\.(?:toml|md|yaml)|Makefile|Dockerfile)`"
)


def named(document):
    """Paths that a document names. A bare file name may lie beside the document, too."""
    return set(_PATH.findall(prose(document)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_files_that_are_named_are_there(document):
    lost = {path for path in named(document) if not (ROOT / path).exists() and not (document.parent / path).exists()}
    reserved = set(re.findall(r"`(00\d\d-[a-z0-9-]+\.md)`", prose(document)))
    assert not lost - reserved


def test_the_glossary_names_a_file_for_every_word():
    _, _, glossary = prose(ARCHITECTURE).partition("## Glossary")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([^`]+)` \|$", glossary.partition("\n## ")[0], re.MULTILINE)
    words = [word for word, _, _ in rows]
    assert len(words) >= 30
    assert words == sorted(words, key=str.lower)
    assert len(set(words)) == len(words)
    assert all((ROOT / file).is_file() for _, _, file in rows)


def test_the_table_of_rooms_is_complete():
    _, _, table = prose(ARCHITECTURE).partition("## Rooms")
    told = set(re.findall(r"`((?:operators/)?\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))))
    rooms = {f"operators/{p.parent.name}" for p in (ROOT / "operators").glob("*/__init__.py")}
    assert rooms | {"webhooks", "devcluster"} <= told


def test_commands_for_contributors_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text() + (ROOT / "docs" / "releasing.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert len(asked) > 5
    assert asked <= targets
    modules = set(re.findall(r"python -m ((?:operators|tests|helm|bench|devcluster)[\w.]+)", text))
    assert len(modules) > 3
    assert not {m for m in modules if not (ROOT / f"{m.replace('.', '/')}.py").exists()}
