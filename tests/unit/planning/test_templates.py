"""What a pod template means (decision 16), and that no template is too odd to have a meaning."""

import time

import pytest

from operators.planning.templates import default_pull_policy, produces, template_digest


def template(container=(), pod=(), **metadata):
    containers = [{"name": "web", "image": "game:1", **dict(container)}]
    return {"metadata": {"labels": {"app": "game"}, **metadata}, "spec": {"containers": containers, **dict(pod)}}


def same(one, other):
    return template_digest(one) == template_digest(other)


@pytest.mark.parametrize(
    "spelled",
    [
        template({"resources": {}, "env": [], "command": None}),
        template({"imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File"}),
        template(pod={"restartPolicy": "Always", "serviceAccount": "default", "serviceAccountName": "default"}),
        template(creationTimestamp=None, annotations={}),
    ],
)
def test_defaults_and_nothing_at_all_are_the_same(spelled):
    assert same(template(), spelled)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"limits": {"cpu": "500m", "memory": "1Gi"}}, {"limits": {"cpu": 0.5, "memory": "1073741824"}}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1"}, "requests": {"cpu": "1000m"}}),
        ({"limits": {"cpu": "2e3"}}, {"limits": {"cpu": "2k"}}),
        ({"limits": {"cpu": "0.0001"}}, {"limits": {"cpu": "1m"}}),
    ],
)
def test_amounts_count_and_not_their_spelling(one, other):
    assert same(template({"resources": one}), template({"resources": other}))


def env(source):
    return template({"env": [{"name": "GOMEMLIMIT", "valueFrom": source}]})


def test_public_f1_the_zero_divisor_that_go_writes_is_no_new_revision():
    asked = {"resource": "limits.memory"}
    for divisor in ("0", 0, None):
        assert same(env({"resourceFieldRef": asked}), env({"resourceFieldRef": {**asked, "divisor": divisor}}))
    for divisor in ("1", "1Mi"):
        assert not same(env({"resourceFieldRef": asked}), env({"resourceFieldRef": {**asked, "divisor": divisor}}))


@pytest.mark.parametrize(
    "added",
    [
        {"preemptionPolicy": "PreemptLowerPriority", "enableServiceLinks": True},
        {"securityContext": {}, "nodeSelector": {}, "tolerations": [], "imagePullSecrets": None},
        {"hostNetwork": False, "hostPID": False, "hostIPC": False, "nodeName": "", "priorityClassName": ""},
        {"volumes": [], "topologySpreadConstraints": [], "readinessGates": [], "overhead": {}},
    ],
)
def test_public_f1_what_kubernetes_adds_or_drops_is_no_new_revision(added):
    assert same(template(), template(pod=added))


def volume(source):
    return template(pod={"volumes": [{"name": "v", **source}]})


def token(**more):
    return {"projected": {"sources": [{"serviceAccountToken": {"path": "a", **more}}]}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"azureDisk": {}}, {"azureDisk": {"kind": "Shared", "cachingMode": "ReadWrite", "fsType": "ext4"}}),
        ({"azureDisk": {}}, {"azureDisk": {"readOnly": False}}),
        ({"iscsi": {"lun": 0}}, {"iscsi": {"iscsiInterface": "default", "chapAuthDiscovery": False}}),
        ({"rbd": {}}, {"rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring", "readOnly": False}}),
        ({"scaleIO": {}}, {"scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs", "sslEnabled": False}}),
        ({"configMap": {"name": "a"}}, {"configMap": {"name": "a", "defaultMode": 0o644, "items": []}}),
        ({"hostPath": {"path": "a"}}, {"hostPath": {"path": "a", "type": ""}}),
        ({"image": {"reference": "game:1"}}, {"image": {"reference": "game:1", "pullPolicy": "IfNotPresent"}}),
        (token(), token(expirationSeconds=3600, audience="")),
        (
            {"ephemeral": {"volumeClaimTemplate": {}}},
            {"ephemeral": {"volumeClaimTemplate": {"metadata": {}, "spec": {"volumeMode": "Filesystem"}}}},
        ),
    ],
)
def test_public_f1_defaults_of_volumes_say_nothing(one, other):
    assert same(volume(one), volume(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"downwardAPI": {}}, {}),
        ({"projected": {}}, {"emptyDir": {}}),
        ({"emptyDir": {"sizeLimit": "0"}}, {"emptyDir": {}}),
        ({"projected": {"sources": [{"clusterTrustBundle": {"labelSelector": {}}}]}},
         {"projected": {"sources": [{"clusterTrustBundle": {}}]}}),
        ({"ephemeral": {"volumeClaimTemplate": {"spec": {"selector": {}}}}},
         {"ephemeral": {"volumeClaimTemplate": {}}}),
    ],
)  # fmt: skip
def test_an_empty_object_counts_where_kubernetes_tells_it_from_an_absent_one(one, other):
    assert not same(volume(one), volume(other))


def test_a_field_of_a_newer_kubernetes_is_compared_as_it_is_written():
    assert not same(template(), template(pod={"newField": {"a": 0}}))
    assert not same(template(pod={"newField": 0}), template(pod={"newField": False}))
    assert same(template(), template(pod={"newField": None, "newList": [], "newObject": {}}))


@pytest.mark.parametrize(
    "changed",
    [
        template({"image": "game:2"}),
        template({"imagePullPolicy": "Always"}),
        template({"env": [{"name": "A"}]}),
        template({"args": [""]}),
        template({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}),
        template(pod={"automountServiceAccountToken": False}),
        template(pod={"terminationGracePeriodSeconds": 0}),
        template(labels={"app": "game", "empty": ""}),
        template(finalizers=["example.com/hold"]),
    ],
)
def test_what_makes_another_pod_is_another_template(changed):
    assert not same(template(), changed)


def test_the_order_of_containers_and_variables_matters():
    one, two = {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}
    assert not same(template({"env": [one, two]}), template({"env": [two, one]}))


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("game", "Always"),
        ("game:latest", "Always"),
        ("registry:5000/game", "Always"),
        ("registry:5000/game:1", "IfNotPresent"),
        ("game@sha256:ab", "IfNotPresent"),
        (f"game@sha256:{'a' * 64}", "IfNotPresent"),
        (f"game:latest@sha256:{'a' * 64}", "Always"),
        ("Game", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_the_default_pull_policy_depends_on_the_tag(image, policy):
    assert default_pull_policy(image) == policy


@pytest.mark.parametrize(
    "odd",
    [
        template({"image": 5}),
        template({"image": ["x"], "imagePullPolicy": {}}),
        template({"resources": {"limits": "500m", "requests": {"cpu": 1}}}),
        template({"resources": {"limits": {"cpu": 1}, "requests": [1]}}),
        template({"resources": "x", "env": "x"}),
        template(pod={"initContainers": {"name": "a"}}),
        template(pod={"initContainers": ["a", None]}),
        template(pod={"volumes": "x", "readinessGates": "x", "serviceAccount": {"a": 1}}),
        template(annotations=[1], finalizers="x"),
    ],
)
def test_a_template_that_can_be_no_pod_has_a_meaning_too(odd):
    """The API server says which field is wrong, when the pod is created; nobody else could tell."""
    assert same(odd, odd)
    assert not same(odd, template())


@pytest.mark.parametrize("amount", ["1e999999", "1e-999999", "1e999999999", "1e99999999999999999999", "9" * 5000])
def test_amounts_beyond_reason_cost_nothing(amount):
    began = time.process_time()
    wanted = {"limits": {"cpu": amount}}
    assert not same(template({"resources": wanted}, {"resources": wanted}), template())
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("amount", ["NaN", "Infinity", True, {}, [], "1e999999999", None])
def test_odd_amounts_of_containers_do_not_hinder_those_of_the_pod(amount):
    whole = {"resources": {"limits": {"cpu": "3"}}}
    odd = template({"resources": {"limits": {"cpu": amount}}}, whole)
    assert same(odd, odd)
    assert not same(odd, template(pod=whole))


def test_requests_of_a_pod_are_those_of_its_containers_together():
    def pod(asked, **requests):
        whole = {"limits": {"cpu": "3", "memory": "1Gi"}, **({"requests": requests} if requests else {})}
        return template({"resources": {"requests": {"cpu": asked}}}, {"resources": whole})

    assert same(pod("1"), pod("1", cpu="1000m", memory="1Gi"))
    assert not same(pod("1"), pod("1", cpu="3"))
    assert same(pod("1", cpu="2"), pod("1", cpu="2", memory="1024Mi"))
    assert not same(pod("1"), pod("2"))


def test_a_pod_with_more_than_its_template_may_have_been_made_from_it():
    made = template({"env": [{"name": "A", "value": "1"}]})
    spec = {
        "containers": [{"name": "web", "image": "game:1", "env": [{"name": "A", "value": "1"}, {"name": "POD_INDEX"}]}]
    }
    assert produces(
        made, {"app": "game", "more": "1"}, {"x": "y"}, {**spec, "nodeName": "n", "volumes": [{"name": "token"}]}
    )
    assert not produces(made, {"app": "other"}, {}, spec)
    assert not produces(made, {"app": "game"}, {}, {"containers": [{"name": "web", "image": "game:2"}]})
