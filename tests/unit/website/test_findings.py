"""What must not be on a page is found."""

import pytest

from tests.unit.docs.markdown import ROOT
from website.findings import differences, foreign


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
        ("text:\n* b\n* c\n", "<p>text: * b * c</p>", ["0 × list item, should be 2"]),
        ("1. a\n\n   ```\n   x\n   ```\n", "<ol><li>a</li></ol><p>x</p>", ["0 × block of code, should be 1"]),
        ("| a |\n|---|\n| b |\n", "<p>| a |</p>", ["0 × table, should be 1", "0 × row, should be 2"]),
    ],
)
def test_a_page_that_is_read_in_another_way_than_in_the_repository(markdown, html, found):
    assert differences(markdown, html) == found


def test_the_site_is_strict_and_asks_nobody_for_fonts():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "\nstrict: true\n" in text
    assert "\n  font: false" in text
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "mkdocs build --strict" in makefile
    assert "\ntest: lint docs " in makefile, "CI builds the site"
