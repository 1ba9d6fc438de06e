"""The connection of a command: which kubeconfig, which context, whose rights."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.flags import Flags, seconds
from operators.kube.client import Client
from operators.kube.credentials import Credentials, NoCredentials, PlainCredentials, inside_cluster
from operators.kube.errors import ApiError, Forbidden

#: Field manager of all writes: the API server takes it from the User-Agent.
NAME: Final = "kubectl-game"
_ATTEMPTS: Final = 2
#: Seconds for a request of a user who wants none.
_NO_LIMIT: Final = 3600.0
_CANNOT = re.compile(r'cannot ([a-z]{1,30}) resource "([^"]{1,300})"')
_READS: Final = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Access:
    """A client, the namespace that the command line or the context names (None: all), and the flags."""

    client: Client
    namespace: str | None
    flags: Flags

    @property
    def own_namespace(self) -> str:
        """The one namespace of commands that need one.

        Raises:
            UsageError: all were asked for.
        """
        if self.namespace is None:
            raise UsageError("this command works in one namespace: --all-namespaces says nothing here")
        return self.namespace


class Impersonating:
    """Credentials that act as somebody else (``--as``)."""

    def __init__(self, inner: Credentials, user: str) -> None:
        self._inner, self._user = inner, user
        self.server, self.tls, self.options = inner.server, inner.tls, inner.options

    async def headers(self) -> Mapping[str, str]:
        """Those of the real user, and who is meant."""
        return {**await self._inner.headers(), "Impersonate-User": self._user}

    async def reload(self) -> None:
        """As the real user's."""
        await self._inner.reload()


@asynccontextmanager
async def access(flags: Flags) -> AsyncIterator[Access]:
    """Connect as the flags say. What the server refuses leaves as a `CommandError` that says what would be needed.

    Raises:
        CommandError: there are no credentials, no answer, or a refusal.
    """
    timeout = seconds(flags.request_timeout) or _NO_LIMIT
    try:
        files = kubeconfig_files(flags.kubeconfig, os.environ)
        config = {} if not files and inside_cluster() else merged(files)
        client = Client(
            await _credentials(flags, config, files),
            name=NAME,
            timeout=timeout,
            list_timeout=timeout,
            attempts=_ATTEMPTS,
            warn=lambda text: print(f"Warning: {text}", file=sys.stderr),
        )
    except NoCredentials as error:
        raise CommandError(str(error)) from error
    try:
        namespace = None if flags.all_namespaces else flags.namespace or default_namespace(config, flags.context)
        yield Access(client, namespace, flags)
    except ApiError as error:
        raise CommandError(refusal(error)) from error
    finally:
        await client.close()


def kubeconfig_files(given: str | None, environment: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files to read, in the order of kubectl; none where there are none."""
    if given:
        return [Path(given).expanduser()]
    named = [Path(p).expanduser() for p in environment.get("KUBECONFIG", "").split(os.pathsep) if p]
    if named:
        return [p for p in named if p.is_file()] or named[:1]
    home = Path("~/.kube/config").expanduser()
    return [home] if home.is_file() else []


def merged(files: list[Path]) -> dict[str, Any]:
    """Several kubeconfigs as one: the first word on anything counts.

    Raises:
        NoCredentials: there is none, or one cannot be read.
    """
    if not files:
        raise NoCredentials("there is no kubeconfig: set KUBECONFIG, write ~/.kube/config, or give --kubeconfig")
    found: dict[str, Any] = {"contexts": [], "users": [], "clusters": [], "current-context": ""}
    for file in files:
        try:
            content = yaml.safe_load(file.read_text()) or {}
            for section in ("contexts", "users", "clusters"):
                held = {entry["name"] for entry in found[section]}
                found[section] += [e for e in content.get(section) or () if e["name"] not in held]
            found["current-context"] = found["current-context"] or content.get("current-context") or ""
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise NoCredentials(f"kubeconfig {file} cannot be used: {type(error).__name__}: {error}") from error
    return found


def default_namespace(config: Mapping[str, Any], context: str | None) -> str:
    """The namespace of the context, else ``default``."""
    return str(_chosen(config, "context", context or config.get("current-context") or "").get("namespace") or "default")


def needs_program(config: Mapping[str, Any], context: str | None) -> bool:
    """The user of the context is proved by a program: an exec plug-in, or an auth provider."""
    chosen = _chosen(config, "context", context or config.get("current-context") or "")
    user = _chosen(config, "user", chosen.get("user") or "")
    return "exec" in user or "auth-provider" in user


def _chosen(config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    entries = config.get(f"{section}s") or ()
    return next((e.get(section) or {} for e in entries if e.get("name") == name), {})


async def _credentials(flags: Flags, config: Mapping[str, Any], files: list[Path]) -> Credentials:
    """By our own reader, which is fast; by the official package where a program is to be run or files are merged."""
    found: Credentials
    if len(files) > 1 or needs_program(config, flags.context):
        from operators.kube.official import OfficialCredentials

        found = await OfficialCredentials.load(os.pathsep.join(map(str, files)), flags.context)
    else:
        found = PlainCredentials.load(str(files[0]) if files else None, flags.context)
    return Impersonating(found, flags.user) if flags.user else found


def refusal(error: ApiError) -> str:
    """What the server said; of a missing right also the role that has it."""
    if not isinstance(error, Forbidden):
        return str(error)
    found = _CANNOT.search(str(error))
    if found is None:
        return str(error)
    verb, resource = found.groups()
    if resource.endswith("/proxy"):
        text = f"{verb} on {resource} is in the cluster role 'edit'; or let the operators measure: --in-cluster"
        return f"{error}\n{text}"
    if (verb, resource) == ("create", "hookruns"):
        return f"{error}\ncreate on hookruns is in no role of the chart: a run acts with the operators' rights"
    role = "view" if verb in _READS else "edit"
    return f"{error}\n{verb} on {resource} is in the cluster role {role!r}, to which the chart adds tkex-{role}"
