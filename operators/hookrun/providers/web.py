"""Measures by an HTTP GET that answers JSON (spec/hooks.md 5.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

import httpx

from operators.api.hooktemplate import WebProvider
from operators.hookrun.arguments import substitute
from operators.hookrun.jsonpath import extract
from operators.hookrun.measurement import ProviderError, Value
from operators.hookrun.providers.guard import resolve

_BODY_LIMIT = 1 << 20
_DEFAULT_TIMEOUT = 10


async def measure(web: WebProvider, args: Mapping[str, str], allowed: Sequence[str]) -> Value:
    """Ask once. No redirects, no proxy, no credentials of ours; the time-out covers the whole exchange.

    Raises:
        ProviderError: no usable answer.
        ValueError: arguments or path do not fit.
    """
    url = substitute(web.url, args)
    headers = {h.key: substitute(h.value, args) for h in web.headers}
    if any("\r" in v or "\n" in v for v in headers.values()):
        raise ProviderError("a header value holds a line break")
    seconds = web.timeout_seconds if web.timeout_seconds > 0 else _DEFAULT_TIMEOUT
    try:
        async with asyncio.timeout(seconds):
            status, body = await _fetch(url, headers, allowed, seconds)
    except TimeoutError as error:
        raise ProviderError(f"no answer within {seconds} s") from error
    except httpx.HTTPError as error:
        raise ProviderError(f"{type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise ProviderError(f"received non 2xx response code: {status}")
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise ProviderError(f"Could not parse JSON body: {error}") from error
    text = extract(web.json_path, answer)
    return Value(text, text)


async def _fetch(url: str, headers: Mapping[str, str], allowed: Sequence[str], seconds: float) -> tuple[int, bytes]:
    """Connect to the address that was checked, under the name that was asked for."""
    address = await resolve(url, allowed)
    parsed = httpx.URL(url)
    host = f"[{address}]" if ":" in address else address
    pinned = parsed.copy_with(host=host)
    named = {**headers, "Host": parsed.netloc.decode()}
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=seconds) as client,
        client.stream("GET", pinned, headers=named, extensions={"sni_hostname": parsed.host}) as response,
    ):
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise ProviderError(f"the answer is larger than {_BODY_LIMIT} bytes")
        return response.status_code, bytes(body)
