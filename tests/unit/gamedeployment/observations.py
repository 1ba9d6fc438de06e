"""What one pass may see, in few words: the GameDeployment ``gd``, its revisions ``OLD`` and ``NEW``, its pods.

Everything is written as the API server holds it and decoded by the production code. Version 2 of the image is NEW,
version 1 is OLD; unless said otherwise pods run, are ready, and have been so for a while.
"""

from operators.api import keys
from operators.gamedeployment.observed import Observed, gamedeployment_view
from operators.gamedeployment.plan import plan
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.revisions import revision_data
from operators.planning.views import hookrun_view, hooktemplate_view, pod_view, revision_view
from operators.simulation.cluster import UID, gamedeployment, hook_template

NOW = 1_000_000.0
OLD, NEW = "gd-old", "gd-new"
OWNER = {"kind": "GameDeployment", "name": "gd", "uid": UID, "controller": True}
STRATEGY = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}


def template(version, **metadata):
    """A pod template of one container."""
    containers = [{"name": "web", "image": f"game:{version}"}]
    return {"metadata": {"labels": {"app": "game"}, **metadata}, "spec": {"containers": containers}}


def raw_pod(instance, revision=NEW, *, phase="Running", ready=True, ready_for=500.0, node="node", age=1000.0, **how):
    """The body of the pod ``gd-<instance>``.

    ``how``: ``cost``, ``index``, ``restarts``, ``image``, ``leaving``, ``owner`` (None: nobody's), ``gate`` (True,
    False, or None for a pod whose gate has no condition), ``labels`` and ``annotations`` beside the usual ones.
    """
    running = phase == "Running"
    since = rfc3339(NOW - ready_for)
    labels = {"app": "game", keys.REVISION_LABEL: revision, keys.INSTANCE_LABEL: instance, **how.get("labels", {})}
    annotations = {
        keys.POD_COST_ANNOTATION: how.get("cost"),
        keys.INDEX_ID_ANNOTATION: how.get("index"),
        **how.get("annotations", {}),
    }
    image = how.get("image") or ("game:1" if revision == OLD else "game:2")
    conditions = [{"type": "Ready", "status": "True" if running and ready else "False", "lastTransitionTime": since}]
    if how.get("gate") is not None:
        conditions.append({"type": keys.INPLACE_READY_GATE, "status": str(how["gate"])})
    status = {
        "name": "web",
        "imageID": f"id-{image}",
        "containerID": f"c-{instance}",
        "ready": running and ready,
        "restartCount": how.get("restarts", 0),
        "state": {"running": {"startedAt": since}},
    }
    owner = how.get("owner", OWNER)
    return {
        "metadata": {
            "namespace": "game",
            "name": f"gd-{instance}",
            "uid": f"uid-{instance}",
            "resourceVersion": "5",
            "creationTimestamp": rfc3339(NOW - age),
            "deletionTimestamp": rfc3339(NOW + 20) if how.get("leaving") else None,
            "labels": {k: v for k, v in labels.items() if v is not None},
            "annotations": {k: str(v) for k, v in annotations.items() if v is not None},
            "ownerReferences": [owner] if owner else [],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": "web", "image": image}],
            "readinessGates": [{"conditionType": keys.INPLACE_READY_GATE}] if "gate" in how else [],
        },
        "status": {
            "phase": phase,
            "podIP": "10.0.0.1",
            "hostIP": "10.1.0.1",
            "conditions": conditions,
            "containerStatuses": [status] if running else [],
        },
    }


def pod(instance, revision=NEW, **how):
    """The pod ``gd-<instance>`` as a pass sees it; `raw_pod` says what can be told of it."""
    return pod_view(raw_pod(instance, revision, **how))


def old(*instances, **how):
    """Pods of the old revision."""
    return [pod(i, OLD, **how) for i in instances]


def new(*instances, **how):
    """Pods of the new revision."""
    return [pod(i, NEW, **how) for i in instances]


def raw_revision(name, number, template_, *, owner=OWNER):
    """The body of a ControllerRevision."""
    metadata = {"namespace": "game", "name": name, "uid": f"uid-{name}", "resourceVersion": "3"}
    metadata |= {"labels": {"app": "game"}, "ownerReferences": [owner] if owner else []}
    return {"metadata": metadata, "revision": number, "data": revision_data(template_)}


def revision(name, number, template_, *, owner=OWNER):
    """A ControllerRevision as a pass sees it."""
    return revision_view(raw_revision(name, number, template_, owner=owner))


def hook_run(kind, pod_, phase="", *, leaving=False, template_="check", ended=None):
    """The HookRun that speaks for a pod; ``kind`` is ``predelete``, ``preinplace`` or ``postinplace``.

    ``ended`` is when it completed (Unix seconds), None where it does not say.
    """
    name = f"{kind}-{pod_.revision}-{pod_.instance}-{template_}"
    labels = {
        "hookrun-type": {
            "predelete": "pre-delete-step",
            "preinplace": "pre-inplace-step",
            "postinplace": "post-inplace-step",
        }[kind],
        "workload-revision": pod_.revision,
        "instance-id": pod_.instance,
    }
    metadata = {"namespace": "game", "name": name, "uid": f"uid-{name}", "resourceVersion": "4", "labels": labels}
    metadata |= {"ownerReferences": [OWNER], "deletionTimestamp": rfc3339(NOW) if leaving else None}
    status = {"phase": phase} if phase else {}
    if ended is not None:
        status["completedAt"] = rfc3339(ended)
    return hookrun_view({"metadata": metadata, "spec": {}, "status": status})


def look(
    pods, spec=None, *, strategy=None, annotations=None, status=None, revisions=None, templates=("check",), **more
):
    """What a pass sees.

    ``strategy`` changes `STRATEGY`; ``templates`` are HookTemplates, or names of such without arguments; ``more`` are
    further fields of `Observed`.
    """
    body = gamedeployment(
        {"template": template(2), **(spec or {}), "updateStrategy": {**STRATEGY, **(strategy or {})}}, annotations
    )
    known = {"observedGeneration": 1, "updateRevision": NEW, "currentRevision": OLD}
    body["status"] = known if status is None else status
    if revisions is None:
        revisions = [revision(OLD, 1, template(1)), revision(NEW, 2, template(2))]
    return Observed(
        workload=gamedeployment_view(body),
        pods=tuple(pods),
        revisions=tuple(revisions),
        templates={t.name: t for t in map(_hook_template, templates)},
        **more,
    )


def _hook_template(given):
    return hooktemplate_view(hook_template(given) if isinstance(given, str) else given)


def decide(pods, spec=None, *, now=NOW, **how):
    """The plan of a pass over what `look` shows."""
    return plan(look(pods, spec, **how), now)


def of_type(decision, kind):
    return [a for a in decision.actions if isinstance(a, kind)]


def created(decision):
    """Revisions of the pods that are created, in the order of their names."""
    return [a.revision for a in of_type(decision, act.CreatePod)]


def deleted(decision):
    """Instances of the pods that are deleted."""
    return sorted(a.name.removeprefix("gd-") for a in of_type(decision, act.DeletePod))


def updated(decision):
    """Instances of the pods whose in-place update begins."""
    return sorted(a.name.removeprefix("gd-") for a in of_type(decision, act.UpdatePodInPlace) if a.begins)


def started(decision):
    """Names of the HookRuns that are started."""
    return sorted(a.name for a in of_type(decision, act.CreateHookRun))


def marked(decision):
    """Instances of the pods that are annotated as being deleted."""
    wanted = {keys.POD_DELETING_ANNOTATION: "true"}
    return sorted(a.name.removeprefix("gd-") for a in of_type(decision, act.AnnotatePod) if a.annotations == wanted)


def told(decision, reason):
    """Messages of what waits or is refused for a reason."""
    return [b.message for b in decision.blocked if b.reason == reason]


def condition(decision, type_):
    return next((c for c in decision.status.dump()["conditions"] if c["type"] == type_), None)
