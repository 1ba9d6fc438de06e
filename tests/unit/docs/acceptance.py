"""What each acceptance case promises and which test holds it, written to ``docs/acceptance.md``.

The promises are the sentences of ``docs/spec``, the tests are read off their names. ``python -m
tests.unit.docs.acceptance`` writes the document. Cases that no test is named after have their reason in
``acceptance_open.yaml``.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from tests.unit.docs import specifications

ROOT = Path(__file__).parents[3]
TARGET = ROOT / "docs" / "acceptance.md"
OPEN = Path(__file__).with_name("acceptance_open.yaml")
#: Prefix in test names -> (title, numbers of its cases).
SPECIFICATIONS: dict[str, tuple[str, Sequence[int]]] = {
    "gd": ("GameDeployment", range(1, 151)),
    "hook": ("Hooks", range(1, 118)),
    "gss": ("GameStatefulSet", range(1, 151)),
    "adm": ("Admission", range(1, 82)),
    "pkg": ("Packaging", range(1, 29)),
    "ux": ("Command line and delivery", (*range(1, 55), *range(64, 71), *range(99, 102), 103, 104)),
}
_CASES = re.compile(r"(?:^|_)(gd|hook|gss|adm|pkg|ux)((?:_(?:to_|and_)?\d+)+)(?=_|$)")
_INTRODUCTION = (
    "# Acceptance\n\n"
    "Every promise of the [specifications](spec/) has a number; a test that holds it carries the number in its name, "
    "like `test_gd_57_…`. This page is written from both by `python -m tests.unit.docs.acceptance`, and a test fails "
    "when a case has no sentence, or is neither held nor explained.\n"
)

Case = tuple[str, int]


def cases_of(name: str) -> Iterator[Case]:
    """The cases that a test's name claims: ``test_gd_35_to_37_…`` three, ``test_gd_35_and_37_…`` two."""
    for kind, numbers in _CASES.findall(name.removeprefix("test")):
        last = 0
        for to, text in re.findall(r"_(to_)?(\d+)", numbers):
            first = last + 1 if to else int(text)
            for number in range(first, int(text) + 1):
                yield kind, number
            last = int(text)


def cases() -> set[Case]:
    """All cases that there are."""
    return {(kind, number) for kind, (_, numbers) in SPECIFICATIONS.items() for number in numbers}


def held() -> dict[Case, list[str]]:
    """Tests by case, as ``file::name`` below ``tests/``."""
    found: dict[Case, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for case in cases_of(node.name):
                    found[case].append(f"{path.relative_to(ROOT / 'tests')}::{node.name}")
    return found


def reasons() -> dict[Case, str]:
    """Why a case has no test of its name, from ``kind: {reason: [numbers]}``."""
    told = yaml.safe_load(OPEN.read_text()) or {}
    return {
        (kind, int(number)): reason
        for kind, groups in told.items()
        for reason, numbers in groups.items()
        for number in numbers
    }


def text() -> str:
    """The document."""
    tests, open_, sentences = held(), reasons(), specifications.sentences()
    parts = [_INTRODUCTION]
    for kind, (title, numbers) in SPECIFICATIONS.items():
        with_test = sum((kind, n) in tests for n in numbers)
        parts.append(f"## {title}\n\n{with_test} of {len(numbers)} cases are held by tests.\n")
        rows = ["| case | what it promises | test, or why there is none |", "|---|---|---|"]
        for number in numbers:
            case = (kind, number)
            names = ", ".join(f"`{name}`" for name in tests.get(case, ()))
            shown = names or open_.get(case, "unexplained")
            rows.append(f"| {kind} {number} | {sentences.get(case, '')} | {shown} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(text())
