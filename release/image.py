"""The image of a version: an OCI archive in ``dist/``, its bytes the same for the same commit."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from devcluster import choose, operatorimage
from devcluster.operatorimage import Origin
from devcluster.state import Missing, say
from release import archives
from release.sources import NAME, ROOT, changed, commit, version

_LAYOUT = "oci-layout"


def name(of: str) -> str:
    """What the chart asks for when no registry is named: clusters read a name without one so."""
    return f"docker.io/library/{NAME}:{of}"


def path(folder: Path, of: str) -> Path:
    """Where the archive is written."""
    return folder / f"{NAME}-{of}-image.tar"


def settle(archive: Path, image: str) -> None:
    """Write the archive anew, so that its bytes follow from the image alone, and its name is one containerd reads."""
    files = archives.read(archive)
    if _LAYOUT not in files:
        raise Missing(f"{archive.name} is no OCI archive: Docker 25 or newer writes one; or use podman or buildah.")
    index = json.loads(files["index.json"])
    for entry in index["manifests"]:
        tag = image.rpartition(":")[2]
        entry["annotations"] = {"io.containerd.image.name": image, "org.opencontainers.image.ref.name": tag}
    files["index.json"] = json.dumps(index, sort_keys=True).encode()
    archive.write_bytes(archives.tar(files, 0, first=_LAYOUT))


def build(folder: Path, root: Path = ROOT) -> str:
    """Build the image of these sources into `path`; the name of the image it stands on.

    Raises:
        Missing: no tool to build with, or the build failed.
    """
    now, of = commit(), version(root)
    modified = "-changed" if root == ROOT and changed() else ""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="game-operators-image-") as place:
        context = Path(place) / "context"
        operatorimage.snapshot(context, root)
        partial = Path(place) / "image.tar"
        say("building the image: one to three minutes")
        origin = Origin(of, now.revision + modified, now.epoch)
        base = operatorimage.export(context, name(of), origin, partial, pull=True)
        settle(partial, name(of))
        path(folder, of).write_bytes(partial.read_bytes())
    say(f"{path(folder, of)} written")
    return base


def load(folder: Path) -> None:
    """Load the archive that `build` wrote into kind or the cluster built here.

    Raises:
        Missing: there is no archive, or no cluster to load it into.
    """
    of = version()
    if not path(folder, of).exists():
        raise Missing(f"{path(folder, of)} does not exist: `make image` builds it.")
    choose.load_release(path(folder, of), name(of))
