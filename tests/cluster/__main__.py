"""``python -m tests.cluster up|down|status|build``."""

from __future__ import annotations

import argparse
import sys

from tests.cluster import choose, node
from tests.cluster.programs import CLUSTER, FAKE_NODES, ON_DEMAND, build, program
from tests.cluster.state import Missing, say


def _up() -> None:
    cluster = choose.up()
    print(f"cluster ready\n  export KUBECONFIG={cluster.kubeconfig}")
    if program("kubectl").exists():
        print(f"  {program('kubectl')} get nodes")


def main() -> int:
    """Run one command; 1 with a plain reason when it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster", description="The test cluster."
    )
    parser.add_argument("command", choices=["up", "down", "status", "build"])
    parser.add_argument(
        "--with",
        dest="extra",
        default="",
        help="build these too: " + ", ".join({**ON_DEMAND, **FAKE_NODES}),
    )
    options = parser.parse_args()
    try:
        if options.command == "up":
            _up()
        elif options.command == "down":
            choose.down()
        elif options.command == "build":
            build([*CLUSTER, *(n for n in options.extra.split(",") if n)])
        else:
            say("healthy" if node.healthy() else "not running, or not healthy")
    except Missing as reason:
        print(f"no cluster: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
