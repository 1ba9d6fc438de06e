"""Credentials by the official `kubernetes` package: exec plug-ins, token refresh, every form of kubeconfig.

The operators use it. It adds 20 MiB and half as much again to the time of an import, so no other module of this package
loads it (docs/decisions/0030-one-kubernetes-client.md).
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio import config as loaders
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from operators.kube.client import Client
from operators.kube.credentials import NoCredentials, inside_cluster

#: Seconds between two loads of refused credentials: requests that are refused together load them once.
_LEAST_BETWEEN_RELOADS = 5.0


async def connect(kubeconfig: str | None = None, context: str | None = None) -> Client:
    """A client by a kubeconfig, else from inside the cluster, else by the user's default kubeconfig.

    Raises:
        NoCredentials: there are none.
    """
    return Client(await OfficialCredentials.load(kubeconfig, context))


async def _load(kubeconfig: str | None, context: str | None) -> Configuration:
    configuration = Configuration()
    try:
        if kubeconfig is None and inside_cluster():
            loaders.load_incluster_config(client_configuration=configuration)
        else:
            path = kubeconfig or loaders.KUBE_CONFIG_DEFAULT_LOCATION
            await loaders.load_kube_config(path, context, client_configuration=configuration)
    except (loaders.ConfigException, OSError, ValueError) as error:
        where = kubeconfig or f"{loaders.KUBE_CONFIG_DEFAULT_LOCATION} (not running in a pod)"
        raise NoCredentials(f"no credentials from {where}: {error}") from error
    configuration.proxy = configuration.proxy or _proxy_for(configuration.host)
    return configuration


def _proxy_for(server: str) -> str | None:
    """The proxy that the environment names for the server (``HTTPS_PROXY``, ``NO_PROXY`` and their like)."""
    url = urlsplit(server)
    return None if proxy_bypass(url.netloc) else getproxies().get(url.scheme)


class OfficialCredentials:
    """Server, TLS and headers. A token that the server refuses is loaded again, at most every five seconds."""

    def __init__(self, configuration: Configuration, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._configuration = configuration
        self._kubeconfig, self._context = kubeconfig, context
        self._tls: ssl.SSLContext = RESTClientObject(configuration).ssl_context
        self._reloading = asyncio.Lock()
        self._reloaded = asyncio.get_running_loop().time()

    @classmethod
    async def load(cls, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """Load by a kubeconfig, else from inside the cluster, else by the user's default kubeconfig.

        Raises:
            NoCredentials: there are none.
        """
        return cls(await _load(kubeconfig, context), kubeconfig, context)

    @property
    def server(self) -> str:
        """URL of the API server, without a slash at the end."""
        return str(self._configuration.host).rstrip("/")

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusted authority and client certificate."""
        return self._tls

    @property
    def options(self) -> dict[str, Any]:
        """What aiohttp has to be told about every request besides TLS: proxy and the name in the certificate."""
        loaded = self._configuration
        given = {
            "server_hostname": loaded.tls_server_name,
            "proxy": loaded.proxy,
            "proxy_headers": loaded.proxy_headers,
        }
        return {name: value for name, value in given.items() if value}

    async def headers(self) -> dict[str, str]:
        """Headers that authenticate a request; a token that expires is read anew when it is due."""
        return {e["key"]: e["value"] for e in (await self._configuration.auth_settings()).values() if e["value"]}

    async def reload(self) -> None:
        """Load token and client certificate anew, because the server refused them.

        Raises:
            NoCredentials: they are gone.
        """
        loop = asyncio.get_running_loop()
        async with self._reloading:
            if loop.time() - self._reloaded < _LEAST_BETWEEN_RELOADS:
                return
            self._reloaded = loop.time()
            fresh = await _load(self._kubeconfig, self._context)
            self._configuration.api_key = fresh.api_key
            self._configuration.refresh_api_key_hook = fresh.refresh_api_key_hook
            if fresh.cert_file:
                self._tls.load_cert_chain(fresh.cert_file, keyfile=fresh.key_file)

    async def kopf_connection(self) -> dict[str, Any]:
        """The same as arguments of ``kopf.ConnectionInfo``."""
        loaded = self._configuration
        scheme, _, token = (await self.headers()).get("authorization", "").partition(" ")
        return {
            "server": self.server,
            "ca_path": loaded.ssl_ca_cert,
            "insecure": not loaded.verify_ssl,
            "certificate_path": loaded.cert_file,
            "private_key_path": loaded.key_file,
            "scheme": scheme or None,
            "token": token or None,
            "proxy_url": loaded.proxy,
            "trust_env": False,
        }
