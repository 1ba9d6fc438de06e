"""Pod templates that together set every field of the API server's own schema to something that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_POD_SPEC = "io.k8s.api.core.v1.PodSpec"
_SCALARS = {"Quantity": "quantity", "IntOrString": "intOrString", "Time": "string"}
_ELSEWHERE = {"ManagedFieldsEntry", "OwnerReference"}  # of objects that are stored, never of a template

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
#: Of these types an object has one of the fields, or one of those named here.
_ONE_OF: dict[str, tuple[str, ...]] = {
    "DownwardAPIVolumeFile": ("fieldRef", "resourceFieldRef"),
    "VolumeProjection": (),
    "EnvVarSource": (),
    "ContainerRestartRule": (),
    "EnvFromSource": ("configMapRef", "secretRef"),
    "LifecycleHandler": ("exec", "httpGet", "sleep", "tcpSocket"),
    "Probe": ("exec", "httpGet", "tcpSocket", "grpc"),
    "PodResourceClaim": ("resourceClaimName", "resourceClaimTemplateName"),
}
#: Fields that would be refused beside the others; `extras` sets those that a template can have.
_APART = {
    "PodSpec.ephemeralContainers", "PodSpec.os", "PodSpec.hostNetwork", "PodSpec.hostPID", "PodSpec.hostIPC",
    "PodSpec.hostnameOverride", "PodSpec.nodeName", "PodSpec.serviceAccount", "PodSpec.runtimeClassName",
    "PodSpec.overhead", "PodSpec.schedulingGates", "PodSpec.hostUsers", "EnvVar.value",
    "VolumeMount.subPathExpr", "PodSpec.priority",
    "ClusterTrustBundleProjection.name", "FCVolumeSource.wwids", "PersistentVolumeClaimSpec.dataSource",
    "Container.restartPolicy", "Container.restartPolicyRules", "Lifecycle.stopSignal", "PodSpec.restartPolicy",
    "SecurityContext.procMount", "PersistentVolumeClaimSpec.volumeAttributesClassName",
    "PodAffinityTerm.mismatchLabelKeys", "VolumeMount.recursiveReadOnly", "TypedObjectReference.namespace",
    "ObjectMeta.name", "EnvVarSource.fileKeyRef", "VolumeProjection.podCertificate",
    "VolumeProjection.clusterTrustBundle", "Volume.image",
}  # fmt: skip
#: What the API server takes where not any value will do.
_TAKEN: dict[str, Any] = {
    "AppArmorProfile.type": "Localhost",
    "SeccompProfile.type": "Localhost",
    "AzureDiskVolumeSource.diskURI": "https://blob.example/disk",
    "AzureDiskVolumeSource.kind": "Dedicated",
    "AzureDiskVolumeSource.readOnly": True,
    "CSIVolumeSource.driver": "csi.example",
    "Container.image": "game:1",
    "Container.imagePullPolicy": "Never",
    "ContainerPort.hostIP": "10.0.0.1",
    "ContainerResizePolicy.resourceName": "cpu",
    "ContainerResizePolicy.restartPolicy": "RestartContainer",
    "FlexVolumeSource.driver": "example/flex",
    "FlockerVolumeSource.datasetUUID": None,
    "HostAlias.ip": "10.0.0.1",
    "HostPathVolumeSource.type": "Directory",
    "HTTPGetAction.port": "web",
    "TCPSocketAction.port": 7777,
    "ISCSIVolumeSource.iqn": "iqn.2001-04.com.example:game",
    "ISCSIVolumeSource.initiatorName": "iqn.2001-04.com.example:other",
    "ImageVolumeSource.reference": "game:1",
    "LabelSelectorRequirement.operator": "In",
    "NodeSelectorRequirement.operator": "In",
    "NodeSelectorTerm.matchFields": [{"key": "metadata.name", "operator": "In", "values": ["game"]}],
    "ObjectFieldSelector.apiVersion": "v1",
    "ObjectFieldSelector.fieldPath": "metadata.name",
    "PersistentVolumeClaimSpec.accessModes": ["ReadWriteOnce"],
    "PersistentVolumeClaimSpec.dataSourceRef": {"apiGroup": "storage.example", "kind": "Snapshot", "name": "a"},
    "PersistentVolumeClaimSpec.volumeMode": "Block",
    "PodCertificateProjection.keyType": "ED25519",
    "PodCertificateProjection.credentialBundlePath": "bundle",
    "PodCertificateProjection.certificateChainPath": None,
    "PodCertificateProjection.keyPath": None,
    "PodCertificateProjection.maxExpirationSeconds": 7200,
    "PodCertificateProjection.signerName": "example.com/signer",
    "ClusterTrustBundleProjection.signerName": "example.com/signer",
    "PodDNSConfig.nameservers": ["10.0.0.1"],
    "PodReadinessGate.conditionType": "example.com/ready",
    "PodSchedulingGate.name": "example.com/gate",
    "PodSecurityContext.runAsNonRoot": True,
    "PodSecurityContext.seLinuxChangePolicy": "Recursive",
    "PodSecurityContext.supplementalGroupsPolicy": "Strict",
    "PodSecurityContext.fsGroupChangePolicy": "OnRootMismatch",
    "PodSpec.automountServiceAccountToken": False,
    "PodSpec.dnsPolicy": "Default",
    "PodSpec.enableServiceLinks": False,
    "PodSpec.priorityClassName": "system-node-critical",
    "PodSpec.preemptionPolicy": "PreemptLowerPriority",
    "PodSpec.serviceAccountName": "default",
    "PodSpec.shareProcessNamespace": True,
    "PodSpec.resources": {"limits": {"cpu": "64", "memory": "64Gi"}, "requests": {"cpu": "32", "memory": "32Gi"}},
    "Probe.failureThreshold": 5,
    "Probe.successThreshold": 1,
    "QuobyteVolumeSource.registry": "registry:7861",
    "ResourceFieldSelector.containerName": "exec",
    "ResourceFieldSelector.resource": "limits.cpu",
    "ResourceFieldSelector.divisor": "1m",
    "ResourceRequirements.limits": {"cpu": "2", "memory": "1Gi"},
    "ResourceRequirements.requests": {"cpu": "1", "memory": "512Mi"},
    "ResourceRequirements.claims": [{"name": "claim0", "request": "one"}],
    "SecurityContext.allowPrivilegeEscalation": False,
    "SecurityContext.privileged": False,
    "Capabilities.add": ["NET_ADMIN"],
    "Capabilities.drop": ["ALL"],
    "ServiceAccountTokenProjection.path": "token",
    "ServiceAccountTokenProjection.expirationSeconds": 7200,
    "ScaleIOVolumeSource.storageMode": "ThickProvisioned",
    "ScaleIOVolumeSource.fsType": "ext4",
    "Sysctl.name": "kernel.shm_rmid_forced",
    "Sysctl.value": "1",
    "Toleration.effect": "NoExecute",
    "Toleration.operator": "Equal",
    "TopologySpreadConstraint.whenUnsatisfiable": "DoNotSchedule",
    "TopologySpreadConstraint.matchLabelKeys": ["app"],
    "PodAffinityTerm.matchLabelKeys": ["app"],
    "VolumeMount.name": "volume-emptydir",
    "VolumeMount.mountPath": "/mounted",
    "VolumeMount.subPath": "below",
    "VolumeMount.mountPropagation": "HostToContainer",
    "VolumeDevice.name": "volume-persistentvolumeclaim",
    "VolumeResourceRequirements.requests": {"storage": "1Gi"},
    "VolumeResourceRequirements.limits": {"storage": "2Gi"},
    "WindowsSecurityContextOptions.hostProcess": False,
    "EmptyDirVolumeSource.medium": "Memory",
    "PhotonPersistentDiskVolumeSource.pdID": "disk",
    "VsphereVirtualDiskVolumeSource.volumePath": "[disk] a",
    "GlusterfsVolumeSource.path": "volume",
    "NFSVolumeSource.path": "/volume",
    "PodDNSConfigOption.name": "ndots",
}  # fmt: skip


def _type(schema: Mapping[str, Any]) -> str:
    found = schema.get("$ref") or next((s["$ref"] for s in schema.get("allOf", ()) if "$ref" in s), "")
    return found.rsplit("/", 1)[-1]


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def kind(schema: Mapping[str, Any]) -> str:
    """The kind of a field, in the words of `operators/planning/podfields.json`."""
    if name := _type(schema):
        return _SCALARS.get(_short(name), _short(name))
    if schema["type"] == "array":
        inner = kind(schema["items"])
        return f"{inner}s" if inner in ("string", "integer") else f"[]{inner}"
    if schema["type"] == "object":
        return "amounts" if kind(schema["additionalProperties"]) == "quantity" else "map"
    return str(schema["type"])


class Schema:
    """The pod as an OpenAPI document describes it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._all = document["components"]["schemas"]

    def fields(self, name: str) -> Mapping[str, Any]:
        """The fields of a type, by its full name."""
        return self._all[name].get("properties", {})

    def types(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every type below a pod's spec, by its short name, with its fields."""
        seen, todo = set(_SCALARS) | _ELSEWHERE, [_POD_SPEC]
        while todo:
            name = todo.pop()
            if _short(name) in seen:
                continue
            seen.add(_short(name))
            yield _short(name), self.fields(name)
            for schema in self.fields(name).values():
                todo += [found for found in (_type(schema), _type(schema.get("items", {}))) if found]

    def whole(self) -> dict[str, Any]:
        """A pod's spec with every field that goes together with the rest."""
        spec = self._object(_POD_SPEC, 0)
        of_container = _type(self.fields(_POD_SPEC)["containers"]["items"])
        handlers = _ONE_OF["Probe"]
        spec["containers"] = [
            {**self._object(of_container, n), "name": h} for n, h in enumerate(map(str.lower, handlers))
        ]
        for container in spec["containers"][1:]:
            for field in container.keys() - {"name", "image", "ports", "lifecycle", *_PROBES}:
                del container[field]
        for number, container in enumerate(spec["containers"]):
            del container["readinessProbe"]["terminationGracePeriodSeconds"]
            container["ports"][0].update(containerPort=9000 + number, hostPort=9100 + number, name="web")
        before = self._object(of_container, 0)
        spec["initContainers"] = [
            {key: before[key] for key in ("image", "resources")}
            | {"name": "before", "ports": spec["containers"][0]["ports"]}
        ]
        return spec

    def _object(self, name: str, choice: int, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        one_of = self._options(name)
        chosen = one_of[choice % len(one_of)] if one_of else ""
        made = {}
        for field, schema in self.fields(name).items():
            key = f"{_short(name)}.{field}"
            if key in _APART or field in without or (field in one_of and field != chosen):
                continue
            value = _TAKEN[key] if key in _TAKEN else self._value(schema, choice, key)
            if value is not None:
                made[field] = value
        if _short(name) == "KeyToPath":
            made["path"] = f"file{choice}"
        if _short(name) == "ObjectMeta":
            return {key: made[key] for key in ("labels", "annotations")}
        return made

    def _options(self, name: str) -> tuple[str, ...]:
        short = _short(name)
        if short == "Volume":
            fields = self.fields(name).keys() - {"name"}
        elif short in _ONE_OF:
            fields = _ONE_OF[short] or self.fields(name).keys()
        else:
            return ()
        return tuple(
            f for f in (fields if isinstance(fields, tuple) else sorted(fields)) if f"{short}.{f}" not in _APART
        )

    def _value(self, schema: Mapping[str, Any], choice: int, key: str) -> Any:
        if schema.get("enum"):
            return schema["enum"][-1]
        name = _type(schema)
        if name and _short(name) not in _SCALARS:
            return self._object(name, choice)
        found = kind(schema)
        if found.startswith("[]"):
            return self._list(_type(schema["items"]), choice)
        if key.lower().endswith("mode"):
            return 0o600
        return {
            "string": "/path"
            if key.lower().endswith("path") and "File" not in key and "KeyToPath" not in key
            else "game",
            "boolean": True,
            "integer": 7,
            "quantity": "1",
            "strings": ["game"],
            "integers": [7],
            "map": {"a": "b"},
            "amounts": {"cpu": "1"},
        }[found]

    def _list(self, name: str, choice: int) -> list[Any]:
        """One entry for each choice of what such an entry is."""
        options = self._options(name) or ("",)
        if _short(name) == "EnvVar":
            source = _type(self.fields(name)["valueFrom"])
            sources = [(o, self._object(source, n)) for n, o in enumerate(self._options(source))]
            return [{"name": f"FROM_{o.upper()}", "valueFrom": s} for o, s in sources] + [{"name": "A", "value": "b"}]
        entries = [self._object(name, n if len(options) > 1 else choice) for n in range(len(options))]
        for number, entry in enumerate(entries):
            if _short(name) == "DownwardAPIVolumeFile":
                entry["path"] = f"downward{number}"
        for entry, option in zip(entries, options, strict=True):
            if _short(name) == "Volume":
                entry["name"] = f"volume-{option.lower()}"
        if _short(name) == "PodResourceClaim":
            entries = [{**entry, "name": f"claim{n}"} for n, entry in enumerate(entries)]
        return entries


#: A pod that says as little as can be; no token, since its volume has a name of its own in every pod.
MINIMAL: Mapping[str, Any] = {
    "automountServiceAccountToken": False,
    "containers": [{"name": "game", "image": "game:1"}],
}
_PORTS = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]


def _container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "game", "image": "game:1", **fields}]}


def _before(**fields: Any) -> dict[str, Any]:
    return {"initContainers": [{"name": "before", "image": "game:1", **fields}]}


def _resources(limits: dict[str, str], requests: dict[str, str] | None = None) -> dict[str, Any]:
    return {"resources": {"limits": limits} if requests is None else {"limits": limits, "requests": requests}}


_SMALL = _container(**_resources({"cpu": "1"}))
_ADDED: tuple[dict[str, Any], ...] = (
    {}, {"os": {"name": "linux"}}, {"hostPID": True}, {"hostPID": False}, {"hostIPC": True}, {"hostUsers": False},
    {"hostUsers": True}, {"nodeName": "node"}, {"nodeName": ""}, {"restartPolicy": "Never"},
    {"restartPolicy": "Always"},
    {"serviceAccount": "default"}, {"serviceAccountName": "default", "serviceAccount": ""}, {"priority": None},
    {"preemptionPolicy": "PreemptLowerPriority"}, {"enableServiceLinks": True}, {"enableServiceLinks": False},
    {"schedulingGates": [{"name": "example.com/gate"}]}, {"schedulingGates": []}, {"setHostnameAsFQDN": True},
    {"terminationGracePeriodSeconds": -3}, {"terminationGracePeriodSeconds": 1}, {"terminationGracePeriodSeconds": 0},
    {"securityContext": {}}, {"affinity": {}}, {"dnsConfig": {}}, {"volumes": []}, {"tolerations": []},
    {"volumes": [{"name": "a"}]}, {"volumes": [{"name": "a", "emptyDir": {}}]},
    {"volumes": [{"name": "a", "downwardAPI": {}}]},
    {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "0"}}]}, {"volumes": [{"name": "a", "projected": {}}]},
    {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "1024Mi"}}]},
    {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "1Gi", "medium": ""}}]},
    _container(ports=_PORTS), {"hostNetwork": True, **_container(ports=_PORTS)},
    {"hostNetwork": True, **_container(ports=[{**p, "hostPort": p["containerPort"]} for p in _PORTS])},
    _container(securityContext={}), _container(securityContext={"procMount": "Default"}), _container(lifecycle={}),
    _container(imagePullPolicy="IfNotPresent"), _container(imagePullPolicy="Always"), _container(image="game:latest"),
    _container(image="game:latest", imagePullPolicy="Always"), _container(command=[], args=[], env=[], envFrom=None),
    _container(env=[{"name": "A"}]), _container(env=[{"name": "A", "value": ""}]),
    _container(env=[{"name": "A", "valueFrom": None}]), _container(resizePolicy=[]),
    _container(**_resources({"cpu": "1"})), _container(**_resources({"cpu": "1"}, {"cpu": "1000m"})),
    _container(**_resources({"cpu": "1"}, {"cpu": "500m"})), _container(**_resources({"cpu": "1"}, {"cpu": "0.5"})),
    _container(**_resources({"cpu": "0.9991"})), _container(**_resources({"cpu": "0.9995"})),
    _before(), _before(restartPolicy="Always"), _before(restartPolicy=None),
    _resources({"cpu": "3"}), _resources({"cpu": "3"}, {"cpu": "3"}), _resources({"cpu": "3"}, {"cpu": "1"}),
    {**_container(**_resources({"cpu": "2"}, {"cpu": "1"})), **_resources({"cpu": "3"})},
    {**_container(**_resources({"cpu": "2"}, {"cpu": "1"})), **_resources({"cpu": "3"}, {"cpu": "1"})},
    {**_container(**_resources({"cpu": "2"}, {"cpu": "1"})), **_resources({"cpu": "3"}, {"cpu": "3"})},
    {**_SMALL, **_before(**_resources({"cpu": "2"})), **_resources({"cpu": "3"})},
    {**_SMALL, **_before(**_resources({"cpu": "2"})), **_resources({"cpu": "3"}, {"cpu": "2"})},
    {"resources": {}}, {"hostAliases": None, "imagePullSecrets": [], "nodeSelector": {}, "readinessGates": []},
)  # fmt: skip


def small() -> list[dict[str, Any]]:
    """Pod specs that differ from the minimal one where many fields at once would hide it."""
    return [{**MINIMAL, **added} for added in _ADDED]
