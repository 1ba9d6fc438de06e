"""What ``kubectl apply`` would send about a manifest: only what it says, and what it no longer says. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from operators.kube.times import timestamp

Json = Mapping[str, Any]
_LAST: Final = "kubectl.kubernetes.io/last-applied-configuration"
_OWN: Final = ("labels", "annotations")


def applied(held: Json) -> str:
    """The field manager that applies the object on the server, "" where none does; of several, who did last."""
    found = [
        entry
        for entry in (held.get("metadata") or {}).get("managedFields") or ()
        if entry.get("operation") == "Apply" and not entry.get("subresource")
    ]
    if not found:
        return ""
    return str(max(found, key=lambda entry: timestamp(entry.get("time")) or 0.0).get("manager") or "")


def difference(held: Json, manifest: Json) -> dict[str, Any]:
    """The merge patch (RFC 7386) from what the cluster has to what the manifest says.

    What was applied last and the manifest no longer names goes; what others have set stays.
    """
    last = _last_applied(held)
    found: dict[str, Any] = {}
    spec = _between(held.get("spec") or {}, manifest.get("spec") or {}, last.get("spec") or {})
    if spec:
        found["spec"] = spec
    metadata = {}
    for part in _OWN:
        held_part, wanted, before = (((o.get("metadata") or {}).get(part) or {}) for o in (held, manifest, last))
        changes = _between(held_part, wanted, before)
        if changes:
            metadata[part] = changes
    if metadata:
        found["metadata"] = metadata
    return found


def _last_applied(held: Json) -> Json:
    text = ((held.get("metadata") or {}).get("annotations") or {}).get(_LAST)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _between(held: Json, wanted: Json, before: Any) -> dict[str, Any]:
    known = before if isinstance(before, Mapping) else {}
    found: dict[str, Any] = {k: None for k in known if k not in wanted and k in held}
    for key, value in wanted.items():
        there = held.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            inner = _between(there, value, known.get(key))
            if inner:
                found[key] = inner
        elif there != value and not (value is None and key not in held):
            found[key] = value
    return found


def merged(held: Json, patch: Json) -> dict[str, Any]:
    """The object with a merge patch carried out."""
    made = dict(held)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, Mapping):
            there = made.get(key)
            made[key] = merged(there if isinstance(there, Mapping) else {}, value)
        else:
            made[key] = value
    return made
