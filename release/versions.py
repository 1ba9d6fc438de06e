"""Sets the version everywhere: pyproject.toml has it, and the files that cannot ask it get it written."""

from __future__ import annotations

import re
from pathlib import Path

from devcluster.state import Missing
from release.sources import ROOT

_PLACES = {
    "pyproject.toml": r'^version = "(.*)"$',
    "helm/game-operators/Chart.yaml": r"^(?:version|appVersion): (.*)$",
    "Dockerfile": r"^ARG VERSION=(.*)$",
    "operators/api/crds.py": r'^VERSION_ANNOTATION = "(.*)"$',
}
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


def write(version: str, root: Path = ROOT) -> None:
    """Write a version into every place; ``make crds`` carries it into the definitions.

    Raises:
        Missing: it is no semantic version, or a place has none to replace.
    """
    if not _VERSION.fullmatch(version):
        raise Missing(f"{version!r} is no version like 0.2.0")
    for place, pattern in _PLACES.items():
        text = (root / place).read_text(encoding="utf-8")
        changed, count = re.subn(pattern, lambda m: m[0].replace(m[1], version), text, flags=re.MULTILINE)
        if not count:
            raise Missing(f"{place} has no line {pattern}")
        (root / place).write_text(changed, encoding="utf-8")
