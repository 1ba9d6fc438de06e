"""What a pod template means: two templates are the same when they give the same pods (decision 16).

Revisions written by the Go operators hold typed zero values, quantities in another spelling, and sometimes defaults
that the manifest never named. A comparison of bytes would see a new version in every one of them, and restart every
pod of a cluster that moves to these operators (docs/spec/gamedeployment.md 2.5). Only what the API server itself would
fill in counts as unsaid; everything else is compared as it is written.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from operators.planning.imagenames import default_pull_policy
from operators.planning.podfields import TYPES, reduced
from operators.planning.podresources import with_pod_defaults, without_copied_requests

__all__ = ["PodBody", "TemplatePods", "canonical_spec", "default_pull_policy", "produces", "template_digest"]

Json = Mapping[str, Any]

#: Values, roughly, of a pod spec whose meaning is looked for.
_MOST_VALUES = 30_000
_CONTAINERS = ("containers", "initContainers")
_IMAGES = (*_CONTAINERS, "ephemeralContainers")
#: What of a template's metadata its pods get, in one spelling.
_METADATA = {key: TYPES["ObjectMeta"][key] for key in ("labels", "annotations", "finalizers")}


def canonical_spec(spec: Json) -> dict[str, Any]:
    """A pod spec as compared: without defaults, nulls and zero values, amounts in one spelling.

    An empty object stays where Kubernetes tells it from an absent one, e.g. ``labelSelector``. ``imagePullPolicy``
    stays, because its default depends on the image. A spec of more values than anybody writes stays as it is written:
    users choose how many there are, and all of them are read in the event loop.
    """
    if _is_huge(spec):
        return dict(spec)
    kept = reduced(spec, TYPES["PodSpec"])
    _name_service_account(kept, spec.get("serviceAccountName"))
    grace = kept.get("terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace < 0:
        kept["terminationGracePeriodSeconds"] = 1
    for volume in _objects(kept, "volumes"):
        _reduce_volume(volume)
    for container in _containers(kept):
        without_copied_requests(container)
        if kept.get("hostNetwork") is True:
            _reduce_host_ports(container)
    with_pod_defaults(kept)
    return kept


def _is_huge(spec: Json) -> bool:
    try:
        content = orjson.dumps(spec)
    except TypeError:  # a number beyond 64 bits
        content = json.dumps(spec).encode()
    return sum(content.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES


def _objects(owner: Json, key: str) -> Iterator[dict[str, Any]]:
    found = owner.get(key)
    return (entry for entry in (found if isinstance(found, list) else ()) if isinstance(entry, dict))


def _containers(spec: Json, keys: tuple[str, ...] = _CONTAINERS) -> Iterator[dict[str, Any]]:
    for key in keys:
        yield from _objects(spec, key)


def _name_service_account(spec: dict[str, Any], named: Any) -> None:
    """``serviceAccount`` is an old name, which counts where the new one is empty."""
    old = spec.get("serviceAccount")
    if isinstance(old, str):
        del spec["serviceAccount"]
        if old != "default" and not named:
            spec["serviceAccountName"] = old


def _reduce_volume(volume: dict[str, Any]) -> None:
    """A volume that names no source is an empty directory."""
    if volume.get("emptyDir") == {} and volume.keys() <= {"name", "emptyDir"}:
        del volume["emptyDir"]
    image = volume.get("image")
    if isinstance(image, dict) and image.get("pullPolicy") == default_pull_policy(image.get("reference", "")):
        del image["pullPolicy"]


def _reduce_host_ports(container: dict[str, Any]) -> None:
    """On the network of the node a port that names none there has the same number."""
    for port in _objects(container, "ports"):
        if "hostPort" in port and port["hostPort"] == port.get("containerPort"):
            del port["hostPort"]


def _without_default_policies(spec: dict[str, Any]) -> None:
    for container in _containers(spec, _IMAGES):
        if container.get("imagePullPolicy") == default_pull_policy(container.get("image", "")):
            del container["imagePullPolicy"]


#: Digests by content, the latest last: a template is decoded with every change of its workload's status, and what it
#: means takes far longer to find than that it is the same.
_DIGESTS: OrderedDict[bytes, str] = OrderedDict()
_DIGESTS_KEPT = 4096


def template_digest(template: Json) -> str:
    """Equal for templates that give the same pods.

    What can be no pod has a digest too: which field is wrong the API server says best, when the pod is created.
    """
    try:
        content = hashlib.blake2b(orjson.dumps(template)).digest()
    except TypeError:  # a number beyond 64 bits
        return _digest(template)
    known = _DIGESTS.get(content)
    if known is None:
        known = _DIGESTS[content] = _digest(template)
        if len(_DIGESTS) > _DIGESTS_KEPT:
            _DIGESTS.popitem(last=False)
    else:
        _DIGESTS.move_to_end(content)
    return known


def _digest(template: Json) -> str:
    spec = canonical_spec(template.get("spec") or {})
    _without_default_policies(spec)
    metadata = template.get("metadata") or {}
    named = reduced({k: metadata[k] for k in _METADATA if k in metadata}, _METADATA)
    return hashlib.sha256(_bytes({"metadata": named, "spec": spec})).hexdigest()


def _bytes(meaning: Json) -> bytes:
    try:
        return orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits
        return json.dumps(meaning, sort_keys=True, separators=(",", ":")).encode()


class PodBody:
    """What a living pod was made of: its labels, annotations and spec as the API server holds them."""

    __slots__ = ("_meaning", "annotations", "labels", "spec")

    def __init__(self, labels: Json, annotations: Json, spec: Json) -> None:
        self.labels, self.annotations, self.spec = labels, annotations, spec
        self._meaning: dict[str, Any] | None = None

    @property
    def meaning(self) -> dict[str, Any]:
        """The spec in its canonical form, found when it is first asked for."""
        if self._meaning is None:
            self._meaning = canonical_spec(self.spec)
        return self._meaning


class TemplatePods:
    """The pods that a template gives, to compare many living ones with."""

    __slots__ = ("_annotations", "_labels", "_spec")

    def __init__(self, template: Json) -> None:
        asked = reduced(template.get("metadata") or {}, _METADATA)
        self._labels, self._annotations = asked.get("labels", {}), asked.get("annotations", {})
        self._spec = canonical_spec(template.get("spec") or {})

    def include(self, pod: PodBody) -> bool:
        """Whether the pod could have been made from the template.

        Both are compared in their canonical form. The pod may hold more than the template: admission adds volumes,
        tolerations and variables.
        """
        named = _contained(self._labels, pod.labels) and _contained(self._annotations, pod.annotations)
        return named and _contained(self._spec, pod.meaning)


def gives(spec: Json, pod: PodBody) -> bool:
    """Whether a living pod could have this spec, whatever its labels and annotations say."""
    return _contained(canonical_spec(spec), pod.meaning)


def produces(template: Json, labels: Json, annotations: Json, spec: Json) -> bool:
    """Whether a living pod could have been made from the template."""
    return TemplatePods(template).include(PodBody(labels, annotations, spec))


def _contained(asked: Any, held: Any) -> bool:
    if isinstance(asked, Mapping):
        return isinstance(held, Mapping) and all(k in held and _contained(v, held[k]) for k, v in asked.items())
    if isinstance(asked, list):
        if not isinstance(held, list):
            return False
        rest = iter(held)
        return all(any(_contained(entry, candidate) for candidate in rest) for entry in asked)
    return bool(asked == held)
