"""Prometheus' own engine, without a Prometheus: checks rules and evaluates expressions over given series."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from devcluster import choose
from devcluster.programs import program


class PromtoolFailed(AssertionError):
    """Promtool found a fault; the text is what it said."""


def promtool_program() -> str:
    """Path of the promtool built here, else of the one on the PATH, else it is built (about two minutes, once).

    Raises:
        Missing: there is none and it cannot be built.
    """
    if not program("promtool").exists():
        if found := shutil.which("promtool"):
            return found
        choose.build_programs(["promtool"])
    return str(program("promtool"))


def _run(*args: str) -> str:
    done = subprocess.run([promtool_program(), *args], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise PromtoolFailed(f"promtool {' '.join(args)}: {done.stdout.strip()}\n{done.stderr.strip()}")
    return done.stdout


def check_rules(groups: Sequence[Mapping[str, Any]]) -> str:
    """Check the syntax of rule groups; what promtool says of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.json"
        path.write_text(json.dumps({"groups": list(groups)}))
        return _run("check", "rules", "--lint=all", "--lint-fatal", str(path))


def check_behaviour(groups: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]]) -> None:
    """Run unit tests of rules, in the format of ``promtool test rules``.

    Raises:
        PromtoolFailed: a rule does something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.json").write_text(json.dumps({"groups": list(groups)}))
        body = {"rule_files": ["rules.json"], "evaluation_interval": "30s", "tests": list(tests)}
        (Path(folder) / "test.json").write_text(json.dumps(body))
        _run("test", "rules", str(Path(folder) / "test.json"))


def empty(expressions: Mapping[str, str], series: Iterable[str]) -> list[str]:
    """Names of the expressions that return nothing after ten minutes of these series, each growing by 1 a scrape.

    Raises:
        PromtoolFailed: an expression cannot be read.
    """
    rules = [
        {"alert": f"A{number}", "expr": f"count({expression}) > 0"}
        for number, expression in enumerate(expressions.values())
    ]
    given = [{"series": one, "values": "1+1x20"} for one in series]
    found = []
    for number, name in enumerate(expressions):
        expected = {"eval_time": "9m", "alertname": f"A{number}", "exp_alerts": [{"exp_labels": {}}]}
        test = {"interval": "30s", "input_series": given, "alert_rule_test": [expected]}
        try:
            check_behaviour([{"name": "panels", "rules": [rules[number]]}], [test])
        except PromtoolFailed as failed:
            if "parse error" in str(failed):
                raise
            found.append(name)
    return found
