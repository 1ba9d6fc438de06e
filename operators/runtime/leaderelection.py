"""One leader among several replicas, by a Lease.

Other clocks are never compared: a lease counts as expired when it was seen unchanged for its duration on our own
monotonic clock. A leader that cannot renew in time raises `LeadershipLost`, and the process ends: the simplest fence.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from operators.runtime.client import Client
from operators.runtime.errors import ApiError, NotFound
from operators.runtime.resources import LEASES, Json

log = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """The lease could not be renewed in time: somebody else may lead now."""


class LeaderElector:
    """Takes, holds and releases one Lease. Times in seconds."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
    ) -> None:
        self._client, self._namespace, self._name, self._identity = client, namespace, name, identity
        self._duration, self._deadline, self._period = lease_duration, renew_deadline, retry_period
        self._seen: tuple[str, float] = ("", 0.0)
        self.leading = False

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        while not await self._attempt():  # noqa: ASYNC110 - the lease is elsewhere; there is no event to wait for
            await asyncio.sleep(self._period)
        self.leading = True
        log.info("leading as %s", self._identity)

    async def hold(self) -> None:
        """Renew for ever.

        Raises:
            LeadershipLost: no renewal succeeded within the deadline.
        """
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._period)
            if await self._attempt():
                renewed = loop.time()
            elif loop.time() - renewed > self._deadline:
                self.leading = False
                raise LeadershipLost(f"lease {self._namespace}/{self._name} not renewed for {self._deadline:g} s")

    async def release(self) -> None:
        """Give the lease away, so that a standby need not wait for it to expire."""
        if not self.leading:
            return
        self.leading = False
        try:
            async with asyncio.timeout(5.0):
                lease = await self._client.get(LEASES, self._namespace, self._name)
                if lease["spec"].get("holderIdentity") == self._identity:
                    lease["spec"]["holderIdentity"] = ""
                    await self._client.replace(LEASES, self._namespace, self._name, lease)
        except (ApiError, TimeoutError) as error:
            log.warning("lease not released: %s", error)

    async def _attempt(self) -> bool:
        """One try to take or renew; any failure is a failed try."""
        try:
            async with asyncio.timeout(self._period * 2):
                return await self._take()
        except (ApiError, TimeoutError) as error:
            log.debug("lease: %s", error)
            return False

    async def _take(self) -> bool:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            await self._client.create(LEASES, self._namespace, self._fresh(now))
            return True
        spec: Json = lease["spec"]
        holder, version = spec.get("holderIdentity") or "", lease["metadata"]["resourceVersion"]
        local = asyncio.get_running_loop().time()
        if self._seen[0] != version:
            self._seen = (version, local)
        expired = local - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._duration)
        if holder not in ("", self._identity) and not expired:
            return False
        if holder != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        spec.update(holderIdentity=self._identity, renewTime=now, leaseDurationSeconds=int(self._duration))
        await self._client.replace(LEASES, self._namespace, self._name, lease)
        return True

    def _fresh(self, now: str) -> Json:
        return {
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": int(self._duration),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }
