"""The chart as one file, the definitions as another, and the schemas for editors as a third."""

from __future__ import annotations

from pathlib import Path

from release import archives
from release.sources import NAME

_HELM_IGNORES = ("*.swp", "*.tmp", ".DS_Store", ".helmignore")


def _belongs(path: Path) -> bool:
    return path.is_file() and not any(path.match(pattern) for pattern in _HELM_IGNORES)


def files(root: Path) -> dict[str, bytes]:
    """Files of the chart, by their names in the archive; links are followed, as Helm does."""
    chart = root / "helm" / NAME
    found = [*chart.rglob("*"), *(chart / "files" / "crds").glob("*")]
    return {f"{NAME}/{path.relative_to(chart)}": path.read_bytes() for path in found if _belongs(path)}


def package(root: Path, epoch: int) -> bytes:
    """What ``helm package`` would write, but for times and owners."""
    return archives.tar_gz(files(root), epoch, first=f"{NAME}/Chart.yaml")


def definitions(root: Path) -> bytes:
    """All CustomResourceDefinitions in one file for ``kubectl apply --server-side``."""
    texts = [path.read_text(encoding="utf-8").removeprefix("---\n") for path in sorted((root / "crds").glob("*.yaml"))]
    return "---\n".join(text if text.endswith("\n") else f"{text}\n" for text in texts).encode()


def schemas(root: Path, epoch: int) -> bytes:
    """The JSON Schemas of docs/schemas/, packed."""
    return archives.tar_gz({path.name: path.read_bytes() for path in (root / "docs" / "schemas").glob("*.json")}, epoch)
