"""What a hook keeps secret in its URLs, headers and arguments is in no status, Event, log or answer to admission."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from operators import logs
from operators.api.hookphase import FINAL_PHASES
from operators.hookrun.controller import HookRunController
from operators.hookrun.providers.base import HttpResponse, ProviderError
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.providers.findings import TemplateArguments
from operators.hookrun.providers.registry import PROVIDERS
from operators.hookrun.providers.transport import HttpTransport
from operators.hookrun.settings import HookSettings
from operators.hookrun.view import RunView, run_view
from operators.runtime.store import Change, Store
from tests.unit.hookrun.runs import metric
from tests.unit.hookrun.servers import HERE, Server, serving

SECRET = "s3cr3t"
ARGS = [{"name": "token", "value": SECRET}, {"name": "broken", "value": f"{SECRET}\r\n{SECRET}"}]
#: Neither is in the text itself, so that messages may show the rest.
HEADERS = [{"key": "Authorization", "value": f"Bearer {SECRET}"}, {"key": "X-Token", "value": "{{ args.token }}"}]
#: `@` is where a server's host and port go.
REACHED = f"http://u:{SECRET}@@/{{{{args.token}}}}?q={SECRET}&r={{{{ args.token }}}}#{SECRET}"
UNREACHED = [
    f"http://u:{SECRET}@[::1",
    f"http://u:{SECRET}@127.0.0.1:99999/",
    f"http://127.0.0.1:{SECRET}/",
    f"http://u:{SECRET}@127.0.0.1:1/",
    f"http://u:{SECRET}@169.254.169.254/{SECRET}?{SECRET}",
    f"http://u:{SECRET}@no-such-host.invalid/{SECRET}",
    f"http://u:{SECRET}@/",
    f"http:///{SECRET}",
    f"ftp://u:{SECRET}@127.0.0.1/",
    f"u:{SECRET}@127.0.0.1/{SECRET}",
    f"//u:{SECRET}@127.0.0.1/",
    f"http://127.0.0.1/\x00{SECRET}",
    f"http://xn--{SECRET}\u2488.example/{SECRET}",
    f"http://127.0.0.1/{SECRET}?{{{{ {SECRET}",
    f"http://u:{SECRET}@127.0.0.1/{{{{ args.none }}}}",
    f"http://127.0.0.1/?a={{{{ {SECRET} {{{{ args.token }}}}",
    f"http://127.0.0.1/?a={{{{ {SECRET} }}}}",
]
BAD_HEADERS = [
    ("Authorization", f"Bearer {SECRET}\x00"),
    ("Authorization", f"Bearer é{SECRET}"),
    ("Authorization", f"Bearer {SECRET}\r\nX: {SECRET}"),
    ("Authorization", " " + SECRET),
    ("Authorization", f"Bearer {SECRET} {{{{ args.x"),
    ("Authorization", f"Bearer {SECRET} {{{{ args.none }}}}"),
    ("Authorization", f"Bearer {{{{ {SECRET} {{{{ args.token }}}}"),
    ("Authorization", f"{SECRET} {{{{ args.broken }}}}"),
    ("X: 1\r\nY", SECRET),
    ("Content-Length", SECRET),
    ("Proxy-Authorization", SECRET),
    ("connection", SECRET),
]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the request itself, which is no HTTP response."""
    writer.write(await reader.readuntil(b"\r\n\r\n"))
    await writer.drain()
    writer.close()


async def echo_as_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the request where a header should be."""
    writer.write(b"HTTP/1.1 200 OK\r\n" + await reader.readuntil(b"\r\n\r\n"))
    await writer.drain()
    writer.close()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promises more than it sends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
    await writer.drain()
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


RAW = (echo, echo_as_header, cut, hang_up, silence)


@asynccontextmanager
async def wrong_servers() -> AsyncIterator[dict[str, str]]:
    """Host and port of servers of which none gives a usable answer, by what they do."""
    async with AsyncExitStack() as stack:
        found = {}
        for handler in RAW:
            listening = await asyncio.start_server(handler, "127.0.0.1", 0)
            stack.push_async_callback(listening.wait_closed)
            stack.callback(listening.close)
            found[handler.__name__] = "{}:{}".format(*listening.sockets[0].getsockname())
        for name, change in {
            "status": lambda s: s.text("{}", status=500),
            "redirect": lambda s: s.text("{}", status=302, Location=f"http://{SECRET}/"),
            "text": lambda s: s.text("no JSON"),
            "other": lambda s: s.text("{}"),
            "large": lambda s: s.text("x" * (1 << 20) + "xx"),
        }.items():
            server: Server = await stack.enter_async_context(serving())
            change(server)
            found[name] = server.url.removeprefix("http://")
        yield found


def web(url: str, *headers: dict[str, str]) -> dict[str, Any]:
    return {"web": {"url": url, "jsonPath": "{.none}", "timeoutSeconds": 1, "headers": list(headers) or HEADERS}}


def prometheus(address: str, query: str = f"up{{a='{SECRET}{{{{ args.token }}}}'}}") -> dict[str, Any]:
    return {"prometheus": {"address": address, "query": query}}


def providers(servers: dict[str, str]) -> Iterator[dict[str, Any]]:
    """One provider for each way to fail."""
    for name, server in servers.items():
        yield web(REACHED.replace("@@", f"@{server}"))
        if name != "silence":  # it would take 30 s
            yield prometheus(f"http://u:{SECRET}@{server}/{SECRET}")
    yield web(REACHED.replace("@@", f"@{servers['text']}").replace("http:", "https:"))
    for url in UNREACHED:
        yield web(url)
        yield prometheus(url)
    good = REACHED.replace("@@", f"@{servers['text']}")
    yield from (web(good, {"key": key, "value": value}) for key, value in BAD_HEADERS)
    for query in (f"{SECRET} {{{{", f"{{{{ {SECRET} }}}}", f"`{SECRET}", f"# {SECRET} {{{{ args.broken }}}}"):
        yield prometheus(f"http://{servers['text']}", query)


class Api:
    """An API server with a cache that follows at once; it keeps the last status of each run."""

    def __init__(self) -> None:
        self.credentials = SimpleNamespace(server="https://10.96.0.1")
        self.store, self.notes = Store[RunView](), []
        self.bodies: dict[str, Any] = {}
        self.all_ended = asyncio.Event()
        self.changed: Callable[[Change[RunView]], None] = lambda _: None

    @property
    def statuses(self) -> dict[str, Any]:
        return {name: body["status"] for name, body in self.bodies.items()}

    def note(self, *told: Any) -> None:
        self.notes.append(told)

    def put(self, name: str, spec: dict[str, Any]) -> None:
        metadata = {"namespace": "d", "name": name, "uid": name, "resourceVersion": "0"}
        self.bodies[name] = {"metadata": metadata, "spec": spec, "status": {}}
        self._show(name)

    def _show(self, name: str) -> None:
        metadata = self.bodies[name]["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        change = self.store.put(run_view(self.bodies[name]))
        assert change is not None
        self.changed(change)

    async def merge_patch(self, resource: Any, namespace: str, name: str, body: Any, **_: Any) -> Any:
        self.bodies[name]["status"].update(body["status"])
        self._show(name)
        if all(status.get("phase") in FINAL_PHASES for status in self.statuses.values()):
            self.all_ended.set()
        return {"metadata": {"resourceVersion": self.bodies[name]["metadata"]["resourceVersion"]}}

    async def execute(self, specs: dict[str, dict[str, Any]]) -> None:
        """Let a controller execute runs until all have ended."""
        settings = HookSettings(allow_cidrs=("127.0.0.0/8",))
        controller = HookRunController(self, self.store, self, CollectorRegistry(), settings)
        self.changed = controller.on_change
        working = asyncio.create_task(controller.run())
        for name, spec in specs.items():
            self.put(name, spec)
        try:
            async with asyncio.timeout(50):
                await self.all_ended.wait()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def test_attack_f13_no_error_of_a_measurement_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for name in logs._QUIET:  # as `logs.configure` does
        caplog.set_level("WARNING", logger=name)
    api = Api()
    async with wrong_servers() as servers:
        specs = {f"r{number}": provider for number, provider in enumerate(providers(servers))}
        await api.execute({n: {"metrics": [metric(provider=p)], "args": ARGS} for n, p in specs.items()})
    told = {name: status["metricResults"][0].get("message", "") for name, status in api.statuses.items()}
    leaked = {name: (specs[name], text) for name, text in told.items() if SECRET in text}
    assert not leaked
    assert {status["phase"] for status in api.statuses.values()} == {"Error"}
    assert all(told.values())
    assert "internal error" not in " ".join(told.values())
    assert SECRET not in json.dumps(api.statuses)
    assert len(api.notes) >= len(specs)
    assert SECRET not in repr(api.notes)
    assert SECRET not in caplog.text
    assert SECRET not in repr([vars(record) for record in caplog.records])


async def test_attack_f13_a_defect_tells_no_secret_either(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> HttpResponse:
        raise RuntimeError(f"Illegal header value b'Bearer {SECRET}'")

    monkeypatch.setattr(HttpTransport, "get", fail)
    api = Api()
    await api.execute({"r": {"metrics": [metric(provider=web("http://127.0.0.1/"))], "args": ARGS}})
    assert api.statuses["r"]["metricResults"][0]["message"] == "internal error: RuntimeError"
    assert "measurement failed" in caplog.text
    assert "Defect: RuntimeError" in caplog.text
    assert "in fail" in caplog.text, "where it failed is told"
    assert SECRET not in caplog.text


def test_attack_f13_no_finding_of_admission_tells_a_secret() -> None:
    args = TemplateArguments({"token": SECRET, "broken": None})
    templates = [web(url) for url in UNREACHED] + [prometheus("http://x", f"{SECRET} {{{{ {SECRET}")]
    templates += [web("http://x/", {"key": key, "value": value}) for key, value in BAD_HEADERS]
    found = [
        finding
        for template in templates
        for provider in PROVIDERS.select(template)
        for finding in provider.findings(template[provider.name], metric(provider=template), args)
    ]
    assert len(found) > len(UNREACHED) // 2
    assert SECRET not in " ".join(f"{finding.field} {finding.text}" for finding in found)


FRAMING = ["Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "Keep-Alive", "TE", "Trailer"]
FRAMING += ["Proxy-Authorization", "Proxy-Connection", "content-length", "TRANSFER-ENCODING"]


@pytest.mark.parametrize("name", FRAMING)
async def test_attack_f13_headers_that_frame_a_message_are_refused(name: str) -> None:
    """At admission, and for what was stored before, when it is measured."""
    given = web("http://x/", {"key": name, "value": "50"})
    (refused,) = PROVIDERS.select("web").pop().findings(given["web"], metric(provider=given), TemplateArguments({}))
    assert (refused.fatal, refused.field) == (True, f"provider.web.headers[{name}].key")
    assert refused.text == f"{name} says how messages are sent, and hooks may not set it"
    async with serving() as server:
        with pytest.raises(ProviderError, match=f"header {name} says how messages are sent, and hooks may not set it"):
            await HttpTransport(HERE).get(server.url, {name: "50"}, 5.0)
        assert server.asked == []


async def test_a_header_named_alike_is_sent() -> None:
    async with serving() as server:
        server.text("{}")
        await HttpTransport(HERE).get(server.url, {"X-Connection": "50", "Teapot": "1"}, 5.0)
        assert server.asked[0].headers["X-Connection"] == "50"


async def test_a_name_without_address_is_told() -> None:
    with pytest.raises(ProviderError, match=r"host 'no-such-host\.invalid' is not known"):
        await HttpTransport(EgressPolicy()).get("http://no-such-host.invalid/", {}, 5.0)
