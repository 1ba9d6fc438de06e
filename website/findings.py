"""What must not be on a page of the site. Pure, and without mkdocs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

#: Parts that a page loads by itself. What a reader may click at is not among them.
_LOADED: Final = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=[\"']?(?P<src>[^\"'\s>]+)"
    r"|<link\b(?P<link>[^>]*)>"
    r"|url\(\s*[\"']?(?P<url>[^\"')]+)|@import\s+[\"'](?P<import>[^\"']+)"
)
_HREF: Final = re.compile(r"\bhref=[\"']?([^\"'\s>]+)")
_FOREIGN: Final = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
#: What a reader sees of a page's structure.
PARTS: Final = ("heading", "table", "row", "list item", "block of code")


def foreign(html: str) -> Iterator[str]:
    """Addresses on other hosts that a browser asks for by itself: scripts, styles, fonts, images."""
    for found in _LOADED.finditer(html):
        address = found["src"] or found["url"] or found["import"]
        if found["link"] is not None:
            target = _HREF.search(found["link"])
            address = target[1] if target else None
        if address and _FOREIGN.match(address):
            yield address


def seen(html: str) -> Counter[str]:
    """How many parts of each sort a page has."""
    tags = {"heading": r"h[1-6]", "table": "table", "row": "tr", "list item": "li", "block of code": "pre"}
    return Counter({part: len(re.findall(rf"<{tag}[ >]", html)) for part, tag in tags.items()})


def differences(markdown: str, html: str) -> list[str]:
    """Where the site shows another structure than the forge does, which reads Markdown as CommonMark says."""
    from markdown_it import MarkdownIt

    wanted = seen(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))
    got = seen(html)
    return [f"{got[part]} × {part}, should be {wanted[part]}" for part in PARTS if got[part] != wanted[part]]
