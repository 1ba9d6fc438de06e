"""Reading objects: defaults, nulls, what the Go operators left, and what cannot be read."""

import pytest
from pydantic import ValidationError

from operators.api.gamedeployment import GameDeploymentSpec
from operators.api.gamestatefulset import GameStatefulSetSpec
from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import HookTemplateSpec
from tests.integration.api.broken import changed, manifest


def read(kind, **changes):
    model = {
        "GameDeployment": GameDeploymentSpec,
        "GameStatefulSet": GameStatefulSetSpec,
        "HookTemplate": HookTemplateSpec,
        "HookRun": HookRunSpec,
    }[kind]
    spec = changed(manifest(kind), {f"spec.{k.replace('__', '.')}": v for k, v in changes.items()})["spec"]
    return model.model_validate(spec)


def finding(kind, **changes):
    with pytest.raises(ValidationError) as error:
        read(kind, **changes)
    (only,) = error.value.errors()
    return ".".join(map(str, only["loc"])), only["msg"]


def test_defaults_of_a_gamedeployment_hold_without_an_api_server():
    spec = read("GameDeployment")
    strategy = spec.update_strategy
    assert (spec.replicas, spec.revision_history_limit, spec.min_ready_seconds) == (1, 10, 0)
    assert (strategy.type, strategy.partition, strategy.paused, strategy.canary) == ("RollingUpdate", None, False, None)
    assert (strategy.max_unavailable, strategy.max_surge) == ("25%", "25%")
    assert strategy.in_place_update_strategy.policy == "DisOrdered"
    assert strategy.in_place_update_strategy.on_ineligible == "Block"
    assert spec.scale_strategy.create_batch == "100%"
    assert not spec.disable_readiness_gate
    assert spec.pre_delete_update_strategy.hook is None


def test_defaults_of_a_gamestatefulset_hold_without_an_api_server():
    spec = read("GameStatefulSet")
    numbers = spec.update_strategy.numbers
    assert (spec.replicas, spec.revision_history_limit, spec.pod_management_policy) == (1, 10, "OrderedReady")
    assert (spec.update_strategy.type, spec.update_strategy.paused) == ("RollingUpdate", False)
    assert (numbers.partition, numbers.max_unavailable, numbers.max_surge) == (None, "25%", 0)
    assert (spec.reserve_orders, spec.scale_strategy.create_batch) == ((), "100%")
    assert spec.persistent_volume_claim_retention_policy.when_deleted == "Retain"


def test_defaults_of_a_metric_hold_without_an_api_server():
    (metric,) = read("HookTemplate").metrics
    assert (metric.count, metric.interval, metric.successful_limit, metric.inconclusive_limit) == (0, None, 0, 0)
    assert metric.failure_limit is None, "absent is not 0: 0 tolerates no failure"
    assert metric.consecutive_error_limit is None
    assert metric.on_count_exhausted == "Successful"
    assert metric.provider.web.timeout_seconds == 10


@pytest.mark.parametrize("type_", ["", None])
@pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet"])
def test_gd_57_an_empty_type_is_the_default(kind, type_):
    assert read(kind, updateStrategy={"type": type_}).update_strategy.type == "RollingUpdate"


def test_empty_enumerations_that_the_go_operators_leave_are_defaults():
    assert read("GameStatefulSet", podManagementPolicy="").pod_management_policy == "OrderedReady"
    assert read("HookRun", policy="").policy == "Parallel"
    strategy = read("GameDeployment", updateStrategy={"inPlaceUpdateStrategy": {"policy": ""}}).update_strategy
    assert strategy.in_place_update_strategy.policy == "DisOrdered"
    assert read("HookTemplate", metrics=[{**manifest("HookTemplate")["spec"]["metrics"][0], "interval": ""}])


def test_nulls_are_absent():
    spec = read(
        "GameDeployment",
        replicas=None,
        scaleStrategy={"podsToDelete": None},
        preDeleteUpdateStrategy={"hook": None, "retry": None},
        postInplaceUpdateStrategy=None,
        updateStrategy={"paused": None, "partition": None, "canary": {"steps": [{"pause": {"duration": None}}]}},
    )
    assert (spec.replicas, spec.scale_strategy.pods_to_delete) == (1, ())
    assert (spec.pre_delete_update_strategy.hook, spec.pre_delete_update_strategy.retry) == (None, False)
    assert spec.update_strategy.paused is False
    (step,) = spec.update_strategy.canary.steps
    assert step.pause is not None
    assert step.pause.duration is None


def test_pkg_6_an_empty_pause_is_a_pause():
    spec = read("GameDeployment", updateStrategy={"canary": {"steps": [{"pause": {}}]}})
    assert spec.update_strategy.canary.steps[0].pause is not None


def test_steps_are_optional_to_the_reader():
    """The API server asks for them; an object that lacks them is read as one without a canary."""
    assert read("GameDeployment", updateStrategy={"canary": {}}).update_strategy.canary.steps == ()


def test_what_no_model_knows_is_ignored():
    assert read("GameDeployment", hotfix={"of": "next year"}).replicas == 1


def test_the_template_stays_the_very_same_values():
    body = manifest("GameDeployment")["spec"]
    body["template"]["spec"]["odd"] = {"kept": [1, None]}
    template = GameDeploymentSpec.model_validate(body).template
    assert template == body["template"]
    assert template["spec"] is body["template"]["spec"], "a copy of every template would cost each pass"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ({"metadata": {}}, "spec.containers must list at least one container"),
        ({"spec": {"containers": []}}, "spec.containers must list at least one container"),
        ({"spec": {"containers": [{"image": "a"}]}}, "spec.containers must all have a name"),
        ({"spec": "web"}, "spec must be an object, not 'web'"),
        ({"metadata": ["app"], "spec": {}}, "metadata must be an object, not ['app']"),
        (
            {"metadata": {"labels": {"a": 3}}, "spec": {"containers": [{"name": "a"}]}},
            "metadata.labels[a] must be a string, not 3",
        ),
    ],
)
def test_a_template_no_pod_can_be_made_of(template, says):
    assert finding("GameDeployment", template=template) == ("template", f"Value error, {says}")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"replicas": -1}, "replicas"),
        ({"minReadySeconds": -1}, "minReadySeconds"),
        ({"revisionHistoryLimit": -1}, "revisionHistoryLimit"),
        ({"updateStrategy__type": "Recreate"}, "updateStrategy.type"),
        ({"updateStrategy__maxUnavailable": "150%"}, "updateStrategy.maxUnavailable"),
        ({"updateStrategy__partition": -1}, "updateStrategy.partition"),
        ({"updateStrategy__inPlaceUpdateStrategy__policy": "Ordered"}, "updateStrategy.inPlaceUpdateStrategy.policy"),
        (
            {"updateStrategy__inPlaceUpdateStrategy__gracePeriodSeconds": -1},
            "updateStrategy.inPlaceUpdateStrategy.gracePeriodSeconds",
        ),
        ({"preDeleteUpdateStrategy__hook": {}}, "preDeleteUpdateStrategy.hook.templateName"),
    ],
)
def test_a_reader_names_the_field_as_the_manifest_does(changes, where):
    assert finding("GameDeployment", **changes)[0] == where
