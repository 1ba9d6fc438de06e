"""Container images of the test cluster, written without any registry or image tool."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from devcluster.programs import NO_DEBUGGER, environment, go
from devcluster.state import Missing, cache_dir, run_dir, say

DEMO = "hub.bktencent.com/blueking/game-demo"
PAUSE = "game-operators.local/pause:1"
_LAYOUT = 2
"""Counts changes of how archives are written, so that old ones are not taken for new."""
_ROOT = Path(__file__).parent.parent
_SOURCES = {
    "game-demo": _ROOT / "examples" / "game-demo",
    "pause": Path(__file__).parent / "pause",
}


def socket_path() -> Path:
    """Where our containerd listens."""
    return run_dir() / "containerd.sock"


def ctr(*args: str) -> subprocess.CompletedProcess[str]:
    """Run ctr against our containerd."""
    command = ["ctr", "--connect-timeout", "5s", "--address", str(socket_path()), "-n", "k8s.io", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _wanted() -> dict[str, tuple[str, str]]:
    """Image name -> (source, version built in)."""
    return {
        PAUSE: ("pause", "1"),
        f"{DEMO}:0.0.1": ("game-demo", "0.0.1"),
        f"{DEMO}:0.0.2": ("game-demo", "0.0.2"),
        f"{DEMO}:0.0.1-same": ("game-demo", "0.0.1"),
        f"{DEMO}:0.0.3-broken": ("game-demo", "0.0.3-broken"),
    }


def folder() -> Path:
    """Where the image archives are kept."""
    return cache_dir() / "images"


def _archive(image: str) -> Path:
    """Archive of an image; its name changes with the sources."""
    source, version = _wanted()[image]
    sources = sorted([*_SOURCES[source].glob("*.go"), _SOURCES[source] / "go.mod"])
    content = b"".join(path.read_bytes() for path in sources)
    key = hashlib.sha256(f"{_LAYOUT}\n{version}\n".encode() + content).hexdigest()[:16]
    return folder() / f"{source}-{image.rsplit(':', 1)[1]}-{key}.tar"


def build_all() -> None:
    """Build what is not in the cache, by Go.

    Raises:
        Missing: no Go, or a build that failed.
    """
    _build_missing(list(_wanted()), _by_go)


def build_for_kind() -> None:
    """Build what is not in the cache, by Go where it is installed, else by Docker; kind brings its own pause image.

    Raises:
        Missing: a build failed.
    """
    _build_missing([image for image in _wanted() if image != PAUSE], _by_go if shutil.which("go") else _by_docker)


def _build_missing(names: list[str], build: Callable[[str, str, str, Path], None]) -> None:
    folder().mkdir(parents=True, exist_ok=True)
    for image in names:
        source, version = _wanted()[image]
        if not _archive(image).exists():
            build(image, source, version, _archive(image))
            say(f"image {image} built")


def _by_docker(image: str, source: str, version: str, archive: Path) -> None:
    partial = archive.with_suffix(f".part{os.getpid()}")
    for command in (
        ["docker", "build", "-q", "-t", image, "--build-arg", f"VERSION={version}", str(_SOURCES[source])],
        ["docker", "save", "-o", str(partial), image],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"no Go, and `docker {command[1]}` of {image} failed:\n{done.stderr[-2000:]}")
    partial.rename(archive)


def _by_go(image: str, source: str, version: str, archive: Path) -> None:
    binary = archive.with_suffix(f".bin{os.getpid()}")
    flags = ["-trimpath", NO_DEBUGGER, "-ldflags", f"-s -w -X main.version={version}"]
    done = subprocess.run(
        [go(), "build", *flags, "-o", str(binary), "."],
        cwd=_SOURCES[source],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"building {source} failed:\n{done.stderr[-2000:]}")
    write(image, source, binary.read_bytes(), archive)
    binary.unlink()


def write(image: str, program: str, binary: bytes, archive: Path) -> None:
    """Write the archive of an image that is nothing but one static program, whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(f".part{os.getpid()}")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        add(tar, program, binary, 0o755)
    partial.write_bytes(oci_archive(image, layer.getvalue(), [f"/{program}"]))
    partial.rename(archive)


def add(tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    """Put a file into an archive."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def oci_archive(image: str, layer: bytes, entrypoint: list[str]) -> bytes:
    """An image of one layer (a tar), as an OCI layout in a tar."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {
            "mediaType": media_type,
            "digest": f"sha256:{digest}",
            "size": len(data),
        }

    layer_blob = put(
        gzip.compress(layer, mtime=0),
        "application/vnd.oci.image.layer.v1.tar+gzip",
    )
    config = {
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
        "os": "linux",
        "config": {"Entrypoint": entrypoint},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
        },
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [layer_blob],
    }
    entry = put(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    entry["annotations"] = {
        "io.containerd.image.name": image,
        "org.opencontainers.image.ref.name": image.rsplit(":", 1)[1],
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(
            tar,
            "index.json",
            json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
        )
        for digest, data in blobs.items():
            add(tar, f"blobs/sha256/{digest}", data)
    return out.getvalue()


def archives() -> list[Path]:
    """The built images without pause, for clusters that load archives themselves and have a pause image."""
    return [_archive(image) for image in _wanted() if image != PAUSE]


def load(image: str, archive: Path) -> None:
    """Import an image whose tag names its content, and let older tags of its repository go that nothing runs from.

    Raises:
        Missing: containerd refused it.
    """
    present = ctr("images", "ls", "-q").stdout.split()
    if image in present:
        return
    done = ctr("images", "import", str(archive))
    if done.returncode:
        raise Missing(f"importing {image} failed: {done.stderr[-500:]}")
    repository, running = image.rpartition(":")[0], ctr("containers", "ls").stdout
    older = [name for name in present if name.rpartition(":")[0] == repository and name not in running]
    if older:
        ctr("images", "rm", *older)
    say(f"image {image} loaded")


def replace(image: str, archive: Path) -> None:
    """Import an image, also over an older one of the same name; pods that run keep the older one.

    Raises:
        Missing: containerd refused it.
    """
    done = ctr("images", "import", str(archive))
    if done.returncode:
        raise Missing(f"importing {image} failed: {done.stderr[-500:]}")
    say(f"image {image} loaded")


def load_missing() -> None:
    """Import images that our containerd lacks or holds in an older build."""
    marks = run_dir() / "images.json"
    loaded = json.loads(marks.read_text()) if marks.exists() else {}
    present = ctr("images", "ls", "-q").stdout.split()
    for image in _wanted():
        archive = _archive(image)
        if image in present and loaded.get(image) == archive.name:
            continue
        done = ctr("images", "import", str(archive))
        if done.returncode:
            raise Missing(f"importing {image} failed: {done.stderr[-500:]}")
        loaded[image] = archive.name
        say(f"image {image} loaded")
    marks.write_text(json.dumps(loaded))
