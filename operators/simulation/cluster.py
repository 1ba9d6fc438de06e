"""A cluster in memory and virtual time that drives the real planner.

It does to pods what kubelets, hooks and people do, so that thousands of histories can be tried in seconds, and so that
``kubectl game plan`` can say what a rollout will do. Objects are the raw bodies of the API server, decoded by the same
code as in production; nothing of the planner is replaced. Writes are guarded as on the API server: what is gone, or has
become another object, is left alone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from operators.api import keys
from operators.api.hookphase import FINAL_PHASES
from operators.gamedeployment.observed import Observed, gamedeployment_view
from operators.gamedeployment.plan import plan
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.revisions import revision_data
from operators.planning.views import NodeView, PodView, hookrun_view, hooktemplate_view, pod_view, revision_view
from operators.planning.workloads import WorkloadView

Json = dict[str, Any]
UID = "uid-workload"
NAMESPACE = "game"
#: Seconds that Kubernetes gives a pod to end where its spec does not say.
_TERMINATION = 30.0


class SimulationError(Exception):
    """The planner asked for what no API server would do: an object made twice, a pod without its claim."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is seen around a workload, and stays as it is: costs of nodes, rivals, nodes of pods that are leaving."""

    node_costs: Mapping[str, str] = field(default_factory=dict)
    overlapping: tuple[WorkloadView[Any], ...] = ()
    nodes: Mapping[str, NodeView] | None = None


@dataclass
class SimulatedCluster:
    """One GameDeployment and its pods; namespace, name and UID are those of ``workload``.

    ``log`` holds every action in the order it was applied. ``digests`` are image ids by image where two images are
    one; ``held`` are names of terminating pods that a finalizer keeps. ``admitted`` is what admission makes of the
    image of a pod that is created or patched. ``stamp`` begins the resourceVersions that are given out here, so that
    none equals one of an object that came from elsewhere.
    """

    kind: ClassVar[str] = "GameDeployment"

    workload: Json
    templates: dict[str, Json] = field(default_factory=dict)
    now: float = 1_000_000.0
    pods: dict[str, Json] = field(default_factory=dict)
    revisions: dict[str, Json] = field(default_factory=dict)
    hook_runs: dict[str, Json] = field(default_factory=dict)
    log: list[act.Action] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    admitted: Callable[[str], str] = str
    around: Surroundings = field(default_factory=Surroundings)
    stamp: str = ""
    _counter: int = 0
    _views: dict[str, PodView] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The workload's name."""
        return str(self.workload["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The workload's UID."""
        return str(self.workload["metadata"]["uid"])

    @property
    def namespace(self) -> str:
        """The namespace of everything here."""
        return str(self.workload["metadata"]["namespace"])

    # ---- the API server

    def _next(self) -> str:
        self._counter += 1
        return f"{self.stamp}{self._counter}"

    def _touch(self, obj: Json) -> None:
        obj["metadata"]["resourceVersion"] = self._next()

    def patch_spec(self, change: Json) -> None:
        """The user changes the workload."""
        # A new object, as the API server sends one: what was observed before stays as it was.
        self.workload["spec"] = copy.deepcopy(self.workload["spec"])
        _merge(self.workload["spec"], change)
        self.workload["metadata"]["generation"] += 1
        self._touch(self.workload)

    def replace_spec(self, spec: Mapping[str, Any]) -> None:
        """The user applies another spec; the same one changes nothing."""
        if self.workload["spec"] != spec:
            metadata = dict(self.workload["metadata"], generation=int(self.workload["metadata"]["generation"]) + 1)
            self.workload = {**self.workload, "metadata": metadata, "spec": copy.deepcopy(dict(spec))}
            self._touch(self.workload)

    def make_anew(self) -> None:
        """The user deletes the workload without its dependents, and applies it once more."""
        metadata = self.workload["metadata"]
        kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != keys.CANARY_PAUSE_ANNOTATION}
        fresh = {**metadata, "uid": f"{self.uid}-{self._next()}", "generation": 1, "annotations": kept}
        self.workload = {**self.workload, "metadata": fresh, "status": {}}
        self._touch(self.workload)
        for dependent in (*self.pods.values(), *self.revisions.values(), *self.hook_runs.values()):
            dependent["metadata"]["ownerReferences"] = []
            self._touch(dependent)

    def observe(self) -> Observed:
        """What a pass sees."""
        return Observed(
            workload=gamedeployment_view(self.workload),
            pods=tuple(self.pod(n) for n in self.pods),
            revisions=tuple(revision_view(r) for r in self.revisions.values()),
            hook_runs=tuple(hookrun_view(h) for h in self.hook_runs.values()),
            templates={n: hooktemplate_view(t) for n, t in self.templates.items()},
            overlapping=self.around.overlapping,
            node_costs=self.around.node_costs,
        )

    def pod(self, name: str) -> PodView:
        """A pod as a pass sees it."""
        body = self.pods[name]
        known = self._views.get(name)
        metadata = body["metadata"]
        if known is None or (known.uid, known.resource_version) != (metadata["uid"], metadata["resourceVersion"]):
            known = self._views[name] = pod_view(body)
        return known

    def decide(self) -> act.Plan:
        """A pass without its writes."""
        return plan(self.observe(), self.now)

    def reconcile(self) -> act.Plan:
        """One pass: plan and apply."""
        decision = self.decide()
        for action in decision.actions:
            self.apply(action)
        self.write_status(decision)
        return decision

    def write_status(self, decision: act.Plan) -> bool:
        """Write what a pass found, or nothing where it is known; whether it was written."""
        status = json.loads(json.dumps(decision.status.dump()))
        if status == self.workload.get("status"):
            return False
        self.workload["status"] = status
        self._touch(self.workload)
        return True

    def apply(self, action: act.Action, planned_on: str = "") -> bool:
        """Do one action, as the executor would; the log keeps it.

        Returns:
            False when its object is gone or another one, or when the workload is no longer in the version the plan was
            made on (``planned_on``): then nothing happens.
        """
        if isinstance(action, act.PatchSpec) and planned_on not in ("", self.workload["metadata"]["resourceVersion"]):
            return False
        if not self._is_there(action):
            return False
        self.log.append(action)
        self.writers()[type(action)](action)
        return True

    def writers(self) -> dict[type[act.Action], Callable[[Any], None]]:
        """Which method applies which action."""
        return {
            act.CreateRevision: self._apply_create_revision,
            act.RenumberRevision: self._apply_renumber_revision,
            act.AdoptRevision: self._apply_adopt_revision,
            act.DeleteRevision: self._apply_delete_revision,
            act.AdoptPod: self._apply_adopt_pod,
            act.ReleasePod: self._apply_release_pod,
            act.CreateHookRun: self._apply_create_hook_run,
            act.AdoptHookRun: self._apply_adopt_hook_run,
            act.DeleteHookRun: self._apply_delete_hook_run,
            act.TerminateHookRun: self._apply_terminate_hook_run,
            act.AnnotatePod: self._apply_annotate_pod,
            act.SetGate: self._apply_set_gate,
            act.UpdatePodInPlace: self._apply_update_pod_in_place,
            act.CreatePod: self._apply_create_pod,
            act.TryPod: self._apply_try_pod,
            act.DeletePod: self._apply_delete_pod,
            act.PatchSpec: self._apply_patch_workload,
        }

    def _objects(self, kind: act.ObjectKind) -> Mapping[str, Json]:
        return {"revisions": self.revisions, "pods": self.pods, "hook_runs": self.hook_runs}[kind]

    def _is_there(self, action: act.Action) -> bool:
        if action.creates or isinstance(action, act.PatchSpec):
            return True
        found = self._objects(action.kind_of_object).get(getattr(action, "name", ""))
        return found is not None and found["metadata"]["uid"] == getattr(action, "uid", "")

    @staticmethod
    def _must_be_new(name: str, objects: Mapping[str, Json]) -> None:
        if name in objects:
            raise SimulationError(f"{name} is created twice")

    def _metadata(self, name: str, labels: Any, annotations: Any = None) -> Json:
        return {
            "namespace": self.namespace,
            "name": name,
            "uid": f"uid-{name}-{self._next()}",
            "resourceVersion": self._next(),
            "creationTimestamp": rfc3339(self.now),
            "labels": dict(labels),
            "annotations": dict(annotations or {}),
            "ownerReferences": [self._owner()],
        }

    def _owner(self) -> Json:
        return {"kind": self.kind, "name": self.name, "uid": self.uid, "controller": True}

    def _apply_create_revision(self, action: act.CreateRevision) -> None:
        self._must_be_new(action.name, self.revisions)
        self.revisions[action.name] = {
            "metadata": self._metadata(action.name, action.labels, action.annotations),
            "revision": action.revision,
            "data": json.loads(json.dumps(revision_data(action.template))),
        }

    def _apply_renumber_revision(self, action: act.RenumberRevision) -> None:
        self.revisions[action.name]["revision"] = action.revision

    def _apply_adopt_revision(self, action: act.AdoptRevision) -> None:
        self.revisions[action.name]["metadata"]["ownerReferences"] = [self._owner()]

    def _apply_delete_revision(self, action: act.DeleteRevision) -> None:
        del self.revisions[action.name]

    def _apply_adopt_pod(self, action: act.AdoptPod) -> None:
        metadata = self.pods[action.name]["metadata"]
        metadata["ownerReferences"] = [self._owner()]
        metadata.setdefault("labels", {}).update(action.labels)
        self._touch(self.pods[action.name])

    def _apply_release_pod(self, action: act.ReleasePod) -> None:
        metadata = self.pods[action.name]["metadata"]
        metadata["ownerReferences"] = []
        (metadata.get("annotations") or {}).pop(keys.POD_DELETING_ANNOTATION, None)
        self._touch(self.pods[action.name])

    def _apply_create_hook_run(self, action: act.CreateHookRun) -> None:
        self._must_be_new(action.name, self.hook_runs)
        self.hook_runs[action.name] = {
            "metadata": self._metadata(action.name, action.labels)
            | {"annotations": {keys.HOOK_TEMPLATE_ANNOTATION: action.template}},
            "spec": copy.deepcopy(dict(action.spec)),
        }

    def _apply_adopt_hook_run(self, action: act.AdoptHookRun) -> None:
        self.hook_runs[action.name]["metadata"]["ownerReferences"] = [self._owner()]

    def _apply_delete_hook_run(self, action: act.DeleteHookRun) -> None:
        del self.hook_runs[action.name]

    def _apply_terminate_hook_run(self, action: act.TerminateHookRun) -> None:
        self.hook_runs[action.name]["spec"]["terminate"] = True

    def _apply_annotate_pod(self, action: act.AnnotatePod) -> None:
        _merge(self.pods[action.name]["metadata"]["annotations"], dict(action.annotations))
        self._touch(self.pods[action.name])

    def _apply_set_gate(self, action: act.SetGate) -> None:
        self._condition(self.pods[action.name], keys.INPLACE_READY_GATE, holds=action.ready)
        self._touch(self.pods[action.name])  # whether it is ready the kubelet says, a moment later

    def _apply_update_pod_in_place(self, action: act.UpdatePodInPlace) -> None:
        pod = self.pods[action.name]
        if action.close_gate:
            self._condition(pod, keys.INPLACE_READY_GATE, holds=False)
        _merge(pod["metadata"]["labels"], dict(action.labels))
        _merge(pod["metadata"]["annotations"], dict(action.annotations))
        for container in pod["spec"]["containers"]:
            image = self.admitted(action.images.get(container["name"], container["image"]))
            if image != container["image"]:
                container.update(image=image, stale=True)
        self._settle(pod)

    def _apply_try_pod(self, action: act.TryPod) -> None:
        """Any pod can be created here."""

    def _apply_create_pod(self, action: act.CreatePod) -> None:
        self._must_be_new(action.name, self.pods)
        body = copy.deepcopy(dict(action.body))
        metadata = self._metadata(action.name, body["metadata"]["labels"], body["metadata"]["annotations"])
        for container in body["spec"]["containers"]:
            container["image"] = self.admitted(container["image"])
        self.pods[action.name] = {**body, "metadata": metadata, "status": {"phase": "Pending", "conditions": []}}

    def _apply_delete_pod(self, action: act.DeletePod) -> None:
        pod = self.pods[action.name]
        pod["metadata"]["deletionTimestamp"] = rfc3339(self.now + termination(pod))
        self._touch(pod)

    def _apply_patch_workload(self, action: act.PatchSpec) -> None:
        patch = json.loads(json.dumps(dict(action.patch)))
        _merge(self.workload["metadata"], patch.get("metadata", {}))
        if "spec" in patch:
            self.patch_spec(patch["spec"])
        self._touch(self.workload)

    # ---- kubelets, hooks, time

    def probe_pod(self, name: str) -> None:
        """The kubelet looks at a pod, and says whether it is ready: it has seen a gate that was opened or closed."""
        self._settle(self.pods[name])

    def start_pod(self, name: str) -> None:
        """The kubelet runs a pending pod."""
        pod = self.pods[name]
        if pod["status"]["phase"] != "Pending":
            return
        pod["spec"]["nodeName"] = "node"
        pod["status"].update(phase="Running", podIP="10.0.0.1", hostIP="10.1.0.1", containerStatuses=[])
        for container in pod["spec"]["containers"]:
            self._run(pod, container)
        self._settle(pod)

    def _run(self, pod: Json, container: Json) -> None:
        before = pod["status"]["containerStatuses"]
        statuses = [s for s in before if s["name"] != container["name"]]
        statuses.append(
            {
                "name": container["name"],
                "restartCount": sum(s["restartCount"] + 1 for s in before if s["name"] == container["name"]),
                "imageID": self.digests.get(container["image"], "id-" + container["image"]),
                "containerID": "c-" + self._next(),
                "ready": True,
                "state": {"running": {"startedAt": rfc3339(self.now)}},
            }
        )
        pod["status"]["containerStatuses"] = statuses
        container.pop("stale", None)

    def restart_containers(self, name: str) -> None:
        """The kubelet carries out an image change."""
        pod = self.pods[name]
        for container in pod["spec"]["containers"]:
            if container.get("stale") and pod["status"]["phase"] == "Running":
                self._run(pod, container)
        self._settle(pod)

    def remove_terminating(self) -> None:
        """Terminating pods are gone, but for those that a finalizer holds."""
        gone = [n for n, p in self.pods.items() if p["metadata"].get("deletionTimestamp") and n not in self.held]
        for name in gone:
            del self.pods[name]

    def kill_pod(self, name: str) -> None:
        """A node takes a pod with it."""
        del self.pods[name]

    def fail_pod(self, name: str, *, age: float = 3600.0) -> None:
        """A pod is evicted at this age; one of no age has been refused by its node."""
        pod = self.pods[name]
        pod["status"].update(phase="Failed", reason="Evicted" if age else "SysctlForbidden")
        pod["metadata"]["creationTimestamp"] = rfc3339(self.now - age)
        self._settle(pod)

    def refuse_pod(self, name: str) -> None:
        """A node refuses a pod that was just created."""
        self.fail_pod(name, age=0.0)

    def add_pod(self, body: Json) -> None:
        """A pod that comes from somewhere else."""
        self.pods[body["metadata"]["name"]] = body
        self._touch(body)

    def set_container_waiting(self, name: str, reason: str) -> None:
        """A container does not run: its image cannot be pulled, or it crashes."""
        for status in self.pods[name]["status"].get("containerStatuses") or ():
            status.update(ready=False, state={"waiting": {"reason": reason}})
        self._settle(self.pods[name])

    def set_container_ready(self, name: str, *, ready: bool) -> None:
        """A probe changes its mind."""
        for status in self.pods[name]["status"].get("containerStatuses") or ():
            status["ready"] = ready
            if ready and "waiting" in status["state"]:
                status["state"] = {"running": {"startedAt": rfc3339(self.now)}}
        self._settle(self.pods[name])

    def answer_hook(self, name: str, phase: str, message: str = "") -> None:
        """A HookRun moves to a phase, and says why."""
        status = self.hook_runs[name].setdefault("status", {})
        status["phase"] = phase
        if phase in FINAL_PHASES:
            status["completedAt"] = rfc3339(self.now)
        if message:
            status["message"] = message
        self._touch(self.hook_runs[name])

    def _condition(self, pod: Json, type_: str, *, holds: bool) -> None:
        status = "True" if holds else "False"
        conditions = pod["status"]["conditions"]
        known = next((c for c in conditions if c["type"] == type_), None)
        if known is None:
            known = {"type": type_}
            conditions.append(known)
        if known.get("status") != status:
            known.update(status=status, lastTransitionTime=rfc3339(self.now))

    def _settle(self, pod: Json) -> None:
        """Ready as the kubelet computes it: all containers ready, all gates open."""
        statuses = pod["status"].get("containerStatuses") or ()
        running = pod["status"]["phase"] == "Running"
        containers = running and bool(statuses) and all(s["ready"] for s in statuses)
        self._condition(pod, "ContainersReady", holds=containers)
        gates = [g["conditionType"] for g in pod["spec"].get("readinessGates") or ()]
        held = {c["type"]: c["status"] for c in pod["status"]["conditions"]}
        self._condition(pod, "Ready", holds=containers and all(held.get(g) == "True" for g in gates))
        self._touch(pod)


def termination(pod: Json) -> float:
    """Seconds that a pod has to end."""
    given = pod["spec"].get("terminationGracePeriodSeconds")
    return _TERMINATION if given is None else float(given)


def _merge(target: Json, change: Json) -> None:
    """RFC 7386."""
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)


def gamedeployment(
    spec: Json,
    annotations: dict[str, str] | None = None,
    *,
    namespace: str = NAMESPACE,
    name: str = "gd",
    uid: str = UID,
) -> Json:
    """A GameDeployment as the API server would hold it."""
    labels = {"app": "game"}
    base: Json = {
        "replicas": 3,
        "selector": {"matchLabels": dict(labels)},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": "game:1"}]},
        },
    }
    _merge(base, spec)
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "resourceVersion": "1",
            "generation": 1,
            "annotations": annotations or {},
        },
        "spec": base,
        "status": {},
    }


def hook_template(name: str, namespace: str = NAMESPACE) -> Json:
    """A HookTemplate of one web metric."""
    metric = {"name": "m", "provider": {"web": {"url": "http://x", "jsonPath": "{$.r}"}}}
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": "uid-" + name, "resourceVersion": "1"},
        "spec": {"metrics": [metric]},
    }
