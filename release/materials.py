"""Bill of materials: the packages in the image, from the lock, as CycloneDX 1.5 JSON."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from release.sources import NAME

_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Version and accepted hashes of each package of a requirements file made by ``make lock``."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if begin := _PACKAGE.match(line):
            name = begin[1].lower()
            found[name] = (begin[2], [])
        if accepted := _HASH.search(line):
            found[name][1].append(accepted[1])
    return found


def _component(name: str, version: str, hashes: list[str]) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    accepted = [{"name": "lock:sha256", "value": value} for value in sorted(hashes)]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": accepted,
    }


def bill(root: Path, version: str, base: str, epoch: int) -> bytes:
    """The bill of one version.

    Args:
        root: Root of the sources.
        version: Version of the project.
        base: Name of the image that ours is built on, by digest.
        epoch: Time of the commit, in seconds since 1970.
    """
    lock = locked((root / "requirements" / "runtime.txt").read_text(encoding="utf-8"))
    components = [_component(name, *lock[name]) for name in sorted(lock)]
    ours = f"pkg:pypi/{NAME}@{version}"
    image, _, digest = base.partition("@")
    components.append({"type": "container", "bom-ref": base, "name": image, "version": digest})
    body: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": NAME,
                "version": version,
                "purl": ours,
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": components,
        "dependencies": [{"ref": ours, "dependsOn": [c["bom-ref"] for c in components]}],
    }
    # A number of its own for each content: the same for the same, another when anything differs.
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return (json.dumps({**body, "serialNumber": f"urn:uuid:{number}"}, indent=2) + "\n").encode()
