"""A workload that is orphaned and made anew at any moment of its life: nothing restarts, and no step is skipped."""

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.planning import actions as act
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template
from operators.simulation.statefulset import SimulatedSet, gamestatefulset

REVISION = "controller-revision-hash"


def _cluster(kind, type_, replicas, steps=None, hooked=False):
    strategy = {"type": type_}
    if kind is SimulatedSet:
        strategy["rollingUpdate"] = {"maxUnavailable": 1}
    else:
        strategy |= {"maxUnavailable": 1, "maxSurge": 0}
    if steps:
        strategy["canary"] = {"steps": steps}
    spec = {"replicas": replicas, "updateStrategy": strategy}
    if kind is SimulatedSet:
        spec["podManagementPolicy"] = "Parallel"
    if hooked:
        spec["preDeleteUpdateStrategy"] = {"hook": {"templateName": "check"}}
    body = gamestatefulset(spec) if kind is SimulatedSet else gamedeployment(spec)
    made = kind(body, {"check": hook_template("check")})
    if kind is SimulatedSet:
        made.add_node("node")
    return made


def _go_on(cluster, passes):
    for _ in range(passes):
        cluster.remove_terminating()
        for name in list(cluster.pods):
            cluster.start_pod(name)
            cluster.restart_containers(name)
        cluster.now += 2
        cluster.reconcile()


def _release(cluster, version):
    cluster.patch_spec({"template": {"spec": {"containers": [{"name": "web", "image": f"game:{version}"}]}}})


def _images(cluster):
    return [p["spec"]["containers"][0]["image"] for p in cluster.pods.values()]


def _forget(cluster, known):
    """What else is lost beside the owners: "label" of every pod, or all "revisions" with the labels."""
    if known in ("label", "revisions"):
        for name in cluster.pods:
            cluster.pods[name]["metadata"]["labels"].pop(REVISION, None)
            cluster._touch(cluster.pods[name])
    if known == "foreign":
        for name in cluster.pods:
            cluster.pods[name]["metadata"]["labels"][REVISION] = "web-5d8c9"
            cluster._touch(cluster.pods[name])
    if known in ("revisions", "foreign"):
        cluster.revisions.clear()


KINDS = st.sampled_from([SimulatedCluster, SimulatedSet])
TYPES = st.sampled_from(["RollingUpdate", "InplaceUpdate"])
LOST = st.sampled_from(["nothing", "label", "revisions", "foreign"])


@settings(max_examples=150, deadline=None)
@given(kind=KINDS, type_=TYPES, replicas=st.integers(1, 5), lost=LOST, again=st.integers(0, 3))
def test_public_f2_what_equals_the_template_is_never_touched(kind, type_, replicas, lost, again):
    cluster = _cluster(kind, type_, replicas)
    _go_on(cluster, 12)
    before = {n: p["metadata"]["uid"] for n, p in cluster.pods.items()}
    cluster.log.clear()
    cluster.make_anew()
    _forget(cluster, lost)
    for _ in range(again):
        cluster.reconcile()
        cluster.make_anew()
    _go_on(cluster, 12)
    touched = (act.CreatePod, act.DeletePod, act.UpdatePodInPlace, act.SetGate)
    assert not [a for a in cluster.log if isinstance(a, touched)]
    assert {n: p["metadata"]["uid"] for n, p in cluster.pods.items()} == before
    update = cluster.workload["status"]["updateRevision"]
    assert {p["metadata"]["labels"][REVISION] for p in cluster.pods.values()} == {update}
    assert {c["type"]: c["status"] for c in cluster.workload["status"]["conditions"]}["Complete"] == "True"


@settings(max_examples=200, deadline=None)
@given(
    kind=KINDS,
    type_=TYPES,
    replicas=st.integers(2, 5),
    data=st.data(),
    moment=st.integers(0, 10),
    lost=LOST,
    dies=st.integers(0, 3),
)
def test_public_f9_no_step_is_skipped_whenever_it_is_made_anew(kind, type_, replicas, data, moment, lost, dies):
    kept = data.draw(st.integers(1, replicas), label="kept")
    cluster = _cluster(kind, type_, replicas, [{"partition": kept}, {"pause": {}}])
    _go_on(cluster, 12)
    _release(cluster, 2)
    _go_on(cluster, moment)
    cluster.make_anew()
    cluster.patch_spec({"updateStrategy": {"paused": None}})
    _release(cluster, 3)
    _forget(cluster, lost)
    for count in range(dies):  # the operator dies in its first passes, ever later
        for action in _plan(cluster).actions[:count]:
            cluster.apply(action)
    _go_on(cluster, 40)
    assert _images(cluster).count("game:3") == replicas - kept
    assert cluster.workload["spec"]["updateStrategy"]["paused"]
    assert cluster.workload["status"]["currentStepIndex"] == 1
    cluster.patch_spec({"updateStrategy": {"paused": False}})
    _go_on(cluster, 40)
    assert set(_images(cluster)) == {"game:3"}
    assert len(cluster.pods) == replicas


def _plan(cluster):
    from operators.gamedeployment.plan import plan

    return cluster.decide() if isinstance(cluster, SimulatedSet) else plan(cluster.observe(), cluster.now)


@settings(max_examples=150, deadline=None)
@given(kind=KINDS, replicas=st.integers(2, 5), lost=LOST, data=st.data())
def test_public_f9_a_partition_holds_for_pods_that_were_there_before(kind, replicas, lost, data):
    kept = data.draw(st.integers(1, replicas), label="kept")
    cluster = _cluster(kind, "RollingUpdate", replicas)
    _go_on(cluster, 12)
    before = {p["metadata"]["uid"] for p in cluster.pods.values()}
    cluster.make_anew()
    numbers = {"partition": kept}
    cluster.patch_spec({"updateStrategy": {"rollingUpdate": numbers} if kind is SimulatedSet else numbers})
    _release(cluster, 2)
    _forget(cluster, lost)
    _go_on(cluster, 40)
    assert len(before & {p["metadata"]["uid"] for p in cluster.pods.values()}) == kept
    assert _images(cluster).count("game:2") == replicas - kept


@settings(max_examples=150, deadline=None)
@given(kind=KINDS, replicas=st.integers(2, 4), keep=st.booleans(), template=st.booleans(), answer=st.booleans())
def test_public_f6_a_hook_run_left_over_holds_nothing_up(kind, replicas, keep, template, answer):
    cluster = _cluster(kind, "RollingUpdate", replicas, hooked=True)
    _go_on(cluster, 12)
    cluster.patch_spec({"replicas": replicas - 1})
    _go_on(cluster, 2)
    (left,) = [r["metadata"]["uid"] for r in cluster.hook_runs.values()]
    cluster.make_anew()
    if template:
        cluster.templates["check"]["spec"]["metrics"][0]["count"] = 7
    if answer:
        cluster.answer_hook(next(iter(cluster.hook_runs)), "Failed")
    cluster.patch_spec({"replicas": replicas - 1 if keep else replicas})
    _go_on(cluster, 4)
    runs = list(cluster.hook_runs.values())
    assert [bool(r["metadata"]["ownerReferences"]) for r in runs] == [True] * int(keep)
    if keep:
        assert (runs[0]["metadata"]["uid"] == left) != template
        cluster.answer_hook(runs[0]["metadata"]["name"], "Successful")
        _go_on(cluster, 4)
        assert len(cluster.pods) == replicas - 1
    assert not cluster.hook_runs


@settings(max_examples=150, deadline=None)
@given(
    kind=KINDS,
    replicas=st.integers(1, 5),
    moment=st.integers(0, 10),
    lost=LOST,
    grace=st.sampled_from([0, 5]),
    hooked=st.booleans(),
    dies=st.integers(0, 3),
)
def test_public_f2_in_place_no_pod_ends_for_another_image(kind, replicas, moment, lost, grace, hooked, dies):
    """Made anew in the middle of an update, with a third version, whatever is lost of where the pods came from."""
    cluster = _cluster(kind, "InplaceUpdate", replicas)
    cluster.patch_spec({"updateStrategy": {"inPlaceUpdateStrategy": {"gracePeriodSeconds": grace}}})
    _go_on(cluster, 12)
    before = {n: p["metadata"]["uid"] for n, p in cluster.pods.items()}
    if hooked:
        cluster.patch_spec({"preInplaceUpdateStrategy": {"hook": {"templateName": "check"}}})
    _release(cluster, 2)
    _go_on(cluster, moment)
    cluster.make_anew()
    _release(cluster, 3)
    _forget(cluster, lost)
    for count in range(dies):
        for action in _plan(cluster).actions[:count]:
            cluster.apply(action)
    for _ in range(25):
        _go_on(cluster, 2)
        for name, run in list(cluster.hook_runs.items()):
            if (run.get("status") or {}).get("phase") != "Successful":
                cluster.answer_hook(name, "Successful")
    assert not [a for a in cluster.log if isinstance(a, act.DeletePod)]
    assert {n: p["metadata"]["uid"] for n, p in cluster.pods.items()} == before
    assert set(_images(cluster)) == {"game:3"}
    assert {c["type"]: c["status"] for c in cluster.workload["status"]["conditions"]}["Complete"] == "True"
