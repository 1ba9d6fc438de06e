"""The white paper's quick start of GameStatefulSet, as `make demo WORKLOAD=gamestatefulset` tells it."""

from examples.quickstart import stateful
from tests.e2e import screens


def test_gss_2_79_121_quick_start(cluster, operators, namespace):
    lines: list[str] = []
    story = stateful.StatefulStory(cluster, namespace, lines.append)
    stateful.play(story)
    header = next(line for line in lines if "CURRENT_REPLICAS" in line).split()
    shown = "NAME REPLICAS READY_REPLICAS CURRENT_REPLICAS UPDATED_REPLICAS UPDATED_READY_REPLICAS AGE"
    assert header == shown.split()
    told = [line.rstrip() for text in lines for line in text.splitlines()]
    assert screens.normal(told[1:]) == screens.normal(screens.screen("gamestatefulset")), "docs/quickstart.md"
