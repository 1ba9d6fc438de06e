"""The same manifest as StatefulSet and as GameStatefulSet, the same life: both come out alike.

Pods run on fake nodes, claims are bound to volumes of the test's own; everything else is the real control plane.
What is compared is what a user keeps: ordinals, names, versions, claims and the number of stored revisions.
"""

import copy
import json
import random
import time

import pytest

from devcluster import choose, processes

NATIVE, OURS = "statefulset", "gamestatefulset"
MOST = 4


@pytest.fixture(scope="module", autouse=True)
def _fake_nodes(cluster):
    listed = cluster.kubectl("get", "nodes", "-l", "type=kwok", "-o", "name").split()
    if not processes.alive("kwok") or len(listed) < 2:
        choose.kwok_up(max(2, len(listed)))


@pytest.fixture
def storage(cluster, namespace):
    """Volumes enough for both sets; their class."""
    volumes = [f"{namespace}-{n}" for n in range(2 * MOST)]
    for name in volumes:
        spec = {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": namespace,
            "hostPath": {"path": f"/tmp/{name}"},
        }
        body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
        cluster.kubectl("create", "-f", "-", input=json.dumps(body))
    yield namespace
    cluster.kubectl("delete", "pv", "--wait=false", *volumes)


class Twins:
    """Both sets, called by their kinds, changed alike."""

    def __init__(self, cluster, namespace, storage, policy):
        self.cluster, self.namespace = cluster, namespace
        claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage}
        claim["resources"] = {"requests": {"storage": "1Mi"}}
        self.spec = {
            "replicas": 3,
            "serviceName": "game",
            "podManagementPolicy": policy,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            "template": {
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "nodeSelector": {"type": "kwok"},
                    "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
                    "containers": [
                        {"name": "web", "image": "game:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
                    ],
                }
            },
        }

    def kubectl(self, *args, data=None):
        return self.cluster.kubectl("-n", self.namespace, *args, input=data)

    def get(self, *args):
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def apply(self):
        for kind, version, name in (
            (NATIVE, "apps/v1", "StatefulSet"),
            (OURS, "tkex.tencent.com/v1alpha1", "GameStatefulSet"),
        ):
            spec = copy.deepcopy(self.spec)
            spec["selector"] = {"matchLabels": {"app": kind}}
            spec["template"]["metadata"] = {"labels": {"app": kind}}
            if kind == OURS:
                spec["disableReadinessGate"] = True
            body = {"apiVersion": version, "kind": name, "metadata": {"name": kind}, "spec": spec}
            self.kubectl("apply", "-f", "-", data=json.dumps(body))

    def settle(self):
        for kind in (NATIVE, OURS):
            deadline = time.monotonic() + 90
            while not self._settled(kind):
                assert time.monotonic() < deadline, f"{kind} does not settle: {self.get(kind, kind)['status']}"
                time.sleep(0.2)

    def _settled(self, kind):
        held, wanted = self.get(kind, kind), self.spec["replicas"]
        status, pods = held.get("status", {}), self.get("pods", "-l", f"app={kind}")["items"]
        seen = status.get("observedGeneration") == held["metadata"]["generation"]
        alike = status.get("currentRevision") == status.get("updateRevision")
        ready = status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) == wanted == len(pods)
        return seen and alike and ready

    def kept(self, kind):
        """What is compared."""
        image = lambda p: p["spec"]["containers"][0]["image"]  # noqa: E731
        pods = {
            p["metadata"]["name"].removeprefix(kind): image(p) for p in self.get("pods", "-l", f"app={kind}")["items"]
        }
        claims = [c["metadata"]["name"] for c in self.get("pvc")["items"]]
        mounted = {
            p["metadata"]["name"].removeprefix(kind): p["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
            for p in self.get("pods", "-l", f"app={kind}")["items"]
        }
        owners = [r["metadata"]["ownerReferences"][0]["name"] for r in self.get("controllerrevisions")["items"]]
        return {
            "pods": pods,
            "claims": sorted(c.removeprefix(f"data-{kind}") for c in claims if c.startswith(f"data-{kind}-")),
            "mounted": {pod: claim.removeprefix(f"data-{kind}") for pod, claim in mounted.items()},
            "revisions": owners.count(kind),
        }

    def kill(self, ordinal):
        for kind in (NATIVE, OURS):
            self.kubectl("delete", "pod", f"{kind}-{ordinal}", "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize(("policy", "seed"), [("OrderedReady", 1), ("Parallel", 2)])
def test_both_live_alike(cluster, operators, namespace, storage, policy, seed):
    twins, chance = Twins(cluster, namespace, storage, policy), random.Random(seed)
    twins.apply()
    twins.settle()
    for step in range(6):
        deed = chance.choice(["scale", "image", "kill", "both"])
        if deed in ("scale", "both"):
            twins.spec["replicas"] = chance.randint(1, MOST)
        if deed in ("image", "both"):
            twins.spec["template"]["spec"]["containers"][0]["image"] = f"game:{chance.randint(1, 3)}"
        twins.apply()
        if deed == "kill":
            twins.kill(chance.randrange(twins.spec["replicas"]))
        twins.settle()
        native, ours = twins.kept(NATIVE), twins.kept(OURS)
        assert ours == native, f"after {deed} (step {step})"
