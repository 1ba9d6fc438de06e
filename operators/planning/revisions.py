"""Which revision pods should run, which one they come from, and which may be forgotten.

Rules: docs/spec/gamedeployment.md 2.5.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.api.selectors import LabelSelector
from operators.planning.actions import Action, AdoptRevision, CreateRevision, DeleteRevision, RenumberRevision
from operators.planning.views import PodView, RevisionView

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FNV_PRIME, _FNV_OFFSET = 0x01000193, 0x811C9DC5
_LONGEST_FNV = 128 << 10
_NAME_LIMIT = 223
_NOT_COPIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions of one pass.

    ``update`` is where pods go, ``current`` where the kept ones stay. Templates are looked up by revision name;
    the update revision is among them even before it is stored.
    """

    update: str
    current: str
    templates: Mapping[str, Mapping[str, Any]]
    collisions: int
    actions: tuple[Action, ...]


def revision_data(template: Mapping[str, Any]) -> dict[str, Any]:
    """The data stored in a ControllerRevision for a template."""
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def revision_name(workload: str, template: Mapping[str, Any], collisions: int) -> str:
    """``<workload>-<hash>``: 32-bit FNV-1 over the data and the collision count, in letters that spell nothing.

    Of data beyond 128 KiB it is the CRC: FNV would be computed byte by byte, in the event loop.
    """
    text = json.dumps(revision_data(template), sort_keys=True, separators=(",", ":")) + str(collisions)
    code = _fnv(text.encode()) if len(text) <= _LONGEST_FNV else zlib.crc32(text.encode())
    return f"{workload[:_NAME_LIMIT]}-{''.join(_ALPHABET[ord(c) % len(_ALPHABET)] for c in str(code))}"


def _fnv(data: bytes) -> int:
    code = _FNV_OFFSET
    for byte in data:
        code = ((code * _FNV_PRIME) & 0xFFFFFFFF) ^ byte
    return code


def _newest_first(revisions: Sequence[RevisionView]) -> list[RevisionView]:
    return sorted(revisions, key=lambda r: (r.revision, r.created, r.name), reverse=True)


@dataclass(frozen=True, slots=True)
class History:
    """The stored revisions of a workload, newest first.

    ``orphans`` are those that nobody controls although the selector matches them (the workload was deleted without
    its dependents, and made anew); they are taken over. ``taken`` are names that belong to somebody else.
    """

    known: tuple[RevisionView, ...]
    orphans: tuple[RevisionView, ...] = ()
    taken: frozenset[str] = frozenset()


def history(revisions: Iterable[RevisionView], uid: str, selector: LabelSelector) -> History:
    """Tell our revisions from those of others."""
    own: list[RevisionView] = []
    orphans: list[RevisionView] = []
    taken: set[str] = set()
    for revision in revisions:
        if revision.owner is not None and revision.owner.uid == uid:
            own.append(revision)
        elif revision.owner is None and not revision.deleting and selector.matches(revision.labels):
            orphans.append(revision)
        else:
            taken.add(revision.name)
    return History(tuple(_newest_first([*own, *orphans])), tuple(orphans), frozenset(taken))


@dataclass(frozen=True, slots=True)
class RecordedRevisions:
    """What the status says of revisions.

    ``update`` is only given while the status speaks of the present spec. ``current`` is "" before the first pods are
    all there.
    """

    current: str = ""
    update: str = ""
    collisions: int = 0


def update_revision(
    workload: str,
    template: Mapping[str, Any],
    digest: str,
    annotations: Mapping[str, str],
    stored: History,
    recorded_revisions: RecordedRevisions,
) -> tuple[str, int, tuple[Action, ...]]:
    """Name of the revision that equals the template, the collision count, and what storing it takes."""
    last = stored.known[0].revision if stored.known else 0
    collisions = recorded_revisions.collisions
    equal = next((r for r in stored.known if r.digest == digest), None)
    if equal is not None:
        if equal.revision == last:
            return equal.name, collisions, ()
        return equal.name, collisions, (RenumberRevision(equal.name, equal.uid, last + 1),)
    taken = stored.taken.union(r.name for r in stored.known)
    # A revision that somebody deleted comes back under its name, whoever made that name up: its pods carry it.
    name = recorded_revisions.update
    while not name or name in taken:
        name = revision_name(workload, template, collisions)
        collisions += name in taken
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), keys.REVISION_HASH_LABEL: name.rsplit("-", 1)[1]}
    copied = {k: v for k, v in annotations.items() if k != _NOT_COPIED}
    return name, collisions, (CreateRevision(name, last + 1, template, labels, copied),)


def resolve(
    workload: str,
    template: Mapping[str, Any],
    digest: str,
    annotations: Mapping[str, str],
    stored: History,
    pods: Sequence[PodView],
    recorded_revisions: RecordedRevisions,
) -> Revisions:
    """Find or make the update revision, and the current one.

    The current revision is the remembered one while it is stored; failing that, the oldest that a pod carries; failing
    that, the update revision. Guessing it from living pods alone would refill a partition with new pods once all old
    ones are gone.
    """
    update, collisions, actions = update_revision(workload, template, digest, annotations, stored, recorded_revisions)
    adopted = tuple(AdoptRevision(r.name, r.uid) for r in stored.orphans)
    templates: dict[str, Mapping[str, Any]] = {r.name: r.template for r in stored.known}
    templates[update] = template
    if recorded_revisions.current in templates:
        current = recorded_revisions.current
    else:
        carried = {p.revision for p in pods}
        current = next((r.name for r in reversed(stored.known) if r.name in carried), update)
    return Revisions(update, current, templates, collisions, (*adopted, *actions))


def templates_by_revision(
    workload: str,
    template: Mapping[str, Any],
    digest: str,
    stored: History,
    recorded_revisions: RecordedRevisions,
) -> dict[str, Mapping[str, Any]]:
    """All templates that a pod may have been made from: that of the update revision first, stored or not."""
    update, _, _ = update_revision(workload, template, digest, {}, stored, recorded_revisions)
    return {update: template, **{r.name: r.template for r in stored.known if r.name != update}}


def trim(known: Sequence[RevisionView], live: Collection[str], limit: int) -> tuple[DeleteRevision, ...]:
    """Drop the lowest-numbered revisions that nothing uses, keeping ``limit`` of them."""
    spare = [r for r in reversed(_newest_first(known)) if r.name not in live and not r.deleting]
    return tuple(DeleteRevision(r.name, r.uid) for r in spare[: max(0, len(spare) - limit)])
