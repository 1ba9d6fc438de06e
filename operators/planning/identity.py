"""Names of new pods and the indexes they carry (docs/spec/gamedeployment.md 6.3, 6.6)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from operators.api import keys
from operators.planning.views import PodView

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_ID_LENGTH = 5
#: Characters of an index range: it is read in every pass, and an annotation may have 256 KiB.
_RANGE_LENGTH = 1024


class InvalidIndexRange(ValueError):
    """Index injection is on, and its range cannot be used; the text names the value."""


def instance_ids(seed: str, taken: Iterable[str]) -> Iterator[str]:
    """Endless ids of five letters, none taken, none twice.

    The same seed gives the same ids: a pass repeated on the same observation asks for the same names, so a repeated
    create collides with the first instead of doubling it. Seed with what is observed.
    """
    used = set(taken)
    source = random.Random(seed)  # noqa: S311 - names, not secrets
    while True:
        name = "".join(source.choices(_ALPHABET, k=_ID_LENGTH))
        if name not in used:
            used.add(name)
            yield name


def _annotation(annotations: Mapping[str, str], key: str) -> str | None:
    return next((annotations[p + key] for p in keys.INDEX_PREFIXES if p + key in annotations), None)


def index_range(workload: str, annotations: Mapping[str, str], replicas: int) -> range | None:
    """The half-open range of indexes to inject, None when injection is off.

    Raises:
        InvalidIndexRange: missing, malformed, too long, empty, or smaller than ``replicas``.
    """
    if _annotation(annotations, keys.INDEX_ON) != "true":
        return None
    text = _annotation(annotations, keys.INDEX_RANGE)
    if not text:
        raise InvalidIndexRange(f"gamedeployment {workload} inject index on, get index-range failed")
    if len(text) > _RANGE_LENGTH:
        said = f"index range has {len(text)} characters, at most {_RANGE_LENGTH} are allowed"
        raise InvalidIndexRange(f"gamedeployment {workload} {said}")
    try:
        value = json.loads(text)
        start, end = int(value.get("podStartIndex", 0)), int(value.get("podEndIndex", 0))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidIndexRange(f"gamedeployment {workload} index range {text!r} is not valid JSON: {error}") from error
    if start < 0 or end < 0 or start >= end:
        raise InvalidIndexRange(f"gamedeployment {workload} invalid index range {text}")
    if replicas > end - start:
        raise InvalidIndexRange(
            f"deploy {workload} scale replicas gt available indexs: replicas {replicas}, range {text} has {end - start}"
        )
    return range(start, end)


def free_indexes(indexes: range, pods: Iterable[PodView], most: int) -> list[int]:
    """The lowest indexes that no living pod holds, at most so many: a range may be as wide as its user likes.

    A pod that ended for good holds none.
    """
    held = {_annotation(p.annotations, keys.INDEX_ID) for p in pods if not p.finished}
    return list(islice((i for i in indexes if str(i) not in held), most))


def gated(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The pod spec with the readiness gate of in-place updates."""
    gates, ours = list(spec.get("readinessGates") or ()), {"conditionType": keys.INPLACE_READY_GATE}
    return dict(spec) if ours in gates else {**spec, "readinessGates": [*gates, ours]}


def pod_body(
    workload: str, template: Mapping[str, Any], revision: str, instance: str, index: int | None, *, gate: bool
) -> dict[str, Any]:
    """A new pod from a template; the template itself stays untouched."""
    metadata = template.get("metadata") or {}
    spec = dict(template.get("spec") or {})
    annotations = dict(metadata.get("annotations") or {})
    if index is not None:
        annotations[keys.INDEX_ID_ANNOTATION] = str(index)
        env = {"name": keys.INDEX_ENV, "value": str(index)}
        spec["containers"] = [{**c, "env": [*(c.get("env") or ()), env]} for c in spec.get("containers") or ()]
    if gate:
        spec = gated(spec)
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{workload}-{instance}",
            "generateName": f"{workload}-",
            "labels": {
                **(metadata.get("labels") or {}),
                keys.REVISION_LABEL: revision,
                keys.INSTANCE_LABEL: instance,
            },
            "annotations": annotations,
        },
        "spec": spec,
    }
    if metadata.get("finalizers"):
        body["metadata"]["finalizers"] = list(metadata["finalizers"])
    return body
