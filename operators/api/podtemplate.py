"""The pod template: read by few rules, passed on to pods exactly as it was written."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, WithJsonSchema

_LABEL_VALUE: Final = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"

_OBJECT: Final[dict[str, Any]] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
#: What a CRD says of a template. Unknown fields are kept; the few known ones carry rules and help ``kubectl explain``.
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
    "required": ["spec"],
    "properties": {
        "metadata": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "description": "Labels, annotations and finalizers of the pods; changing labels and annotations alone "
            "needs no restart under InplaceUpdate.",
            "properties": {
                "labels": {
                    "type": "object",
                    "maxProperties": 128,
                    "description": "Labels of the pods; the selector must match them.",
                    "additionalProperties": {"type": "string", "maxLength": 63, "pattern": _LABEL_VALUE},
                },
                "annotations": {
                    "type": "object",
                    "description": "Annotations of the pods.",
                    "additionalProperties": {"type": "string"},
                },
            },
        },
        "spec": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "required": ["containers"],
            "description": "A PodSpec, kept exactly as written; its fields are those of `kubectl explain pod.spec`.",
            "properties": {
                "containers": {
                    "type": "array",
                    "minItems": 1,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "description": "Containers of the pod, in the order in which OrderedReady and OrderedUpdated "
                    "update them.",
                    "items": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "description": "Name of the container, unique in the pod."},
                            "image": {
                                "type": "string",
                                "description": "Image; the only field of a pod's spec that an update in place can "
                                "change.",
                            },
                            "env": {"type": "array", "items": _OBJECT, "description": "Environment variables."},
                        },
                    },
                },
                "initContainers": {"type": "array", "items": _OBJECT, "description": "Containers that run first."},
                "volumes": {"type": "array", "items": _OBJECT, "description": "Volumes that containers mount."},
                "restartPolicy": {
                    "type": "string",
                    "enum": ["Always"],
                    "description": "Always, which is also the default: the workload replaces containers, never lets "
                    "them end.",
                },
            },
        },
    },
}


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, not {value!r}")
    return value


def _listed(held: dict[str, Any], where: str, *fields: str) -> None:
    for field in fields:
        if not isinstance(held.get(field) or [], list):
            raise ValueError(f"{where}.{field} must be a list, not {held[field]!r}")


def _readable(template: dict[str, Any]) -> dict[str, Any]:
    """Refuse what the planners could not walk through; the template itself stays the same object.

    Raises:
        ValueError: no pod can be made of it; the text names the field.
    """
    metadata = _mapping(template.get("metadata") or {}, "metadata")
    for what in ("labels", "annotations"):
        for key, value in _mapping(metadata.get(what) or {}, f"metadata.{what}").items():
            if not isinstance(value, str):
                raise ValueError(f"metadata.{what}[{key}] must be a string, not {value!r}")
    _listed(metadata, "metadata", "finalizers")
    spec = _mapping(template.get("spec") or {}, "spec")
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
        raise ValueError("spec.containers must list at least one container")
    if not all(isinstance(c, dict) and isinstance(c.get("name"), str) for c in containers):
        raise ValueError("spec.containers must all have a name")
    for number, container in enumerate(containers):
        _listed(container, f"spec.containers[{number}]", "env")
    _listed(spec, "spec", "initContainers", "volumes", "readinessGates")
    return template


PodTemplate = Annotated[dict[str, Any], AfterValidator(_readable), WithJsonSchema(SCHEMA)]
