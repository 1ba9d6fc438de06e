"""One leader among several replicas, by a Lease.

Clocks of different machines are never compared: a lease counts as expired when it was seen unchanged for its duration
on our own clock, and ours counts as held from the moment we began to write it, which is earlier than anybody can have
seen it. A leader that cannot renew in time raises `LeadershipLost`, and the process ends: the simplest fence.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime

from operators.kube.client import Client
from operators.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from operators.kube.resources import LEASES, Json
from operators.logs import get_logger

log = get_logger(__name__)
_RELEASE_TIMEOUT = 3.0


class LeadershipLost(Exception):
    """The lease could not be renewed in time: somebody else may lead now."""


class LeaderElector:
    """Takes, holds and releases one Lease. Times in seconds.

    ``retry_period`` < ``renew_deadline`` < ``lease_duration`` must hold: what is between the last two is the time the
    process has to end before the lease can be another's. ``unfit`` says why this process should not lead any longer, ""
    while it may: a process that cannot work must not keep the others from working.
    """

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
        unfit: Callable[[], str] = str,
    ) -> None:
        if not 0 < retry_period < renew_deadline < lease_duration:
            raise ValueError("retry period < renew deadline < lease duration must hold")
        self._client, self._namespace, self._name, self._identity = client, namespace, name, identity
        #: Fields of log lines.
        self._lease = {"namespace": namespace, "name": name}
        self._duration, self._deadline, self._period = lease_duration, renew_deadline, retry_period
        self._version, self._seen = "", 0.0
        self._writing = self._renewed = float("-inf")
        self._unfit, self._problem = unfit, ""
        self.leading = False

    def remaining(self) -> float:
        """Seconds for which nobody else can have taken the lease; 0 or less when we may not write any more."""
        if not self.leading:
            return 0.0
        return self._renewed + self._duration - asyncio.get_running_loop().time()

    async def try_acquire(self) -> bool:
        """Take the lease if it is free now; whether it is ours."""
        if not self.leading and await self._attempt(self._deadline):
            if self._until_deadline() <= 0:
                # The answer came so late that we could only give up again; what is ours already is renewed next.
                return self._failed("the answer came too late", logging.WARNING)
            self.leading = True
            log.info("became leader", identity=self._identity, **self._lease)
        return self.leading

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        while not await self.try_acquire():  # noqa: ASYNC110 - the lease is elsewhere, and tells nobody
            await asyncio.sleep(self._period)

    async def hold(self) -> None:
        """Renew for ever.

        Raises:
            LeadershipLost: no renewal succeeded within the deadline, or somebody else took the lease.
        """
        while True:
            # After an answer that came late there is less time than a period: half of it is left for the renewal.
            await asyncio.sleep(max(0.0, min(self._period, self._until_deadline() / 2)))
            if self._until_deadline() > 0 and await self._renew():
                continue
            if self._until_deadline() <= 0:
                self.leading = False
                raise LeadershipLost(
                    f"lease {self._namespace}/{self._name} lost: {self._problem or 'the renewal came too late'}"
                )

    async def release(self) -> None:
        """Give the lease away, so that a standby need not wait for it to expire. `hold` must have ended."""
        if not self.leading:
            return
        self.leading = False
        try:
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                lease = await self._client.get(LEASES, self._namespace, self._name)
                if lease["spec"].get("holderIdentity") == self._identity:
                    lease["spec"].update(holderIdentity="", renewTime=_now())
                    await self._client.replace(LEASES, self._namespace, self._name, lease)
                    log.info("lease released", **self._lease)
        except (ApiError, TimeoutError) as error:
            log.warning("cannot release lease", error=str(error), **self._lease)

    async def _renew(self) -> bool:
        unfit = self._unfit()
        if unfit:
            return self._failed(unfit, logging.ERROR)
        return await self._attempt(min(self._period * 2, self._until_deadline()))

    def _until_deadline(self) -> float:
        return self._renewed + self._deadline - asyncio.get_running_loop().time()

    async def _attempt(self, timeout: float) -> bool:
        """One try to take or renew, within a time; any failure is a failed try."""
        try:
            async with asyncio.timeout(timeout):
                holder = await self._take_or_renew()
        except TimeoutError:
            return self._failed("no answer in time", logging.WARNING)
        except (Conflict, AlreadyExists):
            return self._failed("another replica was faster")
        except ApiError as error:
            return self._failed(str(error), logging.WARNING)
        if holder != self._identity:
            if self.leading:
                self._renewed = float("-inf")
            return self._failed(f"held by {holder}")
        self._renewed, self._problem = self._writing, ""
        return True

    def _failed(self, problem: str, level: int = logging.INFO) -> bool:
        """Say why there is no lease, once for each reason; False."""
        if problem != self._problem:
            log.log(level, "cannot take or renew lease", error=problem, **self._lease)
        self._problem = problem
        return False

    async def _take_or_renew(self) -> str:
        """Take or renew the lease if that is allowed; who holds it now."""
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            self._writing = asyncio.get_running_loop().time()
            await self._client.create(LEASES, self._namespace, self._new_lease())
            return self._identity
        spec: Json = lease.setdefault("spec", {})
        holder = str(spec.get("holderIdentity") or "")
        if holder not in ("", self._identity) and not self._expired(lease):
            return holder
        if holder != self._identity:
            spec["acquireTime"] = _now()
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        spec.update(holderIdentity=self._identity, renewTime=_now(), leaseDurationSeconds=math.ceil(self._duration))
        self._writing = asyncio.get_running_loop().time()
        await self._client.replace(LEASES, self._namespace, self._name, lease)
        return self._identity

    def _expired(self, lease: Json) -> bool:
        """Whether the lease was seen unchanged for its whole duration, on our clock."""
        now, version = asyncio.get_running_loop().time(), lease["metadata"]["resourceVersion"]
        if self._version != version:
            self._version, self._seen = version, now
        return now - self._seen > float(lease["spec"].get("leaseDurationSeconds") or self._duration)

    def _new_lease(self) -> Json:
        return {
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": math.ceil(self._duration),
                "acquireTime": _now(),
                "renewTime": _now(),
                "leaseTransitions": 0,
            },
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
