"""docs/cli.md is what the program says."""

from operators.cli.game import COMMANDS
from tests.unit.cli.game.documentation import TARGET, text
from tests.unit.cli.game.golden import FOLDER


def test_the_page_is_written_from_the_commands_and_the_screens():
    assert TARGET.read_text() == text(), "python -m tests.unit.cli.game.documentation writes it anew"


def test_every_command_and_every_screen_of_get_is_on_the_page():
    page = TARGET.read_text()
    assert all(f"\n### {name}\n" in page for name in COMMANDS if name != "tree")
    assert all(p.read_text().rstrip() in page for p in FOLDER.glob("get-*.txt"))
