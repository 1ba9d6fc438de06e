"""The specifications in ``docs/spec``: their sections, their acceptance cases, and who cites them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.unit.docs.markdown import ROOT, prose

FOLDER = ROOT / "docs" / "spec"
#: Prefix of an acceptance case -> files of the specifications that say it.
FILES = {
    "gd": ("gamedeployment.md",),
    "gss": ("gamestatefulset.md",),
    "hook": ("hooks.md",),
    "adm": ("admission.md",),
    "pkg": ("packaging.md",),
    "ux": ("commandline.md", "delivery.md"),
}
#: Which specification "spec 2.7" means, by the room that says it; the first that fits counts.
ROOMS = (
    (r"gamestatefulset|setworld|statefulset", "gamestatefulset.md"),
    (r"hookrun", "hooks.md"),
    (r"webhooks|admission", "admission.md"),
    (r"helm|devcluster", "packaging.md"),
    (r"", "gamedeployment.md"),
)
_SECTION = re.compile(r"^#{2,6} (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
_CASE = re.compile(r"^\| (gd|gss|hook|adm|pkg|ux) (\d+) \| (.*\S) \|$", re.MULTILINE)
_RULE = re.compile(r"^\|? ?([VH]\d+)\b", re.MULTILINE)
#: A row of a numbered table, cited as "9.1 #27".
_ROW = re.compile(r"^\| (\d+) \|", re.MULTILINE)
_ITEM = r"(?:\d+(?:\.\d+)*|[VH]\d+|#\d+)"
_LIST = rf"{_ITEM}(?:(?:,? and |, | to | ){_ITEM})*(?:,? (?:and )?cases? \d+(?:(?:,? and |, | to )\d+)*)?"
_NAMED = re.compile(rf"\bspec/(?P<file>[a-z]+\.md)(?: (?:sections? )?(?P<list>{_LIST}))?")
_BARE = re.compile(rf"\b[Ss]pec (?P<list>(?=\d){_LIST})")


@dataclass(frozen=True, slots=True, order=True)
class Citation:
    """Who cites which place: a section ("2.7"), a rule ("V15"), an item ("#27"), a case ("case 12"), "" the whole."""

    where: str
    file: str
    place: str


def places(text: str) -> set[str]:
    """What of a specification can be cited."""
    numbered = set(_SECTION.findall(text)) | set(_RULE.findall(text)) | {f"#{row}" for row in _ROW.findall(text)}
    return numbered | {f"case {number}" for _, number, _ in _CASE.findall(text)} | {""}


def sentences(folder: Path = FOLDER) -> dict[tuple[str, int], str]:
    """What each acceptance case says, as ``| gd 12 | sentence |`` has it."""
    return {
        (kind, int(number)): sentence
        for files in FILES.values()
        for file in files
        if (folder / file).exists()
        for kind, number, sentence in _CASE.findall((folder / file).read_text())
    }


def cited_in(name: str, text: str) -> Iterator[Citation]:
    """All citations of a file; ``name`` is its path in the repository."""
    joined = re.sub(r"\n[ \t]*(?:#:? |\* )?", " ", text)
    for found in _NAMED.finditer(joined):
        for place in _expanded(found["list"] or "") or [""]:
            yield Citation(name, found["file"], place)
    room = next(file for pattern, file in ROOMS if re.search(pattern, name))
    for found in _BARE.finditer(joined):
        for place in _expanded(found["list"]):
            yield Citation(name, room, place)


def _expanded(text: str) -> list[str]:
    """Every single place of ``2.7, 2.8 and 10, cases 4 to 6``; of a range of sections its two ends."""
    sections, _, cases = re.sub(r",? and ", ", ", text).partition("case")
    found = [place for part in sections.strip(", ").split(", ") for place in part.replace(" to ", " ").split()]
    for part in re.sub(r"^s? ", "", cases).split(", ") if cases else ():
        first, _, last = part.partition(" to ")
        found += [f"case {number}" for number in range(int(first), int(last or first) + 1)]
    return found


def sources() -> list[Path]:
    """Files that may cite: code, tests, charts and documents, but for what is made from them."""
    folders = ("operators", "webhooks", "tests", "devcluster", "bench", "examples", "helm", "docs")
    endings = {".py", ".md", ".yaml", ".tpl", ".txt"}
    found = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in endings and p.is_file()]
    return [p for p in sorted(found) if "__pycache__" not in p.parts and "tests/unit/docs" not in str(p)]


def citations() -> list[Citation]:
    """All citations of all sources, each once."""
    return sorted({c for path in sources() for c in cited_in(str(path.relative_to(ROOT)), path.read_text())})


def unresolved(folder: Path = FOLDER) -> list[Citation]:
    """Citations of places that the specifications in a folder do not have."""
    known = {path.name: places(prose(path)) for path in folder.glob("*.md")}
    return [c for c in citations() if c.place not in known.get(c.file, ())]
