"""``undo``, ``set image`` and ``restart``: one guarded patch, and what it will do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.api.reasons import BlockedReason
from operators.cli.game.exits import CommandError, NothingToDo, UsageError
from operators.cli.game.names import short
from operators.cli.game.outlook import Outlook, as_if, at_a_time, outlook
from operators.cli.game.revisions import find_revision
from operators.cli.game.screens import short_image
from operators.cli.game.subject import Subject
from operators.cli.game.text import counted
from operators.cli.game.tree import known_revisions
from operators.cli.game.writing import Write
from operators.kube.resources import Resource
from operators.kube.times import rfc3339
from operators.planning.views import RevisionView

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Changed:
    """A change to write, and what is said before it is written."""

    write: Write
    warnings: tuple[str, ...] = ()


def generation_test(body: Json) -> dict[str, Any]:
    """The guard of a patch that counts on the whole spec."""
    return {"op": "test", "path": "/metadata/generation", "value": body["metadata"]["generation"]}


def _readable(subject: Subject) -> None:
    if subject.view.deleting:
        raise CommandError(f"{short(subject.kind, subject.view.name)} is being deleted")


# ---- undo


def goal_of_undo(subject: Subject, to: str | None) -> RevisionView:
    """The revision to go back to: ``to`` by number or name; else the stable one, else the newest but the present.

    Raises:
        CommandError: there is none.
        NothingToDo: it is the present one.
    """
    _readable(subject)
    name, present = short(subject.kind, subject.view.name), present_revision(subject)
    if to is not None:
        found = find_revision(subject, to)
        if found.digest == subject.view.digest:
            raise NothingToDo(f"{name}: its template is that of revision {found.revision} already")
        return found
    known = [r for r in known_revisions(subject) if r.digest != subject.view.digest]
    if not known:
        raise CommandError(f"{name}: nothing was written: no other revision is stored")
    if subject.standing is not None:
        rollout = subject.standing.rollout
        for wanted in (rollout.canary.stable, rollout.revisions.current):
            found_ = next((r for r in known if r.name == wanted), None)
            if found_ is not None and (present is None or found_.name != present.name):
                return found_
    return known[0]


def present_revision(subject: Subject) -> RevisionView | None:
    """The stored revision of the template as it is, None while it is not stored."""
    return next((r for r in known_revisions(subject) if r.digest == subject.view.digest), None)


def undo(resource: Resource, subject: Subject, goal: RevisionView) -> Changed:
    """The template of a stored revision in place of the present one; nothing else of the object is touched."""
    name, present = short(subject.kind, subject.view.name), present_revision(subject)
    found = outlook(as_if(subject, lambda spec: spec.update(template=goal.template)))
    back = "the template as it was is not stored yet: apply its manifest"
    if present is not None:
        back = f"kubectl game undo {name} --to {present.revision}"
    operations = [generation_test(subject.body), {"op": "replace", "path": "/spec/template", "value": goal.template}]
    told = f"template of revision {goal.revision} set: {found.sentence}"
    return Changed(Write(resource, subject.body, "spec.template", told, back, operations=operations), found.warnings)


# ---- set image


def images_of_arguments(given: Sequence[str]) -> dict[str, str]:
    """``container=image`` pairs.

    Raises:
        UsageError: one is none, or a container is named twice.
    """
    found: dict[str, str] = {}
    for text in given:
        container, sign, image = text.partition("=")
        if not (sign and container and image.strip() == image and image):
            raise UsageError(f"{text!r} sets no image: write CONTAINER=IMAGE")
        if container in found:
            raise UsageError(f"container {container} is named twice")
        found[container] = image
    return found


def set_image(resource: Resource, subject: Subject, images: Mapping[str, str]) -> Changed:
    """New images of containers: nothing but these texts is written, guarded by the names and the images they had.

    Raises:
        UsageError: there is no such container.
        CommandError: it is an init container, which cannot change in place.
        NothingToDo: they have these images already.
    """
    _readable(subject)
    name = short(subject.kind, subject.view.name)
    spec = ((subject.body["spec"].get("template") or {}).get("spec")) or {}
    places = {c["name"]: ("containers", i, c) for i, c in enumerate(spec.get("containers") or ())}
    places |= {c["name"]: ("initContainers", i, c) for i, c in enumerate(spec.get("initContainers") or ())}
    operations: list[dict[str, Any]] = []
    told, back = [], []
    for container, image in images.items():
        if container not in places:
            raise UsageError(f"{name} has no container {container}; there are {', '.join(places) or 'none'}")
        field, index, held = places[container]
        if field == "initContainers":
            _refuse_init(subject, name, container)
        path, old = f"/spec/template/spec/{field}/{index}", held.get("image") or ""
        if old == image:
            continue
        operations.append({"op": "test", "path": f"{path}/name", "value": container})
        if "image" in held:
            operations.append({"op": "test", "path": f"{path}/image", "value": old})
        operations.append({"op": "replace" if "image" in held else "add", "path": f"{path}/image", "value": image})
        told.append(f"{container} {short_image(old) or '(none)'} → {short_image(image)}")
        back.append(f"{container}={old}")
    if not operations:
        raise NothingToDo(
            f"{name}: {counted(len(images), 'container')} {'have' if len(images) > 1 else 'has'} it already"
        )
    found = _with_images(subject, images)
    field_path = "spec.template.spec.containers.image"
    write = Write(
        resource,
        subject.body,
        field_path,
        f"image {', '.join(told)}: {found.sentence}",
        f"kubectl game set image {name} {' '.join(back)}",
        operations=operations,
    )
    return Changed(write, found.warnings)


def _with_images(subject: Subject, images: Mapping[str, str]) -> Outlook:
    def change(spec: dict[str, Any]) -> None:
        pod = spec["template"]["spec"]
        for container in (*(pod.get("containers") or ()), *(pod.get("initContainers") or ())):
            container["image"] = images.get(container["name"], container.get("image"))

    return outlook(as_if(subject, change))


def _refuse_init(subject: Subject, name: str, container: str) -> None:
    spec = subject.view.spec
    strategy = spec.update_strategy if spec is not None else None
    if strategy is None or strategy.type != "InplaceUpdate":
        return
    if strategy.in_place_update_strategy.on_ineligible != "Recreate":
        raise CommandError(
            f"{name}: nothing was written: {container} is an init container, which has run when a pod is updated in "
            "place; pods would have to be replaced: set inPlaceUpdateStrategy.onIneligible to Recreate first"
        )


# ---- restart


def restart(resource: Resource, subject: Subject, containers: Sequence[str], now: float, *, recreate: bool) -> Changed:
    """Restart what runs since before ``now`` (Unix seconds): an instant in the spec, and no new revision.

    Raises:
        UsageError: there is no such container, or pods are replaced whole.
        CommandError: the spec cannot be read.
    """
    _readable(subject)
    name, spec = short(subject.kind, subject.view.name), subject.view.spec
    if spec is None:
        raise CommandError(f"{name}: nothing was written: its spec cannot be read: {subject.view.invalid}")
    there = [c["name"] for c in ((subject.body["spec"]["template"].get("spec") or {}).get("containers") or ())]
    if unknown := [c for c in containers if c not in there]:
        raise UsageError(f"{name} has no container {', '.join(unknown)}; there are {', '.join(there)}")
    if containers and (recreate or spec.update_strategy.type != "InplaceUpdate"):
        raise UsageError(f"{name}: pods are replaced whole here; --container is for restarts in place")
    wanted = {"restartAt": rfc3339(now), "restartContainers": [*containers], "restartRecreate": recreate}
    held = subject.body["spec"]
    operations = [generation_test(subject.body)]
    for field, value in wanted.items():
        if value:
            operations.append({"op": "add", "path": f"/spec/{field}", "value": value})
        elif field in held:
            operations.append({"op": "remove", "path": f"/spec/{field}"})
    told, warnings = _restart_outlook(as_if(subject, lambda changed: changed.update(wanted)))
    what = f"containers {', '.join(containers)}" if containers else "restart"
    back = f"""kubectl patch {resource.plural} {subject.view.name} --type=merge -p '{{"spec":{{"restartAt":null}}}}'"""
    write = Write(
        resource,
        subject.body,
        "spec.restartAt",
        f"{what}: {told}",
        f"{back} (what has begun is finished)",
        operations=operations,
    )
    return Changed(write, tuple(warnings))


def _restart_outlook(subject: Subject) -> tuple[str, list[str]]:
    """Of a workload as if it were to be restarted: how many pods, how, and how many at a time; what will not go."""
    if subject.standing is None:
        return "nothing will be done", []
    rollout = subject.standing.rollout
    due, stuck = rollout.restart.due, rollout.restart.stuck
    warnings = [b.message for b in subject.plan.blocked if b.reason == BlockedReason.RESTART_NOT_POSSIBLE]
    warnings = [f"{text} (--recreate)" for text in warnings]
    if rollout.canary.held:
        warnings.append("updates are held: nothing restarts before they go on")
    if not due:
        return ("no pod can restart" if stuck else "no pod runs since before now"), warnings
    how = "restart in place" if rollout.restart.images else "are replaced"
    return f"{counted(len(due), 'pod')} {how}, {at_a_time(subject)}, the longest running first", warnings
