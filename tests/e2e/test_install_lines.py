"""The lines of the README that install the operators, as they stand there."""

import json
import os
import re
import subprocess

import pytest

from devcluster import choose, demorelease, images, processes
from devcluster.programs import link_dir
from release import archives, image, sources
from release.sources import ROOT
from tests.unit.release.layers import contents

KINDS = ("gamedeployments", "gamestatefulsets", "hookruns", "hooktemplates")
OWNED = "app.kubernetes.io/managed-by"


def lines():
    """Commands of the first block under the heading Install."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Install\n")[2]
    return re.search(r"```\n(.*?)```", text, re.DOTALL)[1].strip().splitlines()


@pytest.fixture
def fresh(cluster, crds, no_operators):
    """The cluster without the release and its namespace; the definitions, which other tests use, are as the release's.

    On a cluster without definitions Helm creates them; on this one it must be told that it may have them.
    """
    cluster.kubectl("delete", "namespace", demorelease.NAMESPACE, "--ignore-not-found", "--timeout=60s")
    names = [f"crd/{kind}.tkex.tencent.com" for kind in KINDS]
    release = [f"meta.helm.sh/release-{part}={demorelease.NAME}" for part in ("name", "namespace")]
    cluster.kubectl("annotate", "--overwrite", *names, *release)
    cluster.kubectl("label", "--overwrite", *names, f"{OWNED}=Helm")
    try:
        yield cluster
    finally:
        demorelease.remove(cluster)
        cluster.kubectl("delete", "namespace", demorelease.NAMESPACE, "--ignore-not-found", "--timeout=60s")


def test_ux_100_the_lines_of_the_readme_install_the_operators(fresh, operator_image):
    assert [line.split()[0] for line in lines()] == ["make", "make", "helm"]
    choose.helm_program()
    environment = {**os.environ, "KUBECONFIG": str(fresh.kubeconfig), "PATH": f"{link_dir()}:{os.environ['PATH']}"}
    for line in lines():
        ended = subprocess.run(
            ["bash", "-ceu", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=400
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
    pods = json.loads(fresh.kubectl("-n", demorelease.NAMESPACE, "get", "pods", "-o", "json"))["items"]
    asked = {c["image"] for pod in pods for c in pod["spec"]["containers"]}
    assert asked == {f"{sources.NAME}:{sources.version()}"}
    assert len(pods) == 4
    assert processes.wait(lambda: demorelease.leader(fresh) in {p["metadata"]["name"] for p in pods}, 30)
    said = fresh.kubectl(
        "-n", demorelease.NAMESPACE, "exec", pods[0]["metadata"]["name"], "--", "game-operators", "--version"
    )
    assert said.startswith(f"game-operators {sources.version()} (")
    # The same sources were built twice, by two builds that share nothing: the test's own image, and this one.
    key = operator_image.rpartition("-")[2]
    ours = archives.read(image.path(ROOT / "dist", sources.version()))
    tests = archives.read(images.folder() / f"game-operators-{key}.tar")
    assert contents(ours) == contents(tests)
