"""``schema`` and ``version``."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from operators.api.crds import definitions
from operators.cli.game.documents import VersionReport
from operators.cli.game.exits import Exit
from operators.cli.game.main import main
from operators.cli.game.schemafiles import schemas, together
from operators.cli.game.schemas import load
from operators.cli.game.text import plain
from operators.cli.game.versions import definitions_of, operators_of, skew, version_screen

ROOT = Path(__file__).parents[4]
FILES = sorted([*(ROOT / "tests/integration/api/manifests").glob("*.yaml"), *(ROOT / "examples").rglob("*.yaml")])
SCHEMAS, TOGETHER = schemas(), together()
ACCEPTED = [
    body
    for file in FILES
    if file.name != "operators-of-old.yaml"  # holds nulls, which the API server drops
    for body in yaml.safe_load_all(file.read_text())
    if isinstance(body, dict) and body.get("apiVersion") == "tkex.tencent.com/v1alpha1"
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ACCEPTED)))
def test_manifests_that_the_api_server_accepts_fit_their_schema(number):
    body = ACCEPTED[number]
    Draft7Validator(SCHEMAS[body["kind"].lower()]).validate(body)
    Draft7Validator(TOGETHER).validate(body)


def test_there_are_manifests_of_every_kind():
    assert {b["kind"].lower() for b in ACCEPTED} == schemas().keys()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replcas": 3}, "replcas"),
        ({"replicas": "three"}, "three"),
        ({"updateStrategy": {"type": "Rolling"}}, "Rolling"),
        ({"updateStrategy": {"maxUnavalable": 1}}, "maxUnavalable"),
    ],
)
def test_a_slip_of_the_keyboard_does_not_fit(change, said):
    good = next(b for b in ACCEPTED if b["kind"] == "GameDeployment")
    bad = {**good, "spec": {**good["spec"], **change}}
    errors = [e.message for e in Draft7Validator(schemas()["gamedeployment"]).iter_errors(bad)]
    assert any(said in e for e in errors), errors


def test_schemas_are_schemas_and_are_written_where_one_wants(tmp_path, capsys):
    for one in (*schemas().values(), together()):
        Draft7Validator.check_schema(one)
    assert main(["schema", "--dir", str(tmp_path / "new")]) == Exit.REACHED
    assert sorted(p.stem for p in (tmp_path / "new").iterdir()) == sorted(schemas())
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["schema", "gsts"]) == Exit.REACHED
    assert json.loads(capsys.readouterr().out)["title"] == "GameStatefulSet"
    assert main(["schema", "pod"]) == Exit.USAGE


# ---- version


def deployment(version, name="game-operators"):
    labels = {"app.kubernetes.io/part-of": "game-operators", "app.kubernetes.io/version": version}
    return {"metadata": {"namespace": "ops", "name": name, "labels": labels}, "status": {"readyReplicas": 2}}


def held():
    return copy.deepcopy(list(definitions().values()))


def test_what_fits_together_is_said_in_a_line_each():
    operators = operators_of([deployment("0.1.3"), {"metadata": {"namespace": "x", "name": "other"}}])
    found = definitions_of(held())
    assert skew("0.1.0", operators, found) == ()
    report = VersionReport(client="0.1.0", commit="a" * 40, server="v1.34.4", operators=operators, definitions=found)
    assert plain(version_screen(report)).splitlines()[:3] == [
        "kubectl game  0.1.0 (aaaaaaaaaaaa)",
        "Kubernetes    v1.34.4",
        "operators     0.1.3  ops/game-operators, 2 ready",
    ]
    assert plain(version_screen(report)).splitlines()[-1] == "These fit together."
    Draft202012Validator(load("VersionReport")).validate(json.loads(json.dumps(report.dump())))


def test_what_does_not_fit_is_named():
    older = held()
    version = older[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del version["properties"]["spec"]["properties"]["restartAt"]
    name, missing = older[0]["metadata"]["name"], older.pop()["metadata"]["name"]
    operators = operators_of([deployment("0.2.0"), deployment("0.3.0", "other")])
    said = skew("0.1.0", operators, definitions_of(older))
    assert said[0] == f"definition {missing} is not installed"
    assert f"definition {name} (0.1.0) does not know spec.restartAt: the API server drops" in said[1]
    assert said[2].startswith("operators 0.2.0 beside kubectl game 0.1.0")
    assert said[-1] == "several versions of the operators are installed: 0.2.0, 0.3.0"


def test_the_client_alone_asks_no_cluster(capsys, tmp_path):
    assert main(["version", "--client", "--kubeconfig", str(tmp_path / "none")]) == Exit.REACHED
    assert capsys.readouterr().out.startswith("kubectl game  ")
