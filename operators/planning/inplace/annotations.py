"""What stands on a pod about its in-place update (docs/spec/gamedeployment.md 3.3, 3.4).

Two annotations in the words of the Go operators, so that either side can go on from what the other began. Keys of
ours are optional; unknown ones are ignored. Text that cannot be read counts as absent, so that the pod can heal.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operators.kube.times import rfc3339, timestamp

Changes = Mapping[str, str | None]
_POST_HOOK, _ORIGIN, _PATCHED_AT = "postHook", "originRevision", "patchedAt"
_CONTAINERS, _IMAGE = "containers", "image"
_RESTART, _PINNED = "restartAt", "pinnedImages"
_LONGEST_GRACE = 86_400.0


@dataclass(frozen=True, slots=True)
class ContainerBefore:
    """A container as it was just before its image changed, and when that was (None: with the update itself).

    ``image`` is what the pod asked for, "" where the record does not say.
    """

    image_id: str
    container_id: str = ""
    at: float | None = None
    image: str = ""


@dataclass(frozen=True, slots=True)
class UpdateState:
    """The annotation ``inplace-update-state``: which update, since when, and what its containers were before.

    ``post_hook`` holds from the first patch until the hook after the update has succeeded. ``containers`` are those
    that it changes; None, as in updates of the Go operators, stands for all whose image differs. ``restart`` is the
    instant that the pod was restarted for last, ``pinned`` the texts that its images got for it.
    """

    revision: str
    since: float
    recorded: Mapping[str, ContainerBefore] = field(default_factory=dict)
    post_hook: bool = False
    containers: frozenset[str] | None = None
    restart: str = ""
    pinned: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> str:
        """The annotation's text."""
        statuses: dict[str, dict[str, str]] = {}
        for name, before in self.recorded.items():
            statuses[name] = {"imageID": before.image_id, "containerID": before.container_id}
            if before.at is not None:
                statuses[name][_PATCHED_AT] = rfc3339(before.at)
            if before.image:
                statuses[name][_IMAGE] = before.image
        body: dict[str, Any] = {
            "revision": self.revision,
            "updateTimestamp": rfc3339(self.since),
            "lastContainerStatuses": statuses,
        }
        if self.post_hook:
            body[_POST_HOOK] = "Pending"
        if self.containers is not None:
            body[_CONTAINERS] = sorted(self.containers)
        if self.restart:
            body[_RESTART] = self.restart
        if self.pinned:
            body[_PINNED] = dict(self.pinned)
        return _text(body)


@dataclass(frozen=True, slots=True)
class Grace:
    """The annotation ``inplace-update-grace``: the stored length counts, not the spec's.

    ``labels`` and ``annotations`` are the metadata that change together with the images, None for a key to remove;
    ``origin`` is the revision that the pod still runs.
    """

    seconds: float
    labels: Changes = field(default_factory=dict)
    annotations: Changes = field(default_factory=dict)
    origin: str = ""

    def dump(self, revision: str, images: Mapping[str, str]) -> str:
        """The annotation's text, for an update to ``revision`` that will set these images."""
        body: dict[str, Any] = {
            "revision": revision,
            "containerImages": dict(images),
            "graceSeconds": int(self.seconds),
            _ORIGIN: self.origin,
        }
        metadata = {"labels": dict(self.labels), "annotations": dict(self.annotations)}
        metadata = {kind: changes for kind, changes in metadata.items() if changes}
        if metadata:
            body["metaDataPatch"] = base64.b64encode(_text({"metadata": metadata}).encode()).decode()
        return _text(body)


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def read_state(text: str | None) -> UpdateState | None:
    """Decode ``inplace-update-state``."""
    if not text:
        return None
    try:
        body = json.loads(text)
        recorded = {
            name: ContainerBefore(
                entry.get("imageID", ""),
                entry.get("containerID", ""),
                timestamp(entry.get(_PATCHED_AT) or ""),
                entry.get(_IMAGE) or "",
            )
            for name, entry in (body.get("lastContainerStatuses") or {}).items()
        }
        since, named = timestamp(body.get("updateTimestamp")) or 0.0, body.get(_CONTAINERS)
        return UpdateState(
            body.get("revision") or "",
            since,
            recorded,
            post_hook=body.get(_POST_HOOK) == "Pending",
            containers=frozenset(named) if isinstance(named, list) else None,
            restart=str(body.get(_RESTART) or ""),
            pinned={str(name): str(image) for name, image in (body.get(_PINNED) or {}).items()},
        )
    except (ValueError, AttributeError, TypeError):
        return None


def read_grace(text: str | None) -> Grace | None:
    """Decode ``inplace-update-grace``; an unreadable one is a grace period that is over."""
    if not text:
        return None
    try:
        body = json.loads(text)
        patch = json.loads(base64.b64decode(body.get("metaDataPatch") or "") or b"{}").get("metadata") or {}
        seconds = float(body.get("graceSeconds") or 0)
        return Grace(
            seconds if 0 <= seconds <= _LONGEST_GRACE else 0.0,
            _changes(patch.get("labels")),
            _changes(patch.get("annotations")),
            str(body.get(_ORIGIN) or ""),
        )
    except (ValueError, AttributeError, TypeError, OverflowError, binascii.Error):
        return Grace(0.0)


def _changes(patch: Any) -> dict[str, str | None]:
    """Keys of a merge patch; directives of the strategic kind are none."""
    return {key: value for key, value in (patch or {}).items() if not key.startswith("$")}
