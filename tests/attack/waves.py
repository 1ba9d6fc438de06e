"""Sends attacks, wave after wave; what a wave has made lives until a wave of the same kind comes again."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, Final

import httpx

from devcluster.controlplane import ApiServer
from tests.attack import generators
from tests.attack.cases import CASES
from tests.attack.gameserver import GameServer
from tests.attack.generators import Attack
from tests.integration.webhooks.conftest import Hooks
from tests.integration.webhooks.test_hostile import begin
from tests.integration.webhooks.test_speed import review

NAMESPACES: Final = ("attack-0", "attack-1")
#: Workloads whose pods are refused, made once; connections whose body does not end, and reviews, of one wave.
BROKEN, CONNECTIONS, REVIEWS = 240, 60, 12
_API: Final = "/apis/tkex.tencent.com/v1alpha1/namespaces"
_SEVERAL: Final = 6
#: What is sent to the port of the webhooks without being a request.
_GARBAGE: Final = (b"\x00" * 4096, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 3000, b"POST /validate-spec HTTP/9\r\n\r\n")


class Waves:
    """Attacks on one API server and one port of webhooks."""

    def __init__(self, api: ApiServer, server: GameServer, hooks: Hooks, tls: ssl.SSLContext) -> None:
        self._api, self._server, self._hooks, self._tls = api, server, hooks, tls
        self._made: dict[str, list[str]] = {}
        self._number = 0
        self.refused: dict[str, int] = {}
        """By kind, how many objects the API server did not take: they are larger than it allows."""
        made = {kind: self._runs(kind, make) for kind, make in generators.KINDS.items()}
        self.kinds: dict[str, Callable[[Random], None]] = {**made, "workloads": self._workloads, "reviews": self._send}
        """Sends one wave, by kind."""
        self.cases = {name: self._runs(name, lambda _, kept=kept: kept) for name, kept in CASES.items()}
        """Sends an input of the attack log, by its number."""

    def _runs(self, kind: str, make: Callable[[Random], Attack]) -> Callable[[Random], None]:
        def send(random: Random) -> None:
            self._number += 1
            attack, path = make(random), f"/a{self._number}"
            self._server.says(path, attack.answer)
            self._remove(self._made.pop(kind, []))
            made = self._made[kind] = []
            for number, spec in enumerate(attack.runs):
                name = f"{attack.kind.lower()}-{self._number}-{number}"
                body = generators.hook_run(name, spec, self._server.url, path)
                where = f"{_API}/{NAMESPACES[number % len(NAMESPACES)]}/hookruns"
                if self._create(kind, where, body):
                    made.append(f"{where}/{name}")

        return send

    def _workloads(self, random: Random) -> None:
        if "workloads" in self._made:
            return
        self._made["workloads"] = []
        places = [f"{_API}/{NAMESPACES[number % 2]}/gamedeployments" for number in range(BROKEN)]
        bodies = [generators.broken_workload(f"broken-{number}") for number in range(BROKEN)]
        with ThreadPoolExecutor(_SEVERAL) as several:
            list(several.map(self._create, ["workloads"] * BROKEN, places, bodies))

    def _send(self, random: Random) -> None:
        asyncio.run(self._reviews(random))

    async def _reviews(self, random: Random) -> None:
        """Reviews of anybody, bodies that do not end, and what is no request."""
        opened = [
            await begin(self._hooks, self._tls, b"x" * random.randrange(2 << 20), 3 << 20) for _ in range(CONNECTIONS)
        ]
        for text in _GARBAGE:
            _, writer = await asyncio.open_connection("127.0.0.1", self._hooks.port, ssl=self._tls)
            writer.write(text)
            opened.append(writer)
        base = f"https://127.0.0.1:{self._hooks.port}"
        headers = {"Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=base, verify=self._tls, headers=headers, timeout=30) as client:
            sent = [self._ask(client, "/validate-spec", generators.template(random)) for _ in range(REVIEWS)]
            sent.append(self._ask(client, "/validate-spec?timeout=" + "9" * 7_000, generators.template(random)))
            await asyncio.gather(*sent)
        for writer in opened:
            if writer is not None:
                writer.transport.abort()

    async def _ask(self, client: httpx.AsyncClient, path: str, template: dict[str, Any]) -> None:
        body = review("CREATE", "hooktemplates", NAMESPACES[0], object=template)
        try:
            answer = await client.post(path, content=body)
        except httpx.TransportError:  # the webhooks may close a connection instead of reading it
            self._refuse("reviews")
            return
        if answer.status_code != 200 or not json.loads(answer.text)["response"]["allowed"]:
            self._refuse("reviews")

    def _create(self, kind: str, path: str, body: dict[str, Any]) -> bool:
        try:
            self._api.request("POST", path, body, timeout=30)
        except urllib.error.HTTPError as error:
            if error.code not in (413, 422):
                raise
            self._refuse(kind)
            return False
        return True

    def _refuse(self, kind: str) -> None:
        self.refused[kind] = self.refused.get(kind, 0) + 1

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            try:
                self._api.request("DELETE", path, timeout=30)
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
