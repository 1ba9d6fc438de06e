"""A namespace with GameDeployments, their controller in the test's process, and kubectl game."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import yaml

from devcluster.choose import Cluster
from devcluster.helm import CHART, helm, values_file
from operators.kube.official import connect
from operators.kube.resources import Resource
from tests.integration.cli.programs import Game
from tests.integration.gamedeployment.fleet import Fleet

ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")


@pytest.fixture
async def fleet(cluster: Cluster, namespace: str, crds: tuple[str, ...], no_operators: None) -> AsyncIterator[Fleet]:
    """GameDeployments in a namespace of the test's own."""
    user = await connect(kubeconfig=str(cluster.kubeconfig))
    try:
        yield Fleet(cluster, namespace, user)
    finally:
        await user.close()


@pytest.fixture
def game(cluster: Cluster, namespace: str) -> Game:
    """kubectl game of the cluster's administrator."""
    return Game(cluster.kubeconfig, namespace)


@pytest.fixture
async def viewer(fleet: Fleet) -> str:
    """A user who is bound to the role that the chart adds to ``view``, and to ``view`` itself."""
    with values_file({"image": {"repository": "unused", "tag": "unused"}}) as values:
        only = "--show-only=templates/aggregate-roles.yaml"
        told = helm("template", "game-operators", str(CHART), "-f", values, "--kube-version=1.34.0", only)
    (rules,) = (r["rules"] for r in yaml.safe_load_all(told) if r and r["metadata"]["name"] == "tkex-view")
    await fleet.user.create(ROLES, fleet.namespace, {"metadata": {"name": "tkex-view"}, "rules": rules})
    for kind, name in (("Role", "tkex-view"), ("ClusterRole", "view")):
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ada"}],
        }
        await fleet.user.create(ROLE_BINDINGS, fleet.namespace, binding)
    return "--as=ada"
