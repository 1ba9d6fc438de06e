"""What of a pod template changed, and whether a living pod can follow (docs/spec/gamedeployment.md 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from operators.planning.templates import canonical_spec, default_pull_policy

Template = Mapping[str, Any]
#: What a change costs a pod: nothing, the restart of a container, or the pod itself.
Cost = Literal["nothing", "restart", "new pod"]
_METADATA = ("labels", "annotations")
_SPEC = "/spec/template/spec"


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """One path that differs: ``old`` and ``new`` are None where it is absent; ``container`` is whose image it is."""

    path: str
    old: Any
    new: Any
    cost: Cost
    container: str = ""


def ineligible_path(old: Template | None, new: Template) -> str | None:
    """The first path that cannot change in place, None when the whole change can.

    Only ``spec.containers[i].image`` may be replaced inside the pod spec; template metadata may change freely. A pod of
    unknown revision cannot be compared and is not eligible. Defaults written out, and amounts spelled otherwise, are
    no change.
    """
    if old is None:
        return "(the pod's revision is unknown)"
    return next((change.path for change in _spec_changes(old, new)), None)


def template_changes(old: Template, new: Template) -> list[TemplateChange]:
    """Everything that differs in meaning: labels and annotations, images, and what no living pod can follow."""
    return [*_metadata_changes(old, new), *_image_changes(old, new), *_spec_changes(old, new)]


def _metadata_changes(old: Template, new: Template) -> Iterator[TemplateChange]:
    before, after = old.get("metadata") or {}, new.get("metadata") or {}
    for what in _METADATA:
        held, wanted = before.get(what) or {}, after.get(what) or {}
        for key in sorted({*held, *wanted}):
            if held.get(key) != wanted.get(key):
                path = f"/spec/template/metadata/{what}/{key}"
                yield TemplateChange(path, held.get(key), wanted.get(key), "nothing")


def _image_changes(old: Template, new: Template) -> Iterator[TemplateChange]:
    """Images of containers that are there before and after, in the same order."""
    before, after = (canonical_spec(t.get("spec") or {}).get("containers") or [] for t in (old, new))
    if len(before) != len(after):
        return
    for number, (held, wanted) in enumerate(zip(before, after, strict=True)):
        if held.get("name") == wanted.get("name") and held.get("image") != wanted.get("image"):
            path = f"{_SPEC}/containers/{number}/image"
            name = str(wanted.get("name") or "")
            yield TemplateChange(path, held.get("image"), wanted.get("image"), "restart", name)


def _spec_changes(old: Template, new: Template) -> Iterator[TemplateChange]:
    """What differs in the pod spec besides images of containers."""
    old_spec, new_spec = canonical_spec(old.get("spec") or {}), canonical_spec(new.get("spec") or {})
    before, after = old_spec.get("containers") or [], new_spec.get("containers") or []
    if len(before) == len(after):  # of containers that were renamed or moved the name is told, not the image
        pairs = list(zip(before, after, strict=True))
        old_spec["containers"] = [_comparable(a, b) for a, b in pairs]
        new_spec["containers"] = [_comparable(b, a) for a, b in pairs]
    yield from _differences(old_spec, new_spec, _SPEC)


def _differences(old: Any, new: Any, path: str) -> Iterator[TemplateChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (held, wanted) in enumerate(zip(old, new, strict=True)):
            yield from _differences(held, wanted, f"{path}/{number}")
    elif old != new:
        yield TemplateChange(path, old, new, "new pod")


def _comparable(container: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The container without its image, and without a pull policy that the other leaves to the default."""
    kept = {k: v for k, v in container.items() if k != "image"}
    default = default_pull_policy(container.get("image") or "")
    if "imagePullPolicy" not in other and kept.get("imagePullPolicy") == default:
        del kept["imagePullPolicy"]
    return kept
