"""Reviews and objects in few words."""

from __future__ import annotations

from typing import Any

from webhooks.reviews import Resource, Review

LABEL = "io.tencent.bcs.dev/deletion-allow"
DEFAULT = "forbidden by ResourceDeletionAllow, set labels io.tencent.bcs.dev/deletion-allow=Always to allow operation"
WHILE = "forbidden by ResourceDeletionAllow for io.tencent.bcs.dev/deletion-allow=Cascading and "
PLURALS = {
    "GameDeployment": "gamedeployments",
    "GameStatefulSet": "gamestatefulsets",
    "HookTemplate": "hooktemplates",
    "HookRun": "hookruns",
    "Pod": "pods",
}


def labelled(value: str | None) -> dict[str, Any]:
    return {} if value is None else {"labels": {LABEL: value}}


def workload(
    kind: str = "GameDeployment", label: str | None = None, name: str = "lobby", **spec: Any
) -> dict[str, Any]:
    """A workload of one container that passes all checks; ``spec`` replaces top fields of the spec."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "game", "image": "game:1"}]}}
    strategy: dict[str, Any] = {"type": "RollingUpdate"}
    if kind == "GameDeployment":
        strategy |= {"maxSurge": "25%", "maxUnavailable": "25%"}
    full = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template, "updateStrategy": strategy}
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "games", **labelled(label)},
        "spec": full | spec,
    }


def strategy(type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "maxSurge": 0, "maxUnavailable": "25%", **more}


def template_of(image: str = "game:1", labels: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "lobby", **(labels or {})}},
        "spec": {"containers": [{"name": "game", "image": image, **container}]},
    }


def web(**fields: Any) -> dict[str, Any]:
    return {"web": {"url": "http://{{ args.PodIP }}:8080/hook", "jsonPath": "{$.result}", **fields}}


def metric(name: str = "ready", provider: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": provider or web(), **fields}


def hook_template(*metrics: dict[str, Any], label: str | None = "Always", args: Any = ()) -> dict[str, Any]:
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "HookTemplate",
        "metadata": {"name": "may-go", "namespace": "games", **labelled(label)},
        "spec": {"metrics": list(metrics) or [metric()], "args": list(args)},
    }


def review(
    operation: str,
    kind: str,
    *,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    group: str = "tkex.tencent.com",
    username: str = "ann",
    subresource: str = "",
    dry_run: bool = False,
) -> Review:
    name = ((new or old or {}).get("metadata") or {}).get("name", "")
    return Review(
        api_version="admission.k8s.io/v1",
        uid="u-1",
        operation=operation,
        resource=Resource(group, "v1alpha1", PLURALS[kind]),
        kind=kind,
        subresource=subresource,
        namespace="games",
        name=name,
        username=username,
        dry_run=dry_run,
        old=old,
        new=new,
    )


def delete(kind: str, label: str | None = None, **more: Any) -> Review:
    """The deletion of an object with this label; ``old`` in ``more`` replaces the object."""
    options = {k: more.pop(k) for k in ("username", "subresource", "group", "dry_run") if k in more}
    old = more.pop("old", None) or (
        hook_template(label=label) if kind == "HookTemplate" else workload(kind, label, **more.pop("spec", {}))
    )
    if "status" in more:
        old["status"] = more.pop("status")
    assert not more, more
    return review("DELETE", kind, old=old, **options)


def definition(plural: str, label: str | None = None, group: str = "tkex.tencent.com", version: str = "v1") -> Review:
    """The deletion of a CustomResourceDefinition."""
    kinds = {v: k for k, v in PLURALS.items()}
    old = {
        "apiVersion": f"apiextensions.k8s.io/{version}",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", **labelled(label)},
        "spec": {"group": group, "names": {"kind": kinds.get(plural, "Certificate"), "plural": plural}},
    }
    return Review(
        api_version="admission.k8s.io/v1",
        uid="u-1",
        operation="DELETE",
        resource=Resource("apiextensions.k8s.io", version, "customresourcedefinitions"),
        kind="CustomResourceDefinition",
        name=old["metadata"]["name"],
        username="ann",
        old=old,
    )
