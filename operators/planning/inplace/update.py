"""In-place update of one pod, restartable at every step (docs/spec/gamedeployment.md 3).

What must survive a restart is in two annotations of the pod (`operators.planning.inplace.annotations`). Everything else
follows from comparing the pod with the template of the revision it is labelled with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from operators.api import keys
from operators.kube.times import rfc3339
from operators.planning.actions import SetGate, UpdatePodInPlace
from operators.planning.inplace.annotations import Changes, ContainerBefore, Grace, UpdateState
from operators.planning.views import ContainerView, PodView

Template = Mapping[str, Any]
Images = Mapping[str, str]


def images_of(template: Template) -> dict[str, str]:
    """Image by container, in template order."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return {c["name"]: c.get("image") or "" for c in containers}


@dataclass(frozen=True, slots=True)
class ContainerSource:
    """What the containers of a pod were made from: the revision, and its images; "" and none where that is not known.

    Admission may write images otherwise (a mirror of the registry), and then no pod ever equals its template. So what
    an update changes follows from the templates where both are known, and only else from the pod.
    """

    revision: str = ""
    images: Images = field(default_factory=dict)


#: That of a pod of which nothing is known.
UNKNOWN_SOURCE = ContainerSource()


def container_source(pod: PodView, images: Mapping[str, Images], *, done: bool) -> ContainerSource:
    """Where the pod's containers come from; ``done`` tells that no update of it is under way.

    In grace none has been touched. An update that has begun to change them leaves a mixture, of which nothing is known.
    """
    revision = pod.revision if done else pod.grace.origin if pod.grace is not None and in_grace(pod) else ""
    found = images.get(revision)
    return ContainerSource() if found is None else ContainerSource(revision, found)


def changed_images(pod: PodView, wanted: Images, source: ContainerSource) -> dict[str, str]:
    """Containers of the pod that are to run another image, in template order, with that image."""
    running, made = {c.name: c.image for c in pod.containers}, source.images
    return {n: i for n, i in wanted.items() if running.get(n, i) != i and made.get(n) != i}


def _left_to_change(pod: PodView, wanted: Images, state: UpdateState) -> dict[str, str]:
    """Containers that the update the pod is in has still to patch."""
    running, named = {c.name: c.image for c in pod.containers}, state.containers
    return {
        name: image
        for name, image in wanted.items()
        if running.get(name, image) != image and name not in state.recorded and (named is None or name in named)
    }


def modified_containers(pod: PodView, wanted: Images, source: ContainerSource) -> list[str]:
    """Template containers that the pod lacks, or that are to change: the hook argument ``ModifiedContainer``."""
    held, changed = {c.name for c in pod.containers}, changed_images(pod, wanted, source)
    return [name for name in wanted if name not in held or name in changed]


def in_grace(pod: PodView) -> bool:
    """The pod waits for the end of a grace period; its containers have not been touched."""
    return pod.grace is not None and (pod.state is None or pod.state.revision == pod.revision)


def _metadata_changes(old: Template | None, new: Template, what: str, pending: Changes) -> dict[str, str | None]:
    """New values, and None for keys that the old template set and the new one no longer does.

    ``pending`` changes were promised with the old template, but have not reached the pod.
    """
    before = ((old or {}).get("metadata") or {}).get(what) or {}
    after = (new.get("metadata") or {}).get(what) or {}
    changes: dict[str, str | None] = {**pending, **dict.fromkeys(k for k in before if k not in after)}
    changes.update({k: v for k, v in after.items() if k in pending or before.get(k) != v})
    return changes


def _record(pod: PodView, names: Iterable[str], now: float) -> dict[str, ContainerBefore]:
    wanted = set(names)
    return {
        c.name: ContainerBefore(c.image_id, c.container_id, now, c.image) for c in pod.containers if c.name in wanted
    }


def container_done(container: ContainerView, before: ContainerBefore, since: float) -> bool:
    """The container runs what was asked for: another image, or restarted since (a tag with the same digest).

    The pod was patched as it was recorded, so that another container is a later one; no clock of a node is asked for
    that. A record of the Go operators holds no container id; then a start after the update tells. Where admission has
    put back the image that was there nothing restarts, and nothing is waited for.
    """
    if not container.image_id or container.running_since is None:
        return False
    if container.image_id != before.image_id or (before.image and container.image == before.image):
        return True
    if before.container_id:
        return container.container_id != before.container_id
    return container.running_since >= int(since if before.at is None else before.at)


def _next_images(pending: Images, policy: str) -> dict[str, str]:
    """All at once, or one container at a time in template order (docs/spec/gamedeployment.md 3.6)."""
    if policy == "DisOrdered":
        return dict(pending)
    return dict(list(pending.items())[:1])


@dataclass(frozen=True, slots=True)
class InPlaceSettings:
    """How pods of a workload are updated: grace in seconds, container order, whether a post hook is due."""

    grace: int = 0
    policy: str = "DisOrdered"
    post_hook: bool = False


def begin(
    pod: PodView,
    old: Template | None,
    new: Template,
    revision: str,
    settings: InPlaceSettings,
    source: ContainerSource,
    now: float,
) -> UpdatePodInPlace:
    """The first patch of an update to ``revision``; ``old`` is the template of the one the pod is labelled with.

    Only metadata differing: applied at once, nothing restarts and readiness stays. Images differing: the gate closes
    first; with a grace period images and metadata follow later. An update that found the pod in the grace of an
    earlier one takes its place, and the time that has passed counts: what remains to change is read off the pod itself.
    """
    pending = changed_images(pod, images_of(new), source)
    earlier = pod.grace if pod.grace is not None and in_grace(pod) else Grace(0.0)
    since = pod.state.since if pod.state is not None and in_grace(pod) else now
    labels = _metadata_changes(old, new, "labels", earlier.labels)
    annotations = _metadata_changes(old, new, "annotations", earlier.annotations)
    images: dict[str, str] = {}
    recorded: dict[str, ContainerBefore] = {}
    own: dict[str, str | None] = {} if pod.grace is None else {keys.INPLACE_GRACE_ANNOTATION: None}
    if pending and settings.grace > 0:
        grace = Grace(settings.grace, labels, annotations, source.revision)
        own[keys.INPLACE_GRACE_ANNOTATION] = grace.dump(revision, pending)
        labels, annotations = {}, {}
    elif pending:
        images = _next_images(pending, settings.policy)
        recorded = _record(pod, images, now)
    elif in_grace(pod):
        own.update(_unmark(pod))
    restarted = pod.state.restart if pod.state is not None else ""
    state = UpdateState(
        revision, since, recorded, post_hook=settings.post_hook, containers=frozenset(pending), restart=restarted
    )
    own[keys.INPLACE_STATE_ANNOTATION] = state.dump()
    return UpdatePodInPlace(
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        images=images,
        labels={**labels, keys.REVISION_LABEL: revision},
        annotations={**annotations, **own},
        close_gate=bool(pending) and pod.gated and pod.gate is not False,
    )


def begin_restart(
    pod: PodView, images: Images, restart: str, settings: InPlaceSettings, now: float
) -> UpdatePodInPlace:
    """The first patch of a restart: an update to the revision the pod has, with other texts for the same images."""
    own: dict[str, str | None] = {}
    begun: dict[str, str] = {}
    recorded: dict[str, ContainerBefore] = {}
    if settings.grace > 0:
        own[keys.INPLACE_GRACE_ANNOTATION] = Grace(settings.grace, origin=pod.revision).dump(pod.revision, images)
    else:
        begun = _next_images(images, settings.policy)
        recorded = _record(pod, begun, now)
    state = UpdateState(
        pod.revision,
        now,
        recorded,
        post_hook=settings.post_hook,
        containers=frozenset(images),
        restart=restart,
        pinned=images,
    )
    own[keys.INPLACE_STATE_ANNOTATION] = state.dump()
    return UpdatePodInPlace(
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        images=begun,
        labels={keys.REVISION_LABEL: pod.revision},
        annotations=own,
        close_gate=pod.gated and pod.gate is not False,
    )


def wanted_images(pod: PodView, images: Mapping[str, Images]) -> Images | None:
    """What the containers of a pod are to run: the images of its revision, some perhaps in another text."""
    found, state = images.get(pod.revision), pod.state
    if found is None or state is None or not state.pinned or state.revision != pod.revision:
        return found
    return {name: state.pinned.get(name, image) for name, image in found.items()}


def take_back(pod: PodView, templates: Mapping[str, Template], current: str, now: float) -> UpdatePodInPlace | None:
    """Return a pod in grace to the revision it still runs: the update it waited for is no longer wanted.

    Nothing of the pod was touched but its readiness, so nothing restarts. A hook after the update is due all the
    same: what the hook before it took away (traffic, say) has to come back. None when no known revision is what the
    pod runs.
    """
    source = pod.grace.origin if pod.grace is not None else ""
    for revision in (source, current):
        template = templates.get(revision)
        if template is None:
            continue
        if revision == source or not changed_images(pod, images_of(template), ContainerSource()):
            post_hook = pod.state is not None and pod.state.post_hook
            state = UpdateState(revision, now, {}, post_hook=post_hook, containers=frozenset())
            own = {keys.INPLACE_STATE_ANNOTATION: state.dump(), keys.INPLACE_GRACE_ANNOTATION: None}
            return UpdatePodInPlace(
                name=pod.name,
                uid=pod.uid,
                resource_version=pod.resource_version,
                images={},
                labels={keys.REVISION_LABEL: revision},
                annotations={**own, **_unmark(pod)},
                begins=False,
            )
    return None


def _unmark(pod: PodView) -> dict[str, str | None]:
    """The pod stays after all: take back the mark that its hook had set (docs/spec/gamedeployment.md 5.4)."""
    marked = pod.annotations.get(keys.POD_DELETING_ANNOTATION) == "true"
    return {keys.POD_DELETING_ANNOTATION: "false"} if marked else {}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a pod's in-place update stands.

    ``done``: nothing is left to change, and all changed containers run and are ready. ``wait`` is a time in seconds
    after which to look again (the rest of a grace period). ``waiting`` says in words what is missing. ``superseded``
    holds for a pod in grace for an update that is no longer wanted.
    """

    done: bool
    action: UpdatePodInPlace | SetGate | None = None
    wait: float | None = None
    waiting: str = ""
    superseded: bool = False

    @property
    def idle(self) -> bool:
        """Nothing is left to do, not even to open the gate."""
        return self.done and self.action is None


_DONE = Progress(done=True)


def _done(pod: PodView) -> Progress:
    if not pod.gated or pod.gate is True:
        return _DONE
    return Progress(done=True, action=SetGate(pod.name, pod.uid, ready=True))


def _go_on(pod: PodView, state: UpdateState, pending: Images, policy: str, now: float) -> UpdatePodInPlace:
    """The next patch of an update that has begun: after the grace period, or for the next container in order."""
    images = _next_images(pending, policy)
    before = {} if pod.grace is not None else state.recorded
    recorded = {**before, **_record(pod, images, now)}
    following = replace(state, recorded=recorded)
    annotations: dict[str, str | None] = {keys.INPLACE_STATE_ANNOTATION: following.dump()}
    labels: Changes = {}
    if pod.grace is not None:
        labels = pod.grace.labels
        annotations = {**pod.grace.annotations, **annotations, keys.INPLACE_GRACE_ANNOTATION: None}
    return UpdatePodInPlace(
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        images=images,
        labels=labels,
        annotations=annotations,
        begins=False,
        close_gate=bool(images) and pod.gated and pod.gate is not False,
    )


def advance(pod: PodView, wanted: Images | None, policy: str, now: float, *, superseded: bool = False) -> Progress:
    """The next step of the update a pod is in; also what opens the gate of a new pod.

    ``wanted`` are the images of the revision the pod is labelled with (None: unknown, nothing more is changed).
    ``superseded`` holds when that revision is no longer where pods go: a grace period is then not ended by images
    that nobody wants any more. An update whose containers have begun to change is finished all the same.
    """
    state = pod.state
    if pod.grace is None and (state is None or pod.gate is True):
        return _done(pod)
    if wanted is None or (state is not None and state.revision != pod.revision):
        return _done(pod)
    if pod.grace is not None:
        return _wait_out(pod, pod.grace, state, wanted, policy, now, superseded=superseded)
    return _follow(pod, state, wanted, policy, now) if state is not None else _done(pod)


def _follow(pod: PodView, state: UpdateState, wanted: Images, policy: str, now: float) -> Progress:
    """An update whose containers change: whether they have, and which are next."""
    containers = {c.name: c for c in pod.containers}
    for name, before in state.recorded.items():
        container = containers.get(name)
        if container is None:
            continue
        if not container_done(container, before, state.since) or (policy == "OrderedReady" and not container.ready):
            said = container.waiting or ("not ready yet" if container.running_since else "not restarted yet")
            return Progress(done=False, waiting=f"container {name} with {container.image}: {said}")
    # A container that was patched counts as changed even if admission writes the image otherwise.
    pending = _left_to_change(pod, wanted, state)
    if pending:
        return Progress(done=False, action=_go_on(pod, state, pending, policy, now), waiting="next container")
    unready = next((c.name for c in pod.containers if not c.ready), None)
    if unready is not None:
        return Progress(done=False, waiting=pod.problem.text if pod.problem else f"container {unready} is not ready")
    return _done(pod)


def _wait_out(
    pod: PodView,
    grace: Grace,
    state: UpdateState | None,
    wanted: Images,
    policy: str,
    now: float,
    *,
    superseded: bool,
) -> Progress:
    # Without a state nobody knows when the grace period began; it ends now, so that the pod heals.
    state = state or UpdateState(pod.revision, now - grace.seconds)
    end = state.since + grace.seconds
    pending = _left_to_change(pod, wanted, replace(state, recorded={}))
    if superseded:
        return Progress(done=False, waiting="the update it is in grace for is no longer wanted", superseded=True)
    if pending and end > now:
        text = f"grace period of {grace.seconds:g} s until {rfc3339(end)}"
        return Progress(done=False, wait=max(end - now, 0.1), waiting=text)
    return Progress(done=False, action=_go_on(pod, state, pending, policy, now), waiting="images change now")
