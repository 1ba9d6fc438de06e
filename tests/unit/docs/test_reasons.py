"""Every word that a user or a tool may match is explained to users, and every word explained is one we write."""

import ast
import re
from pathlib import Path

import pytest

from operators.api.reasons import BlockedReason, ConditionReason, ConditionType, EventReason, PauseReason

ROOT = Path(__file__).parents[3]
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def tables(first):
    """Words in backquotes of a column, by the title of the first column, from the tables of both workloads' pages."""
    found = {}
    for name in ("gamedeployment.md", "gamestatefulset.md"):
        title = None
        for line in DOCS[name].splitlines():
            cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                title = None
            elif title is None:
                title = cells
            elif title[0] == first:
                for heading, cell in zip(title, cells, strict=True):
                    found.setdefault(heading, set()).update(re.findall(r"`(\w+)`", cell))
    return found


@pytest.mark.parametrize(
    ("column", "words"), [("reason", BlockedReason), ("Event", EventReason), ("condition", ConditionType)]
)
def test_ux_104_the_tables_hold_every_member_and_nothing_else(column, words):
    assert tables(column)[column] == {str(word) for word in words}


def test_ux_104_the_reasons_of_conditions_stand_in_their_table():
    told = tables("condition")
    assert told["reason when True"] | told["reason when False"] == {str(word) for word in ConditionReason}


def test_ux_104_the_reasons_of_pauses_are_explained():
    assert all(f"`{word}`" in DOCS["canary.md"] for word in PauseReason)


CODE = {p: p.read_text() for p in (ROOT / "operators").rglob("*.py") if p.name != "reasons.py"}


@pytest.mark.parametrize("words", [BlockedReason, ConditionReason, ConditionType, EventReason, PauseReason])
def test_every_word_is_used(words):
    code = "\n".join(CODE.values())
    used = {w for w in words if f"{words.__name__}.{w.name}" in code or f'"{w}"' in code}
    assert used == set(words)


@pytest.mark.parametrize(("name", "position", "words"), [("Blocked", 0, BlockedReason), ("Note", 1, EventReason)])
def test_a_word_written_out_in_the_code_is_a_member(name, position, words):
    nodes = [node for text in CODE.values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    given = [n.args[position] for n in nodes if getattr(n.func, "id", "") == name and len(n.args) > position]
    written = {arg.value for arg in given if isinstance(arg, ast.Constant)}
    assert given
    assert written <= {str(word) for word in words}
