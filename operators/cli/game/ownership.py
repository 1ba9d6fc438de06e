"""Who else writes an object: Argo CD, Flux and Helm put back what is changed beside them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ARGO: Final = "argocd.argoproj.io/tracking-id"
_KUSTOMIZE: Final = "kustomize.toolkit.fluxcd.io/name"
_HELM_OF_FLUX: Final = "helm.toolkit.fluxcd.io/name"
_HELM: Final = "meta.helm.sh/release-name"


@dataclass(frozen=True, slots=True)
class Owner:
    """A tool that keeps an object as a repository or a release has it; ``lasting`` says how long a change lasts."""

    tool: str
    name: str
    lasting: str

    def refusal(self, what: str) -> str:
        """Why ``what`` (a path of the object) is not written."""
        return f"{self.tool} {self.name} owns {what}; {self.lasting}. Change it there instead, or add --anyway."


def owner_of(body: Mapping[str, Any]) -> Owner | None:
    """The tool that keeps this object, None where there is none."""
    metadata = body.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if _ARGO in annotations:
        application = str(annotations[_ARGO]).partition(":")[0]
        return Owner("argo-cd application", application, "with self-heal a change lasts seconds")
    if _KUSTOMIZE in labels:
        return Owner("flux kustomization", str(labels[_KUSTOMIZE]), "a change lasts until it is reconciled")
    if _HELM_OF_FLUX in labels:
        return Owner("flux helm release", str(labels[_HELM_OF_FLUX]), "a change lasts until it is reconciled")
    if _HELM in annotations:
        return Owner("helm release", str(annotations[_HELM]), "a change lasts until the next upgrade")
    return None
