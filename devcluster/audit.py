"""What the API server's audit log says of one user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from devcluster import processes
from devcluster.choose import Cluster
from devcluster.daemons import audit_log


@dataclass(frozen=True, slots=True)
class Request:
    """One finished request. ``resource`` has its subresource after a slash; cluster-wide ones have no namespace.

    ``refused`` means by authorization; a 403 of an admission plugin, as in a namespace that ends, is none. ``dry`` are
    those that store nothing; ``program`` is who asked, by its User-Agent.
    """

    group: str
    resource: str
    verb: str
    namespace: str
    name: str
    code: int
    refused: bool
    dry: bool
    program: str

    @property
    def right(self) -> tuple[str, str, str]:
        """What a role has to grant for it."""
        return self.group, self.resource, self.verb


class Audit:
    """The requests of a user (None: of all) from now on.

    The audit log of the cluster built here is read, its rotation included.
    """

    def __init__(self, user: str | None) -> None:
        self._user = user
        self._inode, self._offset = audit_log().stat().st_ino, audit_log().stat().st_size

    @staticmethod
    def readable(cluster: Cluster) -> bool:
        """Whether this machine has the audit log."""
        return cluster.kind == "built"

    def requests(self) -> list[Request]:
        """All requests about resources that are logged so far."""
        events = (e for e in self._events() if "objectRef" in e)
        return [_request(e) for e in events if self._user in (None, e["user"]["username"])]

    def _events(self) -> Iterator[dict[str, Any]]:
        logs = sorted(audit_log().parent.glob("audit*.log"), key=lambda path: path.stat().st_mtime)
        begun = False
        for path in logs:
            with path.open("rb") as file:
                if path.stat().st_ino == self._inode:
                    begun = True
                    file.seek(self._offset)
                if begun:
                    yield from (json.loads(line) for line in file if line.endswith(b"\n"))

    def settled(self) -> list[Request]:
        """All requests, once the API server, which logs in batches, has written them."""
        seen: list[Request] = []

        def quiet() -> bool:
            before = len(seen)
            seen[:] = self.requests()
            return before == len(seen) > 0

        processes.wait(quiet, 30, 2.0)
        return seen


def _request(event: dict[str, Any]) -> Request:
    about = event["objectRef"]
    resource = "/".join(part for part in (about.get("resource", ""), about.get("subresource", "")) if part)
    code = int(event.get("responseStatus", {}).get("code", 0))
    return Request(
        about.get("apiGroup", ""),
        resource,
        event["verb"],
        about.get("namespace", ""),
        about.get("name", ""),
        code,
        event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid",
        "dryRun=All" in event.get("requestURI", ""),
        event.get("userAgent", ""),
    )
