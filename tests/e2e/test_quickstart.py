"""The white paper's quick start, with assertions (cases 141 to 144), as `make demo` tells it."""

from examples.quickstart import demo
from tests.e2e import screens


def test_gd_141_to_144_quick_start(cluster, operators, namespace):
    lines: list[str] = []
    story = demo.Story(cluster, namespace, lines.append)
    demo.play(story)
    header = next(line for line in lines if "UPDATED_READY" in line)
    assert header.split() == ["NAME", "DESIRED", "UPDATED", "UPDATED_READY", "READY", "TOTAL", "AGE"]
    told = [line.rstrip() for text in lines for line in text.splitlines()]
    assert screens.normal(told[1:]) == screens.normal(screens.screen("gamedeployment")), "docs/quickstart.md"
