"""docs/api.md is made from the models."""

from pathlib import Path

from operators.api.crds import definitions
from operators.api.reference import FILE, reference

ROOT = Path(__file__).parents[3]


def test_the_page_is_what_the_models_say():
    assert (ROOT / FILE).read_text(encoding="utf-8") == reference(), "run `make crds`"


def test_every_kind_has_its_chapter():
    chapters = [line for line in reference().splitlines() if line.startswith("## ")]
    assert chapters == [f"## {d['spec']['names']['kind']}" for d in definitions().values()]


def test_deep_fields_stand_with_type_default_and_rule():
    page = reference().splitlines()
    (steps,) = {line for line in page if line.startswith("| `updateStrategy.canary.steps[]` |")}
    assert "| list of objects | required |" in steps
    assert "*a canary step has exactly one of partition, pause and hook.*" in steps
    (batch,) = {line for line in page if line.startswith("| `scaleStrategy.createBatch` |")}
    assert '| int-or-percent | `"100%"` |' in batch


def test_fields_that_are_only_there_to_be_refused_are_left_out():
    assert "inplaceUpdateStrategy" not in reference()
    assert "`metrics[].provider.jsonPath`" not in reference()
