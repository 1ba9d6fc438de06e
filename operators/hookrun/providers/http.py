"""One HTTP GET on behalf of a hook (spec/hooks.md 5.1).

Whoever may write a HookTemplate decides where a privileged pod sends this, so it carries nothing of ours and follows
nothing of theirs: no redirects, no proxy, no cookies, no credentials, no more than a megabyte, and a connection only to
an address that was checked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpx

from operators.hookrun.providers.egress import Reach, resolve
from operators.hookrun.verdict import ProviderError, shown_address

#: Bytes of a body that are read.
BODY_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's authorities (``SSL_CERT_FILE`` adds others), loaded once: it costs milliseconds."""
    return ssl.create_default_context()


async def fetch(url: str, headers: Mapping[str, str], reach: Reach, seconds: float) -> Answer:
    """Ask once; ``seconds`` cover the whole exchange, look-up of the name included.

    Raises:
        ProviderError: refused by policy, no answer, or one that is too large.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _first_reachable(httpx.URL(url), headers, reach, seconds)
    except TimeoutError as error:
        raise ProviderError(f"no answer within {seconds} s") from error
    except httpx.LocalProtocolError as error:  # its text would repeat the header, and what that keeps secret
        raise ProviderError("a header holds what cannot be sent") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderError(f"{type(error).__name__}: {error}") from error


async def _first_reachable(url: httpx.URL, headers: Mapping[str, str], reach: Reach, seconds: float) -> Answer:
    if url.scheme not in ("http", "https") or not url.host:
        raise ProviderError(
            f"url must begin with http:// or https:// and name a host, not {shown_address(str(url), 100)}"
        )
    port = url.port or (443 if url.scheme == "https" else 80)
    *others, last = await resolve(url.raw_host.decode(), port, reach)
    for address in others:
        try:
            return await _get(url, address, headers, seconds)
        except httpx.ConnectError:  # a name may have addresses of a family that this pod has no route for
            continue
    return await _get(url, last, headers, seconds)


async def _get(url: httpx.URL, address: str, headers: Mapping[str, str], seconds: float) -> Answer:
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
        return Answer(response.status_code, bytes(body))
