"""The AdmissionReview protocol, without a server around it (docs/spec/admission.md 3).

`read` turns the body of a request into a `Review`, `answer` a verdict into the body of the response. Both v1 and
v1beta1 are spoken; a review is answered in the version it came in. Bodies hold secrets of users: nothing quotes them.
"""

from __future__ import annotations

import gc
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from operators.kube.wire import decode
from webhooks.objects import Json
from webhooks.verdicts import Verdict

_GROUP: Final = "admission.k8s.io"
VERSIONS: Final = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
CONTENT_TYPE: Final = "application/json"
_HEAD_BYTES: Final = 4096
_KIND: Final = rb'"kind"\s*:\s*"AdmissionReview"'
_VERSION: Final = rb'"apiVersion"\s*:\s*"(admission\.k8s\.io/v1(?:beta1)?)"'
#: Fields come in this order in Go's JSON, and with the version first in that of other clients.
_HEAD: Final = re.compile(
    rb"\s*\{\s*(?:%b\s*,\s*%b|%b\s*,\s*%b)" % (_KIND, _VERSION, _VERSION, _KIND)
    + rb'\s*,\s*"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"'
)
_NAMESPACE: Final = re.compile(rb'"namespace"\s*:\s*"([0-9a-z-]{1,63})"')


class BadReview(ValueError):
    """No review that can be answered; ``status`` is the HTTP status to send back."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Resource:
    """A group, version and resource, as the API server writes them."""

    group: str
    version: str
    resource: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Resource={self.resource}"


@dataclass(frozen=True, slots=True)
class Review:
    """One question of the API server. Objects are as they came; ``old`` and ``new`` are empty where there is none."""

    api_version: str
    uid: str
    operation: str
    resource: Resource
    kind: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    username: str = ""
    dry_run: bool = False
    old: Json | None = None
    new: Json | None = None


def check_content_type(content_type: str) -> None:
    """Refuse what is not sent as JSON.

    Raises:
        BadReview: 415.
    """
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise BadReview(415, f"content type must be {CONTENT_TYPE}, not {content_type[:100] or 'absent'}")


def head(body: bytes | bytearray) -> Review | None:
    """Version, UID and namespace of a review, as API servers write them first; None where they stand elsewhere.

    That is enough to share workers, and to answer a review that nobody could read. Looks at 4 KiB.
    """
    found = _HEAD.match(body, 0, _HEAD_BYTES)
    if found is None:
        return None
    namespace = _NAMESPACE.search(body, found.end(), _HEAD_BYTES)
    return Review(
        api_version=(found[1] or found[2]).decode(),
        uid=found[3].decode(),
        operation="",
        resource=Resource("", "", ""),
        kind="",
        namespace=namespace[1].decode() if namespace else "",
    )


def read(body: bytes | bytearray, content_type: str) -> Review:
    """Decode a review.

    Raises:
        BadReview: wrong content type (415), or a body that is no AdmissionReview with a request (400).
    """
    check_content_type(content_type)
    collects = gc.isenabled()
    gc.disable()  # a million new objects would start many collections, and JSON holds no cycles
    try:
        review = decode(bytes(body))
    except ValueError as error:
        # The error's text names a place in the body, never what stands there.
        raise BadReview(400, f"Request could not be decoded: {error}") from error
    finally:
        if collects:
            gc.enable()
    if not isinstance(review, dict):
        raise BadReview(400, f"Request could not be decoded: an object is needed, not a {type(review).__name__}")
    version, kind = review.get("apiVersion"), review.get("kind")
    if kind != "AdmissionReview" or version not in VERSIONS:
        raise BadReview(400, f"Unsupported group version kind: {str(version)[:100]}, Kind={str(kind)[:100]}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise BadReview(400, "Request could not be decoded: the review has no request")
    return _review(str(version), request)


def _review(version: str, request: Json) -> Review:
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise BadReview(400, "Request could not be decoded: the request has no uid")
    resource = _mapping(request, "resource")
    user = _mapping(request, "userInfo")
    return Review(
        api_version=version,
        uid=uid,
        operation=_text(request, "operation"),
        resource=Resource(_text(resource, "group"), _text(resource, "version"), _text(resource, "resource")),
        kind=_text(_mapping(request, "kind"), "kind"),
        subresource=_text(request, "subResource"),
        namespace=_text(request, "namespace"),
        name=_text(request, "name"),
        username=_text(user, "username"),
        dry_run=request.get("dryRun") is True,
        old=_mapping(request, "oldObject") or None,
        new=_mapping(request, "object") or None,
    )


def _mapping(holder: Json, field: str) -> Json:
    value = holder.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadReview(400, f"Request could not be decoded: {field} is a {type(value).__name__}, not an object")
    return value


def _text(holder: Json, field: str) -> str:
    value = holder.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadReview(400, f"Request could not be decoded: {field} is a {type(value).__name__}, not a text")
    return value


def answer(review: Review, verdict: Verdict) -> bytes:
    """The response to a review, in its version and with its UID."""
    response: dict[str, Any] = {"uid": review.uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        response["status"] = {
            "status": "Failure",
            "message": verdict.message,
            "reason": verdict.reason,
            "code": verdict.code,
        }
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    return orjson.dumps({"apiVersion": review.api_version, "kind": "AdmissionReview", "response": response})
