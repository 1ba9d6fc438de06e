"""The screens of docs/quickstart.md: what the demo tells, and a session that a reader types.

They stand in the page and in its translation; tests hold them against what is told. Names of pods, versions, times and
addresses are other ones each time, so both sides are compared without them. ``python -m tests.e2e.screens`` plays the
demo of both workloads and the session, and writes the screens anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from devcluster.programs import link_dir
from tests.unit.docs.markdown import ROOT

PAGE = ROOT / "docs" / "quickstart.md"
TRANSLATION = ROOT / "docs" / "zh" / "quickstart.md"
WORKLOADS = ("gamedeployment", "gamestatefulset")
NAMESPACE = "quickstart"
#: A marked block: the marker, then the fence.
_BLOCK = r"(<!-- {} -->\n```\n)(.*?)(^```$)"
#: What differs each time, in this order.
_VARIES = (
    (re.compile(r"^\[ *[\d.]+ s\]"), "[time]"),
    (re.compile(r"\b(test-gamedeploy|test-gameset|arena)-[a-z0-9]{8,10}\b"), r"\1-VERSION"),
    (re.compile(r"\b(test-gamedeploy|arena)(-VERSION)?-[a-z0-9]{5}\b"), r"\1\2-POD"),
    (re.compile(r" \([\d.smh]+ ago\)"), " (AGE ago)"),
    (re.compile(r"\b(?:\d+[smh])+\b(?= *$)"), "AGE"),
    (re.compile(r"(?<=[a-z]|\d)\s+(?:\d+[smh])+\s+(?=arena-POD)"), " AGE "),
    (re.compile(r"\d+ are ready"), "N are ready"),
    (re.compile(r"(does not hold for '\d').*"), r"\1"),
    (re.compile(r"Context \"[^\"]*\""), 'Context "NAME"'),
    (re.compile(r" deleted from \S+ namespace$"), " deleted"),
)


def screen(name: str, page: Path = PAGE) -> list[str]:
    """The lines of a screen of the demo, as the page shows them."""
    return re.search(_BLOCK.format(f"screen: {name}"), page.read_text(), re.MULTILINE | re.DOTALL)[2].splitlines()


def session(page: Path = PAGE) -> list[str]:
    """The lines of all parts of the session, in order."""
    parts = re.findall(_BLOCK.format("session"), page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for _, part, _ in parts for line in part.splitlines()]


def normal(lines: list[str]) -> list[str]:
    """The same without what differs each time.

    Of the HookRuns that the demo watches, how they ended counts, and in which step: whether a watch sees one begin, or
    tells of its end a moment before or after what the demo asks meanwhile, is a matter of milliseconds.
    """
    found: list[str] = []
    ended: list[str] = []
    for line in map(_without_varying, lines):
        if "] hookrun " in line:
            ended += [line] if line.endswith(" Successful") else []
        elif line:
            found.append(line)
        else:  # a step begins
            found += sorted(ended)
            ended = []
    return found + sorted(ended)


def _without_varying(line: str) -> str:
    for pattern, text in _VARIES:
        line = pattern.sub(text, line)
    return " ".join(line.split())


def of_the_demo(told: str) -> list[str]:
    """From all that ``make demo`` prints, what it tells of the workload."""
    text = told.partition("\n\n[")[2].partition("\n\nDone in")[0]
    return [line.rstrip() for line in f"[{text}".splitlines()]


def play(kubeconfig: Path) -> list[str]:
    """Type the session, and return it with the answers; the operators run, and may be asked for nothing else.

    Raises:
        AssertionError: a command failed; the text shows everything up to it.
    """
    commands = [line[2:] for line in session() if line.startswith("$ ")]
    with tempfile.TemporaryDirectory() as place:
        own = Path(shutil.copy(kubeconfig, place))
        script = "".join(f"echo {_quoted('$ ' + c)}\n{c} 2>&1\n" for c in commands)
        environment = {**os.environ, "KUBECONFIG": str(own), "PATH": f"{link_dir()}:{os.environ['PATH']}"}
        ended = subprocess.run(
            ["bash", "-eu"], input=script, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False,
            timeout=500,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    return [line.rstrip() for line in ended.stdout.splitlines()]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _replaced(text: str, marker: str, make: Callable[[str], str]) -> str:
    return re.sub(_BLOCK.format(marker), lambda m: m[1] + make(m[2]) + m[3], text, flags=re.MULTILINE | re.DOTALL)


def _told(told: list[str]) -> Callable[[str], str]:
    """For each part of the session its commands with the answers."""
    answers = iter(re.split(r"^(?=\$ )", "".join(f"{line}\n" for line in told), flags=re.MULTILINE)[1:])
    return lambda part: "".join(next(answers) for line in part.splitlines() if line.startswith("$ "))


def write() -> None:
    """Play everything on the cluster, and write the page and its translation."""
    from devcluster import choose
    from examples.quickstart import demo

    screens = {}
    for workload in WORKLOADS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            demo.main([f"--workload={workload}", "--install=process"])
        screens[workload] = "".join(f"{line}\n" for line in of_the_demo(out.getvalue()))
    told = play(choose.up().kubeconfig)
    for page in (PAGE, TRANSLATION):
        text = page.read_text()
        for workload, shown in screens.items():
            text = _replaced(text, f"screen: {workload}", lambda _, shown=shown: shown)
        page.write_text(_replaced(text, "session", _told(told)))


if __name__ == "__main__":
    write()
