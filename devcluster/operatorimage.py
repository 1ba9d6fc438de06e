"""The project's own image, built from its Dockerfile: by Docker where it answers, else by buildah.

No registry is needed for the base: without Docker it is made of Debian packages here. Everything is kept outside the
checkout under a name that changes with its content, so a second build of the same sources is none.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from devcluster import packages
from devcluster.state import Missing, cache_dir, say

REPOSITORY = "game-operators.local/game-operators"
NAMED = "GAME_OPERATORS_TEST_IMAGE"
"""Environment variable that names an image of the user's own, for clusters into which none can be loaded."""
_ROOT = Path(__file__).parent.parent
_SOURCES = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml")
_REQUIREMENTS = ("requirements/build.txt", "requirements/runtime.txt")
_PACKAGES = ("operators", "webhooks")
_SUITE = "bookworm"
_BASE_PACKAGES = "python3,python3-venv,ca-certificates"
_UNUSED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")
_RECIPE = 1
"""Counts changes of how base and image are made, so that old ones are not taken for new."""
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "cert", "timeout", "retries", "proxy", "find-links")
_AUTHORITIES = "/run/secrets/ca"


def _context() -> Iterator[str]:
    """What the image is made of, relative to the project's root."""
    yield from (*_SOURCES, *_REQUIREMENTS)
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(_ROOT))


def snapshot(folder: Path) -> str:
    """Copy the build context into a folder, and return the key of its content: sources may change during a build."""
    digest = hashlib.sha256(f"{_RECIPE} {_SUITE} {_BASE_PACKAGES}".encode())
    for name in _context():
        content = (_ROOT / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return digest.hexdigest()[:16]


def version() -> str:
    """Version of the project."""
    return str(tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"])


def build(*, docker: bool) -> tuple[str, Path]:
    """Build what is not in the cache; the image's name and its archive.

    Raises:
        Missing: a tool cannot be had, or a build failed.
    """
    with tempfile.TemporaryDirectory(prefix="game-operators-image-") as place:
        folder = Path(place) / "context"
        key = snapshot(folder)
        image = f"{REPOSITORY}:{version()}-{key}"
        archive = cache_dir() / "images" / f"game-operators-{key}.tar"
        if not archive.exists():
            archive.parent.mkdir(parents=True, exist_ok=True)
            say("building the image of the operators (up to two minutes the first time)")
            partial = archive.with_suffix(f".part{os.getpid()}")
            (_by_docker if docker else _by_buildah)(folder, image, key, partial)
            _drop_older(archive)
            partial.rename(archive)
            say(f"image {image} built")
    return image, archive


def _drop_older(archive: Path) -> None:
    """Keep the few newest archives: each is of 80 MB."""
    older = sorted(archive.parent.glob("game-operators-*.tar"), key=lambda p: p.stat().st_mtime)
    for path in older[:-2]:
        path.unlink()


def _call(trouble: str, *command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{trouble}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


def _arguments(folder: Path, key: str) -> list[str]:
    """Build arguments, and this machine's way to its package index as secrets: they get into no layer."""
    secrets = folder.with_name("secrets")
    secrets.mkdir()
    settings = pip_settings()
    authorities = settings.get("cert")
    if authorities:
        settings["cert"] = _AUTHORITIES
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (secrets / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    arguments = ["--build-arg", f"VERSION={version()}", "--build-arg", f"REVISION={key}"]
    arguments += ["--secret", f"id=pip,src={secrets}/pip.conf"]
    return [*arguments, "--secret", f"id=ca,src={authorities}"] if authorities else arguments


def pip_settings(listed: str | None = None) -> dict[str, str]:
    """Where pip finds packages on this machine: its configuration files, and the environment over them.

    Args:
        listed: What ``pip config list`` printed, asked for when it is None.
    """
    if listed is None:
        command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
        listed = _call("pip does not tell its settings", *command)
    found: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda text: text.startswith(":env:")):
        name, _, value = line.partition("=")
        short = name.rpartition(".")[2]
        if short in _PIP_SETTINGS and value:
            found[short] = str(ast.literal_eval(value))
    if not found.get("find-links", "http").startswith("http"):
        del found["find-links"]  # a folder of this machine is not in the build
    return found


def _by_docker(folder: Path, image: str, key: str, archive: Path) -> None:
    arguments = _arguments(folder, key)
    _call("docker build failed", "docker", "build", "-t", image, *arguments, ".", cwd=folder)
    _call("docker save failed", "docker", "save", "-o", str(archive), image)


def _buildah(*arguments: str) -> list[str]:
    """Buildah with a store of ours, removed with the cache; chroot isolation works inside containers and VMs alike."""
    store = cache_dir() / "buildah"
    return ["buildah", "--storage-driver", "vfs", "--root", f"{store}/store", "--runroot", f"{store}/run", *arguments]


def _by_buildah(folder: Path, image: str, key: str, archive: Path) -> None:
    packages.install_image_tools()
    base = _base()
    arguments = ["--isolation", "chroot", "--build-arg", f"BASE={base}", *_arguments(folder, key)]
    _call("buildah failed", *_buildah("bud", *arguments, "-t", image, "."), cwd=folder)
    _call("buildah cannot export", *_buildah("push", "-q", image, f"oci-archive:{archive}:{image}"))
    _call("buildah cannot clean up", *_buildah("rmi", image))
    _call("buildah cannot clean up", *_buildah("rmi", "--prune"))


def _base() -> str:
    """A base image of Debian packages, made once."""
    recipe = hashlib.sha256(f"{_RECIPE} {_SUITE} {_BASE_PACKAGES}".encode()).hexdigest()[:16]
    name = f"localhost/game-operators-base:{recipe}"
    if name in _call("buildah has no images", *_buildah("images", "--format", "{{.Name}}:{{.Tag}}")).splitlines():
        return name
    say("making a base image of Debian packages (once per machine, less than a minute)")
    with tempfile.TemporaryDirectory(prefix="game-operators-base-") as folder:
        root = Path(folder) / "root"
        options = ["--variant=minbase", f"--include={_BASE_PACKAGES}"]
        _call("debootstrap failed", "debootstrap", *options, _SUITE, str(root))
        for place in _UNUSED:
            shutil.rmtree(root / place, ignore_errors=True)
            (root / place).mkdir(parents=True)
        _call("tar failed", "tar", "-C", str(root), "-cf", f"{folder}/base.tar", ".")
        container = _call("buildah failed", *_buildah("from", "scratch"))
        _call("buildah failed", *_buildah("add", "-q", container, f"{folder}/base.tar", "/"))
        _call("buildah failed", *_buildah("commit", "-q", "--rm", container, name))
    say("base image made")
    return name
