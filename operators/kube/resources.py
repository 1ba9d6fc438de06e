"""REST collections of the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from operators.api import keys

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One collection, and where it stands."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def qualified(self, name: str) -> str:
        """An object as kubectl prints it with ``-o name``: ``gamedeployment.tkex.tencent.com/arena``."""
        return f"{self.kind.lower()}{'.' if self.group else ''}{self.group}/{name}"

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of the collection, an object or a subresource; without namespace: all namespaces, or cluster scope.

        A name with a slash stays one part of the path: names that users wrote cannot lead to another object.
        """
        return self._path(namespace and quote(namespace, safe=""), name and quote(name, safe=""), subresource)

    def route(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path with placeholders: what metrics may carry without a series for every object."""
        return self._path("{namespace}" if namespace else None, "{name}" if name else None, subresource)

    def _path(self, namespace: str | None, name: str | None, subresource: str | None) -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, *(("namespaces", namespace) if namespace else ()), self.plural]
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


PODS: Final = Resource("", "v1", "pods", "Pod")
POD_TEMPLATES: Final = Resource("", "v1", "podtemplates", "PodTemplate")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
NODES: Final = Resource("", "v1", "nodes", "Node")
SERVICES: Final = Resource("", "v1", "services", "Service")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
PERSISTENT_VOLUME_CLAIMS: Final = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
RESOURCE_QUOTAS: Final = Resource("", "v1", "resourcequotas", "ResourceQuota")
EVENTS: Final = Resource("", "v1", "events", "Event")
CONTROLLER_REVISIONS: Final = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CUSTOM_RESOURCE_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
VALIDATING_WEBHOOK_CONFIGURATIONS: Final = Resource(
    "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"
)
GAME_DEPLOYMENTS: Final = Resource(keys.GROUP, keys.VERSION, "gamedeployments", "GameDeployment")
GAME_STATEFUL_SETS: Final = Resource(keys.GROUP, keys.VERSION, "gamestatefulsets", "GameStatefulSet")
HOOK_TEMPLATES: Final = Resource(keys.GROUP, keys.VERSION, "hooktemplates", "HookTemplate")
HOOK_RUNS: Final = Resource(keys.GROUP, keys.VERSION, "hookruns", "HookRun")
