"""``scale``: how many pods, and which of them go. One guarded patch, and what is to be said of it first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.cli.game.changing import Changed, generation_test
from operators.cli.game.exits import CommandError, NothingToDo, UsageError
from operators.cli.game.names import short
from operators.cli.game.outlook import as_if, asked_and_gone, new_refusals
from operators.cli.game.subject import Subject
from operators.cli.game.text import counted
from operators.cli.game.writing import Write
from operators.gamestatefulset.ordinals import ordinal_of
from operators.kube.resources import Resource
from operators.planning.explain import name_some
from operators.planning.views import PodView

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants: a number of pods, pods that go with their replicas, or pods that are replaced."""

    replicas: int | None = None
    remove: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()


def wish(replicas: int | None, remove: str | None, replace: str | None) -> Wish:
    """Of the command line; names are separated by commas.

    Raises:
        UsageError: none or several of them were given, or a name is missing or twice.
    """
    if sum(value is not None for value in (replicas, remove, replace)) != 1:
        raise UsageError("say one of --replicas N, --remove POD,… and --replace POD,…")
    if replicas is not None and replicas < 0:
        raise UsageError(f"--replicas {replicas}: 0 is the least")
    named = tuple((remove or replace or "").split(",")) if replicas is None else ()
    if not all(named) or len(set(named)) != len(named):
        raise UsageError("names of pods are separated by commas, each once")
    return Wish(replicas, named if remove is not None else (), named if replace is not None else ())


def scale(resource: Resource, subject: Subject, wanted: Wish, autoscalers: Sequence[Json]) -> Changed:
    """The change; ``autoscalers`` are the HorizontalPodAutoscalers of the namespace.

    Raises:
        CommandError: a pod that is named is not there, is leaving, or belongs to somebody else.
        NothingToDo: there are so many already, or they are named already.
    """
    name, spec = short(subject.kind, subject.view.name), subject.view.spec
    if spec is None or subject.view.deleting:
        raise CommandError(f"{name} cannot be scaled: its spec cannot be read, or it is being deleted")
    named, listed = (*wanted.remove, *wanted.replace), tuple(spec.scale_strategy.pods_to_delete)
    for pod in named:
        _must_be_ours(subject, name, pod)
    fresh = [p for p in named if p not in listed]
    if named and not fresh:
        raise NothingToDo(f"{name}: podsToDelete names {'it' if len(named) == 1 else 'them'} already")
    if wanted.remove and subject.kind == "GameStatefulSet":
        return _last_ordinals(resource, subject, wanted, autoscalers)
    replicas = spec.replicas - (len(fresh) if wanted.remove else 0) if wanted.replicas is None else wanted.replicas
    if not named and replicas == spec.replicas:
        raise NothingToDo(f"{name}: it has {counted(replicas, 'replica')} already")
    operations = [generation_test(subject.body)]
    if replicas != spec.replicas:
        operations.append({"op": "add", "path": "/spec/replicas", "value": replicas})
    if fresh:
        operations.append(_names(subject.body, [*listed, *fresh]))
    if wanted.remove:
        told = f"{name_some(fresh)} {'go' if len(fresh) > 1 else 'goes'}, replicas {spec.replicas} → {replicas}"
        back = f"kubectl game scale {name} --replicas {spec.replicas} (with new pods)"
    elif wanted.replace:
        told = f"{name_some(fresh)} {'are' if len(fresh) > 1 else 'is'} replaced, replicas stay {replicas}"
        back = f"kubectl patch {resource.plural} {subject.view.name} --type=merge -p '{_without(listed)}'"
    else:
        told, back = f"replicas {spec.replicas} → {replicas}", f"kubectl game scale {name} --replicas {spec.replicas}"
    path = "spec.scaleStrategy.podsToDelete" if wanted.replace else "spec.replicas"
    return _with_warnings(
        Write(resource, subject.body, path, told, back, operations=operations),
        subject,
        _after(subject, replicas, [*listed, *fresh]),
        autoscalers,
        moves_replicas=replicas != spec.replicas,
    )


def _last_ordinals(resource: Resource, subject: Subject, wanted: Wish, autoscalers: Sequence[Json]) -> Changed:
    """The pods with the highest ordinals are the only ones that a set can lose for good."""
    name, spec = short(subject.kind, subject.view.name), subject.view.spec
    assert spec is not None
    last = {f"{subject.view.name}-{i}" for i in range(spec.replicas - len(wanted.remove), spec.replicas)}
    others = sorted(set(wanted.remove) - last, key=lambda p: ordinal_of(subject.view.name, p) or 0)
    if others:
        raise CommandError(
            f"{name}: nothing was written: a set loses its highest ordinals, here {', '.join(sorted(last))}; "
            f"{name_some(others)} can be replaced: --replace"
        )
    return scale(resource, subject, Wish(spec.replicas - len(wanted.remove)), autoscalers)


def _must_be_ours(subject: Subject, name: str, pod: str) -> None:
    own: dict[str, PodView] = {p.name: p for p in subject.observed.pods}
    strange = {p.name: p for p in subject.foreign}
    found = own.get(pod)
    ours = found is not None and found.owner is not None and found.owner.uid == subject.view.uid
    if found is not None and ours:
        if found.deleting:
            raise CommandError(f"{name}: nothing was written: pod {pod} is being deleted already")
        return
    other = strange.get(pod) or found
    if other is None:
        raise CommandError(f"{name}: nothing was written: it has no pod {pod}")
    owner = f"{other.owner.kind} {other.owner.name}" if other.owner is not None else "nobody"
    raise CommandError(f"{name}: nothing was written: pod {pod} belongs to {owner}")


def _names(body: Json, names: Sequence[str]) -> dict[str, Any]:
    if body["spec"].get("scaleStrategy") is None:
        return {"op": "add", "path": "/spec/scaleStrategy", "value": {"podsToDelete": [*names]}}
    return {"op": "add", "path": "/spec/scaleStrategy/podsToDelete", "value": [*names]}


def _without(listed: Sequence[str]) -> str:
    import json

    return json.dumps({"spec": {"scaleStrategy": {"podsToDelete": [*listed] or None}}})


def _after(subject: Subject, replicas: int, names: Sequence[str]) -> Subject:
    def change(spec: dict[str, Any]) -> None:
        spec["replicas"] = replicas
        if names:
            spec["scaleStrategy"] = {**(spec.get("scaleStrategy") or {}), "podsToDelete": [*names]}

    return as_if(subject, change)


def _with_warnings(
    write: Write, before: Subject, after: Subject, autoscalers: Sequence[Json], *, moves_replicas: bool
) -> Changed:
    """What the planner would do about it, and who else has a say in the number."""
    said = []
    mine = {"kind": before.kind, "name": before.view.name}
    for scaler in autoscalers if moves_replicas else ():
        spec = scaler.get("spec") or {}
        target = spec.get("scaleTargetRef") or {}
        if mine.items() <= target.items():
            least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
            said.append(
                f"HorizontalPodAutoscaler {scaler['metadata']['name']} sets the replicas too, {least} to {most}: "
                "it may take this back"
            )
    asked, gone = asked_and_gone(after)
    held, going = asked_and_gone(before)
    asked, gone = [p for p in asked if p not in held], [p for p in gone if p not in going]
    if asked:
        said.append(
            f"players may be inside: {', '.join(asked)} {'are' if len(asked) > 1 else 'is'} asked by the hook first"
        )
    if gone:
        said.append(f"deleted at once, without being asked: {', '.join(gone)}")
    said += new_refusals(before, after)
    return Changed(write, tuple(said))
