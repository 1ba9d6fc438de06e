"""A small API server over real HTTP whose faults are scripted: one collection, paging, watches, bookmarks, 410.

Faults are taken from ``faults`` in order: each is ``(matches(request), respond(request) -> response or None)``. One
that returns None lets the request go on.
"""

import asyncio
import json
from contextlib import asynccontextmanager

from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from operators.kube.client import Client
from operators.kube.official import OfficialCredentials
from tests.unit.runtime.views import THINGS, raw

PATH = THINGS.path(None)


def status(code, reason="", message="", **details):
    """A ``Status`` object."""
    return {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}


def answer(code, reason="", message="", headers=None, **details):
    """A fault: answer with an error."""
    body = status(code, reason, message, **details)

    async def respond(request):
        return web.json_response(body, status=code, headers=headers)

    return respond


async def hang_up(request):
    """A fault: close the connection without an answer."""
    request.transport.abort()
    return web.Response()


def slow(seconds):
    """A fault: think for so long first."""

    async def respond(request):
        await asyncio.sleep(seconds)

    return respond


def is_watch(request):
    return "watch" in request.query


def is_list(request):
    return request.method == "GET" and not is_watch(request)


def anything(request):
    return True


class FakeServer:
    def __init__(self):
        self.things = {}
        self.history = []
        self.version = 100
        self.compacted = 0
        self.page_limit = 500
        self.faults = []
        self.requests = []
        self.snapshots = {}
        self.watches = []
        self.url = ""

    # ---- the world

    def put(self, name, colour="", **more):
        self.version += 1
        body = raw(name, self.version, colour=colour, **more)
        kind = "MODIFIED" if name in self.things else "ADDED"
        self.things[name] = body
        self._publish(kind, body)
        return body

    def drop(self, name):
        self.version += 1
        body = self.things.pop(name)
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self._publish("DELETED", body)

    def bookmark(self):
        """Tell all watches where the collection is, without an object."""
        self.version += 1
        for queue in self.watches:
            queue.put_nowait(self._bookmark())

    def _bookmark(self):
        return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}}

    def compact(self):
        """Forget the history: who asks for older events gets 410."""
        self.compacted = self.version
        self.history.clear()
        self.snapshots.clear()

    def cut(self):
        """End all watches in the middle of a line."""
        for queue in self.watches:
            queue.put_nowait(None)

    def end(self):
        """End all watches as a server does when their time is over."""
        for queue in self.watches:
            queue.put_nowait("end")

    def say(self, event):
        """Send any event to all watches."""
        for queue in self.watches:
            queue.put_nowait(event)

    def _publish(self, kind, body):
        event = {"type": kind, "object": body}
        self.history.append((self.version, event))
        self.say(event)

    # ---- requests

    async def handle(self, request):
        content = await request.read()
        self.requests.append((request, content))
        for fault in self.faults:
            matches, respond = fault
            if matches(request):
                self.faults.remove(fault)
                response = await respond(request)
                if response is not None:
                    return response
                break
        if is_watch(request):
            return await self._watch(request)
        if request.method == "GET":
            return self._list(request)
        return web.json_response({"method": request.method, "sent": json.loads(content) if content else None})

    def _list(self, request):
        token = request.query.get("continue")
        if token and token.split("/")[0] not in self.snapshots:
            return web.json_response(status(410, "Expired", "the continue token is too old"), status=410)
        if not token:
            self.snapshots[str(self.version)] = [self.things[name] for name in sorted(self.things)]
        version, start = token.split("/") if token else (str(self.version), "0")
        items, first = self.snapshots[version], int(start)
        limit = min(int(request.query.get("limit") or len(items) or 1), self.page_limit)
        if not request.query.get("limit"):
            limit = len(items) or 1
        metadata = {"resourceVersion": version}
        if first + limit < len(items):
            metadata["continue"] = f"{version}/{first + limit}"
        return web.json_response({"items": items[first : first + limit], "metadata": metadata})

    async def _watch(self, request):
        since = int(request.query["resourceVersion"])
        if since < self.compacted:
            return web.json_response(status(410, "Expired", "too old resource version"), status=410)
        response = web.StreamResponse()
        await response.prepare(request)
        queue = asyncio.Queue()
        for version, event in self.history:
            if version > since:
                queue.put_nowait(event)
        self.watches.append(queue)
        try:
            while True:
                event = await queue.get()
                if event == "end":
                    return response
                if event is None:
                    await response.write(b'{"type": "ADD')
                    request.transport.abort()
                    return response
                await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self.watches.remove(queue)

    def count(self, matches=anything):
        return sum(1 for request, _ in self.requests if matches(request))


@asynccontextmanager
async def running(ssl_context=None):
    """The server on a free port."""
    server = FakeServer()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    server.url = f"{'https' if ssl_context else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(server, **options):
    """A client of the server."""
    credentials = OfficialCredentials(Configuration(host=server.url))
    client = Client(credentials, **options)
    try:
        yield client
    finally:
        await client.close()


async def until(condition, seconds=20.0):
    """Wait until a condition holds; fail when it does not within the time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)
