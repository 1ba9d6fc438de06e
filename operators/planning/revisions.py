"""Which revision pods should run, which one they come from, and which may be forgotten (spec/gamedeployment.md 2.5)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.planning.actions import Action, CreateRevision, DeleteRevision, RenumberRevision
from operators.planning.views import PodView, RevisionView

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FNV_PRIME, _FNV_OFFSET = 0x01000193, 0x811C9DC5
_NAME_LIMIT = 223


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
    """``<workload>-<hash>``: 32-bit FNV-1 over the data and the collision count, in letters that spell nothing."""
    text = json.dumps(revision_data(template), sort_keys=True, separators=(",", ":")) + str(collisions)
    code = _FNV_OFFSET
    for byte in text.encode():
        code = ((code * _FNV_PRIME) & 0xFFFFFFFF) ^ byte
    return f"{workload[:_NAME_LIMIT]}-{''.join(_ALPHABET[ord(c) % len(_ALPHABET)] for c in str(code))}"


def _newest_first(revisions: Sequence[RevisionView]) -> list[RevisionView]:
    return sorted(revisions, key=lambda r: (r.revision, r.created, r.name), reverse=True)


def _update_revision(
    workload: str, template: Mapping[str, Any], digest: str, known: Sequence[RevisionView], collisions: int
) -> tuple[str, int, tuple[Action, ...]]:
    """Name of the revision that equals the template, the collision count, and what storing it takes."""
    last = known[0].revision if known else 0
    equal = next((r for r in known if r.digest == digest), None)
    if equal is not None:
        if equal.revision == last:
            return equal.name, collisions, ()
        return equal.name, collisions, (RenumberRevision(equal.name, equal.uid, last + 1),)
    taken = {r.name for r in known}
    while (name := revision_name(workload, template, collisions)) in taken:
        collisions += 1
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), keys.REVISION_HASH_LABEL: name.rsplit("-", 1)[1]}
    return name, collisions, (CreateRevision(name, last + 1, template, labels, {}),)


def resolve(
    workload: str,
    template: Mapping[str, Any],
    digest: str,
    revisions: Sequence[RevisionView],
    pods: Sequence[PodView],
    recorded_current: str,
    collisions: int,
) -> Revisions:
    """Find or make the update revision, and the current one.

    The current revision is the recorded one while it is stored; failing that, the oldest that a pod carries; failing
    that, the update revision. Guessing it from living pods alone would refill a partition with new pods once all old
    ones are gone.
    """
    known = _newest_first([r for r in revisions if not r.deleting])
    update, collisions, actions = _update_revision(workload, template, digest, known, collisions)
    templates: dict[str, Mapping[str, Any]] = {r.name: r.template for r in known}
    templates[update] = template
    if recorded_current in templates:
        current = recorded_current
    else:
        carried = {p.revision for p in pods}
        current = next((r.name for r in reversed(known) if r.name in carried), update)
    return Revisions(update, current, templates, collisions, actions)


def trim(revisions: Sequence[RevisionView], live: Collection[str], limit: int) -> tuple[DeleteRevision, ...]:
    """Drop the lowest-numbered revisions that nothing uses, keeping ``limit`` of them."""
    spare = [r for r in reversed(_newest_first(revisions)) if r.name not in live and not r.deleting]
    return tuple(DeleteRevision(r.name, r.uid) for r in spare[: max(0, len(spare) - limit)])
