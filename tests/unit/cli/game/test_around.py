"""``schema`` and ``version``."""

import copy
import json
from pathlib import Path

from jsonschema import Draft202012Validator

from operators.api import editors
from operators.api.crds import definitions
from operators.cli.game.documents import VersionReport
from operators.cli.game.exits import Exit
from operators.cli.game.main import main
from operators.cli.game.schemas import load
from operators.cli.game.text import plain
from operators.cli.game.versions import definitions_of, operators_of, skew, version_screen

ROOT = Path(__file__).parents[4]


def test_schemas_are_those_of_the_documents_and_are_written_where_one_wants(tmp_path, capsys):
    assert main(["schema", "--dir", str(tmp_path / "new")]) == Exit.REACHED
    written = {p.name: p.read_text() for p in (tmp_path / "new").iterdir()}
    assert written == {p.name: p.read_text() for p in (ROOT / editors.FOLDER).iterdir()}
    assert len(capsys.readouterr().out.splitlines()) == len(written)
    assert main(["schema", "gsts"]) == Exit.REACHED
    assert json.loads(capsys.readouterr().out)["title"] == "GameStatefulSet"
    assert main(["schema"]) == Exit.REACHED
    assert "definitions" in json.loads(capsys.readouterr().out)
    assert main(["schema", "pod"]) == main(["schema", "all"]) == Exit.USAGE


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
