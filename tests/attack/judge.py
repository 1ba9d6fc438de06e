"""Watches the processes under attack from outside, all the time: what a neighbour of the attackers would notice."""

from __future__ import annotations

import json
import math
import re
import ssl
import threading
import time
import urllib.error
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from devcluster.controlplane import ApiServer
from tests.attack.generators import hook_run, metric, workload
from tests.integration.runtime.processes import Process
from tests.integration.webhooks.conftest import Hooks, hook_template
from tests.integration.webhooks.test_speed import review

Json = dict[str, Any]
GOOD: Final = "good"
"""The namespace of the honest hook and workload."""
SERVED_WITHIN: Final = 2.0
LOOP_LATE: Final = 0.25
MEMORY: Final = 300 << 20
#: Seconds after which something honest counts as never served, and between two tries of it.
_GIVE_UP, _BETWEEN = 30.0, 0.1
_API: Final = f"/apis/tkex.tencent.com/v1alpha1/namespaces/{GOOD}"
_LEASE: Final = "/apis/coordination.k8s.io/v1/namespaces/default/leases/games"
_BUCKET: Final = 'game_operators_event_loop_{}_seconds_bucket\\{{le="([^"]+)"\\}} (\\S+)'


class Figures:
    """The worst that was seen, by the kind of attack under way; and how often something was looked at."""

    def __init__(self) -> None:
        self.worst: dict[str, dict[str, float]] = defaultdict(dict)
        self.looks: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def saw(self, kind: str, what: str, value: float) -> None:
        """Count one look."""
        with self._lock:
            self.looks[what] += 1
            of_kind = self.worst[kind]
            of_kind[what] = max(of_kind.get(what, 0.0), value)

    def most(self, what: str) -> float:
        """The worst over all kinds."""
        return max((found.get(what, 0.0) for found in self.worst.values()), default=0.0)

    def table(self) -> str:
        """One row for each kind."""
        columns = ("hook", "workload", "lag", "own_lag", "operators", "deletion", "webhooks")
        rows = [" | ".join(("kind", *columns))]
        for kind, found in self.worst.items():
            rows.append(" | ".join((kind, *(f"{found[c]:.3g}" if c in found else "-" for c in columns))))
        return "\n".join(rows)


class Judge:
    """Watches until `stop`. ``faults`` says what was not as it has to be, with the kind of attack under way.

    What the machine is the reason for is told apart from what the operators are: of a delay, the time is taken off in
    which the thread of their event loop was ready to run and got no CPU, as the kernel counts it. Nothing is taken off
    for other processes or threads.
    """

    def __init__(self, api: ApiServer, operators: Process, hooks: Hooks, tls: ssl.SSLContext, server: str) -> None:
        self._api, self._operators, self._hooks, self._tls, self._server = api, operators, hooks, tls, server
        self.kind = "nothing"
        self.figures = Figures()
        self.faults: list[str] = []
        self._ended = threading.Event()
        self._turns: dict[str, dict[str, float]] = {"lag": {}, "own_lag": {}}
        self._lease: tuple[str, int] | None = None
        watchers = (self._good_hook, self._good_workload, self._deletion, self._processes)
        self._threads = [threading.Thread(target=self._repeat, args=(w,), daemon=True) for w in watchers]

    def start(self) -> None:
        """Serve the honest ones once, and watch from then on: what a start costs is nobody's attack."""
        for first in (self._good_hook, self._good_workload, self._deletion):
            first()
        self._late()
        self.figures, self.faults, self._lease = Figures(), [], self._holder()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop watching, and read the logs."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_GIVE_UP + 10)
        traces = [record for record in self._operators.log if "exc" in record]
        if traces:
            self.faults.append(f"{len(traces)} tracebacks in the log of the operators: {traces[0]}")
        if "Traceback" in self._hooks.text():
            self.faults.append("a traceback in the log of the webhooks")

    def looked(self, what: str) -> int:
        """How often something was looked at so far."""
        return self.figures.looks[what]

    def _repeat(self, watch: Callable[[], None]) -> None:
        while not self._ended.wait(_BETWEEN):
            try:
                watch()
            except Exception as error:  # the judge itself must not end without a word
                self._fault(f"{watch.__name__}: {error!r}")

    def _fault(self, text: str) -> None:
        self.faults.append(f"during {self.kind}: {text}")

    def _saw(self, what: str, value: float, most: float, waited: float = 0.0) -> None:
        """Judge a figure; ``waited`` of it the operators were waiting for a CPU."""
        kind = self.kind
        self.figures.saw(kind, what, value)
        if value - waited > most:
            said = f", of which {waited:.4g} without a CPU" if waited else ""
            self._fault(f"{what}: {value:.4g}{said}, at most {most:.4g}")

    def _good_hook(self) -> None:
        spec = {"metrics": [metric(0, url=f"{self._server}/good", successCondition="asInt(result) == 1")]}
        body = hook_run("good", spec, self._server, "/good")
        self._served("hook", "hookruns", body, lambda status: status.get("phase") == "Successful")

    def _good_workload(self) -> None:
        body = workload("good")
        self._served("workload", "gamedeployments", body, lambda status: status.get("readyReplicas") == 1)
        self._api.request("DELETE", f"/api/v1/namespaces/{GOOD}/pods")

    def _served(self, what: str, plural: str, body: Json, good: Callable[[Json], bool]) -> None:
        """Create an object, and see how long it takes until its status is good; then it goes."""
        path = f"{_API}/{plural}/{body['metadata']['name']}"
        self._api.request("POST", f"{_API}/{plural}", body)
        began, waited = time.monotonic(), self._waited()
        try:
            while not good(self._api.request("GET", path).get("status") or {}):
                if time.monotonic() - began > _GIVE_UP:
                    break
                time.sleep(0.02)
            self._saw(what, time.monotonic() - began, SERVED_WITHIN, self._waited() - waited)
        finally:
            self._api.request("DELETE", path)
            self._gone(path)

    def _gone(self, path: str) -> None:
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            try:
                self._api.request("GET", path)
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return
                raise
            time.sleep(0.02)
        raise AssertionError(f"{path} does not go")

    def _deletion(self) -> None:
        """A deletion, asked over a new connection, is refused."""
        body = review("DELETE", "hooktemplates", GOOD, oldObject=hook_template("quick", None))
        headers = {"Content-Type": "application/json"}
        began = time.monotonic()
        url = f"https://127.0.0.1:{self._hooks.port}/validate-workload"
        answer = httpx.post(url, content=body, headers=headers, verify=self._tls, timeout=_GIVE_UP)
        self._saw("deletion", time.monotonic() - began, SERVED_WITHIN)
        if answer.status_code != 200 or answer.json()["response"]["allowed"]:
            self._fault(f"a deletion was answered {answer.status_code} {answer.text[:200]}")

    def _processes(self) -> None:
        """Memory in MiB, workers included; how late the loop was; the Lease; whether both live."""
        for name, process in (("operators", self._operators.process), ("webhooks", self._hooks.process)):
            if process.poll() is not None:
                self._fault(f"{name} ended with {process.returncode}")
                self._ended.set()
                return
            self._saw(name, memory(process.pid) / (1 << 20), MEMORY / (1 << 20))
        self._late()
        if self._holder() != self._lease:
            self._fault(f"the Lease was lost: {self._lease}, now {self._holder()}")
            self._lease = self._holder()

    def _late(self) -> None:
        """How late the loop was, and how much of that was its own work: only that is judged."""
        text = self._operators.read("/metrics")[1]
        for what, before in self._turns.items():
            now = {bound: float(count) for bound, count in re.findall(_BUCKET.format(what), text)}
            found = latest({bound: now[bound] - before.get(bound, 0.0) for bound in now})
            self._turns[what] = now
            self._saw(what, found, LOOP_LATE if what == "own_lag" else math.inf)

    def _waited(self) -> float:
        """Seconds that the thread of the operators' event loop was ready to run and got no CPU, so far."""
        pid = self._operators.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9

    def _holder(self) -> tuple[str, int]:
        spec = self._api.request("GET", _LEASE)["spec"]
        return spec.get("holderIdentity", ""), spec.get("leaseTransitions", 0)


def latest(turns: dict[str, float]) -> float:
    """The bucket of a histogram that holds the latest of the turns: no turn was later than this many seconds."""
    ordered = sorted((float(bound), count) for bound, count in turns.items())
    everything = ordered[-1][1] if ordered else 0.0
    return next((bound for bound, count in ordered if count >= everything), 0.0)


def memory(pid: int) -> int:
    """Bytes that a process and its children have; what they share is counted once, as a container's limit does."""
    return sum(_shares(pid))


def _shares(pid: int) -> Iterator[int]:
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            yield process.memory_full_info().pss
        except psutil.NoSuchProcess:  # a worker that ended meanwhile
            continue


def report(judge: Judge) -> str:
    """Figures and faults, for people."""
    return json.dumps({"looks": judge.figures.looks, "faults": judge.faults}, indent=1) + "\n" + judge.figures.table()
