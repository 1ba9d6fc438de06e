"""When an image is pulled, unless a manifest says so: the rule of the API server for names of images."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_PART = r"[a-z0-9]++(?:(?:_{1,2}+|\.|-++)[a-z0-9]++)*+"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*+(?:[-_+.][A-Za-z][A-Za-z0-9]*+)*+:[0-9A-Fa-f]{32,}+"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*+(?::(?P<tag>\w[\w.-]{{0,127}}+))?+(?:@(?P<digest>{_DIGEST}))?+\Z", re.ASCII)
_LABEL = r"[a-zA-Z0-9]++(?:-++[a-zA-Z0-9]++)*+"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*+|\[[0-9a-fA-F:]++\])(?::[0-9]++)?+\Z")
#: Characters of a name that is remembered: users may write any number.
_LONGEST_KEPT = 512
_IDENTIFIER = re.compile(r"[a-f0-9]{64}\Z")


def default_pull_policy(image: Any) -> str:
    """What the API server fills in: Always for the tag ``latest``, and for a name with neither tag nor digest.

    A name that no image can have is IfNotPresent.
    """
    text = str(image)
    return _kept_default(text) if len(text) <= _LONGEST_KEPT else _default(text)


@lru_cache(1024)
def _kept_default(image: str) -> str:
    return _default(image)


def _default(image: str) -> str:
    domain, slash, path = image.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost" or domain != domain.lower()):
        domain, path = "", image
    found = _PATH.match(path)
    if found is None or (domain and not _DOMAIN.match(domain)) or _IDENTIFIER.match(image):
        return "IfNotPresent"
    untagged = found["tag"] is None and found["digest"] is None
    return "Always" if untagged or found["tag"] == "latest" else "IfNotPresent"
