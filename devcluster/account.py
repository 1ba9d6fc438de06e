"""The account of operators that run beside the cluster: it may what the chart's roles allow, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from devcluster.choose import Cluster
from devcluster.helm import CHART, helm, values_file
from devcluster.state import run_dir

NAMESPACE = "game-operators-beside"
USER = f"system:serviceaccount:{NAMESPACE}:game-operators"
_TEMPLATES = ("serviceaccount", "rbac")


def _roles(cluster: Cluster) -> str:
    version = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    only = [f"--show-only=templates/operators/{name}.yaml" for name in _TEMPLATES]
    with values_file({"image": {"repository": "unused", "tag": "unused"}}) as values:
        options = ["-n", NAMESPACE, f"--kube-version={version}", "-f", values, *only]
        return helm("template", "game-operators", str(CHART), *options)


def kubeconfig(cluster: Cluster) -> Path:
    """A kubeconfig of the account, which gets the rights that the chart has now; its token is good for a day.

    Raises:
        Missing: there is no helm, and it cannot be built.
    """
    if (
        cluster.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "jsonpath={.status.phase}")
        != "Active"
    ):
        cluster.kubectl("wait", f"namespace/{NAMESPACE}", "--for=delete", "--timeout=120s")  # of a session just ended
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(namespace))
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=_roles(cluster))
    token = cluster.kubectl("create", "token", "game-operators", "-n", NAMESPACE, "--duration=24h").strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    path = run_dir() / "beside.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path


def remove(cluster: Cluster) -> None:
    """Take the account and its rights away."""
    selector = "app.kubernetes.io/instance=game-operators,app.kubernetes.io/component=operators"
    # The right to read the addresses of the API server is in its own namespace.
    for kinds, where in (("clusterroles,clusterrolebindings", []), ("roles,rolebindings", ["-n", "default"])):
        bound = cluster.kubectl("get", kinds, *where, "-l", selector, "-o", "name").split()
        ours = [name for name in bound if name.rpartition("/")[2].startswith(f"{NAMESPACE}-")]
        if ours:
            cluster.kubectl("delete", *where, *ours)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")
