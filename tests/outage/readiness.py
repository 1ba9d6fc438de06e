"""What stands in for a kubelet on an API server of a test's own."""

import threading
import time
import urllib.error


class Readiness:
    """Makes each pod of a namespace Running and Ready, in place of a kubelet, and remembers what it has seen."""

    def __init__(self, server, namespace):
        self._server, self._path = server, f"/api/v1/namespaces/{namespace}/pods"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.seen = {}
        """Name of every pod by its UID."""
        self.most = 0
        """The most pods at a time."""
        self.pods = []

    def start(self):
        """Begin."""
        self._thread.start()

    def stop(self):
        """End, and wait for it."""
        self._ended.set()
        self._thread.join(10)

    def _work(self):
        while not self._ended.wait(0.05):
            try:
                self._pass()
            except (OSError, ValueError):  # the server is away: that is what the tests are about
                continue

    def _pass(self):
        pods = self._server.request("GET", self._path, timeout=2.0)["items"]
        self.pods = pods
        self.most = max(self.most, len(pods))
        for pod in pods:
            self.seen[pod["metadata"]["uid"]] = pod["metadata"]["name"]
            if not is_ready(pod):
                self._make_ready(pod)

    def _make_ready(self, pod):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        gates = [g["conditionType"] for g in pod["spec"].get("readinessGates", ())]
        held = {c["type"]: c for c in pod.get("status", {}).get("conditions", ())}
        if any(held.get(gate, {}).get("status") != "True" for gate in gates):
            return
        states = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": f"test@{container['image']}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ]
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("ContainersReady", "Ready")
        ]
        status = {"phase": "Running", "startTime": now, "containerStatuses": states, "conditions": conditions}
        path = f"{self._path}/{pod['metadata']['name']}/status"
        try:
            self._server.request("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise


def is_ready(pod):
    """Whether a pod is Ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
