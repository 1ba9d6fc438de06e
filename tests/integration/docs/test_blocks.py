"""Every block of YAML in README and docs, on the real API server."""

import pytest

from tests.unit.docs.fragments import whole
from tests.unit.docs.markdown import blocks, documents

#: Each once: a translation has the same ones.
BLOCKS = list(
    {
        (b.marker, b.text): b
        for path in reversed(documents())
        for b in blocks(path)
        if b.language == "yaml" and "foreign kind" not in b.marker
    }.values()
)


def test_there_are_blocks():
    assert len(BLOCKS) >= 8


@pytest.mark.parametrize("way", [("apply",), ("apply", "--server-side"), ("create",)], ids=" ".join)
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_ux_99_the_api_server_takes_every_block_as_it_stands(api, block, way):
    """Unknown fields and fields given twice are refused; what is marked as a fragment is laid over an example."""
    bodies = whole(block)
    answers = api.objects(*way, "--dry-run=server", "--validate=strict", bodies=bodies)
    assert [a["kind"] for a in answers] == [b["kind"] for b in bodies]


def test_a_block_with_a_slip_is_refused(api):
    (block,) = [b for b in BLOCKS if "  canary:\n    steps:" in b.text]
    (body,) = whole(block)
    body["spec"]["updateStrategy"]["canary"]["stages"] = []
    done = api.run("apply", "--dry-run=server", "--validate=strict", "-f", "-", body=body)
    assert done.returncode != 0
    assert 'unknown field "spec.updateStrategy.canary.stages"' in done.stderr
