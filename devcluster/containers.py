"""Signals to the processes in containers, as a node's trouble would send them."""

from __future__ import annotations

import subprocess

from devcluster import images
from devcluster.choose import KIND_NAME, Cluster
from devcluster.state import Missing


def signal(cluster: Cluster, container: str, name: str) -> None:
    """Send a signal to the first process of a container, from outside of it: even SIGKILL and SIGSTOP arrive.

    Args:
        cluster: Where it runs.
        container: Its ID, as the pod's status has it: ``containerd://…``.
        name: ``SIGKILL``, ``SIGSTOP`` and the like.

    Raises:
        Missing: the cluster's nodes cannot be reached from here.
    """
    number = container.partition("://")[2]
    if cluster.kind == "built":
        done = images.ctr("tasks", "kill", "--signal", name, number)
    elif cluster.kind == "kind":
        command = ["docker", "exec", f"{KIND_NAME}-control-plane", "ctr", "-n", "k8s.io", "tasks", "kill"]
        command += ["--signal", name, number]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    else:
        raise Missing("processes in containers of your own cluster cannot be killed from here: unset KUBECONFIG")
    if done.returncode:
        raise AssertionError(f"{name} to {container}: {done.stderr.strip()}")
