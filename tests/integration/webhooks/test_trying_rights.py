"""The right that trying templates needs, as it is printed: enough for that, and good for nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from devcluster.processes import wait
from tests.integration.webhooks.conftest import REGISTRY, registration
from webhooks.manifests import documents

ACCOUNT = "hooks"
ROLES = "/apis/rbac.authorization.k8s.io/v1"
CONTAINERS = [{"name": "web", "image": "game:1"}]
BODIES = {
    "pods": {"metadata": {"name": "p"}, "spec": {"containers": CONTAINERS}},
    "podtemplates": {"metadata": {"name": "p"}, "template": {"spec": {"containers": CONTAINERS}}},
}


@pytest.fixture(scope="module")
def granted(api, mark, games) -> Iterator[str]:
    """Roles and policy as ``game-webhooks manifests`` prints them; the account's name to the API server."""
    parts = documents(registration(mark), (games, ACCOUNT))
    wanted = [(ROLES, d) for d in parts["rbac"]]
    wanted += [(REGISTRY, d) for d in parts["policy"] if d["metadata"]["name"] == f"{mark}-dry-run"]
    assert len(wanted) == 4
    made = []
    for root, document in wanted:
        kind = document["kind"].lower()
        path = f"{root}/{kind.removesuffix('y')}{'ies' if kind.endswith('y') else 's'}"
        api.good("POST", path, document)
        made.append(f"{path}/{document['metadata']['name']}")
    yield f"system:serviceaccount:{games}:{ACCOUNT}"
    for path in made:
        api.ask("DELETE", path)


def asked(api, user: str, method: str, path: str, body=None, **query: str) -> tuple[int, str]:
    """A request with the rights of the account, and no others: status and message."""
    headers = {"Impersonate-User": user, "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body)
    answer = api.client.request(method, path, content=content, headers=headers, params=query)
    return answer.status_code, str(answer.json().get("message"))


@pytest.mark.parametrize("what", BODIES)
def test_pkg_11_public_f5_templates_are_tried_by_dry_runs_only(api, games, granted, what):
    path = f"/api/v1/namespaces/{games}/{what}"
    dry = lambda: asked(api, granted, "POST", path, BODIES[what], dryRun="All")  # noqa: E731
    assert wait(lambda: dry()[0] == 201, 30, 0.2), dry()

    def refused() -> bool:
        said[:] = asked(api, granted, "POST", path, BODIES[what])
        if said[0] == 201:  # the policy is not in force yet
            api.good("DELETE", f"{path}/p", gracePeriodSeconds="0")
        return said[0] == 403 and "by dry runs only" in said[1]

    said: list = []
    assert wait(refused, 60, 0.5), said
    for method, where in (("GET", path), ("DELETE", f"{path}/p"), ("DELETE", path)):
        assert asked(api, granted, method, where)[0] == 403, (method, where)


def test_the_policy_speaks_of_nobody_else(api, games, granted):
    path = f"/api/v1/namespaces/{games}/podtemplates"
    body = {**BODIES["podtemplates"], "metadata": {"name": "mine"}}
    api.good("POST", path, body)
    api.good("DELETE", f"{path}/mine")
