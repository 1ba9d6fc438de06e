"""The body of a pod that holds an ordinal, and what of its identity may be repaired.

Rules: docs/spec/gamestatefulset.md 1.4, 2.3.

Name, host name and subdomain give the pod its place in the DNS of the headless Service:
``<pod>.<service>.<namespace>.svc.<cluster domain>``. They cannot change on a living pod; its labels can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from operators.api import keys
from operators.gamestatefulset.claims import with_volumes
from operators.gamestatefulset.ordinals import pod_name
from operators.planning.identity import gated
from operators.planning.views import PodView

Json = Mapping[str, Any]


def identity_labels(workload: str, ordinal: int) -> dict[str, str]:
    """Labels by which a pod is told from the others; ``apps.kubernetes.io/pod-index`` as in native StatefulSets."""
    return {
        keys.POD_NAME_LABEL: pod_name(workload, ordinal),
        keys.ORDINAL_LABEL: str(ordinal),
        keys.POD_INDEX_LABEL: str(ordinal),
    }


def ordinal_pod(
    workload: str,
    template: Json,
    revision: str,
    ordinal: int,
    *,
    service: str,
    claims: Sequence[Json] = (),
    gate: bool = True,
) -> dict[str, Any]:
    """A new pod from a template; the template itself stays untouched."""
    metadata = template.get("metadata") or {}
    name = pod_name(workload, ordinal)
    spec = with_volumes(template.get("spec") or {}, claims, name)
    spec.update(hostname=name, subdomain=service)
    made: dict[str, Any] = {
        "name": name,
        "generateName": f"{workload}-",
        "labels": {
            **(metadata.get("labels") or {}),
            keys.REVISION_LABEL: revision,
            **identity_labels(workload, ordinal),
        },
        "annotations": dict(metadata.get("annotations") or {}),
    }
    if metadata.get("finalizers"):
        made["finalizers"] = list(metadata["finalizers"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": gated(spec) if gate else spec}


def missing_labels(workload: str, ordinal: int, pod: PodView) -> dict[str, str]:
    """Identity labels that a pod lost, or never had; {} when it has them all.

    The index label is new: a pod made before it existed is not touched for that alone.
    """
    if pod.labels.get(keys.POD_NAME_LABEL) == pod.name and pod.labels.get(keys.ORDINAL_LABEL) == str(ordinal):
        return {}
    wanted = identity_labels(workload, ordinal)
    return {k: v for k, v in wanted.items() if pod.labels.get(k) != v}
