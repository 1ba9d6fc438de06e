"""``python -m devcluster up|down|status|kubeconfig|load-images|operator-image|kwok-up N|kwok-down|build``."""

from __future__ import annotations

import argparse
import sys
import time

from devcluster import choose, node
from devcluster.programs import CLUSTER, FAKE_NODES, ON_DEMAND, link_dir
from devcluster.state import STARTED, Missing, say


def _up() -> None:
    cluster = choose.up()
    print(f"\nCluster ready after {time.monotonic() - STARTED:.1f} s. To look at it:\n")
    print(f"  export KUBECONFIG={cluster.kubeconfig}")
    if (link_dir() / "kubectl").exists():
        print(f"  export PATH={link_dir()}:$PATH")
    print("  kubectl get nodes,pods -A\n")


def _status() -> int:
    cluster = choose.current()
    if cluster is None or cluster.kind == "built":
        lines = node.status()
        print("\n".join(lines))
        return 0 if lines[-1] == "healthy" else 1
    print(f"{cluster.kind}: {cluster.kubeconfig}")
    print(cluster.kubectl("get", "nodes"), end="")
    return 0


def _kubeconfig() -> int:
    cluster = choose.current()
    if cluster is None:
        raise Missing("no cluster runs: start one with `make cluster` (python -m devcluster up)")
    print(cluster.kubeconfig)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="The cluster for tests and demo.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start it, repair it, or say that it runs")
    commands.add_parser("down", help="end it, with everything it started")
    commands.add_parser("status", help="what runs; 1 when not healthy")
    commands.add_parser("kubeconfig", help="print the path of its kubeconfig")
    commands.add_parser("load-images", help="build and load the project's images")
    commands.add_parser("operator-image", help="build and load the image of the operators, print its name")
    fake = commands.add_parser("kwok-up", help="have this many fake nodes")
    fake.add_argument("count", type=int)
    commands.add_parser("kwok-down", help="remove the fake nodes and their pods")
    builder = commands.add_parser("build", help="build the cluster's programs, once per machine")
    extra = ", ".join({**FAKE_NODES, **ON_DEMAND})
    builder.add_argument(
        "--with",
        dest="extra",
        default="",
        metavar="NAMES",
        help=f"these too, by comma: {extra}",
    )
    return parser


def _build(extra: str) -> None:
    wanted = [name for name in extra.split(",") if name]
    unknown = sorted(set(wanted) - {*CLUSTER, *ON_DEMAND, *FAKE_NODES})
    if unknown:
        raise Missing(f"no such program: {', '.join(unknown)}; there are {', '.join({**FAKE_NODES, **ON_DEMAND})}")
    choose.build_programs([*CLUSTER, *wanted])
    say(f"programs are in {link_dir()}")


def _run(options: argparse.Namespace) -> int:
    if options.command == "status":
        return _status()
    if options.command == "kubeconfig":
        return _kubeconfig()
    if options.command == "kwok-up":
        choose.kwok_up(options.count)
    elif options.command == "operator-image":
        print(choose.load_operator_image())
    elif options.command == "build":
        _build(options.extra)
    else:
        simple = {
            "up": _up,
            "down": choose.down,
            "load-images": choose.load_images,
            "kwok-down": choose.kwok_down,
        }
        simple[options.command]()
    return 0


def main() -> int:
    """Run one command; 1 with a plain reason when it cannot be done."""
    try:
        return _run(_parser().parse_args())
    except Missing as reason:
        print(f"\nNo: {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
