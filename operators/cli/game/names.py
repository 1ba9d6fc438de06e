"""How workloads are named on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from operators.cli.game.exits import CommandError, UsageError
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, Resource

WORKLOADS: Final = (GAME_DEPLOYMENTS, GAME_STATEFUL_SETS)
SHORT: Final = {"GameDeployment": "gd", "GameStatefulSet": "gsts"}
_SPELLINGS: Final = {
    spelling: resource
    for resource in WORKLOADS
    for plain in (SHORT[resource.kind], resource.plural, resource.kind.lower())
    for spelling in (plain, f"{plain}.{resource.group}")
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, and the kind where it was given."""

    name: str
    resource: Resource | None = None

    @property
    def candidates(self) -> tuple[Resource, ...]:
        """The kinds it may be of."""
        return WORKLOADS if self.resource is None else (self.resource,)


def parse(text: str) -> Reference:
    """``arena``, ``gd/arena``, ``gsts/web``, and the long spellings that kubectl prints.

    Raises:
        UsageError: it names no kind of workload, or nothing.
    """
    kind, slash, name = text.rpartition("/")
    if not slash:
        if not text:
            raise UsageError("a name is missing")
        return Reference(text)
    resource = _SPELLINGS.get(kind.lower())
    if resource is None or not name:
        raise UsageError(f"{text!r} names no workload: write a name, gd/NAME or gsts/NAME")
    return Reference(name, resource)


def choose(reference: Reference, found: tuple[Resource, ...], namespace: str) -> Resource:
    """The kind that is meant, of those in which the name was found.

    Raises:
        UsageError: it was found in both.
        CommandError: it was found nowhere.
    """
    if len(found) > 1:
        both = " and ".join(f"{SHORT[r.kind]}/{reference.name}" for r in found)
        raise UsageError(f"{reference.name} is not one thing in namespace {namespace}: there are {both}")
    if not found:
        kinds = " or ".join(r.kind for r in reference.candidates)
        raise CommandError(f"there is no {kinds} {reference.name} in namespace {namespace}")
    return found[0]


def short(kind: str, name: str) -> str:
    """``gd/arena``; of other kinds ``hookrun/NAME``."""
    return f"{SHORT.get(kind, kind.lower())}/{name}"
