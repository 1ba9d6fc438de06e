"""The status as a value says what the models of the API say, and is dumped as the API server has it."""

from dataclasses import fields

import pytest
from pydantic.alias_generators import to_camel

from operators.api import status as models
from operators.api.gamestatefulset import GameStatefulSetStatus
from operators.planning import workloadstatus as values
from operators.workload.metrics import DESIRED, GAME_DEPLOYMENT_GAUGES, GAME_STATEFUL_SET_GAUGES

TIME = "2025-01-01T00:00:00Z"
FULL = values.WorkloadStatus(
    observed_generation=3,
    replicas=4,
    ready_replicas=3,
    available_replicas=2,
    updated_replicas=1,
    updated_ready_replicas=1,
    current_revision="gs-1",
    collision_count=0,
    label_selector="app=game",
    update_revision="gs-2",
    canary=values.CanaryRecord("gs-1", "run"),
    pause_conditions=(values.PauseCondition("PausedByCanaryPauseStep", TIME),),
    current_step_hash="v2-1",
    current_step_index=0,
    pre_delete_hook_condition=(values.PodHookCondition("gs-0", TIME, "Running"),),
    pre_inplace_hook_condition=(),
    post_inplace_hook_condition=(),
    conditions=(values.Condition("Complete", "False", "InProgress", "text", 3, TIME),),
    current_replicas=3,
)


@pytest.mark.parametrize(
    ("value", "model", "unwritten"),
    [
        (values.WorkloadStatus, GameStatefulSetStatus, set()),
        (values.CanaryRecord, models.CanaryStatus, {"pause_start_time"}),
        (values.Condition, models.Condition, set()),
        (values.PauseCondition, models.PauseCondition, set()),
        (values.PodHookCondition, models.PodHookCondition, set()),
    ],
)
def test_values_and_models_have_the_same_fields(value, model, unwritten):
    """``unwritten`` are fields that only older objects have."""
    assert {f.name for f in fields(value)} - {"kept"} == set(model.model_fields) - unwritten


def test_the_model_reads_every_name_that_is_dumped():
    read = GameStatefulSetStatus.model_validate(FULL.dump())
    assert read.model_fields_set == set(GameStatefulSetStatus.model_fields)
    again = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert again == FULL.dump()


def test_dumped_names_are_those_of_the_definitions():
    assert FULL.dump().keys() == {to_camel(name) for name in GameStatefulSetStatus.model_fields}


def test_fields_of_others_stay_and_those_without_a_value_do_not_appear():
    kept = {"theirs": 1, "replicas": 9, "canary": {"pauseStartTime": TIME}}
    found = values.WorkloadStatus(
        kept=kept, replicas=2, canary=values.CanaryRecord("gs-1", kept={"pauseStartTime": TIME})
    )
    assert found.dump() == {"theirs": 1, "replicas": 2, "canary": {"pauseStartTime": TIME, "revision": "gs-1"}}
    assert kept["replicas"] == 9


def test_counters_alone_may_wait_to_be_written():
    late = {name for name in FULL.dump() if name not in values.PROMPT_FIELDS}
    assert {name for name in late if not name.endswith("Replicas")} == {
        "replicas",
        "conditions",
        "preDeleteHookCondition",
        "preInplaceHookCondition",
        "postInplaceHookCondition",
    }


@pytest.mark.parametrize("gauges", [GAME_DEPLOYMENT_GAUGES, GAME_STATEFUL_SET_GAUGES])
def test_gauges_show_fields_of_the_status(gauges):
    assert gauges.keys() - {DESIRED} <= FULL.dump().keys()
