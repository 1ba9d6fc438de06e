"""The one way in which commands write: one guarded PATCH, told of with the way back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from operators.cli.game.access import Access
from operators.cli.game.exits import CommandError
from operators.cli.game.names import short
from operators.cli.game.output import Screen
from operators.cli.game.ownership import owner_of
from operators.kube.errors import Conflict, Invalid
from operators.kube.resources import Resource

Json = Mapping[str, Any]
#: What the API server says of a JSON patch whose `test` fails, or whose path is not there.
_NOT_APPLICABLE = "the server rejected our request due to an error in our request"
DryRun = Literal["none", "client", "server"]


@dataclass(frozen=True, slots=True)
class Write:
    """A change of one object that was read.

    Either ``merge`` (a merge patch, guarded by the resourceVersion and UID of ``body``) or ``operations`` (a JSON
    patch, guarded by its own ``test`` operations and the UID). ``path`` is what is written, for whoever owns it;
    ``told`` what changed, in words; ``back`` the command that takes it back. ``exempt`` holds for annotations that are
    commands: no repository has them.
    """

    resource: Resource
    body: Json
    path: str
    told: str
    back: str
    merge: Json | None = None
    operations: Sequence[dict[str, Any]] = ()
    exempt: bool = False

    def patch(self) -> dict[str, Any] | list[dict[str, Any]]:
        """The patch with its guards."""
        metadata = self.body["metadata"]
        if self.merge is None:
            return [{"op": "test", "path": "/metadata/uid", "value": metadata["uid"]}, *self.operations]
        given = dict(self.merge)
        guards = {"resourceVersion": metadata["resourceVersion"], "uid": metadata["uid"]}
        return {**given, "metadata": {**(given.get("metadata") or {}), **guards}}


async def write(
    access: Access, screen: Screen, change: Write, *, dry_run: DryRun = "none", anyway: bool = False
) -> Json:
    """Do it, and say what changed and how to take it back; the object as it is then.

    Raises:
        CommandError: a tool owns what would be written; the object has changed since it was read; it was refused.
    """
    owner = owner_of(change.body)
    if owner is not None and not change.exempt and not anyway:
        raise CommandError(owner.refusal(change.path))
    patch, metadata = change.patch(), change.body["metadata"]
    name = short(change.resource.kind, metadata["name"])
    if dry_run == "client":
        screen.say(f"{name}: {change.told} (not written: --dry-run=client)")
        screen.say(json.dumps(patch, ensure_ascii=False))
        return change.body
    dry, where = dry_run == "server", (change.resource, metadata["namespace"], metadata["name"])
    try:
        if isinstance(patch, list):
            answer = await access.client.json_patch(*where, patch, dry_run=dry)
        else:
            answer = await access.client.merge_patch(*where, patch, dry_run=dry)
    except Conflict as error:
        raise CommandError(f"{name} has changed meanwhile; nothing was written. Look again: {error}") from error
    except Invalid as error:
        if change.operations and _NOT_APPLICABLE in str(error):
            raise CommandError(f"{name} has changed meanwhile; nothing was written. Look again: {error}") from error
        raise CommandError(f"{name}: refused: {error}") from error
    screen.say(f"{name}: {change.told}" + (" (not written: --dry-run=server)" if dry else f"\n  back: {change.back}"))
    return answer
