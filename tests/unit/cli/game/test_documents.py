"""JSON of the commands, and its schemas."""

import json

import pytest
from jsonschema import Draft202012Validator

from operators.cli.game import revisions
from operators.cli.game.causes import explain
from operators.cli.game.documents import Document, HookList, RolloutStatus, WorkloadList
from operators.cli.game.hookstates import hook_states
from operators.cli.game.schemas import FOLDER, load
from operators.cli.game.schemas.write import texts
from operators.cli.game.summary import name_of, summary
from operators.cli.game.tree import tree
from operators.kube.times import rfc3339
from tests.unit.cli.game.golden import around
from tests.unit.cli.game.worlds import WORLDS


def documents(subject):
    """Every document that commands make of a workload."""
    at = rfc3339(subject.now)
    yield tree(subject)
    yield WorkloadList(at=at, items=(summary(subject),))
    yield RolloutStatus(at=at, exit_code=0, sentence="It is done.", seconds=1.5, summary=summary(subject))
    yield revisions.history(subject)
    if subject.standing is not None:
        yield revisions.diff_in_rollout(subject)
    yield HookList(at=at, workload=name_of(subject), hooks=tuple(hook_states(subject)))
    yield explain(subject, around(subject))


@pytest.mark.parametrize("name", WORLDS)
def test_ux_2_every_document_validates_against_its_shipped_schema(name):
    for document in documents(WORLDS[name][0]()):
        body = json.loads(json.dumps(document.dump()))
        assert body["apiVersion"] == "cli.tkex/v1"
        Draft202012Validator(load(body["kind"])).validate(body)


def test_schemas_are_those_of_the_models():
    assert {p.name: p.read_text() for p in FOLDER.glob("*.json")} == texts()
    assert len(texts()) == len(Document.__subclasses__()) >= 7


def test_a_schema_requires_every_field_that_is_written():
    schema = load("WorkloadTree")
    assert {"apiVersion", "kind", "at", "summary", "revisions"} <= set(schema["required"])
    assert not Draft202012Validator(schema).is_valid({"apiVersion": "cli.tkex/v1", "kind": "WorkloadTree"})
