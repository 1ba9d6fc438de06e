"""The history of a workload, and what differs between two of its templates. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from operators.cli.game.documents import Change, Revision, RevisionHistory, TemplateDiff
from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.screens import short_image, since
from operators.cli.game.subject import Subject
from operators.cli.game.summary import name_of
from operators.cli.game.text import BAD, BUSY, DIM, GOOD, HOLD, TITLE, Cell, Line, Span, counted, line, table
from operators.cli.game.tree import known_revisions, role
from operators.kube.times import rfc3339
from operators.planning.inplace.changes import Cost, TemplateChange, template_changes
from operators.planning.inplace.update import images_of
from operators.planning.views import RevisionView

Json = Mapping[str, Any]
_CAUSE: Final = "kubernetes.io/change-cause"
#: Fields of a spec that no update changes; the API server refuses them.
_IMMUTABLE: Final = {
    "GameDeployment": ("selector",),
    "GameStatefulSet": ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
}
_LONGEST: Final = 60


def history(subject: Subject) -> RevisionHistory:
    """The stored revisions, the newest first."""
    carried = Counter(p.revision for p in subject.observed.pods if p.active)
    stable = subject.standing.rollout.canary.stable if subject.standing is not None else ""
    return RevisionHistory(
        at=rfc3339(subject.now),
        workload=name_of(subject),
        revisions=tuple(
            Revision(
                number=r.revision,
                name=r.name,
                created=rfc3339(r.created),
                pods=carried[r.name],
                images=images_of(r.template),
                role=role(subject, r.name),
                stable=r.name == stable,
                cause=_cause(subject, r.name),
            )
            for r in known_revisions(subject)
        ),
    )


def _cause(subject: Subject, revision: str) -> str:
    """The change-cause annotation: revisions keep what the workload's was when they were made."""
    metadata = (subject.stored.get(revision) or {}).get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(_CAUSE) or "")


def find_revision(subject: Subject, text: str) -> RevisionView:
    """A stored revision by its number or its name.

    Raises:
        CommandError: there is none; those that are there are named.
    """
    known = known_revisions(subject)
    found = next((r for r in known if text in (str(r.revision), r.name)), None)
    if found is None:
        there = ", ".join(str(r.revision) for r in known) or "none"
        raise CommandError(f"{subject.view.name} has no revision {text}; stored are {there}")
    return found


def diff_of_revisions(subject: Subject, old: str, new: str) -> TemplateDiff:
    """What differs between two stored revisions."""
    one, other = find_revision(subject, old), find_revision(subject, new)
    return TemplateDiff(
        workload=name_of(subject),
        old=f"revision {one.revision}",
        new=f"revision {other.revision}",
        changes=changes(subject, one.template, other.template),
    )


def diff_in_rollout(subject: Subject) -> TemplateDiff:
    """What the rollout under way changes: the revision that kept pods have against the template."""
    if subject.standing is None:
        raise CommandError(f"{subject.view.name} cannot be compared: {subject.view.invalid or 'it is being deleted'}")
    revisions = subject.standing.rollout.revisions
    old, new = revisions.templates.get(revisions.current, {}), revisions.templates[revisions.update]
    return TemplateDiff(
        workload=name_of(subject), old=revisions.current, new=revisions.update, changes=changes(subject, old, new)
    )


def diff_of_manifest(subject: Subject, manifest: Json, source: str) -> TemplateDiff:
    """What applying a manifest would change.

    Raises:
        UsageError: it is of another workload.
    """
    metadata = manifest.get("metadata") or {}
    if manifest.get("kind") != subject.kind or metadata.get("name") != subject.view.name:
        named = f"{manifest.get('kind')} {metadata.get('name')}"
        raise UsageError(f"{source} holds {named}, not {subject.kind} {subject.view.name}")
    held, wanted = subject.body.get("spec") or {}, manifest.get("spec") or {}
    found = [*_refused(subject.kind, held, wanted)]
    found += changes(subject, held.get("template") or {}, wanted.get("template") or {})
    found += beside(subject.kind, held, wanted)
    return TemplateDiff(workload=name_of(subject), old="the cluster", new=source, changes=tuple(found))


def changes(subject: Subject, old: Json, new: Json) -> tuple[Change, ...]:
    """The differences of two templates, each with its cost under the strategy of the workload."""
    return tuple(_change(subject, one, old) for one in template_changes(old, new))


def _change(subject: Subject, one: TemplateChange, old: Json) -> Change:
    cost, words = _cost(subject, one.cost)
    return Change(path=_path(one, old), old=_value(one.old), new=_value(one.new), cost=cost, words=words)


def _cost(subject: Subject, cost: Cost) -> tuple[Cost | Any, str]:
    """What the change costs a pod: a rolling update replaces it, whatever has changed."""
    spec = subject.view.spec
    strategy = spec.update_strategy if spec is not None else None
    if strategy is None or strategy.type != "InplaceUpdate":
        return "new pod", "new pod" if strategy is None or strategy.type != "OnDelete" else "new pod, when deleted"
    if cost == "nothing":
        return cost, "in place, nothing restarts"
    if cost == "restart":
        return cost, "in place, 1 restart"
    if strategy.in_place_update_strategy.on_ineligible == "Recreate":
        return cost, "new pod (onIneligible: Recreate)"
    return "refused", "not possible in place: blocks (onIneligible: Block)"


def _path(one: TemplateChange, old: Json) -> str:
    """``spec.containers[server].image``: containers by their names."""
    parts = one.path.removeprefix("/spec/template/").split("/")
    shown = parts[0]
    if parts[0] == "metadata" and len(parts) > 2:
        return f"metadata.{parts[1]}[{'/'.join(parts[2:])}]"
    known: Any = old.get(parts[0])
    for part in parts[1:]:
        if isinstance(known, list):
            entry = known[int(part)] if part.isdigit() and int(part) < len(known) else None
            shown += f"[{entry['name'] if isinstance(entry, Mapping) and 'name' in entry else part}]"
            known = entry
        else:
            shown += f".{part}" if not part.isdigit() else f"[{part}]"
            known = known.get(part) if isinstance(known, Mapping) else None
    return shown


def _value(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _refused(kind: str, held: Json, wanted: Json) -> list[Change]:
    return [
        Change(
            path=f"spec.{field}",
            old=_value(held.get(field)),
            new=_value(wanted[field]),
            cost="refused",
            words="refused: the field cannot be changed",
        )
        for field in _IMMUTABLE[kind]
        if field in wanted and field in held and not _said_by(wanted[field], held[field])
    ]


def beside(kind: str, held: Json, wanted: Json) -> list[Change]:
    """Fields of the spec besides the template that the manifest names otherwise; defaults are not unsaid by silence."""
    found = []
    for field in sorted(wanted):
        if field == "template" or field in _IMMUTABLE[kind] or _said_by(wanted[field], held.get(field)):
            continue
        found.append(
            Change(
                path=f"spec.{field}",
                old=_value(held.get(field)),
                new=_value(wanted[field]),
                cost="no pod",
                words="no pod is touched for it",
            )
        )
    return found


def _said_by(wanted: Any, held: Any) -> bool:
    """The cluster holds what the manifest says; fields that it does not name do not count."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        return all(_said_by(value, held.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(held, list) and len(wanted) == len(held):
        return all(_said_by(a, b) for a, b in zip(wanted, held, strict=True))
    return bool(wanted == held)


# ---- screens


def history_screen(found: RevisionHistory, now: float, *, wide: bool, width: int | None) -> list[Line]:
    """The table of ``history``."""
    if not found.revisions:
        return [line("No revisions are stored.")]
    rows: list[Sequence[Cell]] = []
    for one in found.revisions:
        images = " ".join(f"{n}={i if wide else short_image(i)}" for n, i in one.images.items())
        rows.append(
            (str(one.number), one.name, since(now, one.created), str(one.pods), images, Span(_note(one), TITLE))
        )
    return table(("REV", "NAME", "AGE", "PODS", "IMAGES", "NOTE"), rows, width=width, drop=("AGE",))


def _note(one: Revision) -> str:
    named = {"new": "new, in rollout", "old": "old", "current": "current", "other": ""}[one.role]
    parts = [named, "stable" if one.stable else "", one.cause]
    return ", ".join(p for p in parts if p)


_STYLES: Final = {"nothing": GOOD, "restart": BUSY, "new pod": HOLD, "refused": BAD, "no pod": DIM}


def diff_screen(found: TemplateDiff, *, width: int | None) -> list[Line]:
    """One line for each path: old, new, and what it costs."""
    if not found.changes:
        return [line(f"{found.old} and {found.new} say the same.")]
    rows = [
        (one.path, line(Span(_shown(one.old), DIM), " → ", _shown(one.new)), Span(one.words, _STYLES[one.cost]))
        for one in found.changes
    ]
    lines = table(("PATH", f"{found.old} → {found.new}", "COSTS A POD"), rows, width=width)
    return [*lines, line(f"Together: {together(found.changes)}.")]


_WORST: Final = ("refused", "new pod", "restart", "nothing", "no pod")


def together(changed: Sequence[Change]) -> str:
    """What all changes cost a pod: the most that any of them does; restarts are counted."""
    worst = min(changed, key=lambda c: _WORST.index(c.cost))
    if worst.cost == "restart":
        restarts = sum(c.cost == "restart" for c in changed)
        return f"in place, {counted(restarts, 'restart')}"
    return worst.words


def _shown(value: str | None) -> str:
    if value is None:
        return "(absent)"
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
