"""Who has set a field, and when: read off ``metadata.managedFields``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from operators.kube.times import timestamp

Json = Mapping[str, Any]
Kind = Literal["by hand", "by apply", "by argo-cd", "by flux", "by helm", "by an autoscaler", "by the operators", "by"]
_TOOLS: Mapping[str, Kind] = {
    "argocd-controller": "by argo-cd",
    "argocd-application-controller": "by argo-cd",
    "kustomize-controller": "by flux",
    "helm-controller": "by flux",
    "helm": "by helm",
    "game-operators": "by the operators",
    "keda-operator": "by an autoscaler",
    "kube-controller-manager": "by an autoscaler",
}
_HANDS = ("kubectl-edit", "kubectl-patch", "kubectl-scale", "kubectl-replace", "kubectl-create", "kubectl-game")


@dataclass(frozen=True, slots=True)
class Setter:
    """The manager of a field as the API server calls it, the way it writes, and when it last did (Unix seconds)."""

    manager: str
    kind: Kind
    when: float | None

    @property
    def words(self) -> str:
        """``argocd-controller (by argo-cd)``."""
        return self.manager if self.kind == "by" else f"{self.manager} ({self.kind})"


def setter_of(body: Json, *path: str) -> Setter | None:
    """Who owns a field such as ``("spec", "updateStrategy", "paused")``; of several, who wrote last."""
    found = [
        entry
        for entry in (body.get("metadata") or {}).get("managedFields") or ()
        if _owns(entry.get("fieldsV1") or {}, path)
    ]
    if not found:
        return None
    last = max(found, key=lambda entry: timestamp(entry.get("time")) or 0.0)
    manager = str(last.get("manager") or "unknown")
    return Setter(manager, _kind(manager, last), timestamp(last.get("time")))


def _owns(fields: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if not isinstance(fields, Mapping) or f"f:{part}" not in fields:
            return False
        fields = fields[f"f:{part}"]
    return True


def _kind(manager: str, entry: Json) -> Kind:
    if manager in _TOOLS:
        return _TOOLS[manager]
    if entry.get("subresource") == "scale":
        return "by an autoscaler" if manager != "kubectl-scale" else "by hand"
    if manager.startswith("kubectl-client-side-apply") or entry.get("operation") == "Apply":
        return "by apply"
    return "by hand" if manager in _HANDS else "by"
