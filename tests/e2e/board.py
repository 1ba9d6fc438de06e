"""What end-to-end tests work with: manifests, a view of one namespace, and a watch that misses nothing."""

import json
import subprocess
import threading
import time

from devcluster.choose import kubectl_program

IMAGE = "hub.bktencent.com/blueking/game-demo"

HOOK = """
apiVersion: tkex.tencent.com/v1alpha1
kind: HookTemplate
metadata: {name: players}
spec:
  metrics:
    - name: empty
      interval: 1s
      successfulLimit: 1
      successCondition: "asInt(result) == 1"
      provider: {web: {url: "http://{{ args.PodIP }}:8080/hook", jsonPath: "{$.result}", timeoutSeconds: 5}}
"""


def workload(name, replicas, strategy, *, image="0.0.1", hooks=(), result="1", annotations=(), pod=(), **spec):
    """A GameDeployment of game servers; ``spec`` adds fields in camelCase, ``pod`` replaces annotations of the pods."""
    container = {
        "name": "web",
        "image": image if "/" in image else f"{IMAGE}:{image}",
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "GAME_HOOK_RESULT", "value": result}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "GameDeployment",
        "metadata": {"name": name, "annotations": dict(annotations)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "updateStrategy": strategy,
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": dict(pod)},
                "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]},
            },
            **{f"{hook}UpdateStrategy": {"hook": {"templateName": "players"}} for hook in hooks},
            **spec,
        },
    }


class Board:
    """Reads and changes one namespace."""

    def __init__(self, cluster, namespace, name):
        self.cluster, self.namespace, self.name = cluster, namespace, name

    def kubectl(self, *args, data=None):
        return self.cluster.kubectl("-n", self.namespace, *args, input=data)

    def apply(self, body):
        self.kubectl("apply", "-f", "-", data=body if isinstance(body, str) else json.dumps(body))

    def patch(self, spec):
        self.kubectl("patch", "gamedeployment", self.name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def get(self, *args):
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def names(self):
        return {p["metadata"]["name"] for p in self.pods()}

    def said(self, type_):
        """Status, reason and message of a condition in one text, "" while it is not there."""
        held = (c for c in self.status().get("conditions", ()) if c["type"] == type_)
        return next((f"{c['status']} {c['reason']}: {c['message']}" for c in held), "")

    def events(self, reason):
        listed = self.get("events")["items"]
        return [e["message"] for e in listed if e["reason"] == reason and e["involvedObject"]["name"] == self.name]

    def pods(self):
        listed = json.loads(self.kubectl("get", "pods", "-l", f"app={self.name}", "-o", "json"))["items"]
        return [p for p in listed if not p["metadata"].get("deletionTimestamp")]

    def status(self):
        return json.loads(self.kubectl("get", "gamedeployment", self.name, "-o", "json")).get("status", {})

    def until(self, what, condition, seconds=90):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; status {self.status()}"
            time.sleep(0.2)

    def complete(self, image, count):
        def holds():
            status = self.status()
            done = any(c["type"] == "Complete" and c["status"] == "True" for c in status.get("conditions", ()))
            pods = self.pods()
            images = {p["spec"]["containers"][0]["image"].removeprefix(f"{IMAGE}:") for p in pods}
            ready = status.get("updatedReadyReplicas", 0) == count == len(pods)
            return done and ready and images == ({image} if count else set())

        return holds


class Watch:
    """All states of the pods of a namespace, by a real watch."""

    def __init__(self, cluster, namespace):
        command = [kubectl_program(), f"--kubeconfig={cluster.kubeconfig}", "-n", namespace]
        command += ["get", "pods", "-w", "-o", "json", "--output-watch-events"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.events = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        decoder, text = json.JSONDecoder(), ""
        for line in self.process.stdout:
            text += line
            try:
                event, end = decoder.raw_decode(text.lstrip())
            except ValueError:
                continue
            text = text.lstrip()[end:]
            self.events.append((event["type"], event["object"]))

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join(5)
        return self.events


def condition(pod, type_):
    return next((c for c in pod["status"].get("conditions", ()) if c["type"] == type_), None)
