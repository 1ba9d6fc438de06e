"""What must not be on a page is found."""

import re

import pytest

from tests.unit.docs.markdown import ROOT
from website.findings import bars, differences, foreign


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ("<script defer src=//cdn.example/x.js></script>", ["//cdn.example/x.js"]),
        ('<link rel="stylesheet" href="https://fonts.example/css">', ["https://fonts.example/css"]),
        ('<link rel="preconnect" href="//fonts.example" crossorigin>', ["//fonts.example"]),
        ('<img alt="" src="http://img.example/a.png">', ["http://img.example/a.png"]),
        ("@font-face{src:url(https://fonts.example/a.woff2)}", ["https://fonts.example/a.woff2"]),
        ('@import "//fonts.example/a.css";', ["//fonts.example/a.css"]),
        ('<script src="assets/x.js"></script><link href="../a.css"><img src="a.png">', []),
        ('<a href="https://example.org">a link is not loaded</a>', []),
        ("body{background:url(data:image/svg+xml;base64,AA)}", []),
    ],
)
def test_what_is_loaded_from_other_hosts(html, found):
    assert list(foreign(html)) == found


@pytest.mark.parametrize(
    ("markdown", "html", "found"),
    [
        ("# A\n\n* b\n* c\n", '<h1 id="a">A</h1><ul><li>b</li><li>c</li></ul>', []),
        ("`a  b`", "<p><code>a</code></p>", ["no `a b` in code"]),
        ("text:\n* b\n* c\n", "<p>text: * b * c</p>", ["0 × list item, should be 2"]),
        (
            "1. a\n\n   ```\n   x\n   ```\n",
            "<ol><li>a</li></ol><p>x</p>",
            ["0 × block of code, should be 1", "0 × code, should be 1"],
        ),
        (
            "| a |\n|---|\n| b |\n",
            "<p>| a |</p>",
            ["0 × table, should be 1", "0 × row, should be 2", "0 × cell, should be 2"],
        ),
    ],
)
def test_a_page_that_is_read_in_another_way_than_in_the_repository(markdown, html, found):
    assert differences(markdown, html) == found


def test_code_in_a_cell_shows_a_bar_without_its_escape():
    assert bars(r"<td><code>a \| b</code></td><p>\|</p>") == r"<td><code>a | b</code></td><p>\|</p>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("灰度步骤", ["灰", "度", "步", "骤"]),
        ("Pod 的灰度", ["Pod", "的", "灰", "度"]),
        ("灰* 度*", ["灰*", "度*"]),
        ("pre-delete hook", ["pre", "delete", "hook"]),
        ("spec.updateStrategy", ["spec", "updateStrategy"]),
        ("暂停、继续。", ["暂", "停", "继", "续"]),
    ],
)
def test_the_search_takes_each_chinese_character_for_a_word(text, words):
    """A word with nothing but the * that the search adds would find every page."""
    (separator,) = re.findall(r"^ +separator: '(.*)'$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert [word for word in re.split(separator, text) if word] == words


def test_the_site_is_strict_and_asks_nobody_for_fonts():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "\nstrict: true\n" in text
    assert "\n  font: false" in text
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "mkdocs build --strict" in makefile
    assert "\ntest: lint docs " in makefile, "CI builds the site"
