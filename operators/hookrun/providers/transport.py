"""HTTP requests of hooks (spec/hooks.md 5.1).

The author of a HookTemplate decides where a privileged pod sends them. So they carry no credentials, cookies or proxy
of the operator, follow no redirects, read at most a megabyte, and connect only to addresses that were checked. Every
request has a client of its own (docs/decisions/0036-hook-http.md).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache

import httpx

from operators.hookrun.providers.base import HttpResponse, ProviderError, redact_url
from operators.hookrun.providers.egress import EgressPolicy, resolve

#: Bytes of a body that are read.
BODY_LIMIT = 1 << 20


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's authorities (``SSL_CERT_FILE`` adds others), loaded once: it costs milliseconds."""
    return ssl.create_default_context()


class HttpTransport:
    """Sends requests to the hosts that a policy allows."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> HttpResponse:
        """Send one GET; ``seconds`` cover the whole exchange, the look-up of the name included.

        Raises:
            ProviderError: refused by policy, no answer in time, or one that is too large.
        """
        try:
            async with asyncio.timeout(seconds):
                return await _first_reachable(httpx.URL(url), headers, self._policy, seconds)
        except TimeoutError as error:
            raise ProviderError(f"no answer within {seconds} s") from error
        except httpx.LocalProtocolError as error:  # its text would repeat the header, and what that keeps secret
            raise ProviderError("a header contains characters that cannot be sent") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderError(f"{type(error).__name__}: {error}") from error


async def _first_reachable(
    url: httpx.URL, headers: Mapping[str, str], policy: EgressPolicy, seconds: float
) -> HttpResponse:
    if url.scheme not in ("http", "https") or not url.host:
        raise ProviderError(f"url must begin with http:// or https:// and name a host, not {redact_url(str(url), 100)}")
    port = url.port or (443 if url.scheme == "https" else 80)
    *others, last = await resolve(url.raw_host.decode(), port, policy)
    for address in others:
        try:
            return await _get(url, address, headers, seconds)
        except httpx.ConnectError:  # a name may have addresses of a family that this pod has no route for
            continue
    return await _get(url, last, headers, seconds)


async def _get(url: httpx.URL, address: str, headers: Mapping[str, str], seconds: float) -> HttpResponse:
    """Connect to the address that was checked, under the name that was asked for."""
    pinned = url.copy_with(host=f"[{address}]" if ":" in address else address)
    named = {"Accept-Encoding": "identity", **headers, "Host": url.netloc.decode()}
    extensions = {"sni_hostname": url.raw_host.decode()}
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=seconds, verify=_trust()) as client,
        client.stream("GET", pinned, headers=named, extensions=extensions) as response,
    ):
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise ProviderError(f"the answer is larger than {BODY_LIMIT} bytes")
        return HttpResponse(response.status_code, bytes(body))
