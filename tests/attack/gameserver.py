"""The server that plays all game servers of an attack, on the loopback device and in a thread of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web as http

from operators.runtime.loopthread import LoopThread
from tests.attack.generators import Answer


class GameServer:
    """Answers ``/good`` well, and every other path as `says` has told."""

    def __init__(self) -> None:
        self._thread = LoopThread("gameserver")
        self._answers: dict[str, Answer] = {}
        self._runner: http.AppRunner | None = None
        self.url = ""
        self.asked = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        await self._thread.run(self._listen())

    async def close(self) -> None:
        """End, whoever is still waiting for an answer."""
        if self._runner is not None:
            await self._thread.run(self._runner.cleanup())
        await self._thread.close()

    def says(self, path: str, answer: Answer) -> None:
        """Answer a path so from now on."""
        self._answers[path] = answer

    async def _listen(self) -> None:
        app = http.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = http.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await http.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _serve(self, request: http.Request) -> http.StreamResponse:
        if request.path == "/good":
            return http.Response(text='{"result": 1}')
        self.asked += 1
        answer = self._answers.get(request.path, Answer('{"result": 1}'))
        if answer.text is None:
            await asyncio.Event().wait()
        if not answer.pause:
            return http.Response(text=answer.text)
        slow = http.StreamResponse()
        await slow.prepare(request)
        with suppress(ConnectionError):  # who asked has had enough
            for letter in answer.text or "":
                await slow.write(letter.encode())
                await asyncio.sleep(answer.pause)
        return slow
