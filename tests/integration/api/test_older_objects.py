"""Objects older than a rule stay updatable while the part that breaks it stays as it is.

The CRDs of the cluster are everybody's, so this happens in a group of the test's own: first with the rules left out, to
store what breaks them, then with the real schema.
"""

import copy
import json
import secrets

import pytest

from devcluster import processes
from operators.api.crds import definitions
from tests.integration.api.broken import changed, manifest

RULES = (
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minItems",
    "minLength",
    "required",
)


def without_rules(node):
    """The schema, asking for types alone. A field may be called like a rule; its value is a schema then, or a list."""
    if isinstance(node, list):
        return [without_rules(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in RULES}
    if "properties" in kept:
        kept["properties"] = {name: without_rules(child) for name, child in kept["properties"].items()}
    return {key: value if key in ("properties", "default") else without_rules(value) for key, value in kept.items()}


class Twin:
    """A kind of ours under another name and group."""

    def __init__(self, api, kind):
        self.api, self.kind, self.group = api, f"Old{kind}", f"old{secrets.token_hex(3)}.example.com"
        body = copy.deepcopy(next(d for d in definitions().values() if d["spec"]["names"]["kind"] == kind))
        plural = f"{self.kind.lower()}s"
        self.name = f"{plural}.{self.group}"
        body["metadata"] = {"name": self.name}
        body["spec"]["group"] = self.group
        body["spec"]["names"] = {"kind": self.kind, "plural": plural, "singular": self.kind.lower()}
        self.real = body
        self.original = kind

    def lax(self):
        body = copy.deepcopy(self.real)
        version = body["spec"]["versions"][0]
        version["schema"]["openAPIV3Schema"] = without_rules(version["schema"]["openAPIV3Schema"])
        return body

    def install(self, body):
        self.api.text("apply", "--server-side", "--force-conflicts", "-f", "-", body=body)
        self.api.text("wait", "--for=condition=Established", "--timeout=60s", f"crd/{self.name}")

    def remove(self):
        self.api.text("delete", "crd", self.name, "--wait=false", "--ignore-not-found")

    def object(self, name, change):
        still = {"spec.replicas": 0} if self.original.startswith("Game") else {}
        body = changed(manifest(self.original, still, name=name), change)
        return {**body, "apiVersion": f"{self.group}/v1alpha1", "kind": self.kind}

    def store(self, name, change):
        """Store a bad object; the new kind is served a moment after it is established."""
        body = self.object(name, change)
        stored = processes.wait(lambda: self.api.run("create", "-f", "-", body=body).returncode == 0, 30)
        assert stored, self.api.run("create", "-f", "-", body=body).stderr

    def harden(self, probe):
        """Put the real schema in force: a new object like the probe is refused from then on."""
        self.install(self.real)
        body = self.object("probe", probe)

        def refused():
            return "is invalid" in self.api.run("create", "--dry-run=server", "-f", "-", body=body).stderr

        assert processes.wait(refused, 30), "the rules do not come into force"

    def patch(self, name, change, *how):
        body = json.dumps(change)
        return self.api.run("patch", self.name, name, "--type=merge", "--dry-run=server", *how, "-p", body)


STRATEGY = "spec.updateStrategy"
DEPLOYMENTS = {
    "g" * 53: {},
    "percent": {f"{STRATEGY}.maxUnavailable": "150%"},
    "budget": {STRATEGY: {"maxUnavailable": 0, "maxSurge": 0}},
    "type": {f"{STRATEGY}.type": ""},
    "step": {f"{STRATEGY}.canary.steps": [{"partition": 1, "pause": {}}, {"partition": 0}]},
    "numbers": {f"{STRATEGY}.rollingUpdate": {"partition": 2}},
    "twice": {"spec.scaleStrategy.podsToDelete": ["a", "a"]},
    "mismatch": {"spec.selector.matchLabels.app": "other"},
    "empty": {"spec.selector": {}},
}


@pytest.fixture(scope="module")
def deployments(api):
    twin = Twin(api, "GameDeployment")
    try:
        twin.install(twin.lax())
        for name, change in DEPLOYMENTS.items():
            twin.store(name, change)
        twin.harden(DEPLOYMENTS["percent"])
        yield twin
    finally:
        twin.remove()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_adm_77_a_label_can_still_change(deployments, name):
    done = deployments.patch(name, {"metadata": {"labels": {"io.tencent.bcs.dev/deletion-allow": "Always"}}})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_controller_can_still_write_the_status(deployments, name):
    condition = {"type": "Blocked", "status": "True", "reason": "InvalidSpec"}
    status = {"status": {"observedGeneration": 1, "conditions": [condition]}}
    done = deployments.patch(name, status, "--subresource=status")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_controller_can_still_pause_and_the_user_still_scale(deployments, name):
    for change in ({"updateStrategy": {"paused": True}}, {"replicas": 1}, {"preDeleteUpdateStrategy": {"retry": None}}):
        done = deployments.patch(name, {"spec": change})
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("percent", {"updateStrategy": {"maxUnavailable": "160%"}}, 'from 0% to 100%, not "160%"'),
        ("percent", {"updateStrategy": {"maxSurge": "150%"}}, 'from 0% to 100%, not "150%"'),
        ("type", {"updateStrategy": {"type": "Recreate"}}, 'Unsupported value: "Recreate"'),
        ("step", {"updateStrategy": {"canary": {"steps": [{"partition": 1, "pause": {}}]}}}, "exactly one of"),
        ("percent", {"updateStrategy": {"rollingUpdate": {"partition": 3}}}, "rollingUpdate does not belong here"),
        ("mismatch", {"template": {"metadata": {"labels": {"app": "b"}}}}, "does not match"),
        ("mismatch", {"selector": {"matchLabels": {"app": "b"}}}, "spec.selector cannot change"),
    ],
)
def test_the_bad_part_cannot_become_another_bad_one(deployments, name, change, says):
    done = deployments.patch(name, {"spec": change})
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("percent", {"updateStrategy": {"maxUnavailable": "50%"}}),
        ("budget", {"updateStrategy": {"maxUnavailable": 1}}),
        ("type", {"updateStrategy": {"type": "InplaceUpdate"}}),
        ("numbers", {"updateStrategy": {"rollingUpdate": None}}),
        ("mismatch", {"template": {"metadata": {"labels": {"app": "other"}}}}),
        ("twice", {"scaleStrategy": {"podsToDelete": None}}),
    ],
)
def test_the_bad_part_can_be_mended(deployments, name, change):
    done = deployments.patch(name, {"spec": change})
    assert done.returncode == 0, done.stderr


def test_adm_77_hooktemplates_and_gamestatefulsets_too(api):
    template, ondelete = Twin(api, "HookTemplate"), Twin(api, "GameStatefulSet")
    fast = {"spec.metrics[0].interval": "500ms"}
    numbers = {STRATEGY: {"type": "OnDelete", "rollingUpdate": {"maxUnavailable": 0}}}
    try:
        for twin, bad in ((template, fast), (ondelete, numbers)):
            twin.install(twin.lax())
            twin.store("bad", bad)
            twin.harden(bad)
            done = twin.patch("bad", {"metadata": {"labels": {"a": "b"}}})
            assert done.returncode == 0, done.stderr
        done = template.patch("bad", {"spec": {"args": [{"name": "realm", "value": "eu"}]}})
        assert done.returncode == 0, done.stderr
        done = ondelete.patch("bad", {"spec": {"updateStrategy": {"paused": True}}})
        assert done.returncode == 0, done.stderr
    finally:
        template.remove()
        ondelete.remove()
