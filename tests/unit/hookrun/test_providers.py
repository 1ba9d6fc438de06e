"""Web and Prometheus measurements against servers on this machine.

Rules: docs/spec/hooks.md 5.1, 5.2 and cases 81 to 95, 106.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web as http
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from operators.api.hooktemplate import Metric
from operators.api.providers.prometheus import PrometheusProvider
from operators.api.providers.web import WebProvider
from operators.hookrun.outcome import measurement_phase
from operators.hookrun.providers import transport
from operators.hookrun.providers.base import Connections, MeasuredValue, ProviderError
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.providers.names import NameResolver
from operators.hookrun.providers.prometheus import Prometheus
from operators.hookrun.providers.transport import HttpTransport
from operators.hookrun.providers.web import Web
from tests.unit.hookrun.inprocess import connections, measured_by
from tests.unit.hookrun.runs import metric, request
from tests.unit.hookrun.servers import HERE, Server, serving


def over(policy: EgressPolicy) -> Connections:
    """Connections that this policy allows, and no API server."""
    return connections(policy)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as found:
        yield found


async def ask(server: Server, path: str = "{.result}", policy: EgressPolicy = HERE, **fields: Any) -> MeasuredValue:
    given = {"url": server.url + "/hook", "jsonPath": path, **fields}
    return await measured_by(Web(), WebProvider.model_validate(given), request(x="a b"), over(policy))


async def query(server: Server, text: str = "up", given: Connections | None = None) -> MeasuredValue:
    settings = PrometheusProvider(address=server.url, query=text)
    return await measured_by(Prometheus(), settings, request(x='a"b'), given or over(HERE))


def judged(value: MeasuredValue, success: str = "", failure: str = "") -> str:
    conditions = {"successCondition": success or None, "failureCondition": failure or None}
    return measurement_phase(Metric.model_validate(metric(**conditions)), value)[0]


async def test_hook_81_nested_value(server: Server) -> None:
    server.text('{"result":{"name":"Tom","age":18}}')
    value = await ask(server, "{$.result.age}")
    assert (value.text, judged(value, "asInt(result) > 1")) == ("18", "Successful")


async def test_hook_82_the_white_papers_spelling(server: Server) -> None:
    server.text('{"result":1}')
    assert judged(await ask(server, "${.result}"), "asInt(result) == 1") == "Successful"


async def test_hook_83_84_conditions_on_text(server: Server) -> None:
    server.text('{"age":45}')
    value = await ask(server, "{.age}")
    assert (value.text, judged(value, "asInt(result) < 30"), judged(value, "result == 45")) == ("45", "Failed", "Error")


async def test_hook_85_statuses(server: Server) -> None:
    server.text("{}", status=500)
    with pytest.raises(ProviderError, match="received non 2xx response code: 500"):
        await ask(server)
    server.text("", status=204)
    with pytest.raises(ProviderError, match="Could not parse JSON body"):
        await ask(server)


@pytest.mark.parametrize(("fields", "seconds"), [({"timeoutSeconds": 1}, 1), ({}, 10), ({"timeoutSeconds": 0}, 10)])
async def test_hook_86_time_out(server: Server, monkeypatch: pytest.MonkeyPatch, fields: Any, seconds: int) -> None:
    async def wait(asked: http.Request) -> http.StreamResponse:
        await server.hold.wait()
        return http.Response(text="{}")

    server.answer = wait
    limits: list[float] = []
    real = asyncio.timeout

    def shorter(limit: float) -> asyncio.Timeout:
        limits.append(limit)
        return real(0.2)  # the limit asked for is what is under test; waiting it out is not

    monkeypatch.setattr(transport.asyncio, "timeout", shorter)
    with pytest.raises(ProviderError, match=f"no answer within {seconds} s"):
        await ask(server, **fields)
    assert seconds in limits


async def test_hook_87_missing_key(server: Server) -> None:
    server.text('{"a":1}')
    with pytest.raises(ValueError, match="is not found"):
        await ask(server)


async def test_hook_88_large_numbers(server: Server) -> None:
    server.text('{"result":1234567}')
    assert judged(await ask(server), "asInt(result) == 1234567") == "Successful"


async def test_request_is_as_written(server: Server) -> None:
    server.text('{"result":1}')
    headers = [{"key": "X-A", "value": "{{ args.x }}"}, {"key": "hOST", "value": "evil"}]
    await ask(server, url=server.url + "/a?q={{ args.x }}", headers=headers)
    asked = server.asked[0]
    assert (asked.method, asked.raw_path, asked.headers["X-A"]) == ("GET", "/a?q=a%20b", "a b")
    assert asked.headers.getall("Host") == [server.url.removeprefix("http://")]
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    "header",
    [{"key": "X-A", "value": "a\r\nX-Admin: 1"}, {"key": "X-A: 1\r\nX-B", "value": "1"}, {"key": "X-A", "value": "é"}],
)
async def test_headers_that_are_none(server: Server, header: dict[str, str]) -> None:
    with pytest.raises((ProviderError, ValueError)):
        await ask(server, headers=[header])
    assert server.asked == []


async def test_the_last_of_two_headers_counts(server: Server) -> None:
    server.text('{"result":1}')
    await ask(server, headers=[{"key": "X-A", "value": "1"}, {"key": "X-A", "value": "2"}])
    assert server.asked[0].headers.getall("X-A") == ["2"]


def certificate(folder: Path, *names: x509.GeneralName) -> tuple[Path, Path]:
    """Files of a certificate that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def test_tls_is_verified_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrusted authorities and other names are refused; SSL_CERT_FILE adds an authority."""
    crt, key = certificate(tmp_path, x509.DNSName("game.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(crt, key)
    names: list[str] = []
    context.sni_callback = lambda _, name, __: names.append(name)

    async def loopback(_: NameResolver, host: str) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(NameResolver, "addresses", loopback)
    transport._trust.cache_clear()
    try:
        async with serving(context) as server:
            server.text('{"result":1}')
            with pytest.raises(ProviderError, match="CERTIFICATE_VERIFY_FAILED"):
                await ask(server)
            monkeypatch.setenv("SSL_CERT_FILE", str(crt))
            transport._trust.cache_clear()
            by_name = server.url.replace("127.0.0.1", "game.example")
            assert (await ask(server)).text == "1"
            assert (await ask(server, url=by_name)).text == "1"
            with pytest.raises(ProviderError, match="Hostname mismatch"):
                await ask(server, url=server.url.replace("127.0.0.1", "other.example"))
            server.data("scalar", [1, "7"])
            provider = PrometheusProvider(address=by_name, query="up")
            assert (await measured_by(Prometheus(), provider, request(), over(HERE))).result == 7
            assert server.asked[-1].headers["Host"] == by_name.removeprefix("https://")
    finally:
        transport._trust.cache_clear()
    assert names[-3:] == ["game.example", "other.example", "game.example"]


async def test_redirects_are_not_followed(server: Server) -> None:
    server.text("", status=302, Location=server.url + "/other")
    with pytest.raises(ProviderError, match="non 2xx response code: 302"):
        await ask(server)
    assert len(server.asked) == 1


async def test_a_proxy_of_the_environment_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.text('{"result":1}')
    assert (await ask(server)).text == "1"
    server.data("scalar", [1, "1"])
    assert (await query(server)).result == 1


@pytest.mark.parametrize("kind", ["web", "prometheus"])
async def test_large_and_deep_answers_are_refused(server: Server, kind: str) -> None:
    for body, reason in (('{"result":"' + "x" * (1 << 20) + '"}', "larger than"), ("[" * 200_000, "JSON")):
        server.text(body)
        with pytest.raises(ProviderError, match=reason):
            await (ask(server) if kind == "web" else query(server))


async def test_hook_89_vector(server: Server) -> None:
    server.data("vector", [{"metric": {}, "value": [1, "0"]}, {"metric": {}, "value": [1, "1"]}])
    value = await query(server)
    assert (value.text, judged(value, "0 in result"), judged(value, "result[0] == 0")) == ("[0,1]", *["Successful"] * 2)


async def test_hook_90_scalar(server: Server) -> None:
    server.data("scalar", [1, "0"])
    value = await query(server)
    assert (value.text, judged(value, "result == 0"), judged(value, "asInt(result) == 0")) == ("0", *["Successful"] * 2)


async def test_hook_91_string(server: Server) -> None:
    server.data("string", [1, "0"])
    assert judged(await query(server), failure="asInt(result) == 0") == "Failed"


@pytest.mark.parametrize(
    ("kind", "result"), [("scalar", [1, "NaN"]), ("vector", [{"value": [1, "1"]}, {"value": [1, "NaN"]}])]
)
async def test_hook_92_nan_is_inconclusive(server: Server, kind: str, result: Any) -> None:
    server.data(kind, result)
    value = await query(server)
    assert judged(value, "nonsense") == "Inconclusive"
    assert judged(value) == "Inconclusive"
    asks = "isNaN(result)" if kind == "scalar" else "any(result, {isNaN(#)})"
    assert judged(value, asks) == "Successful"


async def test_hook_93_empty_vector(server: Server) -> None:
    server.data("vector", [])
    value = await query(server)
    assert (value.text, judged(value, "result[0] > 1"), judged(value, "len(result) == 0"), judged(value)) == (
        "[]",
        "Error",
        "Successful",
        "Successful",
    )


async def test_hook_94_matrix(server: Server) -> None:
    server.data("matrix", [])
    with pytest.raises(ProviderError, match="Prometheus metric type not supported"):
        await query(server)


async def test_numbers_are_shown_without_exponent(server: Server) -> None:
    server.data("vector", [{"value": [1, text]} for text in ("1e+21", "0.00001", "2.5", "+Inf")])
    assert (await query(server)).text == "[1000000000000000000000,0.00001,2.5,+Inf]"


async def test_query_of_prometheus(server: Server) -> None:
    server.data("scalar", [1, "1"])
    await query(server, 'up{pod="{{ args.x }}"}')
    asked = server.asked[0]
    assert (asked.path, asked.query["query"]) == ("/api/v1/query", 'up{pod="a\\"b"}')
    assert asked.headers["Host"] == server.url.removeprefix("http://")


async def test_errors_of_prometheus_are_told(server: Server) -> None:
    server.text('{"status":"error","error":"parse error"}', status=400)
    with pytest.raises(ProviderError, match="400: parse error"):
        await query(server)
    server.text("<html>", status=502)
    with pytest.raises(ProviderError, match="502 and no JSON"):
        await query(server)
    server.text('{"status":"error","error":"not now"}')
    with pytest.raises(ProviderError, match="200: not now"):
        await query(server)
    assert len(server.asked) == 3, "a hook is asked again by its own schedule only"


async def test_prometheus_must_not_redirect(server: Server) -> None:
    server.text("", status=302, Location=server.url + "/other")
    with pytest.raises(ProviderError, match="Prometheus answered 302"):
        await query(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize("address", ["", "prom:9090", "ftp://prom", "http://", "http://[::1", "http://pröm.invalid"])
async def test_addresses_of_prometheus_that_are_none(address: str) -> None:
    provider = PrometheusProvider.model_construct(address=address, query="up")
    with pytest.raises(ProviderError):
        await Prometheus().measure(provider, request(), over(EgressPolicy()))


async def test_slow_queries_hold_up_no_other(server: Server) -> None:
    server.holds("/slow")
    slow = [
        asyncio.create_task(
            Prometheus().measure(PrometheusProvider(address=f"{server.url}/slow", query="up"), request(), over(HERE))
        )
        for _ in range(60)
    ]
    try:
        async with asyncio.timeout(10):
            await server.asked_times(60)
            with pytest.raises(ProviderError, match="answered 200"):  # it answers as no Prometheus does, but at once
                await query(server)
    finally:
        for task in slow:
            task.cancel()
    ended = await asyncio.gather(*slow, return_exceptions=True)
    assert {type(each) for each in ended} == {asyncio.CancelledError}


async def test_a_query_that_is_cancelled_gives_its_thread_back(server: Server) -> None:
    one_thread = connections(HERE, threads=1)
    server.holds()
    slow = asyncio.create_task(query(server, given=one_thread))
    async with asyncio.timeout(10):
        await server.asked_times(1)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        server.data("scalar", [1, "1"])
        assert (await query(server, given=one_thread)).result == 1


@pytest.mark.parametrize(
    "answer",
    [
        '{"status":"success"}',
        '{"status":"success","data":null}',
        '{"status":"success","data":{"resultType":"vector","result":[{}]}}',
        '{"status":"success","data":{"resultType":"scalar","result":[]}}',
        '{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}',
        "[]",
    ],
)
async def test_malformed_answers_of_prometheus(server: Server, answer: str) -> None:
    server.text(answer)
    with pytest.raises(ProviderError):
        await query(server)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
)
async def test_hook_106_refused_addresses(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    provider = WebProvider.model_validate({"url": f"http://{host}:1/", "jsonPath": "{.a}"})
    with pytest.raises(ProviderError, match="refused by policy"):
        await Web().measure(provider, request(), over(EgressPolicy()))
    with pytest.raises(ProviderError, match="refused by policy"):
        await Prometheus().measure(
            PrometheusProvider(address=f"http://{host}:1", query="up"), request(), over(EgressPolicy())
        )


@pytest.mark.parametrize(
    ("address", "port", "refused"),
    [
        ("10.9.8.7", 80, True),
        ("10.9.8.8", 80, False),
        ("10.77.1.2", 80, True),
        ("10.9.8.9", 6443, True),
        ("10.9.8.9", 80, False),
        ("fd00::9", 6443, True),
        ("100.100.100.200", 80, True),
        ("fd00:ec2::254", 80, True),
        ("2002:a9fe:a9fe::", 80, True),
        ("10.88.0.7", 8080, False),
        ("10.96.0.10", 443, False),
        ("8.8.8.8", 53, False),
        ("127.1.2.3", 1, True),
        ("127.0.0.9", 1, False),
    ],
)
def test_hook_106_what_hooks_may_reach(address: str, port: int, refused: bool) -> None:
    policy = EgressPolicy(
        allowed=("127.0.0.0/16",),
        refused=("10.9.8.7", "10.77.0.0/16", "10.9.8.9:6443", "https://[fd00::9]:6443/"),
    )
    assert bool(policy.refusal(address, port)) is refused


def test_hook_106_names_that_hooks_may_not_reach() -> None:
    policy = EgressPolicy(refused=("secret.example", "https://api.example:6443", "http://plain.example/"))
    asked = [("Secret.Example.", 1), ("api.example", 6443), ("plain.example", 80), ("api.example", 80), ("x", 1)]
    assert [policy.refuses_name(*each) for each in asked] == [True, True, True, False, False]


async def test_hook_106_names_are_judged_by_what_they_resolve_to(server: Server) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    server.text('{"result":1}')
    with pytest.raises(ProviderError, match="refused by policy"):
        await ask(server, url=url, policy=EgressPolicy())
    assert server.asked == []
    assert (await ask(server, url=url)).text == "1"


@pytest.mark.parametrize("url", ["ftp://h/", "file:///etc/passwd", "http:///x", "x", "http://[::1", "http://h:99999/"])
async def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ProviderError):
        await HttpTransport(EgressPolicy()).get(url, {}, 1.0)


async def test_a_host_that_nobody_knows() -> None:
    with pytest.raises(ProviderError, match=r"host 'no-such-host\.invalid' is not known"):
        await HttpTransport(EgressPolicy()).get("http://no-such-host.invalid/", {}, 5.0)


async def test_the_next_address_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.text('{"result":1}')

    async def two_addresses(_: NameResolver, host: str) -> list[str]:
        return ["127.9.9.9", "127.0.0.1"]

    monkeypatch.setattr(NameResolver, "addresses", two_addresses)
    assert (await ask(server, url=server.url.replace("127.0.0.1", "game.example") + "/")).text == "1"


async def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one connected to: the name is looked up once."""
    answers = ["10.255.255.1", "127.0.0.1"]
    asked: list[str] = []

    async def rebinding(_: NameResolver, host: str) -> list[str]:
        asked.append(host)
        return [answers[len(asked) - 1]]

    monkeypatch.setattr(NameResolver, "addresses", rebinding)
    url = server.url.replace("127.0.0.1", "rebind.example")
    with pytest.raises(ProviderError):
        await HttpTransport(EgressPolicy()).get(url, {}, 0.3)
    assert (asked, server.asked) == (["rebind.example"], [])
    with pytest.raises(ProviderError, match="refused by policy"):
        await HttpTransport(EgressPolicy()).get(url, {}, 0.3)
    assert server.asked == []


@pytest.mark.parametrize(
    "address", ["http://u:sesame@[::1", "http://u:sesame@:99999", "ftp://u:sesame@x", "http://u:sesame@127.0.0.1:1"]
)
async def test_messages_hold_no_password(address: str) -> None:
    """They reach the status of the workload, and Events, which more people read than HookRuns."""
    with pytest.raises((ProviderError, ValueError)) as asked:
        await Prometheus().measure(PrometheusProvider(address=address, query="up"), request(), over(EgressPolicy()))
    assert "sesame" not in str(asked.value)
    with pytest.raises((ProviderError, ValueError)) as asked:
        await Web().measure(
            WebProvider.model_validate({"url": address, "jsonPath": "{.a}"}), request(), over(EgressPolicy())
        )
    assert "sesame" not in str(asked.value)


async def test_a_header_that_cannot_be_sent_is_not_repeated(server: Server) -> None:
    with pytest.raises(ProviderError, match="a header contains characters that cannot be sent"):
        await ask(server, headers=[{"key": "Authorization", "value": "Bearer sesame\x00"}])
