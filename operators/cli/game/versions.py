"""Which versions work together: client, operators and definitions (``version``). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from operators.api.crds import definitions
from operators.cli.game.documents import DefinitionVersion, OperatorsVersion, VersionReport
from operators.cli.game.text import GOOD, HOLD, Line, Span, line

Json = Mapping[str, Any]
_NAME: Final = "app.kubernetes.io/name"
_VERSION: Final = "app.kubernetes.io/version"


def operators_of(deployments: Sequence[Json]) -> tuple[OperatorsVersion, ...]:
    """The operators and webhooks among the Deployments of a cluster."""
    found = []
    for one in deployments:
        metadata = one["metadata"]
        labels = metadata.get("labels") or {}
        if labels.get("app.kubernetes.io/part-of") != "game-operators":
            continue
        found.append(
            OperatorsVersion(
                namespace=str(metadata.get("namespace") or ""),
                name=str(metadata["name"]),
                version=str(labels.get(_VERSION) or "?"),
                ready=int((one.get("status") or {}).get("readyReplicas") or 0),
            )
        )
    return tuple(sorted(found, key=lambda o: (o.namespace, o.name)))


def definitions_of(bodies: Sequence[Json]) -> tuple[DefinitionVersion, ...]:
    """Our definitions as the cluster has them, with the fields that this version knows and they do not."""
    held = {body["metadata"]["name"]: body for body in bodies}
    return tuple(_definition(mine, held.get(mine["metadata"]["name"])) for mine in definitions().values())


def _definition(mine: Any, there: Json | None) -> DefinitionVersion:
    name = str(mine["metadata"]["name"])
    if there is None:
        return DefinitionVersion(name=name, version="", present=False, lacks=())
    version = (there["metadata"].get("annotations") or {}).get("version") or ""
    lacks = sorted(_fields(_schema(mine)) - _fields(_schema(there)))
    return DefinitionVersion(name=name, version=str(version), present=True, lacks=tuple(lacks))


def _schema(body: Any) -> Any:
    served = [v for v in body["spec"]["versions"] if v.get("served", True)]
    return (served[0].get("schema") or {}).get("openAPIV3Schema") or {} if served else {}


def _fields(schema: Any, path: str = "") -> set[str]:
    """Every field of a schema, by its path."""
    found = set()
    for name, part in (schema.get("properties") or {}).items():
        here = f"{path}.{name}" if path else name
        found |= {here, *_fields(part, here)}
    if isinstance(schema.get("items"), Mapping):
        found |= _fields(schema["items"], f"{path}[]")
    return found


def skew(client: str, operators: Sequence[OperatorsVersion], held: Sequence[DefinitionVersion]) -> tuple[str, ...]:
    """What does not fit together, the worst first."""
    versions = sorted({o.version for o in operators})
    said = [f"definition {d.name} is not installed" for d in held if not d.present]
    said += [_lacking(d) for d in held if d.lacks]
    said += [
        f"operators {version} beside kubectl game {client}: what this says they would do may not be so"
        for version in versions
        if _minor(version) != _minor(client)
    ]
    if len(versions) > 1:
        said.append(f"several versions of the operators are installed: {', '.join(versions)}")
    return tuple(said)


def _lacking(one: DefinitionVersion) -> str:
    more = f" and {len(one.lacks) - 3} more" if len(one.lacks) > 3 else ""
    fields, version = ", ".join(one.lacks[:3]) + more, one.version or "without version"
    return f"definition {one.name} ({version}) does not know {fields}: the API server drops what is written there"


def _minor(version: str) -> tuple[str, ...]:
    """What may not differ: before 1.0 a minor version may break."""
    parts = version.removeprefix("v").split(".")
    return tuple(parts[:2])


def version_screen(found: VersionReport) -> list[Line]:
    """A line for each program, and what does not fit."""
    lines = [line(f"kubectl game  {found.client}{f' ({found.commit[:12]})' if found.commit else ''}")]
    if found.server:
        lines.append(line(f"Kubernetes    {found.server}"))
    lines += [line(f"operators     {o.version}  {o.namespace}/{o.name}, {o.ready} ready") for o in found.operators]
    lines += [line(f"definition    {d.version or '?'}  {d.name}") for d in found.definitions if d.present]
    lines += [line(Span(one, HOLD)) for one in found.skew]
    lines += [line(Span(f"Not readable for you: {one}", HOLD)) for one in found.unreadable]
    if found.server and not found.skew and not found.unreadable:
        lines.append(line(Span("These fit together.", GOOD)))
    return lines
