"""What is to be planned, from the cluster or from files alone. Nothing is written: the API server is asked dry."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from operators.cli.game import live, names
from operators.cli.game.access import Access
from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.kinds import KINDS, Kind
from operators.cli.game.plans.assume import Wishes, assumptions
from operators.cli.game.plans.build import Question
from operators.cli.game.plans.merging import applied, difference, merged
from operators.cli.game.plans.observed import Spans, Took, observed
from operators.cli.game.plans.world import (
    Bodies,
    hook_templates,
    manifest_body,
    offline_world,
    with_changes,
    workloads,
    world,
)
from operators.cli.game.subject import Subject
from operators.kube import resources
from operators.kube.errors import Conflict, Forbidden, Invalid
from operators.kube.resources import Json
from operators.simulation.cluster import Surroundings

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_NOTHING: Final = Spans(Took(None, 0), Took(None, 0))
_NO_RIGHT: Final = (
    "You may not patch it, so the API server was not asked: its defaults, warnings and refusals are not in this plan."
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    name: str = ""
    file: str = ""
    before: str = ""
    images: tuple[str, ...] = ()
    replicas: int | None = None
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def changes(self) -> bool:
        """Something is to be otherwise than it is."""
        return bool(self.images) or self.replicas is not None


# ---- files


def read(path: str) -> list[Any]:
    """The documents of a file, of all manifests in a folder, or of standard input (``-``).

    Raises:
        CommandError: one cannot be read.
    """
    if path == "-":
        return _parsed(sys.stdin.read(), "standard input")
    found = Path(path)
    files = sorted(p for p in found.rglob("*") if p.suffix in _SUFFIXES) if found.is_dir() else [found]
    try:
        return [document for file in files for document in _parsed(file.read_text(), str(file))]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _parsed(text: str, what: str) -> list[Any]:
    try:
        return [d for d in yaml.safe_load_all(text) if d is not None]
    except yaml.YAMLError as error:
        raise CommandError(f"{what} cannot be read: {error}") from error


def chosen(documents: Iterable[Any], request: Request) -> list[Mapping[str, Any]]:
    """The workloads among documents; of a name only that one.

    Raises:
        UsageError: there are none.
    """
    found = workloads(documents)
    if request.name:
        reference = names.parse(request.name)
        kinds = {r.kind for r in reference.candidates}
        found = [d for d in found if d["kind"] in kinds and (d.get("metadata") or {}).get("name") == reference.name]
    if not found:
        what = request.name or "GameDeployment or GameStatefulSet"
        raise UsageError(f"{request.file} holds no {what}")
    return found


def offline(request: Request, namespace: str | None) -> list[Question]:
    """Questions about manifests alone.

    With another image, or another number of replicas, the manifest is what runs now, and the change is planned; with a
    manifest of ``before``, that one is; else nothing is there yet.
    """
    documents = read(request.file)
    earlier = read(request.before) if request.before else []
    return [_offline(one, documents, earlier, request, namespace) for one in chosen(documents, request)]


def _offline(
    manifest: Mapping[str, Any], documents: list[Any], earlier: list[Any], request: Request, namespace: str | None
) -> Question:
    body = manifest_body(manifest, namespace)
    before = body if request.changes and not earlier else None
    for one in workloads(earlier):
        if one["kind"] == body["kind"] and (one.get("metadata") or {}).get("name") == body["metadata"]["name"]:
            before = manifest_body(one, namespace)
    body = with_changes(body, request.images, request.replicas)
    templates = {
        **hook_templates(earlier, body["metadata"]["namespace"]),
        **hook_templates(documents, body["metadata"]["namespace"]),
    }
    made, notes = offline_world(body, before, templates)
    assumed, words = assumptions(request.wishes, body["spec"], _NOTHING)
    known = "nothing runs yet" if before is None else "what runs now is as in the files, complete"
    told = f"No cluster was asked: {known}; defaults are those of this program."
    return Question(made, request.file, before["spec"] if before else {}, assumed, words, (told, *notes), offline=True)


# ---- the cluster


async def online(access: Access, request: Request) -> list[Question]:
    """Questions about what the cluster holds: as it is, with a change, or with manifests applied."""
    if not request.file:
        resource = await live.find(access, request.name)
        name, namespace = names.parse(request.name).name, access.own_namespace
        objects = await _loaded(access, namespace, [KINDS[resource.kind]])
        held = objects.body(resource, namespace, name)
        if not held:
            raise CommandError(f"{names.short(resource.kind, name)} is gone")
        body, notes = await _changed(access, resource, held, request)
        source = "a change" if request.changes else "what is left"
        return [_question(objects, body, held, {}, request, source, notes)]
    documents = read(request.file)
    known: dict[str, live.Live] = {}
    found = []
    for manifest in chosen(documents, request):
        namespace = (manifest.get("metadata") or {}).get("namespace") or access.own_namespace
        if namespace not in known:
            known[namespace] = await _loaded(access, namespace, list(KINDS.values()))
        found.append(await _manifest(access, known[namespace], manifest, namespace, documents, request))
    return found


async def _loaded(access: Access, namespace: str, kinds: Sequence[Kind]) -> live.Live:
    objects = live.Live(access, namespace, kinds, bodies=True)
    await objects.load()
    return objects


async def _manifest(
    access: Access,
    objects: live.Live,
    manifest: Mapping[str, Any],
    namespace: str,
    documents: list[Any],
    request: Request,
) -> Question:
    resource = KINDS[manifest["kind"]].resource
    name = str((manifest.get("metadata") or {}).get("name") or "")
    wanted = with_changes(
        {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}, "spec": manifest.get("spec") or {}},
        request.images,
        request.replicas,
    )
    held = objects.body(resource, namespace, name)
    body, notes = await _applied(access, resource, held, wanted)
    templates = hook_templates(documents, namespace)
    return _question(objects, body, held, templates, request, request.file, notes)


def _question(
    objects: live.Live,
    body: Json,
    held: Json,
    templates: Mapping[str, Json],
    request: Request,
    source: str,
    notes: tuple[str, ...],
) -> Question:
    kind, namespace, name = body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]
    objects.suppose(kind, body)
    subject = objects.subject(kind, namespace, name, foreign=False)
    if subject is None:
        raise CommandError(f"{names.short(kind, name)} is gone")
    bodies = _bodies(objects, subject, templates)
    seen = subject.observed
    around = Surroundings(
        getattr(seen, "node_costs", {}),
        seen.overlapping,
        getattr(seen, "nodes", None) if kind != "GameDeployment" else None,
    )
    took = observed(bodies.pods.values(), slow=request.wishes.slow)
    assumed, words = assumptions(request.wishes, body.get("spec") or {}, took)
    own = tuple(f"HookTemplate {n} is taken from {request.file}." for n in sorted(templates))
    return Question(
        world(body, bodies, around, subject.now), source, held.get("spec") or {}, assumed, words, (*notes, *own)
    )


def _bodies(objects: live.Live, subject: Subject, templates: Mapping[str, Json]) -> Bodies:
    """Everything that the planner sees of the workload, as the API server holds it."""
    namespace, seen = subject.view.namespace, subject.observed
    pods = (*seen.pods, *getattr(seen, "name_conflicts", ()))
    claims = getattr(seen, "claims", {})
    return Bodies(
        pods={p.name: objects.body(resources.PODS, namespace, p.name) for p in pods},
        revisions=dict(subject.stored),
        hook_runs=dict(subject.runs),
        templates={**subject.templates, **templates},
        claims={n: objects.body(resources.PERSISTENT_VOLUME_CLAIMS, namespace, n) for n in claims},
    )


async def _changed(
    access: Access, resource: resources.Resource, held: Json, request: Request
) -> tuple[Json, tuple[str, ...]]:
    """The workload with the changes of the command line, as the API server would store it."""
    body = with_changes({**held, "kind": resource.kind}, request.images, request.replicas)
    operations = []
    containers = body["spec"]["template"]["spec"]["containers"] if request.images else []
    for number, container in enumerate(containers):
        path = f"/spec/template/spec/containers/{number}"
        if container["image"] != held["spec"]["template"]["spec"]["containers"][number]["image"]:
            operations.append({"op": "test", "path": f"{path}/name", "value": container["name"]})
            operations.append({"op": "replace", "path": f"{path}/image", "value": container["image"]})
    if request.replicas is not None:
        operations.append({"op": "add", "path": "/spec/replicas", "value": request.replicas})
    if not operations:
        return body, ()
    metadata = held["metadata"]
    asked = access.client.json_patch(resource, metadata["namespace"], metadata["name"], operations, dry_run=True)
    return await _asked(asked, _as_changed(body, held))


async def _applied(
    access: Access, resource: resources.Resource, held: Json, manifest: Json
) -> tuple[Json, tuple[str, ...]]:
    """What applying a manifest would leave in the cluster.

    It is applied as it was before: by the field manager that applies it on the server, else by the difference to what
    was applied last, as ``kubectl apply`` does it.
    """
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    manifest = {**manifest, "apiVersion": resource.api_version}
    if not held:
        local = manifest_body(manifest, namespace)
        body, notes = await _asked(access.client.create(resource, namespace, manifest, dry_run=True), local)
        return {**body, "metadata": {"resourceVersion": "0", **body["metadata"]}}, notes  # it has none yet
    patch = difference(held, manifest)
    local = _as_changed({**merged(held, patch), "kind": resource.kind}, held)
    manager = applied(held)
    if manager:
        clean = {k: manifest[k] for k in ("apiVersion", "kind", "spec")}
        given = manifest["metadata"]
        clean["metadata"] = {k: given[k] for k in ("name", "namespace", "labels", "annotations") if given.get(k)}

        def apply(*, force: bool) -> Any:
            return access.client.try_apply(resource, namespace, name, clean, manager=manager, force=force)

        try:
            return await _asked(apply(force=False), local)
        except Conflict as error:
            body, notes = await _asked(apply(force=True), local)
            return body, (*notes, f"Other field managers would be overruled: {error}.")
    if not patch:
        return {**held, "kind": resource.kind}, ()
    return await _asked(access.client.merge_patch(resource, namespace, name, patch, dry_run=True), local)


async def _asked(request: Any, otherwise: Json) -> tuple[Json, tuple[str, ...]]:
    """What the API server makes of it; where the user has no right to ask, what this program does.

    Raises:
        CommandError: it refuses: that is the answer.
    """
    try:
        return {**await request, "kind": otherwise["kind"]}, ()
    except Forbidden as error:
        if "cannot" not in str(error):  # an admission webhook says so, too
            raise CommandError(f"The API server refuses it: {error}") from error
        return otherwise, (_NO_RIGHT,)
    except Invalid as error:
        raise CommandError(f"The API server refuses it: {error}") from error


def _as_changed(body: Json, held: Json) -> Json:
    """With the next generation where the spec is another one."""
    if body.get("spec") == held.get("spec"):
        return body
    metadata = {**body["metadata"], "generation": int(held["metadata"].get("generation") or 0) + 1}
    return {**body, "metadata": metadata}
