"""Reading the project's documents: links, headings, and the anchors that headings have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(
    r"(?:^(?P<m_indent> *)<!-- (?P<marker>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_CODE = re.compile(r"`[^`\n]*`")


def prose(path: Path) -> str:
    """The text without blocks of code."""
    return _FENCE.sub("", path.read_text())


def links(path: Path) -> Iterator[str]:
    """Targets of links that lead to a place in the repository."""
    for target in _LINK.findall(_CODE.sub("``", prose(path))):
        if not re.match(r"[a-z]+:", target):
            yield target


def headings(path: Path) -> list[str]:
    """All headings, without their marks."""
    return re.findall(r"^#+ (.*\S)\s*$", prose(path), re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Names of the places that a link may lead to."""
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', prose(path)))
    for heading in headings(path):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.replace(" ", "-"))
    return found


def documents() -> list[Path]:
    """All documents for people, wherever they lie."""
    folders = ("docs", "examples", "helm", ".")
    found = {p for folder in folders[:-1] for p in (ROOT / folder).rglob("*.md")} | set(ROOT.glob("*.md"))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: where it stands, what it is, and the comment right above it, or ""."""

    path: Path
    line: int
    language: str
    marker: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path) -> list[Block]:
    """All blocks of code of a document, without the indent they have in a list."""
    whole = path.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(whole):
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        line = whole.count("\n", 0, match.start("language")) + 1
        found.append(Block(path, line, match["language"].strip(), match["marker"] or "", text))
    return found
