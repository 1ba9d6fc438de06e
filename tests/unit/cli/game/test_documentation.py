"""docs/cli.md is what the program says."""

import re

from operators.cli.game import COMMANDS
from operators.cli.game.main import main
from tests.unit.cli.game.documentation import TARGET, text
from tests.unit.cli.game.golden import FOLDER


def test_the_page_is_written_from_the_commands_and_the_screens():
    assert TARGET.read_text() == text(), "python -m tests.unit.cli.game.documentation writes it anew"


def test_the_readme_shows_what_plan_says(capsys, monkeypatch):
    root = TARGET.parents[1]
    monkeypatch.chdir(root)
    line, shown = re.search(
        r"\n\$ kubectl-game (plan [^\n]*)\n(.*?)\n```", (root / "README.md").read_text(), re.DOTALL
    ).groups()
    assert main(line.split()) == 0
    assert capsys.readouterr().out.rstrip() == shown


def test_every_command_and_every_screen_of_get_is_on_the_page():
    page = TARGET.read_text()
    assert all(f"\n### {name}\n" in page for name in COMMANDS if name != "tree")
    assert all(p.read_text().rstrip() in page for p in FOLDER.glob("get-*.txt"))
