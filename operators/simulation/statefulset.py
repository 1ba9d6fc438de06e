"""The cluster in memory with a GameStatefulSet in it: pods have ordinals, and claims outlive them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from operators.gamestatefulset.claimviews import SURGE_ANNOTATION, claim_view
from operators.gamestatefulset.observed import Observed, gamestatefulset_view
from operators.gamestatefulset.ordinals import ordinal_of
from operators.gamestatefulset.plan import plan
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, revision_view
from operators.simulation.cluster import NAMESPACE, UID, Json, SimulatedCluster, SimulationError, gamedeployment


@dataclass
class SimulatedSet(SimulatedCluster):
    """One GameStatefulSet, its pods, claims and nodes."""

    kind: ClassVar[str] = "GameStatefulSet"
    claims: dict[str, Json] = field(default_factory=dict)
    nodes: dict[str, Json] = field(default_factory=dict)

    def observe(self) -> Observed:  # type: ignore[override] # another kind of workload
        """What a pass sees."""
        owned = {n: self.pod(n) for n in self.pods}
        return Observed(
            workload=gamestatefulset_view(self.workload),
            pods=tuple(p for p in owned.values() if p.owner is None or p.owner.uid == self.uid),
            revisions=tuple(revision_view(r) for r in self.revisions.values()),
            hook_runs=tuple(hookrun_view(h) for h in self.hook_runs.values()),
            templates={n: hooktemplate_view(t) for n, t in self.templates.items()},
            claims={n: claim_view(c) for n, c in self.claims.items()},
            name_conflicts=tuple(p for p in owned.values() if p.owner is not None and p.owner.uid != self.uid),
            nodes=self.around.nodes or {n: node_view(o) for n, o in self.nodes.items()} or None,
            overlapping=self.around.overlapping,
        )

    def make_anew(self) -> None:
        """The user deletes the set without its dependents, claims among them, and applies it once more."""
        before = self.uid
        super().make_anew()
        for claim in self.claims.values():
            owners = claim["metadata"].get("ownerReferences") or []
            claim["metadata"]["ownerReferences"] = [o for o in owners if o["uid"] != before]
            self._touch(claim)

    def decide(self) -> act.Plan:
        """A pass without its writes."""
        return plan(self.observe(), self.now)

    def ordinals(self) -> list[int]:
        """Ordinals of all pods, those on their way out included."""
        return sorted(o for n in self.pods if (o := ordinal_of(self.name, n)) is not None)

    def add_node(self, name: str, ready: str = "True") -> None:
        """A node, whose Ready condition is True, False or Unknown."""
        metadata = {"name": name, "uid": "uid-" + name, "resourceVersion": self._next()}
        self.nodes[name] = {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}

    def delete_pod(self, name: str) -> None:
        """A person, or an eviction, deletes a pod; its kubelet still has to end it."""
        metadata = self.pods[name]["metadata"]
        metadata.setdefault("deletionTimestamp", rfc3339(self.now + 30))
        self._touch(self.pods[name])

    # ---- the API server

    def writers(self) -> dict[type[act.Action], Callable[[Any], None]]:
        """Which method applies which action."""
        return {
            **super().writers(),
            act.CreateClaim: self._apply_create_claim,
            act.OwnClaim: self._apply_own_claim,
            act.KeepClaim: self._apply_keep_claim,
            act.DeleteClaim: self._apply_delete_claim,
            act.ForceDeletePod: self._apply_force_delete_pod,
        }

    def _objects(self, kind: act.ObjectKind) -> Mapping[str, Json]:
        return self.claims if kind == "claims" else super()._objects(kind)

    def _apply_create_pod(self, action: act.CreatePod) -> None:
        for body in action.claims:
            self._claim(body)
        for volume in action.body["spec"].get("volumes") or ():
            claim = volume.get("persistentVolumeClaim")
            if claim and self._is_of_template(claim["claimName"]) and claim["claimName"] not in self.claims:
                raise SimulationError(f"{action.name} is created without its claim {claim['claimName']}")
        super()._apply_create_pod(action)

    def _is_of_template(self, claim: str) -> bool:
        """The claim is one of the set's own; others a pod may name as it likes."""
        templates = self.workload["spec"].get("volumeClaimTemplates") or ()
        return any(claim.startswith(f"{t['metadata']['name']}-{self.name}-") for t in templates)

    def _apply_create_claim(self, action: act.CreateClaim) -> None:
        self._claim(action.body)

    def _claim(self, body: Any) -> None:
        body = copy.deepcopy(dict(body))
        metadata = body["metadata"]
        self._must_be_new(metadata["name"], self.claims)
        metadata.update(
            namespace=self.namespace, uid=f"uid-{metadata['name']}-{self._next()}", resourceVersion=self._next()
        )
        self.claims[metadata["name"]] = body

    def _apply_own_claim(self, action: act.OwnClaim) -> None:
        metadata = self.claims[action.name]["metadata"]
        dropped = {e["uid"] for e in action.owners if e.get("$patch") == "delete"}
        held = {o["uid"]: o for o in metadata.get("ownerReferences") or () if o["uid"] not in dropped}
        for entry in action.owners:
            if "$patch" not in entry:
                held[entry["uid"]] = {**held.get(entry["uid"], {}), **entry}
        if set(held) != set(action.order):
            raise SimulationError(f"an owner of claim {action.name} has no place in the order")
        metadata["ownerReferences"] = [held[uid] for uid in action.order]
        if sum(o.get("controller") is True for o in held.values()) > 1:
            raise SimulationError(f"claim {action.name} would have two controllers")
        self._touch(self.claims[action.name])

    def _apply_keep_claim(self, action: act.KeepClaim) -> None:
        self.claims[action.name]["metadata"]["annotations"].pop(SURGE_ANNOTATION, None)
        self._touch(self.claims[action.name])

    def _apply_delete_claim(self, action: act.DeleteClaim) -> None:
        del self.claims[action.name]

    def _apply_force_delete_pod(self, action: act.ForceDeletePod) -> None:
        del self.pods[action.name]

    def collect_garbage(self) -> None:
        """Claims whose owner is gone go as well."""
        living = {p["metadata"]["uid"] for p in self.pods.values()} | {self.uid}
        for name, claim in list(self.claims.items()):
            owners = claim["metadata"].get("ownerReferences") or []
            if owners and not any(o["uid"] in living for o in owners):
                del self.claims[name]


def gamestatefulset(
    spec: Json,
    annotations: dict[str, str] | None = None,
    *,
    namespace: str = NAMESPACE,
    name: str = "gs",
    uid: str = UID,
) -> Json:
    """A GameStatefulSet as the API server would hold it."""
    return gamedeployment({"serviceName": "game", **spec}, annotations, namespace=namespace, name=name, uid=uid)
