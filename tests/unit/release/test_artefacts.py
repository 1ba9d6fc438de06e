"""What `make dist` writes: the same bytes from the same commit, and nothing that the sources do not have."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile

import pytest
import yaml

from devcluster import operatorimage
from devcluster.helm import helm
from devcluster.state import Missing
from release import __main__ as release
from release import archives, chart, image, materials, sources, versions
from release.sources import ROOT

EPOCH = 1_790_000_000
BASE = "registry.example/python:3.11@sha256:" + "0" * 64


def copy(folder):
    """The sources in another folder, with other times."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "results"
    )
    shutil.copytree(ROOT, folder, symlinks=True, ignore=ignored, copy_function=shutil.copyfile)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All artefacts but the image, made twice in different places."""
    folders = []
    for number in ("first", "second"):
        root, folder = copy(tmp_path_factory.mktemp(number) / "sources"), tmp_path_factory.mktemp(f"{number}-dist")
        release.small(root, folder, EPOCH, BASE)
        folders.append(folder)
    return folders


def test_two_runs_give_the_same_bytes_and_checksums_that_sha256sum_accepts(made):
    first, second = made
    assert release.checksums(first) == release.checksums(second)
    assert len(release.checksums(first).splitlines()) == 6
    (first / "SHA256SUMS").write_text(release.checksums(first))
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=first, check=True, capture_output=True)


def test_every_artefact_carries_the_version(made):
    version = sources.version()
    assert {path.name for path in made[1].iterdir()} == {
        f"game_operators-{version}-py3-none-any.whl",
        f"game_operators-{version}.tar.gz",
        f"game-operators-{version}.tgz",
        f"game-operators-{version}-crds.yaml",
        f"game-operators-{version}-schemas.tar.gz",
        f"game-operators-{version}.cdx.json",
    }


def test_the_packed_chart_renders_what_the_folder_renders(made):
    packed = made[0] / f"game-operators-{sources.version()}.tgz"
    folder = ROOT / "helm" / "game-operators"
    command = ("template", "game-operators", "--kube-version=1.34.4")
    assert helm(*command, str(packed)) == helm(*command, str(folder))


def test_the_definitions_are_those_of_the_folder(made):
    text = (made[0] / f"game-operators-{sources.version()}-crds.yaml").read_text()
    each = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert list(yaml.safe_load_all(text)) == each
    assert len(each) == 4


def test_the_schemas_are_those_of_the_folder(made):
    packed = archives.read(made[0] / f"game-operators-{sources.version()}-schemas.tar.gz")
    assert packed == {path.name: path.read_bytes() for path in (ROOT / "docs" / "schemas").iterdir()}
    assert "all.json" in packed


def test_the_bill_names_every_locked_package_with_its_hashes(made):
    bill = json.loads((made[0] / f"game-operators-{sources.version()}.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])
    lock = (ROOT / "requirements" / "runtime.txt").read_text()
    listed = {c["purl"]: c for c in bill["components"] if c["type"] == "library"}
    wanted = re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE)
    assert set(listed) == {f"pkg:pypi/{name}@{version}" for name, version in wanted}
    assert sum(len(c["properties"]) for c in listed.values()) == lock.count("--hash=sha256:")
    base = next(c for c in bill["components"] if c["type"] == "container")
    assert f"{base['name']}@{base['version']}" == BASE
    references = [c["bom-ref"] for c in bill["components"]]
    assert len(set(references)) == len(references)
    assert bill["dependencies"][0]["dependsOn"] == references


def test_another_lock_is_another_bill(tmp_path):
    first = materials.bill(ROOT, "1.0.0", BASE, EPOCH)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text("aiohttp==1 --hash=sha256:" + "a" * 64)
    other = materials.bill(tmp_path, "1.0.0", BASE, EPOCH)
    assert json.loads(first)["serialNumber"] != json.loads(other)["serialNumber"]


def test_an_archive_depends_on_its_content_alone():
    files = {"b": b"2", "a": b"1"}
    turned = dict(reversed(files.items()))
    assert archives.tar_gz(files, EPOCH, first="b") == archives.tar_gz(turned, EPOCH, first="b")
    with tarfile.open(fileobj=io.BytesIO(archives.tar_gz(files, EPOCH, first="b"))) as packed:
        assert [(m.name, m.mtime, m.uid) for m in packed.getmembers()] == [("b", EPOCH, 0), ("a", EPOCH, 0)]


def test_an_archive_of_an_image_is_written_anew_in_one_order_under_its_name(tmp_path):
    index = {"schemaVersion": 2, "manifests": [{"digest": "sha256:1", "annotations": {"other": "x"}}]}
    files = {"oci-layout": b"{}", "index.json": json.dumps(index).encode(), "blobs/sha256/1": b"manifest"}
    found = []
    for number, time in enumerate((1, 2)):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(archives.tar(files, time))
        image.settle(path, "docker.io/library/game-operators:1.0.0")
        found.append(path.read_bytes())
    assert found[0] == found[1]
    annotations = json.loads(archives.read(path)["index.json"])["manifests"][0]["annotations"]
    assert annotations == {
        "io.containerd.image.name": "docker.io/library/game-operators:1.0.0",
        "org.opencontainers.image.ref.name": "1.0.0",
    }


def test_an_archive_that_is_no_oci_layout_is_refused_in_words(tmp_path):
    path = tmp_path / "old.tar"
    path.write_bytes(archives.tar({"manifest.json": b"[]"}, 0))
    with pytest.raises(Missing, match=r"old\.tar is no OCI archive: Docker 25"):
        image.settle(path, "x:1")


def test_the_image_is_called_what_the_chart_asks_for():
    values = yaml.safe_load((ROOT / "helm" / "game-operators" / "values.yaml").read_text())["image"]
    assert (values["registry"], values["tag"]) == ("", "")
    assert image.name("1.0.0") == f"docker.io/library/{values['repository']}:1.0.0"


def test_the_base_is_pinned_by_digest():
    assert re.fullmatch(r"\S+:3\.11\S*@sha256:[0-9a-f]{64}", operatorimage.pinned_base())
    demo = (ROOT / "examples" / "game-demo" / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", demo, re.MULTILINE)


def test_what_the_image_says_of_itself():
    origin = operatorimage.Origin("1.0.0", "abc", EPOCH)
    arguments = [a for a in origin.arguments() if a != "--build-arg"]
    assert arguments == [
        "VERSION=1.0.0",
        "REVISION=abc",
        "BUILD_DATE=2026-09-21T14:13:20Z",
        f"SOURCE_DATE_EPOCH={EPOCH}",
    ]


def test_one_command_writes_the_version_everywhere(tmp_path):
    root = copy(tmp_path / "sources")
    before = {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    versions.write("7.8.9", root)
    after = {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert {str(p) for p in after if after[p] != before[p]} == {
        "pyproject.toml",
        "helm/game-operators/Chart.yaml",
        "Dockerfile",
        "operators/api/crds.py",
    }
    assert sources.version(root) == "7.8.9"
    packed = yaml.safe_load(chart.files(root)["game-operators/Chart.yaml"])
    assert (packed["version"], packed["appVersion"]) == ("7.8.9", "7.8.9")
    versions.write(sources.version(), root)
    assert {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_a_version_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(Missing, match=r"'next' is no version like 0\.2\.0"):
        versions.write("next", tmp_path)


def test_chart_and_package_name_the_same_places():
    package = release.sources.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    described = yaml.safe_load((ROOT / "helm" / "game-operators" / "Chart.yaml").read_text())
    assert described["home"] == package["urls"]["Homepage"]
    assert described["sources"] == [package["urls"]["Source"]]
    assert described["annotations"]["artifacthub.io/license"] == package["license"]
    assert [m["name"] for m in described["maintainers"]] == [m["name"] for m in package["maintainers"]]
    assert described["keywords"]
    assert package["keywords"]


def test_a_checksum_is_that_of_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    assert release.checksums(tmp_path) == f"{hashlib.sha256(b'1').hexdigest()}  a\n"


def test_the_workflow_knows_its_registry_from_a_variable_alone():
    text = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow[True] == {"push": {"tags": ["v*"]}}, "YAML reads the key `on` as true"
    job = workflow["jobs"]["release"]
    assert job["env"]["REGISTRY"] == "${{ vars.REGISTRY }}"
    steps = "\n".join(step.get("run", "") for step in job["steps"])
    assert re.findall(r"(?:docker|oci)://[^\"]+", steps) == ["docker://$image:$VERSION", "oci://$REGISTRY/charts"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", steps)) == {"setup", "dist"} <= targets
