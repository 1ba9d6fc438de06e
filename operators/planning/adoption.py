"""What nobody controls and fits is taken back: pods by what they were made from, HookRuns by what they ask.

Nothing is decided once and remembered: a pod that names no revision is compared again in every pass, with the revision
that is about to be stored too. Rules: docs/spec/gamedeployment.md 7.4, docs/spec/hooks.md 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from operators.api import keys
from operators.planning.templates import TemplatePods, gives
from operators.planning.views import PodView

Json = Mapping[str, Any]
Template = Json
_METADATA = ("labels", "annotations")


class Origins:
    """Which revision a pod was made from, by comparison where its label does not say."""

    def __init__(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        self._templates = templates
        self._pods: dict[str, TemplatePods] = {}

    def of(self, pod: PodView) -> str:
        """The revision's name, "" when none gives the pod."""
        if pod.revision in self._templates:
            return pod.revision
        if pod.made_of is None:
            return ""
        return next((name for name in self._templates if self._given_by(name).include(pod.made_of)), "")

    def _given_by(self, name: str) -> TemplatePods:
        found = self._pods.get(name)
        if found is None:
            found = self._pods[name] = TemplatePods(self._templates[name])
        return found

    def label(self, pod: PodView) -> dict[str, str]:
        """The label that the pod lacks, {} where it has it; a revision of somebody else's is taken off it."""
        found = self.of(pod)
        return {keys.REVISION_LABEL: found} if found != pod.revision else {}


def derived_template(pod: PodView, template: Template, successor: Json) -> Template | None:
    """What a pod of no known revision was made from, as far as it matters for reaching ``template`` in place.

    That is the template with the pod's own images, and with its values of the template's labels and annotations. None
    where the pod differs in anything else from ``successor``, the pod that would come in its place, or its body is not
    known: then nobody can say what it was made from.
    """
    body = pod.made_of
    if body is None:
        return None
    images = {c.get("name"): c.get("image") for c in body.spec.get("containers") or ()}
    spec = template.get("spec") or {}
    containers = spec.get("containers") or ()
    if any(c.get("name") not in images for c in containers):
        return None
    spec = {**spec, "containers": [{**c, "image": images[c.get("name")]} for c in containers]}
    if not gives(spec, body) or not _claims(successor["spec"]).items() <= _claims(body.spec).items():
        return None
    asked = template.get("metadata") or {}
    held = {"labels": body.labels, "annotations": body.annotations}
    metadata = {what: {k: held[what][k] for k in asked.get(what) or {} if k in held[what]} for what in _METADATA}
    return {**template, "metadata": metadata, "spec": spec}


def _claims(spec: Json) -> dict[str, str]:
    """Volume claims by the volume's name."""
    volumes = ((v.get("name"), v.get("persistentVolumeClaim")) for v in spec.get("volumes") or ())
    return {str(name): str(claim.get("claimName")) for name, claim in volumes if claim}


def labelled(pods: Iterable[PodView], given: Mapping[str, Mapping[str, str]]) -> list[PodView]:
    """The pods as they are when they have the labels that this pass gives them, by name."""
    return [replace(p, labels={**p.labels, **given[p.name]}) if given.get(p.name) else p for p in pods]
