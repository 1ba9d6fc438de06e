"""A commit is checked by what ``make lint`` runs, no less and no more."""

import re

import yaml

from tests.unit.docs.markdown import ROOT


def make_lint():
    makefile = (ROOT / "Makefile").read_text()
    tools = re.search(r"^BIN := (\S+)$", makefile, re.MULTILINE)[1]
    recipe = re.search(r"^lint:[^\n]*\n((?:\t[^\n]+\n)+)", makefile, re.MULTILINE)[1]
    return [line.strip().lstrip("@").replace("$(BIN)", tools) for line in recipe.splitlines()]


def hooks():
    return [
        h for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"] for h in repo["hooks"]
    ]


def test_the_hooks_are_the_commands_of_make_lint():
    commands = make_lint()
    assert len(commands) >= 4
    assert [hook["entry"] for hook in hooks()] == commands


def test_every_hook_looks_at_everything_with_the_tools_of_the_project():
    for hook in hooks():
        assert (hook["language"], hook["pass_filenames"], hook["always_run"]) == ("system", False, True)
