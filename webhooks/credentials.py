"""Where the API server is, and how to prove who we are: from inside a pod, or by a kubeconfig.

The webhooks are to stay small and start fast, so the official client, and what it brings along, stays out.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from operators.kube.tls import load_chain

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoCredentials(Exception):
    """There is no usable configuration; the text says where it was looked for and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach the API server. A token in a file is read again for every request, because it is replaced there."""

    server: str
    tls: ssl.SSLContext
    token: str = ""
    token_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Headers that prove who we are."""
        token = self.token_file.read_text().strip() if self.token_file else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def load(kubeconfig: str | None = None, context: str | None = None) -> Credentials:
    """Credentials of a kubeconfig when one is named, else of the pod, else of the user's default kubeconfig.

    Raises:
        NoCredentials: there are none, or they need a program to be run.
    """
    if not kubeconfig and os.environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").is_file():
        return _of_pod(os.environ)
    path = Path(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
    if not path.is_file():
        raise NoCredentials(f"this is no pod with a service account, and there is no kubeconfig {path}")
    try:
        return _of_kubeconfig(yaml.safe_load(path.read_text()), context, path.parent)
    except (KeyError, TypeError, ValueError, OSError, yaml.YAMLError) as error:
        raise NoCredentials(f"kubeconfig {path} cannot be used: {type(error).__name__}: {error}") from error


def _of_pod(environment: Mapping[str, str]) -> Credentials:
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    return Credentials(f"https://{host}:{port}", tls, token_file=SERVICE_ACCOUNT / "token")


def _named(config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
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


def _of_kubeconfig(config: Mapping[str, Any], context: str | None, folder: Path) -> Credentials:
    chosen = _named(config, "context", context or config["current-context"])
    cluster, user = _named(config, "cluster", chosen["cluster"]), _named(config, "user", chosen["user"])
    if "exec" in user or "auth-provider" in user:
        raise ValueError("its user needs a program to be run, which is not supported: use a certificate or a token")
    authority = _content(cluster, "certificate-authority", folder)
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
    if certificate and key:
        load_chain(tls, certificate, key)
    token_file = folder / user["tokenFile"] if user.get("tokenFile") else None
    return Credentials(cluster["server"].rstrip("/"), tls, user.get("token", ""), token_file)
