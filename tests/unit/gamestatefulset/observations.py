"""What one pass may see, in few words: the GameStatefulSet ``foo``, its revisions ``A``, ``B`` and ``D``, its pods.

Everything is written as the API server holds it and decoded by the production code. The image of revision B is
``nginx:B``; unless said otherwise the template is that of D, and pods run, are ready, and have been so for a while.
"""

import json

from operators.api import keys
from operators.api.strategies import CanaryStep
from operators.gamestatefulset.observed import Observed, gamestatefulset_view
from operators.gamestatefulset.plan import plan
from operators.gamestatefulset.rollout import set_rollout_of
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.canary.stephash import step_hash
from operators.planning.revisions import revision_data
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.simulation.cluster import hook_template

NOW = 1_000_000.0
UID = "uid-foo"
OWNER = {"kind": "GameStatefulSet", "name": "foo", "uid": UID, "controller": True}
CHECK = {"hook": {"templateName": "check"}}
TYPES = {
    "predelete": "pre-delete-step",
    "preinplace": "pre-inplace-step",
    "postinplace": "post-inplace-step",
    "canary": "canary-step",
}


def template(version, *, containers=("nginx",), metadata=None, **spec):
    """A pod template; its containers all run the image of a version."""
    listed = [{"name": c, "image": f"nginx:{version}"} for c in containers]
    return {"metadata": {"labels": {"foo": "bar"}, **(metadata or {})}, "spec": {"containers": listed, **spec}}


def raw_pod(ordinal, revision="D", *, phase="Running", ready=True, **how):
    """The body of the pod ``foo-<ordinal>``.

    ``how``: ``image`` (one for all), ``images`` (by container), ``ran`` (image ids that differ from the images),
    ``unready`` (containers), ``since`` (start of the containers), ``id`` (of the containers), ``leaving``, ``node``,
    ``owner`` (None: nobody's), ``gate`` (True, False, or None for one without condition), ``labels``, ``annotations``.
    """
    images = how.get("images") or {"nginx": how.get("image") or f"nginx:{revision}"}
    running = phase == "Running"
    since = rfc3339(how.get("since", NOW - 500))
    unready = how.get("unready", () if ready else tuple(images))
    labels = {
        "foo": "bar",
        keys.REVISION_LABEL: revision,
        keys.POD_NAME_LABEL: f"foo-{ordinal}",
        keys.ORDINAL_LABEL: str(ordinal),
        **how.get("labels", {}),
    }
    serves = running and ready and not unready and how.get("gate", True) is True
    conditions = [{"type": "Ready", "status": str(serves), "lastTransitionTime": since}]
    if how.get("gate", True) is not None:
        conditions.append({"type": keys.INPLACE_READY_GATE, "status": str(how.get("gate", True))})
    statuses = [
        {
            "name": name,
            "imageID": how.get("ran", {}).get(name, f"id-{image}"),
            "containerID": how.get("id", f"c-{ordinal}"),
            "ready": running and name not in unready,
            "restartCount": 0,
            "state": {"running": {"startedAt": since}},
        }
        for name, image in images.items()
    ]
    owner = how.get("owner", OWNER)
    metadata = {
        "namespace": "default",
        "name": how.get("name", f"foo-{ordinal}"),
        "uid": how.get("uid", f"uid-{ordinal}"),
        "resourceVersion": "5",
        "creationTimestamp": rfc3339(NOW - 1000),
        "deletionTimestamp": rfc3339(NOW - 100) if how.get("leaving") else None,
        "labels": {k: v for k, v in labels.items() if v is not None},
        "annotations": how.get("annotations", {}),
        "ownerReferences": [owner] if owner else [],
    }
    return {
        "metadata": metadata,
        "spec": {
            "nodeName": how.get("node", "node"),
            "containers": [{"name": n, "image": i} for n, i in images.items()],
            "readinessGates": [{"conditionType": keys.INPLACE_READY_GATE}],
        },
        "status": {
            "phase": phase,
            "podIP": "10.0.0.1",
            "hostIP": "10.1.0.1",
            "conditions": conditions,
            "containerStatuses": statuses if running else [],
        },
    }


def pod(ordinal, revision="D", **how):
    """The pod ``foo-<ordinal>`` as a pass sees it; `raw_pod` says what can be told of it."""
    return pod_view(raw_pod(ordinal, revision, **how))


def pods(count, revision="D", **how):
    """Pods 0 to ``count`` - 1, all alike."""
    return [pod(i, revision, **how) for i in range(count)]


def state(revision, since=NOW - 50, **recorded):
    """The annotation of an update that has begun; ``recorded`` maps containers to (image id, container id)."""
    before = {c: {"imageID": i, "containerID": k, "patchedAt": rfc3339(since)} for c, (i, k) in recorded.items()}
    body = {"revision": revision, "updateTimestamp": rfc3339(since), "lastContainerStatuses": before}
    return {keys.INPLACE_STATE_ANNOTATION: json.dumps(body)}


def raw_revision(name, number, template_, *, owner=OWNER):
    """The body of a ControllerRevision."""
    metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}", "resourceVersion": "3"}
    metadata |= {"labels": {"foo": "bar"}, "ownerReferences": [owner] if owner else []}
    return {"metadata": metadata, "revision": number, "data": revision_data(template_)}


def revision(name, number, template_=None, **how):
    """A ControllerRevision as a pass sees it; without a template that of the version it is called after."""
    return revision_view(raw_revision(name, number, template_ or template(name), **how))


def known(names):
    """Revisions in the order in which they were made."""
    return [revision(name, number) for number, name in enumerate(names, 1)]


def raw_run(name, labels, phase="", *, leaving=False, owner=OWNER, terminate=False):
    """The body of a HookRun."""
    metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}", "resourceVersion": "4", "labels": labels}
    metadata |= {"ownerReferences": [owner], "creationTimestamp": rfc3339(NOW - 5)}
    metadata |= {"deletionTimestamp": rfc3339(NOW) if leaving else None}
    return {"metadata": metadata, "spec": {"terminate": terminate}, "status": {"phase": phase} if phase else {}}


def hook_run(kind, ordinal, revision_="D", phase="", **how):
    """The HookRun that speaks for the pod of an ordinal."""
    name = f"{kind}-{revision_}-{ordinal}-check"
    labels = {"hookrun-type": TYPES[kind], "workload-revision": revision_, "instance-id": str(ordinal)}
    if "uid" in how:
        labels["pod-uid"] = how.pop("uid")
    return hookrun_view(raw_run(name, labels, phase, **how))


def step_run(index, revision_="D", phase="", *, name="", **how):
    """The HookRun of a canary step."""
    labels = {"hookrun-type": TYPES["canary"], "workload-revision": revision_, "canary-step-index": str(index)}
    return hookrun_view(raw_run(name or f"canary-{revision_}-step{index}-test", labels, phase, **how))


def with_args(*args, name="check"):
    """A HookTemplate that declares arguments; a pair has a value."""
    body = hook_template(name)
    body["spec"]["args"] = [{"name": a} if isinstance(a, str) else {"name": a[0], "value": a[1]} for a in args]
    return body


def raw_set(spec=None, *, strategy=None, status=None, annotations=None, name="foo", **metadata):
    """The body of the set ``foo``: three ordered replicas, one pod updated at a time."""
    return {
        "metadata": {
            "namespace": "default",
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "generation": 1,
            "annotations": annotations or {},
            **metadata,
        },
        "spec": {
            "replicas": 3,
            "serviceName": "game",
            "selector": {"matchLabels": {"foo": "bar"}},
            "template": template("D"),
            "revisionHistoryLimit": 2,
            "updateStrategy": {"type": "RollingUpdate", **(strategy or {})},
            **(spec or {}),
        },
        "status": remembered() if status is None else status,
    }


def remembered(update="D", current="B", **more):
    """What the status says of revisions."""
    return {"observedGeneration": 1, "updateRevision": update, "currentRevision": current, **more}


def in_step(index, *steps, update="D", current="B", stable="B", pauses=(), run="", hash_=None, **more):
    """What the status of a set remembers in mid-canary; ``pauses`` are pairs of reason and start."""
    hashed = step_hash(tuple(CanaryStep.model_validate(s) for s in steps)) if hash_ is None else hash_
    return remembered(
        update,
        current,
        currentStepIndex=index,
        currentStepHash=hashed,
        canary={"revision": stable, "currentStepHookRun": run},
        pauseConditions=[{"reason": r, "startTime": rfc3339(t)} for r, t in pauses],
        **more,
    )


def look(held=(), spec=None, *, revisions="ABD", templates=("check", "test"), nodes=None, **how):
    """What a pass sees of a set and of the pods it has.

    ``how`` is for `raw_set` (``strategy``, ``status``, ``annotations``) and for the fields of `Observed`.
    """
    body = {key: how.pop(key) for key in ("strategy", "status", "annotations") if key in how}
    given = [hook_template(t) if isinstance(t, str) else t for t in templates]
    return Observed(
        workload=gamestatefulset_view(raw_set(spec, **body)),
        pods=tuple(held),
        revisions=tuple(known(revisions) if isinstance(revisions, str) else revisions),
        templates={t["metadata"]["name"]: hooktemplate_view(t) for t in given},
        nodes=None if nodes is None else {n: _node(n, ready) for n, ready in nodes.items()},
        **how,
    )


def _node(name, ready):
    metadata = {"name": name, "uid": "uid-" + name, "resourceVersion": "1"}
    return node_view({"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}})


def decide(held=(), spec=None, *, now=NOW, **how):
    """The plan of a pass over what `look` shows."""
    return plan(look(held, spec, **how), now)


def rollout(held=(), spec=None, *, now=NOW, **how):
    """What a pass makes of what `look` shows before it decides."""
    observed = look(held, spec, **how)
    return set_rollout_of(observed, observed.workload.spec, now).rollout


# ---- what was decided


def of_type(decision, *kinds):
    return [a for a in decision.actions if isinstance(a, kinds)]


def deeds(decision):
    """(kind, name) of everything that is done to pods, in order."""
    kinds = (act.CreatePod, act.DeletePod, act.ForceDeletePod, act.UpdatePodInPlace)
    return [(type(a).__name__, a.name) for a in of_type(decision, *kinds)]


def created(decision):
    """Revision by name of the pods that are created."""
    return {a.name: a.revision for a in of_type(decision, act.CreatePod)}


def deleted(decision):
    return [a.name for a in of_type(decision, act.DeletePod)]


def updated(decision):
    """Names of the pods whose in-place update begins."""
    return [a.name for a in of_type(decision, act.UpdatePodInPlace) if a.begins]


def patched(decision):
    """Images by pod of all patches."""
    return {a.name: dict(a.images) for a in of_type(decision, act.UpdatePodInPlace)}


def started(decision):
    return [a.name for a in of_type(decision, act.CreateHookRun)]


def told(decision, reason):
    """Messages of what waits or is refused for a reason."""
    return [b.message for b in decision.blocked if b.reason == reason]


def condition(decision, type_):
    return next((c for c in decision.status.dump()["conditions"] if c["type"] == type_), None)
