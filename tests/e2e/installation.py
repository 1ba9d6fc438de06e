"""The operators installed by Helm, and what one asks of them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from devcluster import containers, processes
from devcluster.choose import Cluster
from devcluster.helm import HelmFailed, Release

NAME = "game-operators"
PORT = 10251
GUARDED = "game-operators.example/guarded"
"""Label of namespaces that an installation's webhooks and policies are for."""
SELECTOR = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=operators"


def image_values(image: str) -> dict[str, str]:
    """An image's name as values of the chart."""
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


class Installation:
    """One release on the cluster, in a namespace that accepts only pods of the level ``restricted``."""

    def __init__(self, cluster: Cluster, image: str, values: dict[str, Any] | None = None) -> None:
        self.cluster = cluster
        token = secrets.token_hex(4)
        self.namespace, self.guarded = f"ops-{token}", f"{GUARDED}={token}"
        self.release = Release(cluster.kubeconfig, NAME, self.namespace)
        # Webhooks and policies are for all namespaces; other tests must be able to delete what they made.
        self.values: dict[str, Any] = {
            "image": image_values(image),
            "crds": {"install": False},
            "admission": {
                "namespaceSelector": {"matchLabels": {GUARDED: token}},
                "matchConditions": {"namespaced": "request.namespace != ''"},
            },
            **(values or {}),
        }

    @property
    def user(self) -> str:
        """The operators' name to the API server."""
        return f"system:serviceaccount:{self.namespace}:{NAME}"

    def install(self, *args: str, **values: Any) -> str:
        try:
            return self.release.apply({**self.values, **values}, *args)
        except HelmFailed as failed:
            shown = self.kubectl("get", "pods,events"), self.kubectl("logs", "-l", SELECTOR, "--tail=20")
            raise AssertionError("\n".join((str(failed), *shown))) from failed

    def kubectl(self, *args: str, data: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *args, input=data)

    def logs(self) -> str:
        """Everything the operators' pods have said."""
        return self.kubectl("logs", "-l", SELECTOR, "--tail=-1")

    def pods(self, component: str = "operators") -> list[dict[str, Any]]:
        selector = SELECTOR.replace("component=operators", f"component={component}")
        listed = json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
        return [p for p in listed if not p["metadata"].get("deletionTimestamp")]

    def names(self) -> set[str]:
        return {p["metadata"]["name"] for p in self.pods()}

    def leader(self) -> str:
        """Name of the pod that holds the Lease; "" when none does."""
        lease = json.loads(self.kubectl("get", "lease", NAME, "-o", "json"))
        return str(lease["spec"].get("holderIdentity") or "")

    def ask(self, pod: str, path: str, port: int = PORT) -> str:
        """What a pod answers, asked through the API server."""
        raw = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{port}/proxy{path}"
        return self.cluster.kubectl("get", "--raw", raw)

    def signal(self, pod: str, name: str) -> None:
        """Send a signal to the process in a pod of operators or webhooks."""
        all_pods = (*self.pods(), *self.pods("webhooks"))
        found = next(p for p in all_pods if p["metadata"]["name"] == pod)
        containers.signal(self.cluster, found["status"]["containerStatuses"][0]["containerID"], name)

    def next_leader(self, than: str, since: float, within: float) -> float:
        """Seconds from ``since``, a monotonic time, until another pod holds the Lease and says itself that it leads.

        Raises:
            AssertionError: none did in time.
        """

        def leads() -> bool:
            name = self.leader()
            return name not in ("", than) and "game_operators_leader 1.0" in self.ask(name, "/metrics").splitlines()

        taken = processes.wait(leads, since + within - time.monotonic())
        assert taken, f"nobody else than {than} leads after {within} s"
        return time.monotonic() - since


@contextmanager
def installation(cluster: Cluster, image: str, values: dict[str, Any] | None = None) -> Iterator[Installation]:
    """An installation that is gone afterwards, with its namespace; the CRDs are left alone."""
    made = Installation(cluster, image, values)
    cluster.kubectl("create", "namespace", made.namespace)
    label = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", made.namespace, label)
    try:
        made.install()
        yield made
    finally:
        made.release.run("uninstall", "--no-hooks", "--ignore-not-found", "--wait", "--timeout=60s")
        cluster.kubectl("delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")
