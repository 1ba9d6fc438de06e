"""Links of documents, as the site must have them."""

import pytest

from tests.unit.docs.markdown import ROOT, anchors
from website import places
from website.places import Lost, anchor, generated, page_of, rewritten


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("README.md", "index.md"),
        ("CONTRIBUTING.md", "contributing.md"),
        ("docs/hooks.md", "hooks.md"),
        ("docs/zh/README.md", "zh/README.md"),
        ("docs/spec/", "spec/README.md"),
        ("docs/schemas/all.json", "schemas/all.json"),
        ("examples/", "examples/index.md"),
        ("examples/canary/", "examples/canary.md"),
        ("examples/canary/README.md", "examples/canary.md"),
        ("examples/hooks/traffic.yaml", "examples/hooks.md"),
        ("tests/attack/cases.py", "files/tests/attack/cases.py.md"),
        ("tests/upstream/README.md", "files/tests/upstream/README.md"),
    ],
)
def test_every_file_has_its_page(path, page):
    assert page_of(path) == page


@pytest.mark.parametrize(
    ("at", "link", "wanted"),
    [
        ("README.md", "docs/hooks.md", "hooks.md"),
        ("README.md", "docs/hooks.md#conditions", "hooks.md#conditions"),
        ("docs/quickstart.md", "../README.md#what-it-looks-like", "index.md#what-it-looks-like"),
        ("docs/hooks.md", "../examples/hooks/traffic.yaml", "examples/hooks.md#trafficyaml"),
        ("docs/hooks.md", "../examples/hooks", "examples/hooks.md"),
        ("docs/acceptance.md", "spec/", "spec/README.md"),
        ("docs/zh/hooks.md", "../api.md", "../api.md"),
        ("docs/zh/hooks.md", "../../examples/hooks", "../examples/hooks.md"),
        ("docs/decisions/README.md", "../spec/hooks.md", "../spec/hooks.md"),
        ("examples/canary/README.md", "../../docs/canary.md", "../canary.md"),
        ("docs/attack.md", "../tests/attack/cases.py", "files/tests/attack/cases.py.md"),
        ("docs/hooks.md", "#conditions", "#conditions"),
        ("docs/hooks.md", "https://example.org/x", "https://example.org/x"),
    ],
)
def test_links_lead_from_page_to_page(at, link, wanted):
    assert rewritten(f"see [this]({link}).", at, ROOT) == f"see [this]({wanted})."


def test_what_stands_in_code_is_no_link():
    text = "`[a](nowhere.md)`\n\n```\n[b](nowhere.md)\n```\n"
    assert rewritten(text, "docs/hooks.md", ROOT) == text


def test_a_lost_link_is_told():
    with pytest.raises(Lost, match=r"docs/hooks\.md links to nowhere\.md"):
        rewritten("[x](nowhere.md)", "docs/hooks.md", ROOT)


def test_every_manifest_of_the_examples_is_on_a_page():
    pages = generated(ROOT)
    for path in (ROOT / "examples").rglob("*.yaml"):
        page = pages[page_of(str(path.relative_to(ROOT)))]
        assert f"## {path.name}\n" in page
        assert path.read_text().rstrip() in page


def test_files_that_documents_name_have_pages_and_others_have_none():
    made = set(generated(ROOT))
    assert {"index.md", "contributing.md", "changelog.md", "examples/index.md"} <= made
    assert "files/tests/attack/cases.py.md" in made
    assert not {page for page in made if page.startswith("files/docs/")}
    assert len(made) < 40


def test_places_of_headings_are_called_as_the_tests_of_links_call_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# `maxUnavailable` and more\n\n## 6. What's up?\n\n## 灰度 发布\n")
    made = {anchor(h) for h in ("`maxUnavailable` and more", "6. What's up?", "灰度 发布")}
    assert made == anchors(page)


def test_a_block_keeps_the_file(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("a: 1\n")
    assert places.block(file) == "```yaml\na: 1\n```\n"
