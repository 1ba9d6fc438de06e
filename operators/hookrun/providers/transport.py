"""HTTP requests of hooks (docs/spec/hooks.md 5.1).

The author of a HookTemplate decides where a privileged pod sends them. So they carry no credentials, cookies or proxy
of the operator, follow no redirects, read at most a megabyte, and connect only to addresses that were checked. Every
request has a client of its own (docs/decisions/0036-hook-http.md).
"""

from __future__ import annotations

import asyncio
import importlib
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache

import httpx

from operators.hookrun.answermemory import room_for
from operators.hookrun.providers.base import HttpResponse, ProviderError, redact_url
from operators.hookrun.providers.boundedwire import BoundedTransport, ReadingTurns, Tally
from operators.hookrun.providers.egress import EgressPolicy, resolve
from operators.hookrun.providers.findings import frames_message
from operators.hookrun.providers.names import NameResolver

# What httpx would load in its first request, while the event loop stands.
for _module in ("anyio._backends._asyncio", "anyio.streams.tls", "httpcore._backends.anyio"):
    importlib.import_module(_module)

#: Bytes of a body that are read.
BODY_LIMIT = 1 << 20
_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
#: What an error of httpx means, for messages: its own text may repeat what a URL, a header or an answer holds.
_REASONS: Mapping[type[Exception], str] = {
    httpx.ConnectError: "no connection could be made",
    httpx.ReadError: "the connection broke while the answer was read",
    httpx.WriteError: "the connection broke while the request was sent",
    httpx.CloseError: "the connection broke",
    httpx.RemoteProtocolError: "the answer is no HTTP, or was cut off",
}


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's authorities (``SSL_CERT_FILE`` adds others), loaded once: it costs milliseconds."""
    return ssl.create_default_context()


class HttpTransport:
    """Sends requests to the hosts that a policy allows."""

    def __init__(self, policy: EgressPolicy, names: NameResolver | None = None) -> None:
        self._policy, self._names = policy, names or NameResolver()
        self._turns = ReadingTurns()

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> HttpResponse:
        """Send one GET; ``seconds`` cover the whole exchange, the look-up of the name included.

        Raises:
            ProviderError: refused by policy, no answer in time, or one that is too large.
        """
        _check_headers(headers)
        try:
            async with asyncio.timeout(seconds):
                return await self._first_reachable(httpx.URL(url), headers, seconds)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ProviderError(f"no answer within {seconds} s") from error
        except httpx.LocalProtocolError as error:
            raise ProviderError("a header contains characters that cannot be sent") from error
        except (httpx.InvalidURL, UnicodeError) as error:  # both texts repeat parts of the URL
            raise ProviderError(f"url {redact_url(url, 100)} cannot be read") from error
        except httpx.HTTPError as error:
            raise ProviderError(f"{type(error).__name__}: {_reason(error)}") from error

    async def close(self) -> None:
        """Give up look-ups under way; the transport may be used again."""
        await self._names.close()

    async def _first_reachable(self, url: httpx.URL, headers: Mapping[str, str], seconds: float) -> HttpResponse:
        if url.scheme not in ("http", "https") or not url.host:
            raise ProviderError(
                f"url must begin with http:// or https:// and name a host, not {redact_url(str(url), 100)}"
            )
        port = (443 if url.scheme == "https" else 80) if url.port is None else url.port
        if not 0 < port < 1 << 16:
            raise ProviderError(f"{port} is not the number of a port")
        *others, last = await resolve(url.raw_host.decode(), port, self._policy, self._names)
        for address in others:
            try:
                return await self._get(url, address, headers, seconds)
            except httpx.ConnectError:  # a name may have addresses of a family that this pod has no route for
                continue
        return await self._get(url, last, headers, seconds)

    async def _get(self, url: httpx.URL, address: str, headers: Mapping[str, str], seconds: float) -> HttpResponse:
        """Connect to the address that was checked, under the name that was asked for."""
        pinned = url.copy_with(host=f"[{address}]" if ":" in address else address)
        named = {"Accept-Encoding": "identity", **headers, "Host": url.netloc.decode()}
        extensions = {"sni_hostname": url.raw_host.decode()}
        tally = Tally()
        transport = BoundedTransport(_trust(), self._turns, tally)
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=seconds, transport=transport) as client,
            client.stream("GET", pinned, headers=named, extensions=extensions) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                tally.body = len(body)
                if len(body) > BODY_LIMIT:
                    raise ProviderError(f"the answer is larger than {BODY_LIMIT} bytes")
                await room_for(len(body))
            return HttpResponse(response.status_code, bytes(body))


def _reason(error: httpx.HTTPError) -> str:
    """Why there is no answer. A connection's error comes from the system and from TLS, and names the host at most."""
    if isinstance(error, httpx.ConnectError):
        return str(error) or _REASONS[httpx.ConnectError]
    return _REASONS.get(type(error), "the request failed")


def _check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what would not be sent as it stands, without a word of any value.

    Raises:
        ProviderError: a header frames the message, or cannot be sent.
    """
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            raise ProviderError("a header contains characters that cannot be sent")
        if frames_message(name):
            raise ProviderError(f"header {name[:64]} says how messages are sent, and hooks may not set it")
