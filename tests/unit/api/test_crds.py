"""The CustomResourceDefinitions: as the models say, structural, small, and explained."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from operators.api.__main__ import render
from operators.api.crds import definitions

ROOT = Path(__file__).parents[3]
DEFINITIONS = definitions()
#: The limit of the annotation that a client-side apply writes.
APPLY_LIMIT = 256 * 1024

crd = pytest.mark.parametrize("file", DEFINITIONS)


def version(file):
    return DEFINITIONS[file]["spec"]["versions"][0]


def schema(file, path=""):
    node = version(file)["schema"]["openAPIV3Schema"]
    for part in path.split(".") if path else ():
        node = node["items"] if part == "[]" else node["properties"][part]
    return node


def fields(node, path=""):
    """All fields below a schema, with their paths."""
    for name, child in node.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from fields(child, f"{path}.{name}")
    if "items" in node:
        yield from fields(node["items"], f"{path}[]")


@crd
def test_the_files_in_crds_are_what_the_models_say(file):
    stored = (ROOT / "crds" / file).read_text(encoding="utf-8")
    assert stored == render(DEFINITIONS[file]), "run `make crds`"


def test_there_is_no_other_file_in_crds():
    assert {p.name for p in (ROOT / "crds").iterdir()} == set(DEFINITIONS)


@crd
def test_pkg_1_small_enough_for_client_side_apply(file):
    assert len(json.dumps(DEFINITIONS[file])) < APPLY_LIMIT / 2


@crd
def test_one_version_served_and_stored_in_a_namespace(file):
    spec = DEFINITIONS[file]["spec"]
    assert (spec["group"], spec["scope"]) == ("tkex.tencent.com", "Namespaced")
    assert [(v["name"], v["served"], v["storage"]) for v in spec["versions"]] == [("v1alpha1", True, True)]
    assert DEFINITIONS[file]["metadata"]["name"] == f"{file.removesuffix('.yaml')}.tkex.tencent.com"


@crd
def test_the_version_annotation_is_that_of_the_package(file):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert DEFINITIONS[file]["metadata"]["annotations"] == {"version": project["version"]}
    assert "labels" not in DEFINITIONS[file]["metadata"], "a fresh CRD is protected: no deletion-allow label"


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("gamedeployments.yaml", "gd"),
        ("gamestatefulsets.yaml", "gsts"),
        ("hooktemplates.yaml", "hkt"),
        ("hookruns.yaml", "hkr"),
    ],
)
def test_short_names_and_category(file, short):
    names = DEFINITIONS[file]["spec"]["names"]
    assert (names["shortNames"], names["categories"]) == ([short], ["tkex", "all"])


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        (
            "gamedeployments.yaml",
            [
                ("DESIRED", "integer", ".spec.replicas"),
                ("UPDATED", "integer", ".status.updatedReplicas"),
                ("UPDATED_READY", "integer", ".status.updatedReadyReplicas"),
                ("READY", "integer", ".status.readyReplicas"),
                ("TOTAL", "integer", ".status.replicas"),
                ("Age", "date", ".metadata.creationTimestamp"),
            ],
        ),
        (
            "gamestatefulsets.yaml",
            [
                ("Replicas", "integer", ".spec.replicas"),
                ("Ready_Replicas", "integer", ".status.readyReplicas"),
                ("Current_Replicas", "integer", ".status.currentReplicas"),
                ("Updated_Replicas", "integer", ".status.updatedReplicas"),
                ("Updated_Ready_Replicas", "integer", ".status.updatedReadyReplicas"),
                ("Age", "date", ".metadata.creationTimestamp"),
            ],
        ),
        ("hooktemplates.yaml", [("Age", "date", ".metadata.creationTimestamp")]),
        (
            "hookruns.yaml",
            [("Phase", "string", ".status.phase"), ("Age", "date", ".metadata.creationTimestamp")],
        ),
    ],
)
def test_printer_columns_are_those_promised_and_the_others_wide(file, columns):
    shown = [c for c in version(file)["additionalPrinterColumns"] if not c.get("priority")]
    assert [(c["name"], c["type"], c["jsonPath"]) for c in shown] == columns


@pytest.mark.parametrize("file", ["gamedeployments.yaml", "gamestatefulsets.yaml"])
def test_workloads_have_a_status_and_a_scale(file):
    assert version(file)["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.labelSelector",
        },
    }


@pytest.mark.parametrize("file", ["hooktemplates.yaml", "hookruns.yaml"])
def test_hooks_have_a_status_and_no_scale(file):
    assert version(file)["subresources"] == {"status": {}}


@crd
def test_every_field_is_described(file):
    bare = [path for path, node in fields(schema(file)) if not node.get("description", "").endswith((".", "]"))]
    assert [p for p in bare if not p.startswith(".metadata")] == []
    assert schema(file)["description"]


@crd
def test_structural(file):
    """The rules of apiextensions for structural schemas, in a test that needs no cluster."""
    faults = list(_faults(schema(file), "", top=True))
    assert faults == []


def _faults(node, path, *, top=False):
    for forbidden in ("$ref", "anyOf", "oneOf", "allOf", "not", "definitions", "const", "title", "nullable"):
        if forbidden in node:
            yield f"{path}: {forbidden}"
    loose = node.get("x-kubernetes-int-or-string") or node.get("x-kubernetes-preserve-unknown-fields")
    if "type" not in node and not loose:
        yield f"{path}: no type"
    if "properties" in node and "additionalProperties" in node:
        yield f"{path}: both properties and additionalProperties"
    missing = set(node.get("required", ())) - set(node.get("properties", {}))
    if missing:
        yield f"{path}: required but unknown: {missing}"
    keys = node.get("x-kubernetes-list-map-keys", ())
    optional = set(keys) - set(node.get("items", {}).get("required", ()))
    if optional:
        yield f"{path}: keys of a list must be required: {optional}"
    if top and "default" in node:
        yield "the root has a default"
    for name, child in node.get("properties", {}).items():
        yield from _faults(child, f"{path}.{name}")
    for kind in ("items", "additionalProperties"):
        if isinstance(node.get(kind), dict):
            yield from _faults(node[kind], f"{path}.{kind}")


@crd
def test_a_new_object_has_the_generation_that_nobody_looked_at(file):
    status = schema(file)["properties"].get("status", {})
    assert status.get("default") == (None if file == "hooktemplates.yaml" else {"observedGeneration": -1})


@crd
def test_a_status_has_no_other_defaults(file):
    status = {k: v for k, v in schema(file)["properties"].get("status", {}).items() if k != "default"}
    assert [path for path, node in fields(status) if "default" in node] == []


@pytest.mark.parametrize("file", ["gamedeployments.yaml", "gamestatefulsets.yaml"])
def test_pod_templates_keep_what_no_rule_knows(file):
    template = schema(file, "spec.template")
    kept = [template, *(template["properties"][n] for n in ("metadata", "spec"))]
    kept.append(schema(file, "spec.template.spec.containers.[]"))
    assert all(node["x-kubernetes-preserve-unknown-fields"] for node in kept)


def test_pkg_9_defaults():
    """Every default that the specs name stands in the schema (docs/spec/admission.md 5)."""
    both = {
        "spec.replicas": 1,
        "spec.revisionHistoryLimit": 10,
        "spec.minReadySeconds": 0,
        "spec.disableReadinessGate": False,
        "spec.updateStrategy": {},
        "spec.updateStrategy.type": "RollingUpdate",
        "spec.updateStrategy.paused": False,
        "spec.updateStrategy.inPlaceUpdateStrategy": {},
        "spec.updateStrategy.inPlaceUpdateStrategy.policy": "DisOrdered",
        "spec.updateStrategy.inPlaceUpdateStrategy.gracePeriodSeconds": 0,
        "spec.scaleStrategy": {},
        "spec.scaleStrategy.createBatch": "100%",
    }
    expected = {
        "gamedeployments.yaml": both
        | {"spec.updateStrategy.maxUnavailable": "25%", "spec.updateStrategy.maxSurge": "25%"},
        "gamestatefulsets.yaml": both
        | {
            "spec.podManagementPolicy": "OrderedReady",
            "spec.updateStrategy.rollingUpdate.maxUnavailable": "25%",
            "spec.updateStrategy.rollingUpdate.maxSurge": 0,
        },
        "hooktemplates.yaml": {"spec.policy": "Parallel"},
    }
    for file, defaults in expected.items():
        assert {path: schema(file, path).get("default") for path in defaults} == defaults


@pytest.mark.parametrize("path", ["spec.updateStrategy.partition", "spec.updateStrategy.canary.steps.[].partition"])
def test_partition_has_no_default_that_canary_steps_would_meet(path):
    assert "default" not in schema("gamedeployments.yaml", path)


def test_rolling_update_of_a_gamestatefulset_has_no_default_that_ondelete_would_meet():
    assert "default" not in schema("gamestatefulsets.yaml", "spec.updateStrategy.rollingUpdate")


def test_written_twice_it_is_the_same():
    assert definitions() == DEFINITIONS
    assert all(yaml.safe_load(render(d)) == d for d in DEFINITIONS.values())
