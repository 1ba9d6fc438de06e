"""Writes the verdicts of the last runs into docs/conformance.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from devcluster.state import cache_dir
from tests.upstream.run import listed, suite_program

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
_PREFIX = "[sig-apps] StatefulSet "
_BEGIN, _END = "<!-- verdicts -->", "<!-- end of verdicts -->"


Verdicts = Mapping[str, Mapping[str, object]]


def table(names: Iterable[str], ours: Verdicts, native: Verdicts) -> str:
    """One row a test."""
    rows = ["| upstream test | GameStatefulSet | s | StatefulSet, control |", "|---|---|---|---|"]
    for name in names:
        one, other = ours.get(name, {}), native.get(name, {})
        shown = name.removeprefix(_PREFIX).replace("[", "\\[")
        verdicts = one.get("verdict", "not run"), one.get("seconds", ""), other.get("verdict", "not run")
        rows.append(f"| {shown} | {verdicts[0]} | {verdicts[1]} | {verdicts[2]} |")
    return "\n".join(rows)


def verdicts(folder: Path) -> Verdicts:
    """What a run has found, by test."""
    found = (json.loads(path.read_text()) for path in sorted(folder.glob("*.json")))
    return {str(verdict["name"]): verdict for verdict in found}


def written(text: str, rows: str) -> str:
    """The document with its table exchanged."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{rows}\n\n{_END}{after}"


def main() -> None:
    """Write the document."""
    results = cache_dir() / "upstream" / "results"
    rows = table(listed(suite_program()), verdicts(results / "ours"), verdicts(results / "native"))
    DOCUMENT.write_text(written(DOCUMENT.read_text(), rows))


if __name__ == "__main__":
    main()
