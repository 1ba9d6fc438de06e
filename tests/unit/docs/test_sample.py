"""The sample of the README: the file that the quick start applies, which everybody may delete again."""

import yaml

from tests.unit.docs.markdown import ROOT, blocks
from tests.unit.webhooks.builders import review
from webhooks.protection import Rules, check_object_deletion
from webhooks.verdicts import allow

SAMPLE = ROOT / "examples" / "gamedeployment" / "arena.yaml"


def test_the_readme_shows_the_file_that_the_quick_start_applies():
    (shown,) = [b.text for b in blocks(ROOT / "README.md") if b.language == "yaml"]
    assert shown == SAMPLE.read_text(encoding="utf-8")
    assert f"kubectl apply -f {SAMPLE.relative_to(ROOT)}" in (ROOT / "docs" / "quickstart.md").read_text()


def test_the_webhooks_let_everything_of_it_be_deleted():
    bodies = list(yaml.safe_load_all(SAMPLE.read_text(encoding="utf-8")))
    assert {body["kind"] for body in bodies} == {"GameDeployment", "HookTemplate"}
    for body in bodies:
        assert check_object_deletion(review("DELETE", body["kind"], old=body), Rules()) == allow()


def test_the_screen_of_the_readme_is_that_of_the_session():
    """Told by the same commands; the README has no more of it."""
    commands = ("$ kubectl get gamedeployments", "$ kubectl get hookruns -o wide")
    (readme,) = [b.text for b in blocks(ROOT / "README.md") if b.text.startswith(commands[0])]
    page = "".join(b.text for b in blocks(ROOT / "docs" / "quickstart.md") if b.marker == "session")
    later = page.partition("=3 gd/arena")[2].replace("get gd arena", "get gamedeployments")
    for command in commands:
        shown = readme.partition(command)[2].partition("\n$ ")[0].strip()
        assert shown
        assert later.partition(command)[2].partition("\n$ ")[0].strip() == shown
