"""In-place update of one pod, restartable at every step (spec/gamedeployment.md 3).

What must survive a restart is in two annotations of the pod: ``inplace-update-state`` (what the containers were before,
and since when) and, while a grace period runs, ``inplace-update-grace``. Everything else follows from comparing the
pod with the template of the revision it is labelled with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.planning.actions import SetGate, UpdatePodInPlace
from operators.planning.times import rfc3339, timestamp
from operators.planning.views import ContainerView, PodView

Template = Mapping[str, Any]
_POST_HOOK = "postHook"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A container as it was just before its image changed."""

    image_id: str
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """The annotation ``inplace-update-state``; unknown keys are ignored, ours are optional."""

    revision: str
    since: float
    recorded: Mapping[str, Recorded]
    post_hook: bool = False

    def dump(self) -> str:
        """The annotation's text, readable by the Go operators too."""
        body: dict[str, Any] = {
            "revision": self.revision,
            "updateTimestamp": rfc3339(self.since),
            "lastContainerStatuses": {
                name: {"imageID": r.image_id, "containerID": r.container_id} for name, r in self.recorded.items()
            },
        }
        if self.post_hook:
            body[_POST_HOOK] = "Pending"
        return json.dumps(body, sort_keys=True, separators=(",", ":"))


def read_state(pod: PodView) -> State | None:
    """The state annotation; an unreadable one counts as absent, so that the pod can heal."""
    text = pod.annotations.get(keys.INPLACE_STATE_ANNOTATION)
    if not text:
        return None
    try:
        body = json.loads(text)
        recorded = {
            name: Recorded(entry.get("imageID", ""), entry.get("containerID", ""))
            for name, entry in (body.get("lastContainerStatuses") or {}).items()
        }
        since = timestamp(body.get("updateTimestamp")) or 0.0
        return State(body.get("revision", ""), since, recorded, post_hook=body.get(_POST_HOOK) == "Pending")
    except (ValueError, AttributeError, TypeError):
        return None


def grace_seconds(pod: PodView) -> float | None:
    """Length of the grace period the pod is in, None outside of one. The stored value counts, not the spec's."""
    text = pod.annotations.get(keys.INPLACE_GRACE_ANNOTATION)
    if not text:
        return None
    try:
        return float(json.loads(text).get("graceSeconds") or 0)
    except (ValueError, AttributeError, TypeError):
        return 0.0


def _containers(template: Template) -> list[Mapping[str, Any]]:
    return list((template.get("spec") or {}).get("containers") or ())


def changed_images(pod: PodView, template: Template) -> dict[str, str]:
    """Containers whose image differs from the template's, in template order, with the image they should run."""
    running = {c.name: c.image for c in pod.containers}
    return {
        c["name"]: c.get("image", "")
        for c in _containers(template)
        if c["name"] in running and running[c["name"]] != c.get("image", "")
    }


def modified_containers(pod: PodView, template: Template) -> list[str]:
    """Template containers that the pod lacks or runs with another image: the hook argument ``ModifiedContainer``."""
    running = {c.name: c.image for c in pod.containers}
    return [c["name"] for c in _containers(template) if running.get(c["name"]) != c.get("image", "")]


def _first_difference(old: Any, new: Any, path: str) -> str | None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            found = _first_difference(old.get(key), new.get(key), f"{path}/{key}")
            if found:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return next(
            (d for i, (a, b) in enumerate(zip(old, new, strict=True)) if (d := _first_difference(a, b, f"{path}/{i}"))),
            None,
        )
    if old == new or (old in (None, {}, []) and new in (None, {}, [])):
        return None
    return path


def ineligible_path(old: Template | None, new: Template) -> str | None:
    """The first path that cannot change in place, None when the whole change can.

    Only ``spec.containers[i].image`` may be replaced inside the pod spec; template metadata may change freely. A pod of
    unknown revision cannot be compared and is not eligible.
    """
    if old is None:
        return "(the pod's revision is unknown)"
    old_spec, new_spec = dict(old.get("spec") or {}), dict(new.get("spec") or {})
    before, after = _containers(old), _containers(new)
    if [c.get("name") for c in before] == [c.get("name") for c in after]:
        old_spec["containers"] = [{**c, "image": ""} for c in before]
        new_spec["containers"] = [{**c, "image": ""} for c in after]
    return _first_difference(old_spec, new_spec, "/spec/template/spec")


def _metadata_patch(old: Template | None, new: Template, what: str) -> dict[str, str | None]:
    """New values, and None for keys that the old template set and the new one no longer does."""
    before = ((old or {}).get("metadata") or {}).get(what) or {}
    after = (new.get("metadata") or {}).get(what) or {}
    patch: dict[str, str | None] = {k: None for k in before if k not in after}
    patch.update({k: v for k, v in after.items() if before.get(k) != v})
    return patch


def _record(pod: PodView, names: Sequence[str]) -> dict[str, Recorded]:
    return {c.name: Recorded(c.image_id, c.container_id) for c in pod.containers if c.name in names}


def container_done(container: ContainerView, before: Recorded, since: float) -> bool:
    """The container runs what was asked for: another image, or restarted since (a tag with the same digest)."""
    if not container.image_id or container.running_since is None:
        return False
    if container.image_id != before.image_id:
        return True
    restarted = bool(before.container_id) and container.container_id != before.container_id
    return restarted and container.running_since >= since


def _next_images(pending: Mapping[str, str], policy: str) -> dict[str, str]:
    """All at once, or one container at a time in template order (spec/gamedeployment.md 3.6)."""
    if policy == "DisOrdered":
        return dict(pending)
    return dict(list(pending.items())[:1])


@dataclass(frozen=True, slots=True)
class Settings:
    """How pods of a workload are updated: grace in seconds, container order, whether a post hook is due."""

    grace: int = 0
    policy: str = "DisOrdered"
    post_hook: bool = False


def begin(
    pod: PodView, old: Template | None, new: Template, revision: str, settings: Settings, now: float
) -> UpdatePodInPlace:
    """The first patch of an update to ``revision``.

    Only metadata differing: applied at once, nothing restarts and readiness stays. Images differing: the gate closes
    first; with a grace period the images follow later. An update that found the pod in the grace of an earlier one
    simply takes its place, since what remains to change is read off the pod itself.
    """
    pending = changed_images(pod, new)
    labels = {**_metadata_patch(old, new, "labels"), keys.REVISION_LABEL: revision}
    annotations = _metadata_patch(old, new, "annotations")
    in_grace = grace_seconds(pod) is not None
    annotations[keys.INPLACE_GRACE_ANNOTATION] = None
    images: dict[str, str] = {}
    if not pending:
        state = State(revision, now, {}, post_hook=settings.post_hook and not in_grace)
    elif settings.grace > 0:
        state = State(revision, now, {}, post_hook=settings.post_hook)
        annotations[keys.INPLACE_GRACE_ANNOTATION] = json.dumps(
            {"revision": revision, "containerImages": pending, "graceSeconds": settings.grace}, sort_keys=True
        )
    else:
        images = _next_images(pending, settings.policy)
        state = State(revision, now, _record(pod, list(images)), post_hook=settings.post_hook)
    annotations[keys.INPLACE_STATE_ANNOTATION] = state.dump()
    if not in_grace and keys.INPLACE_GRACE_ANNOTATION in annotations and not annotations[keys.INPLACE_GRACE_ANNOTATION]:
        del annotations[keys.INPLACE_GRACE_ANNOTATION]
    return UpdatePodInPlace(
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        images=images,
        labels=labels,
        annotations=annotations,
        close_gate=bool(pending) and pod.gated and pod.gate is not False,
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a pod's in-place update stands.

    ``done``: nothing is left to change, all changed containers run and are ready. ``wait`` is a time in seconds after
    which to look again (the rest of a grace period). ``waiting`` says in words what is missing.
    """

    done: bool
    action: UpdatePodInPlace | SetGate | None = None
    wait: float | None = None
    waiting: str = ""


def _open_gate(pod: PodView) -> SetGate | None:
    return SetGate(pod.name, pod.uid, ready=True) if pod.gated and pod.gate is not True else None


def _continue(pod: PodView, state: State, pending: Mapping[str, str], policy: str, now: float) -> UpdatePodInPlace:
    images = _next_images(pending, policy)
    recorded = {**state.recorded, **_record(pod, list(images))}
    follow = State(state.revision, now, recorded, post_hook=state.post_hook)
    return UpdatePodInPlace(
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        images=images,
        annotations={keys.INPLACE_STATE_ANNOTATION: follow.dump(), keys.INPLACE_GRACE_ANNOTATION: None},
        begins=False,
        close_gate=pod.gated and pod.gate is not False,
    )


def advance(pod: PodView, template: Template | None, policy: str, now: float, *, superseded: bool) -> Progress:
    """The next step of the update a pod is in; also what opens the gate of a new pod.

    ``template`` is that of the revision the pod is labelled with (None: unknown, nothing more is changed).
    ``superseded`` holds while a newer update is about to take over: a grace period is then not ended by images that
    nobody wants any more.
    """
    state = read_state(pod)
    grace = grace_seconds(pod)
    if state is None and grace is None:
        return Progress(done=True, action=_open_gate(pod))
    state = state or State(pod.revision, now - (grace or 0), {})
    if state.revision != pod.revision or template is None:
        return Progress(done=True, action=_open_gate(pod))
    pending = changed_images(pod, template)
    if grace is not None and pending:
        left = state.since + grace - now
        if superseded or left > 0:
            text = f"in-place grace period: {max(0, round(left))} s of {grace:g} s left"
            return Progress(done=False, wait=None if superseded else max(left, 0.1), waiting=text)
        return Progress(done=False, action=_continue(pod, state, pending, policy, now), waiting="images change now")
    containers = {c.name: c for c in pod.containers}
    for name, before in state.recorded.items():
        container = containers.get(name)
        if container is None:
            continue
        if not container_done(container, before, state.since) or (policy == "OrderedReady" and not container.ready):
            said = container.waiting or ("not ready yet" if container.running_since else "not restarted yet")
            return Progress(done=False, waiting=f"container {name} with {container.image}: {said}")
    if pending and not superseded:
        return Progress(done=False, action=_continue(pod, state, pending, policy, now), waiting="next container")
    if not all(c.ready for c in pod.containers):
        return Progress(done=False, waiting=pod.trouble or "a container is not ready yet")
    return Progress(done=True, action=_open_gate(pod))
