"""docs/schemas/ is made from the CRDs, lets every manifest of ours pass, and finds what is broken."""

import copy

import jsonschema
import pytest
import yaml

from operators.api import editors
from operators.api.crds import definitions
from tests.integration.api.broken import GOOD, manifest, refused
from tests.unit.docs.markdown import ROOT

FILES = sorted((ROOT / "examples").rglob("*.yaml"))
SCHEMAS = {name: jsonschema.Draft7Validator(schema) for name, schema in editors.schemas().items()}
ALL = SCHEMAS[editors.ALL]


def findings(body, validator=ALL):
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(body)]


def test_the_files_are_current():
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / editors.FOLDER).iterdir()}
    assert written == {n: editors.text(s) for n, s in editors.schemas().items()}, "run: python -m operators.api.editors"


def test_there_is_one_for_each_kind_and_one_for_all():
    kinds = {d["spec"]["names"]["kind"].lower() for d in definitions().values()}
    assert set(SCHEMAS) == {f"{kind}.json" for kind in kinds} | {"all.json"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema_of_draft_7_that_stands_alone(name):
    schema = editors.schemas()[name]
    jsonschema.Draft7Validator.check_schema(schema)
    written = editors.text(schema)
    assert "x-kubernetes" not in written
    assert all(part.startswith("#/definitions/") for part in _references(schema))
    assert [line for line in written.splitlines() if "://" in line and "json-schema.org" in line] != []


def _references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def test_every_field_is_described_in_the_words_of_kubectl_explain():
    spec = definitions()["gamedeployments.yaml"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    ours = editors.schemas()["gamedeployment.json"]["properties"]["spec"]["properties"]
    for name, field in ours.items():
        assert field["description"].startswith(spec["spec"]["properties"][name]["description"])


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_example_is_valid(file):
    bodies = [b for b in yaml.safe_load_all(file.read_text(encoding="utf-8")) if b]
    assert bodies
    assert [findings(body) for body in bodies] == [[] for _ in bodies]


@pytest.mark.parametrize("kind", GOOD)
def test_the_good_object_of_each_kind_is_valid_alone_and_among_all(kind):
    body = manifest(kind)
    assert findings(body, SCHEMAS[f"{kind.lower()}.json"]) == findings(body) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("spec.updateStrategy", {"maxUnavailible": 1}, "maxUnavailible"),
        ("spec.updateStrategy", {"type": "InPlaceUpdate"}, "InPlaceUpdate"),
        ("spec.updateStrategy", {"partition": "a third"}, "a third"),
        ("spec.updateStrategy", {"partition": -1}, "-1"),
        ("spec.replicas", "3", "'3'"),
        ("spec.preDeleteUpdateStrategy", {"hook": {"templateName": "No_Players"}}, "No_Players"),
        ("kind", "Gamedeployment", "Gamedeployment"),
        ("spec.updateStrategy", {"canary": {"steps": [{"partition": 1, "pause": {}}]}}, "valid under each"),
    ],
)
def test_a_slip_is_found(path, value, said):
    (finding,) = findings(manifest("GameDeployment", {path: value}))
    assert said in finding


def test_objects_of_others_pass_beside_ours():
    assert findings({"apiVersion": "v1", "kind": "Service", "spec": {"anything": 1}}) == []


CASES = [case for case in refused() if case.before is None]


def test_what_the_shape_shows_is_found_and_the_rest_is_told():
    """Of the manifests that the API server refuses, a schema finds most, and says the rules that the others break."""
    missed = [case for case in CASES if not findings(case.broken())]
    told = {rule for schema in editors.schemas().values() for rule in _rules(schema)}
    assert len(CASES) - len(missed) >= 60, sorted(map(str, missed))
    assert not [c for c in missed if not any(rule in m for m in c.messages for rule in told) and not _repeated(c)]


def _rules(node):
    """The rules that descriptions tell."""
    if isinstance(node, dict):
        said = node.get("description")
        if isinstance(said, str):
            yield from (rule.strip().removesuffix(".") for rule in said.split("Rule: ")[1:])
        for child in node.values():
            yield from _rules(child)
    elif isinstance(node, list):
        for child in node:
            yield from _rules(child)


def _repeated(case):
    """Two entries of one name: JSON Schema has no word for it."""
    return all("Duplicate value" in message for message in case.messages)


def test_a_schema_is_not_changed_by_making_another():
    first = copy.deepcopy(editors.schemas())
    editors.schemas()
    assert editors.schemas() == first
