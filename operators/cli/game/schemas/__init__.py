"""JSON schemas of what ``-o json`` prints, one file for each kind: for tools that read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def load(kind: str) -> dict[str, Any]:
    """The schema of a kind of document."""
    found: dict[str, Any] = json.loads((FOLDER / f"{kind}.json").read_text())
    return found
