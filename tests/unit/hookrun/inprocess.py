"""The functions of workers called in this process, and connections that use them."""

from __future__ import annotations

from typing import Any

import orjson

from operators.hookrun.isolated import FUNCTIONS
from operators.hookrun.providers.base import Connections, MeasuredValue, Provider
from operators.hookrun.providers.blocking import ThreadedCalls
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.providers.transport import HttpTransport
from operators.hookrun.workers import HookWorkers
from operators.sandbox.errors import Refused


class InProcess:
    """Calls a function in this process; arguments and results go through JSON as they do to a worker."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any:
        try:
            return orjson.loads(orjson.dumps(FUNCTIONS[name](orjson.loads(orjson.dumps(argument)), body)))
        except ValueError as error:
            raise Refused(str(error)) from error


def connections(policy: EgressPolicy | None = None, objects: Any = None, *, threads: int = 50) -> Connections:
    """Connections that this policy allows."""
    transport = HttpTransport(policy or EgressPolicy((), ()))
    return Connections(transport, objects, HookWorkers(InProcess()), ThreadedCalls(transport, threads))


async def measured_by(provider: Provider[Any], settings: Any, asked: Any, given: Connections) -> MeasuredValue:
    """What a provider measures, read as a worker would read it."""
    found = await provider.measure(settings, asked, given)
    return found if isinstance(found, MeasuredValue) else provider.read(found.reading, found.body)
