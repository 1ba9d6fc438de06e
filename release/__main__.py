"""``python -m release image|load|dist|version X.Y.Z``."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from devcluster.state import Missing, say
from release import chart, image, materials, sources, versions

DIST = sources.ROOT / "dist"


def _python_packages(root: Path, folder: Path, epoch: int) -> None:
    """Wheel and sdist, by the build tool of pyproject.toml."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"hatchling failed:\n{(done.stdout + done.stderr)[-2000:]}")


def checksums(folder: Path) -> str:
    """The files of a folder in the format of ``sha256sum``."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names)


def small(root: Path, folder: Path, epoch: int, base: str) -> None:
    """Every artefact but the image, of the sources in ``root``; ``base`` is what the image stands on."""
    version = sources.version(root)
    _python_packages(root, folder, epoch)
    (folder / f"{sources.NAME}-{version}.tgz").write_bytes(chart.package(root, epoch))
    (folder / f"{sources.NAME}-{version}-crds.yaml").write_bytes(chart.definitions(root))
    (folder / f"{sources.NAME}-{version}-schemas.tar.gz").write_bytes(chart.schemas(root, epoch))
    bill = materials.bill(root, version, base, epoch)
    (folder / f"{sources.NAME}-{version}.cdx.json").write_bytes(bill)


def dist(folder: Path = DIST) -> None:
    """Everything a release is made of, from what is committed.

    Raises:
        Missing: a tool cannot be had, or a build failed.
    """
    if left_out := sources.changed():
        say(f"{len(left_out)} changes are not committed, and not in it")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="game-operators-release-") as place:
        root = Path(place)
        sources.export(root)
        small(root, folder, sources.commit().epoch, image.build(folder, root))
    (folder / "SHA256SUMS").write_text(checksums(folder), encoding="utf-8")
    print((folder / "SHA256SUMS").read_text(encoding="utf-8"), end="")


def main() -> int:
    """Run one command; 1 with a plain reason when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m release", description="What a release is made of.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("image", help="build the image into dist/")
    commands.add_parser("load", help="load it into kind or the cluster built here")
    commands.add_parser("dist", help="everything, with checksums, into dist/")
    setting = commands.add_parser("version", help="write a version into every file that has it")
    setting.add_argument("version")
    options = parser.parse_args()
    try:
        match options.command:
            case "image":
                image.build(DIST)
            case "load":
                image.load(DIST)
            case "dist":
                dist()
            case _:
                versions.write(options.version)
    except Missing as reason:
        print(f"\nNo: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
