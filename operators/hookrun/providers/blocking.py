"""Libraries that block, on top of the transport of hooks: each call has a thread and a session."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from operators.hookrun.providers.base import HttpGetter, HttpResponse, ProviderError, Session

T = TypeVar("T")


class ThreadedCalls:
    """Runs blocking calls in ``threads`` threads at most.

    A thread waits as long as its request does. With fewer threads than measurements may go on at a time, the slow
    server of one namespace would hold up the calls of all others.
    """

    def __init__(self, http: HttpGetter, threads: int) -> None:
        self._http = http
        self._threads = ThreadPoolExecutor(threads, "hook")

    async def run(self, call: Callable[[Session], T]) -> T:
        """See `operators.hookrun.providers.base.BlockingCalls`."""
        loop = asyncio.get_running_loop()
        session = GuardedSession(self._http, loop)
        try:
            # In this context, which the exchange then has too: it says whose answer is being read.
            context = contextvars.copy_context()
            return await loop.run_in_executor(self._threads, lambda: context.run(call, session))
        finally:
            session.close()


class GuardedSession:
    """What `PrometheusConnect` uses of a `requests.Session`, on top of the transport of hooks.

    ``request`` runs in the thread of the call, the exchange in the event loop.
    """

    verify: Final = True
    cert: Final = None

    def __init__(self, http: HttpGetter, loop: asyncio.AbstractEventLoop) -> None:
        self._http, self._loop = http, loop
        self._exchange: Future[HttpResponse] | None = None
        self._closed = False
        self.last = HttpResponse(0, b"")

    def mount(self, prefix: str, adapter: object) -> None:
        """Ignore the library's adapter, which repeats requests."""

    def request(self, method: str, url: str, params: Mapping[str, str], timeout: float, **_: object) -> UnreadResponse:
        """Send a request and wait for its response; redirects are not followed."""
        if method != "GET":
            raise ProviderError(f"hooks send no {method} requests")
        full = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        get = self._http.get(full, {"Accept": "application/json"}, timeout)
        self._exchange = asyncio.run_coroutine_threadsafe(get, self._loop)
        if self._closed:
            self._exchange.cancel()
        self.last = self._exchange.result(timeout + 5)
        return UnreadResponse(self.last)

    def close(self) -> None:
        """Stop an exchange under way, so that its thread ends."""
        self._closed = True
        if self._exchange is not None:
            self._exchange.cancel()


class UnreadResponse:
    """What `PrometheusConnect` reads of a `requests.Response`; the body goes through it as it is."""

    def __init__(self, response: HttpResponse) -> None:
        self.status_code, self.content = response.status, response.body

    def json(self) -> dict[str, Any]:
        """The frame of a result, with the body in place of the value."""
        return {"data": {"result": self.content}}
