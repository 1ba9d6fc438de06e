"""Checks that an installation runs on itself: before it is removed, and after it was made."""

from __future__ import annotations

import argparse
import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from operators.kube import resources
from operators.kube.client import Client
from operators.kube.errors import ApiError, NotFound
from operators.kube.resources import Json, Resource

WORKLOADS = {r.plural: r for r in (resources.GAME_DEPLOYMENTS, resources.GAME_STATEFUL_SETS)}
_SHOWN = 10


def add_commands(commands: Any) -> None:
    """Add ``check-uninstall`` and ``check-service``."""
    uninstall = commands.add_parser("check-uninstall", help="fail while workloads depend on the operators")
    uninstall.add_argument("kinds", nargs="+", choices=sorted(WORKLOADS), metavar="KIND", help="plurals of workloads")
    uninstall.add_argument("--namespace", help="look in this namespace only")
    uninstall.add_argument("--kubeconfig", help="kubeconfig file; without it the pod's service account")
    uninstall.add_argument("--release", default="game-operators", help="name of the Helm release, for the advice")
    uninstall.add_argument("--release-namespace", default="default", help="its namespace")
    uninstall.add_argument("--revision", default="REVISION", help="its revision")
    uninstall.set_defaults(action=_uninstall)
    service = commands.add_parser("check-service", help="fail unless operators are ready behind a URL")
    service.add_argument("url", help="root of the metrics port, such as http://game-operators:10251")
    service.set_defaults(action=_service)


def _uninstall(options: argparse.Namespace) -> int:
    try:
        found = asyncio.run(_workloads(options))
    except ApiError as error:
        print(f"The workloads could not be listed, so nothing is removed: {error}")
        return 1
    if not found:
        print("No workload depends on the operators.")
        return 0
    print(refusal(found, options.release, options.release_namespace, options.revision))
    return 1


def refusal(found: Mapping[str, list[str]], release: str, namespace: str, revision: str) -> str:
    """Why the operators are not removed, and what to do. ``found`` are objects (namespace/name) by plural.

    Helm counts the release as being uninstalled from then on. The way back names the revision: without one Helm goes to
    the revision before, which has other values, or does not exist.
    """
    lines = ["Refused: these workloads would be left without an operator. Their pods would go on, but no update, no"]
    lines += ["replacement and no hook would, and a pod in mid-update would stay out of service:", ""]
    for plural, names in found.items():
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        lines.append(f"  {len(names)} {plural}: {', '.join(names[:_SHOWN])}{rest}")
    lines += [
        "",
        "Delete them first, or leave them as they are, knowingly: helm uninstall --no-hooks",
        f"To go on with this release instead: helm rollback {release} {revision} -n {namespace}",
    ]
    return "\n".join(lines)


async def _workloads(options: argparse.Namespace) -> dict[str, list[str]]:
    from operators.kube.official import connect

    client = await connect(kubeconfig=options.kubeconfig)
    try:
        found = {}
        for plural in options.kinds:
            names = dependent([item async for item in _all(client, WORKLOADS[plural], options.namespace)])
            if names:
                found[plural] = names
        return found
    finally:
        await client.close()


def dependent(items: Iterable[Json]) -> list[str]:
    """Which of these workloads still need an operator; what is being deleted is the garbage collector's."""
    kept = (i["metadata"] for i in items if not i["metadata"].get("deletionTimestamp"))
    return [f"{metadata['namespace']}/{metadata['name']}" for metadata in kept]


async def _all(client: Client, resource: Resource, namespace: str | None) -> AsyncIterator[Json]:
    """Every object of a collection; none where the kind is not served."""
    try:
        async for item in client.items(resource, namespace):
            yield item
    except NotFound:
        return


def _service(options: argparse.Namespace) -> int:
    try:
        ready, metrics = _read(options.url + "/readyz"), _read(options.url + "/metrics")
    except urllib.error.URLError as error:
        print(f"{options.url} does not answer: {error}")
        return 1
    trouble = service_trouble(metrics)
    print(trouble or f"{options.url}: {ready}, and it tells its metrics")
    return 1 if trouble else 0


def service_trouble(metrics: str) -> str:
    """What a ready replica does not tell of itself; "" when nothing lacks. It may lead, or stand by."""
    told = [line for line in metrics.splitlines() if line.startswith("game_operators_leader ")]
    return "" if told else "the metric game_operators_leader is missing: is this port another program's?"


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the chart's own http URL
        return str(answer.read().decode())
