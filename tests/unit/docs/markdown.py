"""Reading the project's documents: links, headings, and the anchors that headings have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
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
