"""Image archives: valid OCI layouts, reproducible, distinct where versions differ."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from devcluster import images


def _files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {}
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
        return found


def _blob(files: dict[str, bytes], entry: dict[str, Any]) -> bytes:
    data = files["blobs/sha256/" + entry["digest"].removeprefix("sha256:")]
    assert len(data) == entry["size"]
    assert "sha256:" + hashlib.sha256(data).hexdigest() == entry["digest"]
    return data


def _written(folder: Path, name: str, program: bytes) -> bytes:
    archive = folder / "image.tar"
    images.write(name, "game", program, archive)
    return archive.read_bytes()


def test_archive_is_an_oci_layout_with_matching_digests(tmp_path: Path) -> None:
    files = _files(_written(tmp_path, "example.local/game:1", b"program"))
    entry = json.loads(files["index.json"])["manifests"][0]
    assert entry["annotations"]["io.containerd.image.name"] == "example.local/game:1"
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "1"
    manifest = json.loads(_blob(files, entry))
    config = json.loads(_blob(files, manifest["config"]))
    layer = gzip.decompress(_blob(files, manifest["layers"][0]))
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert config["config"]["Entrypoint"] == ["/game"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert tar.getmember("game").mode == 0o755


def test_same_program_has_the_same_digest_under_every_name(tmp_path: Path) -> None:
    def digest(name: str, program: bytes) -> str:
        files = _files(_written(tmp_path, name, program))
        return str(json.loads(files["index.json"])["manifests"][0]["digest"])

    assert digest("example.local/game:1", b"one") == digest("example.local/game:1-same", b"one")
    assert digest("example.local/game:1", b"one") != digest("example.local/game:2", b"two")


def test_demo_versions_have_archives_of_their_own() -> None:
    names = [path.name for path in images.archives()]
    assert len(set(names)) == len(names) == 4
    assert not any(name.startswith("pause") for name in names)
