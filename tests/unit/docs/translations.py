"""The Chinese pages beside the English ones: what both must have in common, and of which text they are a translation.

``python -m tests.unit.docs.translations`` says which pages do not agree, or do not follow. ``… translated PAGE`` notes
in a page that agrees which English text it follows, for whoever has just translated it: sentences cannot be compared.
``… behind PAGE`` says at the head of a page, for its readers, that it does not follow any more, and since when; it is
not compared until somebody translates the change, takes the line off and notes the text. A page is named by its English
path, like docs/canary.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import posixpath
import re
import sys
from dataclasses import dataclass

from tests.unit.docs.markdown import ROOT, blocks, prose

FOLDER = "docs/zh"
#: English page -> Chinese one.
PAGES = {
    "README.md": f"{FOLDER}/README.md",
    **{
        f"docs/{name}.md": f"{FOLDER}/{name}.md"
        for name in ("canary", "gamedeployment", "gamestatefulset", "hooks", "install", "quickstart")
    },
}
#: What readers of a page that is behind are told, after its title.
BEHIND = "> 本页自 {day} 起落后于英文版，以[英文版]({english})为准。"
_BEHIND = re.compile(r"^> 本页自 \d{4}-\d{2}-\d{2} 起落后于英文版，以\[英文版\]\([^)]+\)为准。\n\n?", re.MULTILINE)
_STAMP = re.compile(r"\n?<!-- follows \S+ [0-9a-f]{16} -->\n?\Z")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^(#+) ", re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """What a section has in every language: its level, words in code, places it links to, tables as columns by rows."""

    level: int
    code: frozenset[str]
    places: frozenset[str]
    tables: tuple[tuple[int, ...], ...]
    items: int


def sections(path: str) -> list[Section]:
    """The sections of a page, the part before its first heading among them."""
    text = prose(ROOT / path)
    ends = [*(m.start() for m in _HEADING.finditer(text)), len(text)]
    parts = [text[: ends[0]], *(text[a:b] for a, b in itertools.pairwise(ends))]
    return [_section(part, path) for part in parts]


def _section(part: str, path: str) -> Section:
    heading = _HEADING.match(part)
    tables = [tuple(len(re.split(r"(?<!\\)\|", row)) for row in t.splitlines()) for t in _TABLE.findall(part)]
    plain = part.replace("``", "")
    return Section(
        level=len(heading[1]) if heading else 0,
        code=frozenset(_CODE.findall(plain)),
        places=frozenset(_place(link, path) for link in links_of(plain)) - {""},
        tables=tuple(tables),
        items=len(re.findall(r"^ *(?:[*-]|\d+\.) ", part, re.MULTILINE)),
    )


def links_of(part: str) -> list[str]:
    """Targets of links in a part of a page."""
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", _CODE.sub("", part))


def _place(link: str, path: str) -> str:
    """Where a link leads in the repository; the English page for a translated one. Not which heading: those differ."""
    target = link.partition("#")[0]
    if not target or re.match(r"[a-z]+:", target):
        return target
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    found = next((english for english, chinese in PAGES.items() if chinese == whole), whole)
    return "" if found in {*PAGES} & {_english(path)} else found


def _english(path: str) -> str:
    return next((english for english, chinese in PAGES.items() if path in {english, chinese}), path)


def differences(english: str, chinese: str) -> list[str]:
    """What one page has and the other has not, by section."""
    here, there = sections(english), sections(chinese)
    found = []
    if [s.level for s in here] != [s.level for s in there]:
        found.append(f"headings: {[s.level for s in here]} and {[s.level for s in there]}")
        return found
    ours, theirs = ([(b.language, b.marker, b.text) for b in blocks(ROOT / p)] for p in (english, chinese))
    if ours != theirs:
        number = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), len(ours))
        found.append(f"block of code {number + 1} is another one")
    for number, (a, b) in enumerate(zip(here, there, strict=True)):
        for name in ("code", "places", "tables", "items"):
            one, other = getattr(a, name), getattr(b, name)
            if one != other:
                shown = sorted(one ^ other) if isinstance(one, frozenset) else (one, other)
                found.append(f"section {number}, {name}: {shown}")
    return found


def digest(english: str) -> str:
    """Which text it is."""
    return hashlib.sha256((ROOT / english).read_bytes()).hexdigest()[:16]


def stamp(english: str) -> str:
    """The last line of a page that follows this text."""
    return f"\n<!-- follows {english} {digest(english)} -->\n"


def is_behind(chinese: str) -> bool:
    """Whether the page says of itself that it does not follow."""
    return _BEHIND.search((ROOT / chinese).read_text(encoding="utf-8")) is not None


def follows(english: str, chinese: str) -> bool:
    """Whether the page was compared with this text."""
    return (ROOT / chinese).read_text(encoding="utf-8").endswith(stamp(english))


def note(english: str, chinese: str) -> None:
    """Write into the page that it follows the English text as it is now."""
    path = ROOT / chinese
    path.write_text(_STAMP.sub("\n", path.read_text(encoding="utf-8")).rstrip() + "\n" + stamp(english), "utf-8")


def fall_behind(english: str, chinese: str, day: dt.date) -> None:
    """Write into the page, for its readers, that it does not follow since that day. An older such line stays."""
    path = ROOT / chinese
    if is_behind(chinese):
        return
    line = BEHIND.format(day=day, english=posixpath.relpath(english, FOLDER))
    path.write_text(re.sub(r"\A(# .*\n)", rf"\1\n{line}\n", path.read_text(encoding="utf-8"), count=1), "utf-8")


def main(arguments: list[str]) -> int:
    """Say what is wrong, note that pages are translated, or that they are behind."""
    command, pages = arguments[0] if arguments else "", arguments[1:]
    if command == "behind":
        for english in pages:
            fall_behind(english, PAGES[english], dt.datetime.now(dt.UTC).date())
        return 0
    wrong = [trouble for english in pages or PAGES if (trouble := _trouble(english, noting=command == "translated"))]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return int(bool(wrong))


def _trouble(english: str, *, noting: bool) -> str:
    """What is wrong with a translation, or ""; with ``noting`` it follows from now on, if it can."""
    chinese = PAGES[english]
    if is_behind(chinese):
        return f"{chinese}: behind" if noting else ""
    if found := differences(english, chinese):
        return "\n  ".join([f"{chinese}:", *found])
    if noting:
        note(english, chinese)
    return "" if follows(english, chinese) else f"{chinese}: {english} has changed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
