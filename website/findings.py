"""What must not be on a page of the site. Pure, and without mkdocs."""

from __future__ import annotations

import html as entities
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
PARTS: Final = {
    "heading": "h[1-6]",
    "table": "table",
    "row": "tr",
    "cell": "t[dh]",
    "list item": "li",
    "block of code": "pre",
    "code": "code",
    "link": "a href",
    "strong": "strong",
}


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
    return Counter({part: len(re.findall(rf"<{tag}[ >=]", html)) for part, tag in PARTS.items()})


def words(html: str) -> Counter[str]:
    """What stands in code within a line."""
    lines = re.sub(r"<pre.*?</pre>", "", html, flags=re.DOTALL)
    found = re.findall(r"<code[^>]*>(.*?)</code>", lines, re.DOTALL)
    return Counter(" ".join(entities.unescape(re.sub(r"<[^>]+>", "", text)).split()) for text in found)


def bars(html: str) -> str:
    r"""A page whose tables show ``|`` where code in a cell has ``\|``, as the forge does."""
    return re.sub(r"<t[dh].*?</t[dh]>", lambda cell: cell[0].replace("\\|", "|"), html, flags=re.DOTALL)


def differences(markdown: str, html: str) -> list[str]:
    """Where the site shows something else than the forge does, which reads Markdown as CommonMark says."""
    from markdown_it import MarkdownIt

    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    wanted, got = seen(rendered), seen(html)
    found = [f"{got[part]} × {part}, should be {wanted[part]}" for part in PARTS if got[part] != wanted[part]]
    return found + [f"no `{text}` in code" for text in words(rendered) - words(html)]
