"""Writes docs/validation.md: ``python -m tests.unit.api.validation_table``."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.integration.api.broken import GOOD, Refused, Shown, refused, shown
from tests.unit.api.shown_by_controllers import said

FILE = Path(__file__).parents[3] / "docs" / "validation.md"

_HEAD = """\
# What is refused, and who says so

Every manifest below has one thing wrong; the rest of it is good. The tests send each to a real API server
(`tests/integration/api`) and to the controllers' own rules (`tests/unit/api`), and compare what comes back with this
page, which is made of the same cases: `python -m tests.unit.api.validation_table`.

Four places look at an object, in this order:

1. **The client.** `kubectl` asks for strict validation unless told otherwise: a field that no schema knows is an error,
   `unknown field "spec.updateStrategy.maxUnavailible"`. Other clients may drop such a field without a word; the
   ones that people do misplace are therefore known to the schema, and refused.
2. **The schema and its rules**, in the CustomResourceDefinition: whatever one object gives away by itself. No webhook
   has to run for it. `kubectl` prints the field, then `Invalid value`, then the message. Where the schema itself is
   broken (a missing field, a wrong type, a value outside an enumeration) the API server does not ask the rules, and
   adds the line `some validation rules were not checked because the object was invalid`.
3. **The admission webhook**, if it is installed: what stands in annotations or inside texts, and other objects.
4. **The controllers**: the same once more, and everything that only shows in time. A workload that cannot be acted on
   gets the condition `Blocked` with the reason and message below, a Warning Event of that reason, and counts in a
   metric; a HookRun ends with the phase and message below.

An object that is older than a rule can still be changed, as long as the part that breaks the rule stays as it is; its
status can always be written. Only the rule that a selector matches its template also asks when the labels of the
template change.

A null is an absent field. Server-side apply alone refuses a null in a field without a default. The rules need
Kubernetes 1.30 or newer.
"""


def _code(text: str) -> str:
    """Inline code that stands in a cell of a table."""
    text = text.replace("|", "\\|").replace("\r", "\\r").replace("\n", "\\n")
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def _changes(case: Refused | Shown) -> str:
    """The part of the manifest that is wrong."""
    parts = []
    if isinstance(case, Shown):
        parts += [_code(f"{key.rsplit('/', 1)[1]}: {text}") for key, text in case.annotations.items()]
    parts += [_code(f"{path}: {json.dumps(value)}") for path, value in case.change.items()]
    if isinstance(case, Refused):
        parts += [f"no {_code(path)}" for path in case.absent]
    else:
        parts += [f"then {_code(f'{path}: {json.dumps(value)}')}" for path, value in case.then.items()]
    return "<br>".join(parts)


def _refused_rows(kind: str) -> Iterator[str]:
    yield "| what is wrong | manifest | message |"
    yield "|---|---|---|"
    for case in refused():
        if case.kind == kind:
            when = f"{case.wrong} (change)" if case.before is not None else case.wrong
            messages = "<br>".join(_code(m) for m in case.messages)
            yield f"| {when} | {_changes(case)} | {messages} |"


def _shown_rows() -> Iterator[str]:
    yield "| what is wrong | manifest | reason | message |"
    yield "|---|---|---|---|"
    for case in shown():
        reason, message = said(case)
        message = re.sub(r"pod game-\w{5}\b", "pod game-xxxxx", message)
        yield f"| {case.kind}: {case.wrong} | {_changes(case)} | {_code(reason)} | {_code(message)} |"


def table() -> str:
    """The whole page."""
    parts = [_HEAD]
    for kind in GOOD:
        parts += [f"## {kind}: refused by the API server", "\n".join(_refused_rows(kind)) + "\n"]
    parts += ["## Shown by the controllers", "\n".join(_shown_rows()) + "\n"]
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
