"""Every reason a workload can give is explained to its users."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]


def reasons():
    """First arguments of all ``Blocked("Reason", …)`` in the code."""
    found = set()
    for path in (ROOT / "operators").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Blocked"
            if called and node.args and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
    return found


def test_every_reason_stands_in_the_documentation():
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("game*.md"))
    told = reasons()
    assert len(told) > 20
    assert not {reason for reason in told if f"`{reason}`" not in text}
