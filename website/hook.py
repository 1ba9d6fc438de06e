"""mkdocs' hook: pages that are not in docs/, links as the site has them, and what a page must not have.

Whatever is found is a warning, and ``mkdocs build --strict`` fails.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website import findings, places

ROOT: Final = Path(__file__).parent.parent
_LOG: Final = logging.getLogger("mkdocs.hooks.website")
_CHINESE: Final = "zh/"


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made."""
    for source, text in places.generated(ROOT).items():
        files.append(File.generated(config, source, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Links of a document in docs/, as the site has them."""
    if page.file.generated_by:
        return markdown
    return places.rewritten(markdown, f"docs/{page.file.src_uri}", ROOT)


def on_page_content(html: str, *, page: Page, **_: Any) -> str:
    """Compare what is shown with what the forge shows."""
    shown = findings.bars(html)
    for found in findings.differences(page.markdown or "", shown):
        _LOG.warning("%s: %s", page.file.src_uri, found)
    return shown


def on_post_page(output: str, *, page: Page, **_: Any) -> str:
    """Nothing is loaded from elsewhere; a page says its language."""
    for address in findings.foreign(output):
        _LOG.warning("%s loads %s", page.file.src_uri, address)
    if page.file.src_uri.startswith(_CHINESE):
        return re.sub(r'<html lang="[^"]*"', '<html lang="zh-Hans"', output, count=1)
    return output


def on_post_build(*, config: Any) -> None:
    """Nor is it by a style."""
    for path in Path(config["site_dir"]).rglob("*.css"):
        for address in findings.foreign(path.read_text(encoding="utf-8")):
            _LOG.warning("%s loads %s", path.name, address)
