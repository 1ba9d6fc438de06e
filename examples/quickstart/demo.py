"""The quick start of GameDeployment on a real cluster, step by step: ``make demo``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from devcluster import choose, demorelease, operator
from devcluster.choose import Cluster, kubectl_program
from devcluster.state import Missing

HERE = Path(__file__).parent
NAMESPACE = "game-demo"
NAME = "test-gamedeploy"


class Story:
    """Tells what happens while it happens, and insists that it does."""

    plural, name = "gamedeployments.tkex.tencent.com", NAME

    def __init__(self, cluster: Cluster, namespace: str = NAMESPACE, out: Callable[[str], None] = print) -> None:
        self.cluster, self.namespace, self.say = cluster, namespace, out
        self.began = time.monotonic()
        self.hooks: dict[str, str] = {}
        self._watch: subprocess.Popen[str] | None = None
        self._watching = False

    def step(self, text: str) -> None:
        self.say(f"\n[{time.monotonic() - self.began:5.1f} s] {text}")

    def kubectl(self, *args: str, data: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *args, input=data)

    def show(self, *args: str) -> None:
        self.say(f"$ kubectl {' '.join(args)}")
        for line in self.kubectl(*args).splitlines():
            self.say(f"  {line}")

    def object(self, *args: str) -> Any:
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def pods(self) -> list[Any]:
        pods = self.object("pods", "-l", f"app={self.name}")["items"]
        return sorted(
            (p for p in pods if not p["metadata"].get("deletionTimestamp")), key=lambda p: p["metadata"]["name"]
        )

    def until(self, what: str, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Wait for something to become true.

        Raises:
            AssertionError: it did not; the text shows the workload and the end of the operators' log.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                status = self.kubectl("get", self.plural, self.name, "-o", "jsonpath={.status}")
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{status}\n{operator.log_tail()}")
            time.sleep(0.3)
        self.say(f"[{time.monotonic() - self.began:5.1f} s] {what}")

    def watch_hooks(self) -> None:
        """Tell of every HookRun from now on: they are gone before one can look."""
        self._watching = True
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        """Read a watch, and another one when it ends."""
        path = f"/apis/tkex.tencent.com/v1alpha1/namespaces/{self.namespace}/hookruns?watch=true"
        command = [kubectl_program(), f"--kubeconfig={self.cluster.kubeconfig}", "get", "--raw", path]
        while self._watching:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
                self._watch = watch
                assert watch.stdout is not None
                for line in watch.stdout:
                    self._tell_hook(json.loads(line)["object"])

    def _tell_hook(self, run: Any) -> None:
        name, phase = run["metadata"].get("name", ""), run.get("status", {}).get("phase")
        if isinstance(phase, str) and name and self.hooks.get(name) != phase:
            self.hooks[name] = phase
            self.say(f"[{time.monotonic() - self.began:5.1f} s]   hookrun {name} {phase}")

    def end_watch(self) -> None:
        self._watching = False
        if self._watch is not None:
            self._watch.terminate()

    def condition(self, type_: str) -> str:
        """Message of a condition of the workload."""
        held = self.object(self.plural, self.name)["status"].get("conditions", [])
        return next((str(c["message"]) for c in held if c["type"] == type_), "")

    def columns(self) -> list[str]:
        """The default listing of the workload without its age."""
        return self.kubectl("get", self.plural, self.name, "--no-headers").split()[:-1]

    def answer(self, pod: Any, path: str) -> str:
        """What the game server in the pod says, asked through the API server."""
        name = pod["metadata"]["name"]
        raw = f"/api/v1/namespaces/{self.namespace}/pods/{name}:8080/proxy{path}"
        return self.cluster.kubectl("get", "--raw", raw).strip()


def manifest(name: str, image: str | None = None) -> str:
    """A manifest of the quick start, with another image tag if wanted."""
    text = (HERE / name).read_text(encoding="utf-8")
    return text.replace("game-demo:0.0.1", f"game-demo:{image}") if image else text


def create(story: Story) -> list[Any]:
    """Two game servers with indexes 100 and 101."""
    story.step("create: kubectl apply -f gamedeployment-inplaceupdate.yaml (image game-demo:0.0.1)")
    story.kubectl("apply", "-f", "-", data=manifest("gamedeployment-inplaceupdate.yaml"))
    wanted = [NAME, "2", "2", "2", "2", "2"]
    story.until("two game servers are ready", lambda: story.columns() == wanted)
    story.show("get", "gamedeployments.tkex.tencent.com")
    story.show("get", "hooktemplates.tkex.tencent.com")
    pods = story.pods()
    indexes = sorted(json.loads(story.answer(p, "/"))["podIndex"] for p in pods)
    assert indexes == ["100", "101"], indexes
    story.say(f"POD_INDEX as the game servers see it: {', '.join(indexes)}")
    return pods


def update_in_place(story: Story, before: Sequence[Any]) -> None:
    """Image 0.0.2 in the same pods, between hooks."""
    story.step("in-place update: image game-demo:0.0.2, one pod at a time, each behind its hooks")
    story.kubectl("apply", "-f", "-", data=manifest("gamedeployment-inplaceupdate.yaml", "0.0.2"))

    def done() -> bool:
        conditions = story.object("gamedeployment", NAME)["status"].get("conditions", [])
        complete = any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)
        images = {c["image"].rsplit(":", 1)[1] for p in story.pods() for c in p["spec"]["containers"]}
        return complete and images == {"0.0.2"} and not story.object("hookruns")["items"]

    story.until("both pods are updated and no HookRun is left", done)
    after = story.pods()
    assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in before], "pods were replaced"
    assert [p["status"]["podIP"] for p in after] == [p["status"]["podIP"] for p in before], "addresses changed"
    assert [p["status"]["containerStatuses"][0]["restartCount"] for p in after] == [1, 1], "RESTARTS is not 1"
    assert {story.answer(p, "/version") for p in after} == {"0.0.2"}, "the new version is not served"
    for pod in before:
        old = pod["metadata"]["labels"]["controller-revision-hash"]
        instance = pod["metadata"]["name"].rsplit("-", 1)[1]
        new = after[0]["metadata"]["labels"]["controller-revision-hash"]
        for name in (f"preinplace-{old}-{instance}-test-hooktemplate", f"postinplace-{new}-{instance}-test-post"):
            assert story.hooks.get(name) == "Successful", f"{name}: {story.hooks}"
    story.show("get", "pods")
    story.say("same pods, same UIDs, same addresses, one restart each; version 0.0.2 is served")


def _ready_since(pod: Any) -> str:
    return next(str(c["lastTransitionTime"]) for c in pod["status"]["conditions"] if c["type"] == "Ready")


def update_rolling(story: Story, before: Sequence[Any]) -> None:
    """Back to 0.0.1 in new pods; one of the old ones has players inside for a while."""
    busy = min(story.pods(), key=_ready_since)  # who got ready last goes first
    name = busy["metadata"]["name"]
    story.step(f"a match begins in {name}: its /hook says 0 from now on")
    story.answer(busy, "/hook/set?result=0")
    story.step("rolling update: kubectl apply -f gamedeployment-rollingupdate.yaml (image game-demo:0.0.1)")
    story.kubectl("apply", "-f", "-", data=manifest("gamedeployment-rollingupdate.yaml"))
    old = {p["metadata"]["name"] for p in before}

    def held() -> bool:
        left = {p["metadata"]["name"] for p in story.pods()} & old
        said = story.condition("Progressing")
        return left == {name} and name in said and "does not hold for '0'" in said

    story.until(f"the other pod is replaced, {name} is held by its hook", held)
    story.show("get", "hookruns")
    story.say(f"condition Progressing: {story.condition('Progressing')}")
    story.step(f"the match in {name} ends: its /hook says 1")
    story.answer(busy, "/hook/set?result=1")

    wanted = [NAME, "2", "2", "2", "2", "2"]

    def done() -> bool:
        names = {p["metadata"]["name"] for p in story.object("pods")["items"]}
        return story.columns() == wanted and not names & old and len(names) == 2

    story.until("both pods are replaced, the old ones are gone", done, 180)
    pods = story.pods()
    assert [p["status"]["containerStatuses"][0]["restartCount"] for p in pods] == [0, 0]
    assert {story.answer(p, "/version") for p in pods} == {"0.0.1"}
    indexes = [int(json.loads(story.answer(p, "/"))["podIndex"]) for p in pods]
    assert len(set(indexes)) == 2, indexes
    assert all(100 <= i < 110 for i in indexes), indexes
    asked = [n for n, phase in story.hooks.items() if n.startswith("predelete-") and phase == "Successful"]
    assert len(asked) >= 2, story.hooks
    story.show("get", "pods")


def delete(story: Story) -> None:
    """Everything goes."""
    story.step("delete: kubectl delete -f gamedeployment-inplaceupdate.yaml")
    said = story.kubectl("delete", "-f", "-", data=manifest("gamedeployment-inplaceupdate.yaml"))
    for line in said.splitlines():
        story.say(f"  {line}")

    def gone() -> bool:
        return not story.object("pods,hookruns,controllerrevisions")["items"]

    story.until("pods, HookRuns and revisions are gone", gone)


def play(story: Story) -> None:
    """The whole chapter."""
    story.watch_hooks()
    try:
        pods = create(story)
        update_in_place(story, pods)
        update_rolling(story, pods)
        delete(story)
    finally:
        story.end_watch()


def _installation(wanted: str | None) -> str:
    """How the operators run: as it is wanted, else beside the cluster; by Helm on kind.

    Hooks ask pods by their addresses, and those of kind's pods are known inside Docker's network alone.

    Raises:
        Missing: Helm is needed and cannot be had. It is said now, not after minutes.
    """
    chosen = wanted or ("helm" if choose.foreseen() == "kind" else "process")
    if chosen == "helm":
        choose.helm_program()
    return chosen


def _start(cluster: Cluster, install: str) -> str:
    """Have the operators run, as a process beside the cluster or installed in it by Helm; where they are."""
    if install == "helm":
        operator.stop()
        demorelease.install(cluster)
        return f"two pods in namespace {demorelease.NAMESPACE}, led by {demorelease.leader(cluster)}"
    demorelease.remove(cluster)
    for file in sorted((HERE.parent.parent / "crds").glob("*.yaml")):
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    operator.start(cluster.kubeconfig)
    return f"process {operator.pid()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, play, say how to go on."""
    from examples.quickstart import stateful

    parser = argparse.ArgumentParser(description="The quick start on a real cluster, told step by step.")
    parser.add_argument("--workload", choices=("gamedeployment", "gamestatefulset"), default="gamedeployment")
    parser.add_argument("--install", choices=("process", "helm"), help="default: helm on kind, else process")
    options = parser.parse_args(arguments)
    workload = options.workload
    try:
        install = _installation(options.install)
        cluster = choose.up()
        running = _start(cluster, install)
    except Missing as reason:
        print(f"cannot start: {reason}", file=sys.stderr)
        return 1
    print(f"cluster: {cluster.kubeconfig}; operators: {running}, CRDs applied")
    stateless = workload == "gamedeployment"
    story = Story(cluster) if stateless else stateful.StatefulStory(cluster)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("-n", NAMESPACE, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    (play if stateless else stateful.play)(story)
    print(f"\nDone in {time.monotonic() - story.began:.0f} s. The cluster and the operators go on running:")
    print(f"  export KUBECONFIG={cluster.kubeconfig} PATH={Path(kubectl_program()).parent}:$PATH")
    print(f"  kubectl create namespace mine && kubectl -n mine apply -f {HERE}/{workload}-inplaceupdate.yaml")
    print(f"  kubectl -n mine get {workload}s,pods,hookruns     # and edit the image; `make cluster-down` ends it all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
