"""The operators inside the cluster, installed by Helm with the chart's own values: ``make demo INSTALL=helm``."""

from __future__ import annotations

import json

from devcluster import choose
from devcluster.choose import Cluster
from devcluster.helm import HelmFailed, Release
from devcluster.state import Missing, say

NAME = NAMESPACE = "game-operators"


def _release(cluster: Cluster) -> Release:
    return Release(cluster.kubeconfig, NAME, NAMESPACE)


def installed(cluster: Cluster) -> bool:
    """Whether the release, or what is left of it, is there."""
    found = cluster.kubectl("get", "secrets", "-n", NAMESPACE, "-l", f"owner=helm,name={NAME}", "-o", "name")
    return bool(found.strip())


def install(cluster: Cluster) -> Release:
    """Install or upgrade it with an image of the sources as they are, and wait until it is ready.

    Raises:
        Missing: there is no image or no helm, or it does not get ready; the text says why.
    """
    image = choose.load_operator_image()
    repository, _, tag = image.rpartition(":")
    release = _release(cluster)
    say(f"installing {image} by Helm into namespace {NAMESPACE}")
    try:
        release.apply({"image": {"repository": repository, "tag": tag}}, "--take-ownership")
    except HelmFailed as failed:
        shown = cluster.kubectl("-n", NAMESPACE, "get", "pods,events")
        raise Missing(f"the release does not get ready: {failed}\n{shown}") from failed
    return release


def leader(cluster: Cluster) -> str:
    """Name of the pod that leads."""
    lease = json.loads(cluster.kubectl("-n", NAMESPACE, "get", "lease", NAME, "-o", "json"))
    return str(lease["spec"].get("holderIdentity") or "nobody")


def remove(cluster: Cluster) -> None:
    """Uninstall it if it is there: two operators of a kind would undo each other's work. Workloads and CRDs stay."""
    if installed(cluster):
        say(f"removing the release {NAME} of an earlier demo")
        _release(cluster).run("uninstall", "--no-hooks", "--wait", "--timeout=90s")
