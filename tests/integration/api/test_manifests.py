"""Every manifest of the white paper and of examples/ applies, and comes back with nothing lost."""

import copy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = sorted([*(Path(__file__).parent / "manifests").glob("*.yaml"), *(ROOT / "examples").rglob("*.yaml")])
#: How each client writes; all of them have to work.
WAYS = {"client-side": ("apply",), "server-side": ("apply", "--server-side"), "create": ("create",)}
OURS = ("GameDeployment", "GameStatefulSet", "HookTemplate", "HookRun")
#: What the definitions give until a controller has looked, whatever the manifest says (ux-66).
FIRST_STATUS = {kind: {"observedGeneration": -1} for kind in ("GameDeployment", "GameStatefulSet", "HookRun")}


def documents(file):
    """The objects of a file, in the namespace of the test."""
    found = [d for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d]
    for body in found:
        body["metadata"].pop("namespace", None)
    return found


def lost(given, got, path=""):
    """Paths whose value did not come back. A null asks for nothing."""
    if isinstance(given, dict) and isinstance(got, dict):
        return [p for key, value in given.items() for p in lost(value, got.get(key), f"{path}.{key}")]
    if isinstance(given, list) and isinstance(got, list) and len(given) == len(got):
        return [p for i, value in enumerate(given) for p in lost(value, got[i], f"{path}[{i}]")]
    return [] if given in (None, got) else [f"{path}: {given!r} became {got!r}"]


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def check(given, got):
    given = {key: value for key, value in given.items() if key != "status"}
    assert lost(given, got) == []
    if given["kind"] in OURS:
        assert got.get("status") == FIRST_STATUS.get(given["kind"]), "the manifest's status is dropped"
    if "template" in given["spec"]:
        kept, asked = (without_nulls(o["spec"]["template"]) for o in (got, given))
        assert kept == asked, "templates are kept whole"


def test_there_are_manifests():
    assert len(FILES) >= 15


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_pkg_5_applies_and_comes_back(api, file, way):
    bodies = documents(file)
    given = [without_nulls(b) for b in bodies] if way == "server-side" else bodies
    for body, got in zip(bodies, api.objects(*WAYS[way], "--dry-run=server", bodies=given), strict=True):
        check(body, got)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_pkg_5_applied_for_real(api, file):
    """What the API server stores is what it answers; no operator is waited for, and none can interfere."""
    bodies = documents(file)
    try:
        for body, got in zip(bodies, api.objects("apply", bodies=bodies), strict=True):
            check(body, got)
    finally:
        api.text(
            "delete",
            "--wait=false",
            "--ignore-not-found",
            "-f",
            "-",
            body={"apiVersion": "v1", "kind": "List", "items": bodies},
        )


def test_server_side_apply_refuses_nulls_that_no_default_fills(api):
    """The other ways drop such a null; where there is a default, all ways take it."""
    (body,) = documents(Path(__file__).parent / "manifests" / "operators-of-old.yaml")
    body["spec"]["updateStrategy"]["partition"] = None
    (finding,) = api.refusal("apply", "--server-side", "--dry-run=server", "-f", "-", body=body)
    assert "spec.updateStrategy.partition in body must be of type integer,string" in finding
    body["spec"]["updateStrategy"].pop("partition")
    got = api.object("apply", "--server-side", "--dry-run=server", "-f", "-", body=body)
    assert got["spec"]["updateStrategy"]["paused"] is False


def test_a_client_that_asks_for_strict_validation_learns_of_unknown_fields(api):
    (body,) = documents(ROOT / "examples" / "gamedeployment" / "index.yaml")
    body["spec"]["updateStrategy"]["maxUnavailible"] = 1
    done = api.run("apply", "--dry-run=server", "-f", "-", body=body)
    assert 'unknown field "spec.updateStrategy.maxUnavailible"' in done.stderr
    got = api.object("apply", "--validate=ignore", "--dry-run=server", "-f", "-", body=body)
    assert "maxUnavailible" not in got["spec"]["updateStrategy"], "pruned"


def test_what_is_below_a_template_is_never_pruned(api):
    (body,) = documents(ROOT / "examples" / "gamedeployment" / "index.yaml")
    odd = {"kept": [1, None, {"a": []}], "empty": {}, "text": ""}
    template = body["spec"]["template"]
    template["invented"] = copy.deepcopy(odd)
    template["metadata"]["invented"] = copy.deepcopy(odd)
    template["spec"]["invented"] = copy.deepcopy(odd)
    template["spec"]["containers"][0]["invented"] = copy.deepcopy(odd)
    got = api.object("apply", "--dry-run=server", "-f", "-", body=body)
    assert got["spec"]["template"] == template
