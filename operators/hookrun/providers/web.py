"""Measures by an HTTP GET that answers JSON (spec/hooks.md 5.1)."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from operators.api.hooktemplate import WebProvider
from operators.hookrun.arguments import header_value, substitute, url_value
from operators.hookrun.jsonpath import extract
from operators.hookrun.providers.egress import Reach
from operators.hookrun.providers.http import fetch
from operators.hookrun.verdict import ProviderError, Value

_DEFAULT_TIMEOUT, _LONGEST_TIMEOUT = 10, 300


async def measure(web: WebProvider, args: Mapping[str, str], reach: Reach) -> Value:
    """Ask once; the value is the text that the path finds in the answer.

    Raises:
        ProviderError: no usable answer.
        ValueError: arguments or path do not fit.
    """
    url = substitute(web.url, args, url_value)
    headers = {h.key: substitute(h.value, args, header_value) for h in web.headers if h.key.lower() != "host"}
    seconds = min(web.timeout_seconds, _LONGEST_TIMEOUT) if web.timeout_seconds > 0 else _DEFAULT_TIMEOUT
    answer = await fetch(url, headers, reach, seconds)
    if not 200 <= answer.status < 300:
        raise ProviderError(f"received non 2xx response code: {answer.status}")
    try:
        body = orjson.loads(answer.body)
    except ValueError as error:
        raise ProviderError(f"Could not parse JSON body: {error}") from error
    text = extract(web.json_path, body)
    return Value(text, text)
