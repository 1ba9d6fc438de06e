"""The Chinese pages say what the English ones say, as far as a machine can tell, or say that they do not."""

import datetime as dt
import re
import shutil

import pytest

from tests.unit.docs import translations
from tests.unit.docs.markdown import ROOT
from tests.unit.docs.translations import PAGES, differences, fall_behind, follows, is_behind, note

PAIRS = sorted(PAGES.items())
HOW = "translate what has changed, then: python -m tests.unit.docs.translations translated PAGE (or: … behind PAGE)"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The pages in a folder of the test's own."""
    for path in (path for pair in PAIRS for path in pair):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_ux_103_headings_code_tables_lists_and_links_are_the_same(english, chinese):
    assert is_behind(chinese) or differences(english, chinese) == [], HOW


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_ux_103_a_page_follows_the_english_text_or_says_since_when_it_does_not(english, chinese):
    assert is_behind(chinese) or follows(english, chinese), HOW


@pytest.mark.parametrize(("_", "chinese"), PAIRS)
def test_a_page_is_chinese(_, chinese):
    words = re.sub(r"```.*?```|`[^`]*`|\([^)]*\)", "", (ROOT / chinese).read_text(), flags=re.DOTALL)
    assert len(re.findall(r"[\u4e00-\u9fff]", words)) > len(re.findall(r"\b[a-z]+\b", words))


def test_ux_103_pages_in_english_alone_are_marked_in_the_chinese_list():
    rows = [r for r in (ROOT / "docs/zh/README.md").read_text().splitlines() if r.startswith("| [")]
    for path in (ROOT / "docs").glob("*.md"):
        shown = [row for row in rows if f"(../{path.name})" in row]
        translated = f"docs/{path.name}" in PAGES
        assert not (translated and shown), f"{path.name} has a Chinese page"
        assert all("英文" in row for row in shown), path.name


CHANGES = {
    "a heading": ("## Steering\n", "### Steering\n"),
    "a block of code": ("      - partition: 2\n", "      - partition: 1\n"),
    "a word in code": ("`PausedByStepBasedHook`", "`PausedByHook`"),
    "a row of a table": ("| `hook` | its HookRun", "its HookRun"),
    "an entry of a list": ("* Budgets, hooks of pods", "Budgets, hooks of pods"),
    "a link": ("([hooks.md](hooks.md))", "([api.md](api.md))"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_one_side_is_found(copy, what):
    page = copy / "docs/canary.md"
    text = page.read_text()
    assert CHANGES[what][0] in text
    page.write_text(text.replace(*CHANGES[what], 1))
    assert differences("docs/canary.md", PAGES["docs/canary.md"])
    assert not follows("docs/canary.md", PAGES["docs/canary.md"])


def test_a_change_of_the_other_side_is_found(copy):
    page = copy / "docs/zh/canary.md"
    page.write_text(page.read_text().replace("`CanaryAborted`", "`Aborted`").replace("\n## 操作", "\n### 操作"))
    assert differences("docs/canary.md", "docs/zh/canary.md")


def test_a_change_of_a_word_is_found_and_noted_when_it_was_translated(copy):
    page, chinese = copy / "docs/canary.md", PAGES["docs/canary.md"]
    page.write_text(page.read_text().replace("must be over before", "has to be over before"))
    assert differences("docs/canary.md", chinese) == []
    assert not follows("docs/canary.md", chinese)
    note("docs/canary.md", chinese)
    assert follows("docs/canary.md", chinese)
    text = (copy / chinese).read_text()
    note("docs/canary.md", chinese)
    assert (copy / chinese).read_text() == text
    assert text.count("<!-- follows") == 1


def test_a_page_that_falls_behind_tells_its_readers_since_when(copy):
    chinese = PAGES["docs/canary.md"]
    fall_behind("docs/canary.md", chinese, dt.date(2026, 1, 2))
    fall_behind("docs/canary.md", chinese, dt.date(2026, 3, 4))
    head = (copy / chinese).read_text().split("\n", 3)
    assert head[2] == "> 本页自 2026-01-02 起落后于英文版，以[英文版](../canary.md)为准。"
    assert is_behind(chinese)


def test_what_does_not_agree_is_not_noted(copy, capsys):
    page, chinese = copy / "docs/canary.md", PAGES["docs/canary.md"]
    page.write_text(page.read_text().replace("## Steering\n", "### Steering\n"))
    assert translations.main(["translated", "docs/canary.md"]) == 1
    assert chinese in capsys.readouterr().out
    assert not follows("docs/canary.md", chinese)


def test_nothing_is_noted_that_nobody_has_named(copy, capsys):
    """A command that looks must not say for somebody that he has translated."""
    for name in ("canary", "hooks"):
        page = copy / f"docs/{name}.md"
        page.write_text(page.read_text().replace("is", "was", 1))
    assert translations.main([]) == 1
    assert capsys.readouterr().out.count("has changed") == 2
    assert translations.main(["translated", "docs/canary.md"]) == 0
    assert follows("docs/canary.md", PAGES["docs/canary.md"])
    assert not follows("docs/hooks.md", PAGES["docs/hooks.md"])
