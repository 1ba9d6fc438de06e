"""Operators installed by Helm, with two replicas: what happens when the one that leads goes in mid-rollout."""

import json
import time

import pytest

from devcluster import processes
from examples.quickstart import demo
from tests.e2e.board import HOOK, Board, Watch, workload
from tests.e2e.installation import installation

#: How soon a leader is replaced is measured.
pytestmark = pytest.mark.alone
STRATEGY = {"type": "RollingUpdate", "maxUnavailable": 2, "maxSurge": 1}
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}


@pytest.fixture(scope="module")
def installed(cluster, crds, no_operators, operator_image):
    with installation(cluster, operator_image) as made:
        yield made


def test_pkg_16_both_replicas_are_ready_and_tell_their_metrics_and_one_leads(installed):
    names = installed.names()
    assert len(names) == 2
    assert installed.leader() in names
    told = {name: installed.ask(name, "/metrics") for name in names}
    leading = {name for name, text in told.items() if "game_operators_leader 1.0" in text.splitlines()}
    assert leading == {installed.leader()}
    assert {installed.ask(name, "/readyz") for name in names} == {"ok"}
    assert {installed.ask(name, "/healthz") for name in names} == {"ok"}


def test_pkg_26_the_pods_run_where_only_restricted_ones_may(installed):
    namespace = json.loads(installed.cluster.kubectl("get", "namespace", installed.namespace, "-o", "json"))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "Succeeded" in installed.release.run("test", "--timeout=60s")


LOOK = """
import importlib.util, json, os, shutil
places = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ["PATH"]
tools = "pip pip3 gcc cc make git curl wget".split()
modules = ("pip", "ensurepip", "setuptools", "hatchling")
def writable(path):
    try:
        open(os.path.join(path, "probe"), "w").close()
        return True
    except OSError:
        return False
print(json.dumps({
    "uid": os.getuid(),
    "tools": [t for t in tools if shutil.which(t, path=places)],
    "installers": [m for m in modules if importlib.util.find_spec(m)],
    "writable": [p for p in ("/", "/tmp", "/opt/game-operators", "/etc", "/var/tmp") if writable(p)],
    "capabilities": [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapBnd"))],
    "environment": sorted(n for n in os.environ if n.startswith("PIP") or "SECRET" in n),
    "secrets": os.path.exists("/run/secrets/pip") or os.path.exists("/run/secrets/ca"),
}))
"""


def test_the_image_has_no_tools_no_secrets_and_nothing_to_write_to(installed):
    for component, deployment in (("operators", "game-operators"), ("webhooks", "game-operators-webhooks")):
        said = installed.kubectl("exec", f"deployment/{deployment}", "-c", component, "--", "python3", "-c", LOOK)
        assert json.loads(said) == {
            "uid": 65532,
            "tools": [],
            "installers": [],
            "writable": [],
            "capabilities": ["0000000000000000", "0000000000000000"],
            "environment": [],
            "secrets": False,
        }


def test_the_quick_start_runs_with_operators_from_inside(installed, namespace):
    lines = []
    demo.play(demo.Story(installed.cluster, namespace, lines.append))
    assert any("same pods, same UIDs" in line for line in lines)


class Rollout:
    """Ten game servers being replaced, and one with players inside that its hook keeps."""

    def __init__(self, cluster, namespace):
        self.board, self.busy = Board(cluster, namespace, "arena"), Board(cluster, namespace, "busy")
        self.board.apply(HOOK)
        self.board.apply(workload("arena", 10, STRATEGY, hooks=("preDelete",)))
        self.busy.apply(workload("busy", 1, IN_PLACE, hooks=("preInplace",), result="0"))
        self.board.until("ten pods are ready", self.board.complete("0.0.1", 10), 120)
        self.busy.until("the busy one is ready", self.busy.complete("0.0.1", 1))
        self.old = {p["metadata"]["uid"] for p in self.board.pods()}
        self.kept = self.busy.pods()[0]["metadata"]
        self.watch = Watch(cluster, namespace)

    def begin(self):
        self.busy.apply(workload("busy", 1, IN_PLACE, hooks=("preInplace",), result="0", image="0.0.2"))
        self.board.apply(workload("arena", 10, STRATEGY, hooks=("preDelete",), image="0.0.2"))
        self.board.until("the update is under way", lambda: self.board.status().get("updatedReplicas", 0) >= 2)
        assert self.board.status()["updatedReplicas"] < 10

    def written(self):
        """Version of the workload, which nobody but the operator writes in mid-rollout."""
        return self.board.get("gamedeployment", "arena")["metadata"]["resourceVersion"]

    def end(self):
        """Wait for the end, and hold against every state the pods ever had."""
        self.board.until("all are updated", self.board.complete("0.0.2", 10), 150)
        self._busy_one_was_left_alone()
        events = [(kind, pod) for kind, pod in self.watch.end() if pod["metadata"]["labels"]["app"] == "arena"]
        final = self.board.pods()
        assert len(final) == 10
        assert not {p["metadata"]["uid"] for p in final} & self.old
        made = {p["metadata"]["uid"] for kind, p in events if kind == "ADDED"} - self.old
        assert len(made) == 10, f"{len(made)} new pods were created for 10 replicas"
        living = {}
        for kind, pod in events:
            living[pod["metadata"]["uid"]] = kind != "DELETED" and not pod["metadata"].get("deletionTimestamp")
            assert sum(living.values()) <= 11, "more pods than replicas and maxSurge"
        self.board.until("no HookRun of the ended update is left", lambda: not self._runs("arena"))

    def _runs(self, of):
        runs = self.board.get("hookruns")["items"]
        return [r for r in runs if r["metadata"]["ownerReferences"][0]["name"] == of]

    def _busy_one_was_left_alone(self):
        pod = self.busy.pods()[0]
        assert pod["metadata"]["uid"] == self.kept["uid"]
        assert pod["spec"]["containers"][0]["image"].endswith("0.0.1"), "updated against its hook"
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        (run,) = self._runs("busy")
        assert run["status"]["phase"] == "Running"
        path = f"/api/v1/namespaces/{self.busy.namespace}/pods/{self.kept['name']}:8080/proxy/hook/set?result=1"
        self.busy.cluster.kubectl("get", "--raw", path)
        self.busy.until("the match is over, and it is updated", self.busy.complete("0.0.2", 1))
        assert self.busy.pods()[0]["metadata"]["uid"] == self.kept["uid"]


@pytest.fixture
def rollout(installed, namespace):
    return Rollout(installed.cluster, namespace)


def test_pkg_14_a_leader_killed_in_mid_rollout_is_replaced_within_20_s(installed, rollout):
    leader = installed.leader()
    rollout.begin()
    # Stopped first: it must not hear of its end, or it would give the Lease away politely.
    began = time.monotonic()
    installed.signal(leader, "SIGSTOP")
    installed.kubectl("delete", "pod", leader, "--grace-period=0", "--force")
    written = rollout.written()
    seconds = installed.next_leader(leader, began, 20)
    print(f"the standby leads {seconds:.1f} s after the leader was gone")
    acts = processes.wait(lambda: rollout.written() != written, began + 20 - time.monotonic())
    assert acts, "the standby leads and does not go on"
    rollout.end()
    assert processes.wait(lambda: len(installed.names()) == 2, 60)


def test_a_leader_whose_process_is_killed_goes_on_or_is_replaced_within_20_s(installed, rollout):
    leader = installed.leader()
    rollout.begin()
    began = time.monotonic()
    installed.signal(leader, "SIGKILL")
    written = rollout.written()
    goes_on = processes.wait(lambda: rollout.written() != written, began + 20 - time.monotonic())
    assert goes_on, "nobody goes on"
    print(f"work goes on {time.monotonic() - began:.1f} s after the leader's process was killed")
    rollout.end()


def test_pkg_15_a_leader_that_is_told_to_end_is_replaced_within_5_s(installed, rollout):
    leader = installed.leader()
    rollout.begin()
    began = time.monotonic()
    installed.kubectl("delete", "pod", leader, "--wait=false")
    seconds = installed.next_leader(leader, began, 5)
    print(f"the standby leads {seconds:.1f} s after the leader was told to end")
    rollout.end()
    assert processes.wait(lambda: len(installed.names()) == 2, 60)


def test_a_rolling_upgrade_of_the_operators_touches_no_pod_of_a_workload(installed, namespace):
    board = Board(installed.cluster, namespace, "arena")
    board.apply(workload("arena", 4, IN_PLACE))
    board.until("four pods are ready", board.complete("0.0.1", 4))
    before = {p["metadata"]["name"]: p["metadata"]["resourceVersion"] for p in board.pods()}
    operators, transitions = installed.names(), installed.leader()
    installed.install(operators={"podAnnotations": {"example.com/restarted": "1"}})
    assert not installed.names() & operators, "the upgrade replaced no operator"
    assert processes.wait(lambda: installed.leader() in installed.names(), 20), f"after {transitions} nobody leads"
    board.apply(workload("arena", 5, IN_PLACE))
    board.until("the new operators work", board.complete("0.0.1", 5))
    after = {p["metadata"]["name"]: p["metadata"]["resourceVersion"] for p in board.pods()}
    assert {name: after[name] for name in before} == before, "pods were written to"
