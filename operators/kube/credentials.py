"""Where the API server is, and how to prove who we are: from inside a pod, or by a plain kubeconfig.

Nothing here needs the official `kubernetes` package. A kubeconfig whose user is an exec plug-in or an auth provider
needs `operators.kube.official`.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, Self

import yaml

from operators.kube.tls import load_chain

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoCredentials(Exception):
    """There is no usable configuration; the text says where it was looked for and what is wrong with it."""


class Credentials(Protocol):
    """What a client has to know of a server and of itself."""

    @property
    def server(self) -> str:
        """URL of the API server, without a slash at the end."""
        ...

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusted authority and client certificate."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """Further arguments of aiohttp for every request: proxy, and the name in the server's certificate."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """Headers that authenticate a request.

        Raises:
            OSError: a file with a token cannot be read.
        """
        ...

    async def reload(self) -> None:
        """Load anew what the server refused.

        Raises:
            NoCredentials: they are gone.
        """
        ...


def inside_cluster() -> bool:
    """Whether this process runs in a pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").is_file()


class PlainCredentials:
    """A token or a client certificate. A token in a file is read for every request, because it is replaced there."""

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext,
        *,
        token: str = "",
        token_file: Path | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.server, self.tls, self.options = server, tls, dict(options or {})
        self._token, self._token_file = token, token_file

    @classmethod
    def load(cls, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """Load by a kubeconfig when one is named, else by the pod, else by the user's default kubeconfig.

        Raises:
            NoCredentials: there are none, or a program would have to be run for them.
        """
        if not kubeconfig and inside_cluster():
            return cls._of_pod(os.environ)
        path = Path(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
        if not path.is_file():
            raise NoCredentials(f"this is no pod with a service account, and there is no kubeconfig {path}")
        try:
            return cls._of_kubeconfig(yaml.safe_load(path.read_text()), context, path.parent)
        except (KeyError, TypeError, ValueError, OSError, yaml.YAMLError) as error:
            raise NoCredentials(f"kubeconfig {path} cannot be used: {type(error).__name__}: {error}") from error

    @classmethod
    def _of_pod(cls, environment: Mapping[str, str]) -> Self:
        host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
        host = f"[{host}]" if ":" in host else host
        tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
        return cls(f"https://{host}:{port}", tls, token_file=SERVICE_ACCOUNT / "token")

    @classmethod
    def _of_kubeconfig(cls, config: Mapping[str, Any], context: str | None, folder: Path) -> Self:
        chosen = _entry(config, "context", context or config["current-context"])
        cluster, user = _entry(config, "cluster", chosen["cluster"]), _entry(config, "user", chosen["user"])
        if "exec" in user or "auth-provider" in user:
            raise ValueError("its user needs a program to be run, which is not supported: use a certificate or a token")
        given = {"server_hostname": cluster.get("tls-server-name"), "proxy": cluster.get("proxy-url")}
        return cls(
            cluster["server"].rstrip("/"),
            _tls(cluster, user, folder),
            token=user.get("token", ""),
            token_file=folder / user["tokenFile"] if user.get("tokenFile") else None,
            options={name: value for name, value in given.items() if value},
        )

    async def headers(self) -> Mapping[str, str]:
        """Headers that authenticate a request.

        Raises:
            OSError: the file with the token cannot be read.
        """
        token = self._token_file.read_text().strip() if self._token_file else self._token
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def reload(self) -> None:
        """Do nothing: a token in a file is read for every request, and everything else lasts as long as the process."""


def _entry(config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    for entry in config.get(f"{section}s") or ():
        if entry["name"] == name:
            found: Mapping[str, Any] = entry[section]
            return found
    raise ValueError(f"there is no {section} {name!r}")


def _content(holder: Mapping[str, Any], field: str, folder: Path) -> bytes | None:
    """A file's content, given inline or by a path."""
    if holder.get(f"{field}-data"):
        return base64.b64decode(holder[f"{field}-data"])
    return (folder / holder[field]).read_bytes() if holder.get(field) else None


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority", folder)
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
    if certificate and key:
        load_chain(tls, certificate, key)
    return tls
