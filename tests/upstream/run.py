"""Runs the end-to-end tests of Kubernetes' own StatefulSet against GameStatefulSet: ``make test-upstream``.

Every test is a process of its own, a few side by side; its verdict is kept in a folder, so that a run can be done in
parts: what has a verdict there is left out unless it is asked for again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster import account, choose, demorelease, images, operator
from devcluster.choose import Cluster
from devcluster.state import Missing, cache_dir, say
from tests.upstream.images import stand_in_for
from tests.upstream.proxy import TranslatingProxy
from tests.upstream.translate import NODE_LABEL, STORAGE_CLASS

SUITE = Path(__file__).parent / "suite"
_CRDS = Path(__file__).parents[2] / "crds"
_FLAGS = "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4"
_VOLUMES = 120
#: Tests that need images of databases, which no stand-in can be.
_NO_IMAGES = ("zookeeper", "mysql", "CockroachDB")


def suite_program() -> Path:
    """The compiled tests, built when the module or their entry has changed; minutes on a slow machine.

    Raises:
        Missing: the build failed.
    """
    pinned = b"".join((SUITE / name).read_bytes() for name in ("go.mod", "go.sum", "suite_test.go"))
    target = cache_dir() / "upstream" / hashlib.sha256(pinned).hexdigest()[:16] / "suite.test"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".suite.{os.getpid()}")
    say("compiling Kubernetes' own tests (once per machine; minutes)")
    command = ["go", "test", "-c", "-p", "1", "-trimpath", "-ldflags", _FLAGS, "-o", str(partial), "."]
    env = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=SUITE, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"compiling the tests failed:\n{done.stderr[-3000:]}")
    partial.rename(target)
    return target


def listed(program: Path) -> list[str]:
    """Full names of the tests of StatefulSets."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "dry.json"
        command = [str(program), "-ginkgo.dry-run", "-ginkgo.focus=StatefulSet", f"-ginkgo.json-report={report}"]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
        specs = json.loads(report.read_text())[0]["SpecReports"]
    return sorted(_name(s) for s in specs if s["State"] == "passed" and s["LeafNodeType"] == "It")


def _name(spec: dict[str, object]) -> str:
    parts = [*(spec["ContainerHierarchyTexts"] or ()), spec["LeafNodeText"]]  # type: ignore[misc]
    return " ".join(str(part) for part in parts)


def load_images(program: Path) -> None:
    """Import the stand-ins that our containerd lacks."""
    names = subprocess.run([str(program), "--list-images"], capture_output=True, text=True, check=False).stdout.split()
    present = images.ctr("images", "ls", "-q").stdout.split()
    for name in names:
        if re.search(r"/(httpd|busybox|pause):", name) and name not in present:
            with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
                Path(archive.name).write_bytes(stand_in_for(name))
                done = images.ctr("images", "import", archive.name)
            if done.returncode:
                raise Missing(f"importing {name} failed: {done.stderr[-500:]}")


@contextmanager
def volumes(cluster: Cluster, folder: Path) -> Iterator[None]:
    """Volumes in folders of the node, enough for all claims of a run."""
    names = [f"{STORAGE_CLASS}-{os.getpid()}-{n}" for n in range(_VOLUMES)]
    bodies = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Mi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": STORAGE_CLASS,
                "hostPath": {"path": str(folder / name), "type": "DirectoryOrCreate"},
            },
        }
        for name in names
    ]
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
    try:
        yield
    finally:
        cluster.kubectl("delete", "pv", "--wait=false", *names)


@contextmanager
def node_for_pods(cluster: Cluster) -> Iterator[str]:
    """The node whose label says that pods of the tests may run on it."""
    held = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    real = [n["metadata"]["name"] for n in held if n["metadata"].get("labels", {}).get("type") != "kwok"]
    if not real:
        raise Missing("the cluster has no real node")
    cluster.kubectl("label", "node", real[0], f"{NODE_LABEL}=true", "--overwrite")
    try:
        yield real[0]
    finally:
        cluster.kubectl("label", "node", real[0], f"{NODE_LABEL}-")


@contextmanager
def operators_beside(cluster: Cluster) -> Iterator[None]:
    """The operators from the sources as they are, with the rights of the chart."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(_CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(_CRDS))
    demorelease.remove(cluster)
    operator.start(account.kubeconfig(cluster), f"--leader-elect-namespace={account.NAMESPACE}")
    try:
        yield
    finally:
        operator.stop()
        account.remove(cluster)


class Runner:
    """Runs tests one by one, several at a time, and keeps their verdicts."""

    def __init__(self, program: Path, cluster: Cluster, proxy: TranslatingProxy, results: Path, limit: float) -> None:
        self._program, self._cluster, self._proxy, self._results = program, cluster, proxy, results
        self._limit = limit
        self._kubectl = proxy.kubeconfig.parent / "kubectl"
        # What upgrades its connection goes past the proxy.
        drop = 'for a; do shift; case $a in --server=*|--kubeconfig=*) ;; *) set -- "$@" "$a";; esac; done'
        past = f'{drop}; set -- --kubeconfig={cluster.kubeconfig} "$@"'
        script = f'case " $* " in *" exec "*) {past};; esac\nexec {choose.kubectl_program()} "$@"'
        self._kubectl.write_text(f"#!/bin/sh\n{script}\n")
        self._kubectl.chmod(0o755)

    def run(self, names: list[str], side_by_side: int, until: float) -> None:
        """Run them; none is begun after ``until`` (monotonic)."""
        waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in names:
            waiting.put(name)

        def work() -> None:
            while time.monotonic() < until:
                try:
                    name = waiting.get_nowait()
                except queue.Empty:
                    return
                self._one(name)

        threads = [threading.Thread(target=work) for _ in range(side_by_side)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one(self, name: str) -> None:
        place = verdict_file(self._results, name)
        report = place.with_suffix(".ginkgo")
        command = [
            str(self._program),
            f"-ginkgo.focus= {re.escape(name).replace(chr(92) + ' ', ' ')}$",
            f"-ginkgo.json-report={report}",
            "-ginkgo.no-color",
            "-provider=local",
            f"-kubeconfig={self._proxy.kubeconfig}",
            f"-kubectl-path={self._kubectl}",
            "-kube-api-content-type=application/json",
            "-dump-logs-on-failure=false",
            f"-ginkgo.timeout={self._limit:.0f}s",
        ]
        with place.with_suffix(".log").open("wb") as log:
            subprocess.run(command, cwd=self._results, stdout=log, stderr=subprocess.STDOUT, check=False)
        ran = [s for s in json.loads(report.read_text())[0]["SpecReports"] if s["LeafNodeType"] == "It"]
        (spec,) = [s for s in ran if _name(s) == name]
        said = (spec.get("Failure") or {}).get("Message", "")
        seconds = round(spec["RunTime"] / 1e9)
        place.write_text(json.dumps({"name": name, "verdict": spec["State"], "seconds": seconds, "said": said}))
        report.unlink()
        say(f"{spec['State']:8} {seconds:4} s  {name}")


def verdict_file(results: Path, name: str) -> Path:
    """Where the verdict about a test is kept."""
    return results / f"{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"


def main() -> None:
    """Run what has no verdict yet."""
    parser = argparse.ArgumentParser(prog="tests.upstream.run", description=__doc__)
    parser.add_argument("--native", action="store_true", help="control run: StatefulSets themselves")
    parser.add_argument("--focus", default="", help="regular expression: only tests whose names match")
    parser.add_argument("--again", action="store_true", help="also tests that have a verdict")
    parser.add_argument("--side-by-side", type=int, default=4, help="tests at a time")
    parser.add_argument("--seconds", type=float, default=86400, help="no test is begun after this time")
    parser.add_argument("--results", type=Path, default=cache_dir() / "upstream" / "results", help="folder of verdicts")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a test is broken off, and fails")
    asked = parser.parse_args()
    until = time.monotonic() + asked.seconds
    results = asked.results.resolve() / ("native" if asked.native else "ours")
    results.mkdir(parents=True, exist_ok=True)
    program = suite_program()
    names = [n for n in listed(program) if re.search(asked.focus, n) and not any(i in n for i in _NO_IMAGES)]
    names = [n for n in names if asked.again or not verdict_file(results, n).exists()]
    cluster = choose.up()
    load_images(program)
    with (
        tempfile.TemporaryDirectory() as folder,
        node_for_pods(cluster) as node,
        volumes(cluster, Path(folder)),
        operators_beside(cluster),
    ):
        Path(folder).chmod(0o755)
        proxy = TranslatingProxy(cluster.kubeconfig, node, Path(folder), native=asked.native)
        proxy.start()
        try:
            Runner(program, cluster, proxy, results, asked.limit).run(names, asked.side_by_side, until)
        finally:
            proxy.stop()


if __name__ == "__main__":
    main()
