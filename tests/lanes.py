"""``python -m tests.lanes``: the tests on a cluster, side by side (docs/decisions/0061-tests-side-by-side.md).

On the cluster built here two lanes run at the same time: tests that need the node, or operators of the whole cluster,
one after the other on the cluster; and tests for which an API server is enough, on a control plane of their own. Then,
alone, those that measure wall-clock time. On a cluster of the user's own, and on kind, everything runs in one lane.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster import choose
from devcluster.state import Missing

LANES = ("nodes", "control-plane", "alone")
_LOGS = Path("build") / "lanes"
_PYTEST = [sys.executable, "-m", "pytest", "tests", "-q", "--ignore=tests/unit", "--ignore=tests/properties"]


@dataclass
class Lane:
    """One run of pytest; its output goes to a file, and is shown when it has ended."""

    name: str
    process: subprocess.Popen[bytes]
    began: float

    @classmethod
    def start(cls, name: str, arguments: list[str]) -> Lane:
        _LOGS.mkdir(parents=True, exist_ok=True)
        with cls.log(name).open("wb") as output:
            process = subprocess.Popen([*_PYTEST, f"--lane={name}", *arguments], stdout=output, stderr=output)
        return cls(name, process, time.monotonic())

    @staticmethod
    def log(name: str) -> Path:
        """Where the output of a lane goes."""
        return _LOGS / f"{name}.log"

    def end(self) -> int:
        """Wait, show what was said; the exit code."""
        code = self.process.wait()
        took = time.monotonic() - self.began
        print(f"\n===== {self.name}: ended with {code} after {took:.0f} s =====", flush=True)
        sys.stdout.buffer.write(self.log(self.name).read_bytes())
        sys.stdout.flush()
        return code


def main(arguments: list[str]) -> int:
    """Run all lanes with these arguments of pytest; 0 when every test passed."""
    if choose.foreseen() != "built":
        return subprocess.call([*_PYTEST, *arguments])
    try:
        choose.up()  # once, before the lanes: both need its programs
    except Missing as reason:
        print(f"\nNo: these tests need a cluster, and there is none: {reason}", file=sys.stderr)
        return 1
    say = "two lanes side by side, {} and {}, then {}: each is shown when it has ended; until then: tail -f {}/*.log"
    print(say.format(*LANES, _LOGS), flush=True)
    lanes = [Lane.start(name, arguments) for name in LANES[:2]]
    codes = [lane.end() for lane in lanes]
    codes.append(Lane.start(LANES[2], arguments).end())
    return max(codes)


if __name__ == "__main__":
    folder = Path(__file__).parents[1]
    assert Path.cwd() == folder, f"to be run in {folder}"
    sys.exit(main(sys.argv[1:]))
