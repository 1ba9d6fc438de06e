"""An API server in memory, for tests in virtual time: same verbs as the client, versions, failures and slow answers."""

import asyncio
import copy

from operators.kube.errors import AlreadyExists, Conflict, NotFound


class MemoryApi:
    """``answer`` is awaited before each request: it may sleep or raise. ``lose`` makes answers get lost afterwards."""

    def __init__(self):
        self.objects = {}
        self.version = 0
        self.requests = []
        self.answer = None
        self.lose = None

    def _key(self, resource, namespace, name):
        return resource.plural, namespace, name

    async def _request(self, verb, resource, namespace, name, change):
        self.requests.append((verb, resource.plural, name))
        if self.answer is not None:
            await self.answer(verb, name)
        done = change()
        if self.lose is not None:
            await self.lose(verb, name)
        return copy.deepcopy(done)

    def _store(self, key, body):
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        body["metadata"].setdefault("uid", f"uid-{self.version}")
        self.objects[key] = body
        return body

    def _held(self, key):
        if key not in self.objects:
            raise NotFound(404, "NotFound", f"{key[0]} {key[2]} not found")
        return self.objects[key]

    async def get(self, resource, namespace, name):
        return await self._request(
            "GET", resource, namespace, name, lambda: self._held(self._key(resource, namespace, name))
        )

    async def create(self, resource, namespace, body):
        key = self._key(resource, namespace, body["metadata"]["name"])

        def change():
            if key in self.objects:
                raise AlreadyExists(409, "AlreadyExists", f"{key[2]} already exists")
            return self._store(key, copy.deepcopy(body))

        return await self._request("POST", resource, namespace, key[2], change)

    async def replace(self, resource, namespace, name, body):
        key, body = self._key(resource, namespace, name), copy.deepcopy(body)

        def change():
            held = self._held(key)
            if body["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
                raise Conflict(409, "Conflict", "the object has been modified")
            return self._store(key, body)

        return await self._request("PUT", resource, namespace, name, change)

    async def merge_patch(self, resource, namespace, name, body, *, subresource=None):
        key = self._key(resource, namespace, name)
        return await self._request(
            "PATCH", resource, namespace, name, lambda: self._store(key, {**self._held(key), **body})
        )

    async def list(self, resource, namespace=None, *, limit=500, continue_="", label_selector=""):
        def change():
            items = [body for (plural, *_), body in self.objects.items() if plural == resource.plural]
            return {"items": items, "metadata": {"resourceVersion": str(self.version)}}

        return await self._request("LIST", resource, namespace, "", change)

    # ---- what the world does

    def put(self, resource, body):
        """Write an object from outside; the raw object as a watch shows it."""
        metadata = body["metadata"]
        key = self._key(resource, metadata.get("namespace"), metadata["name"])
        return copy.deepcopy(self._store(key, copy.deepcopy(body)))

    def drop(self, resource, namespace, name):
        """Delete an object from outside; the raw object as a watch shows it."""
        body = self.objects.pop(self._key(resource, namespace, name))
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(body)


async def never():
    """An answer that does not come."""
    await asyncio.Event().wait()
