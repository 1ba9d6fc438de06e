"""Blocks of YAML in documents: each is a manifest, or is marked as a part of one, and reads as such."""

import jsonschema
import pytest
import yaml

from operators.api import editors
from tests.unit.docs.fragments import OURS, parse_marker, whole
from tests.unit.docs.markdown import ROOT, blocks, documents
from webhooks.validation.problems import Problem
from webhooks.validation.references import declared, reference_problems, references
from webhooks.validation.templates import template_problems
from webhooks.validation.workloads import workload_problems

BLOCKS = [block for path in documents() for block in blocks(path)]
YAML = [block for block in BLOCKS if block.language == "yaml"]
ALL = jsonschema.Draft7Validator(editors.schemas()[editors.ALL])
#: Blocks that no API server of ours can judge, by page: kinds of others, and parts of such.
FOREIGN = {
    "docs/gitops.md": [
        "fragment of a foreign kind: Application of Argo CD",
        "fragment of a foreign kind: Kustomization of Flux",
        "foreign kind: ScaledObject of KEDA",
    ]
}


def test_there_are_blocks():
    assert len(YAML) >= 9


def test_blocks_are_read_with_their_comment_and_without_their_indent(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("1. x\n\n    ```\n    a\n      b\n    ```\n\n<!-- fragment of X -->\n```yaml\nk: 1\n```\n")
    first, second = blocks(page)
    assert (first.language, first.marker, first.text, first.line) == ("", "", "a\n  b\n", 3)
    assert (second.language, second.marker, second.text) == ("yaml", "fragment of X", "k: 1\n")


@pytest.mark.parametrize("block", [b for b in BLOCKS if not b.language], ids=str)
def test_what_looks_like_yaml_is_called_so(block):
    """A block without a language is a terminal or plain text; a manifest in it would not be judged."""
    assert "apiVersion:" not in block.text
    try:
        read = yaml.safe_load(block.text)
    except yaml.YAMLError:
        return
    assert not isinstance(read, list)
    assert not isinstance(read, dict) or any(" " in str(key) for key in read), "words before a colon are prose"


def test_languages_are_few_and_known():
    """Sessions and texts have none."""
    assert {block.language for block in BLOCKS} <= {"", "yaml", "json", "lua", "sh"}


@pytest.mark.parametrize("block", YAML, ids=str)
def test_ux_99_a_block_is_a_manifest_or_marked(block):
    """A marked one is of a kind of ours, or stands in the list above."""
    bodies = list(yaml.safe_load_all(block.text))
    assert bodies
    assert all(isinstance(body, dict) for body in bodies)
    if not block.marker:
        assert all({"apiVersion", "kind", "metadata"} <= body.keys() for body in bodies), "mark it as a fragment"
        return
    path = str(block.path.relative_to(ROOT)).replace("docs/zh/", "docs/")
    assert parse_marker(block.marker) or block.marker in FOREIGN.get(path, ())


def test_the_list_of_foreign_blocks_holds_no_more_than_there_are():
    for path, markers in FOREIGN.items():
        assert [b.marker for b in blocks(ROOT / path) if "foreign kind" in b.marker] == markers


@pytest.mark.parametrize("block", [b for b in YAML if "foreign" not in b.marker], ids=str)
def test_the_schemas_know_every_field(block):
    assert [e.message for body in whole(block) for e in ALL.iter_errors(body)] == []


@pytest.mark.parametrize("block", [b for b in YAML if not b.marker], ids=str)
def test_the_webhooks_find_nothing_to_say(block):
    """Neither refusal nor warning: what a document shows can be created as it is, and deleted again."""
    bodies = [body for body in whole(block) if body["kind"] in OURS]
    assert [str(problem) for problem in problems(bodies)] == []


def problems(bodies) -> list[Problem]:
    """What the webhooks say of objects that are applied together."""
    templates = {b["metadata"]["name"]: declared(b) for b in bodies if b["kind"] == "HookTemplate"}
    found = []
    for body in bodies:
        if body["kind"] == "HookTemplate":
            found += template_problems(body)
        else:
            found += workload_problems(body["kind"], body, hotpatch=False)
            wanted = references(body)
            known = {r.template: templates.get(r.template) for r in wanted}
            found += reference_problems(wanted, known)
    return found


def test_the_webhooks_do_find_what_is_wrong():
    (workload,) = whole(next(b for b in YAML if "GameDeployment" in b.text and not b.marker))[:1]
    assert {p.field for p in problems([workload])} == {
        "spec.preDeleteUpdateStrategy.hook.templateName",
        "spec.preInplaceUpdateStrategy.hook.templateName",
    }
