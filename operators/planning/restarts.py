"""``restartAt``: pods that started before an instant are restarted (docs/spec/gamedeployment.md 3.9).

In place without an agent on the nodes: the kubelet restarts a container when the text of its image changes, so the
image is written with the digest that runs already. The same bits, no pull, one restart. Elsewhere pods are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from operators.api.reasons import BlockedReason
from operators.kube.times import timestamp
from operators.planning.actions import Blocked
from operators.planning.findings import Findings
from operators.planning.inplace.update import Images, Progress
from operators.planning.views import READY_DEADLINE, ContainerView, PodView
from operators.planning.workloads import Spec

_DIGEST = re.compile(r"([^@\s]+)@(sha256:[0-9a-f]{64})\Z")
_LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Restart:
    """What an instant asks for. ``due`` are the pods to restart, the longest running first; ``text`` names the instant.

    ``images`` are, by pod, the texts that its containers get; a pod without is replaced. ``stuck`` are pods that cannot
    be restarted in place, with the container of which no digest is known. ``busy`` are restarted already and not back
    yet. ``wait`` is the time in seconds until an instant that lies ahead.
    """

    text: str = ""
    due: tuple[PodView, ...] = ()
    images: Mapping[str, Images] = field(default_factory=dict)
    stuck: tuple[tuple[PodView, ContainerView], ...] = ()
    busy: tuple[PodView, ...] = ()
    wait: float | None = None

    def among(self, excluded: Collection[str]) -> list[PodView]:
        """Those due that are not excluded by their names."""
        return [p for p in self.due if p.name not in excluded]


NO_RESTART = Restart()


def restart_of(
    spec: Spec,
    pods: Sequence[PodView],
    images: Mapping[str, Images],
    progress: Mapping[str, Progress],
    healthy: Collection[str],
    now: float,
) -> Restart:
    """What ``restartAt`` asks for now; nothing without it."""
    at = _instant(spec.restart_at)
    if at is None or spec.restart_at is None:
        return NO_RESTART
    if at > now:
        return Restart(spec.restart_at, wait=max(0.1, at - now))
    replaces = spec.restart_recreate or spec.update_strategy.type != "InplaceUpdate"
    busy = tuple(p for p in pods if p.name not in healthy and _comes_back(p, spec.restart_at, at, progress, now))
    if replaces:
        old = (p for p in pods if p.created < at and progress[p.name].done and not _restarted(p, spec.restart_at))
        return Restart(spec.restart_at, tuple(sorted(old, key=lambda p: (p.created, p.name))), busy=busy)
    found: list[tuple[float, PodView]] = []
    texts: dict[str, Images] = {}
    stuck = []
    for pod in pods:
        if not progress[pod.name].done or pod.grace is not None or _restarted(pod, spec.restart_at):
            continue
        old_ones = list(_older(pod, images.get(pod.revision) or {}, spec.restart_containers, at))
        made = {c.name: pinned(c.image, c.image_id) for c in old_ones}
        unknown = next((c for c in old_ones if not made[c.name]), None)
        if unknown is not None:
            stuck.append((pod, unknown))
        elif old_ones:
            texts[pod.name] = made
            found.append((min(c.running_since or 0.0 for c in old_ones), pod))
    found.sort(key=lambda one: (one[0], one[1].name))
    return Restart(spec.restart_at, tuple(p for _, p in found), texts, tuple(stuck), busy)


def _instant(text: str | None) -> float | None:
    try:
        return timestamp(text)
    except ValueError:
        return None


def _restarted(pod: PodView, text: str) -> bool:
    """It was restarted for this instant already: no clock of a node is asked whether it was."""
    return pod.state is not None and pod.state.restart == text


def _comes_back(pod: PodView, text: str, at: float, progress: Mapping[str, Progress], now: float) -> bool:
    """It was restarted or made anew a while ago, and may still get ready; one that fails later does not."""
    if _restarted(pod, text) and pod.state is not None:
        return not progress[pod.name].done or now - pod.state.since < READY_DEADLINE
    return pod.created >= at and now - pod.created < READY_DEADLINE


def _older(pod: PodView, images: Images, chosen: Collection[str], at: float) -> Iterator[ContainerView]:
    """Containers of the template that run since before the instant; what others added to the pod is theirs."""
    for container in pod.containers:
        wanted = container.name in images and (not chosen or container.name in chosen)
        if wanted and container.running_since is not None and container.running_since < at:
            yield container


def pinned(image: str, image_id: str) -> str:
    """Another text for the very image that runs: ``name:tag@digest``, or ``name@digest``; "" where no digest is known.

    The digest counts and not the tag, so that a tag which was moved meanwhile brings nothing new. It has to be one of
    the image's own repository: a node names an image by the digest of any repository it knows the same bits from, and
    in another they may not be found.
    """
    found = _DIGEST.match(image_id.removeprefix("docker-pullable://"))
    if found is None:
        return ""
    repository, digest = found.groups()
    plain = image.partition("@")[0]
    folder, slash, last = plain.rpartition("/")
    name, colon, tag = last.partition(":")
    if _full(repository) != _full(f"{folder}{slash}{name}"):
        return ""
    bare = f"{folder}{slash}{name}@{digest}"
    tagged = f"{folder}{slash}{name}:{tag if colon else _LATEST}@{digest}"
    return bare if image == tagged else tagged


def _full(repository: str) -> str:
    """A repository with the registry and the folder that are left out of short names."""
    first, slash, _ = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return repository.removeprefix("index.") if repository.startswith("index.docker.io/") else repository
    return f"docker.io/{repository}" if slash else f"docker.io/library/{repository}"


def restart_findings(restart: Restart, pods: int, *, held: bool) -> Findings:
    """What is to be said of a restart, and when an instant that lies ahead is there."""
    waits = () if restart.wait is None else (restart.wait,)
    blocked = []
    if restart.due:
        text = f"{len(restart.due)} of {pods} pods are to be restarted: they run since before restartAt {restart.text}"
        reason = BlockedReason.RESTART_HELD if held else BlockedReason.RESTARTING
        blocked.append(Blocked(reason, f"{text}; updates are held" if held else text))
    if restart.stuck:
        pod, container = min(restart.stuck, key=lambda one: one[0].name)
        more = f" (and {len(restart.stuck) - 1} more)" if len(restart.stuck) > 1 else ""
        text = (
            f"pod {pod.name}{more} cannot be restarted in place: for image {container.image} of container "
            f"{container.name} no digest of its own repository is known (imageID {container.image_id or 'absent'!r}); "
            "restartRecreate: true replaces pods instead"
        )
        blocked.append(Blocked(BlockedReason.RESTART_NOT_POSSIBLE, text, pod.name, waiting=False))
    return Findings(blocked=tuple(blocked), waits=waits)
