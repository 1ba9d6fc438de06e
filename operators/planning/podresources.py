"""What the API server fills in of the resources of a pod and its containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Amounts = Mapping[str, Any]
#: An amount as `operators.planning.amounts` spells it; any other the API server refuses.
_SPELLED = re.compile(r"-?[0-9]{1,70}(?:\.[0-9]{1,9})?\Z", re.ASCII)


def without_copied_requests(container: dict[str, Any]) -> None:
    """A request that is not named is the limit, so one that equals its limit says nothing. Changes the container."""
    limits, requests = _amounts(container, "limits"), _amounts(container, "requests")
    if not limits or not requests:
        return
    said = {k: v for k, v in requests.items() if k not in limits or limits[k] != v}
    kept = {k: v for k, v in container["resources"].items() if k != "requests"}
    container["resources"] = {**kept, "requests": said} if said else kept


def with_pod_defaults(spec: dict[str, Any]) -> None:
    """Fill in the resources of the pod as a whole, where the spec names some. Changes the spec.

    Limits of huge pages are those of the containers together; requests are those of the containers together, and where
    they have none the limit of the pod.
    """
    limits, requests = dict(_amounts(spec, "limits")), dict(_amounts(spec, "requests"))
    if not limits and not requests:
        return
    for name, amount in _together(spec, "limits").items():
        if name.startswith("hugepages-") and name not in requests:
            limits.setdefault(name, amount)
    if limits:
        asked = {k: v for k, v in _together(spec, "requests").items() if k in ("cpu", "memory")}
        whole = {k: v for k, v in limits.items() if k in ("cpu", "memory") or k.startswith("hugepages-")}
        requests = {**whole, **asked, **requests}
    filled = {"limits": limits, "requests": requests}
    spec["resources"] = {**spec["resources"], **{k: v for k, v in filled.items() if v}}


def _amounts(owner: Any, which: str) -> Amounts:
    """Reduced limits or requests of a container or a pod; empty where there are none that can be read."""
    resources = owner.get("resources") if isinstance(owner, Mapping) else None
    found = resources.get(which) if isinstance(resources, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _of_container(container: Any, which: str) -> dict[str, Decimal]:
    limits = _amounts(container, "limits")
    named = limits if which == "limits" else {**limits, **_amounts(container, "requests")}
    return {k: Decimal(v) for k, v in named.items() if isinstance(v, str) and _SPELLED.match(v)}


def _together(spec: Mapping[str, Any], which: str) -> dict[str, str]:
    """The most that the pod uses at once: all containers with the sidecars, or one that runs before them."""
    containers, before = spec.get("containers"), spec.get("initContainers")
    running: dict[str, Decimal] = {}
    sidecars: dict[str, Decimal] = {}
    starting: dict[str, Decimal] = {}
    for container in containers if isinstance(containers, list) else ():
        running = _sum(running, _of_container(container, which))
    for container in before if isinstance(before, list) else ():
        used = _sum(_of_container(container, which), sidecars)
        if isinstance(container, Mapping) and container.get("restartPolicy") == "Always":
            running, sidecars = _sum(running, _of_container(container, which)), used
        starting = _most(starting, used)
    return {k: format(v.normalize(), "f") if v else "0" for k, v in _most(running, starting).items()}


def _sum(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {**one, **{k: one.get(k, Decimal(0)) + v for k, v in other.items()}}


def _most(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {**one, **{k: max(one.get(k, v), v) for k, v in other.items()}}
