"""kubectl in a namespace of a test's own."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devcluster.choose import Cluster, kubectl_program

#: The API server ends a refusal with this when it did not get to the CEL rules.
_INCOMPLETE = "<nil>: Invalid value: null: some validation rules were not checked"


@dataclass(frozen=True)
class Api:
    """kubectl in one namespace. Bodies are objects; answers are objects, or the findings of a refusal."""

    cluster: Cluster
    namespace: str

    def run(self, *args: str, body: Any = None) -> subprocess.CompletedProcess[str]:
        command = [kubectl_program(), f"--kubeconfig={self.cluster.kubeconfig}", "-n", self.namespace, *args]
        data = None if body is None else json.dumps(body)
        return subprocess.run(command, input=data, capture_output=True, text=True, check=False, timeout=120)

    def text(self, *args: str, body: Any = None) -> str:
        done = self.run(*args, body=body)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
        return done.stdout

    def object(self, *args: str, body: Any = None) -> Any:
        return json.loads(self.text(*args, "-o", "json", body=body))

    def objects(self, *args: str, bodies: list[Any]) -> list[Any]:
        """The answers to several objects, in order; some commands print a list, others one object after the other."""
        sent = {"apiVersion": "v1", "kind": "List", "items": bodies}
        text, found = self.text(*args, "-o", "json", "-f", "-", body=sent).strip(), []
        while text:
            answer, end = json.JSONDecoder().raw_decode(text)
            found += answer["items"] if answer["kind"] == "List" else [answer]
            text = text[end:].lstrip()
        return found

    def create(self, body: Any) -> Any:
        return self.object("create", "-f", "-", body=body)

    def refusal(self, *args: str, body: Any = None) -> list[str]:
        """What the API server finds wrong, sorted; the request must be refused as invalid."""
        done = self.run(*args, body=body)
        assert done.returncode != 0, f"accepted: {done.stdout}"
        _, invalid, findings = done.stderr.partition(" is invalid: ")
        assert invalid, done.stderr
        lines = (line.strip() for line in findings.split("\n* "))
        return sorted(line for line in lines if line and not line.startswith(_INCOMPLETE))


@contextmanager
def api_of_our_own(cluster: Cluster) -> Iterator[Api]:
    """A namespace that is there meanwhile; none of its tests wants pods."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    try:
        yield Api(cluster, name)
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
