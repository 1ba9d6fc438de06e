"""The chart's alerts and dashboards as expressions."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.unit.helm.charts import CHART, render

ALERTS = {"metrics": {"prometheusRule": {"enabled": True}}}
_VARIABLE = re.compile(r"\$(job|gd|namespace|name)\b")
_NAME = re.compile(r"\b((?:bkbcs|game_operators)_[a-z0-9_]+|up)\b")


def groups(values: dict[str, Any] | None = None, **where: str) -> list[dict[str, Any]]:
    """Groups of the PrometheusRule."""
    found: list[dict[str, Any]] = render({**ALERTS, **(values or {})}, **where).one("PrometheusRule")["spec"]["groups"]
    return found


def alerts(**where: str) -> dict[str, str]:
    """Expressions of all alerts by name."""
    return {rule["alert"]: rule["expr"] for group in groups(**where) for rule in group["rules"]}


def panels() -> dict[str, str]:
    """Expressions of all panels, by dashboard and title, with every variable at its value for "all"."""
    found = {}
    for path in sorted((CHART / "files" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                text = _VARIABLE.sub(".*", target["expr"]).replace("$__rate_interval", "2m")
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = text
    return found


def variables() -> dict[str, str]:
    """Metrics and labels that variables of dashboards are filled from: metric -> label."""
    found = {}
    for path in (CHART / "files" / "dashboards").glob("*.json"):
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(
                    r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"]
                ).groups()
                found[metric] = label
    return found


def metrics(expression: str) -> set[str]:
    """Names of the metrics in an expression."""
    return set(_NAME.findall(re.sub(r"\"[^\"]*\"", '""', expression)))


_SELECTOR = re.compile(r"\{([^}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_GROUPING = re.compile(r"\bby\s*\(([^)]*)\)")


def labels(expression: str) -> set[str]:
    """Names of the labels that an expression selects or groups by."""
    selected = {label for part in _SELECTOR.findall(expression) for label in _MATCHER.findall(part)}
    grouped = {label.strip() for part in _GROUPING.findall(expression) for label in part.split(",")}
    return selected | grouped


def documented(metric: str) -> set[str]:
    """Labels of a metric that nobody has told yet, as docs/running.md has them."""
    text = (CHART.parent.parent / "docs" / "running.md").read_text()
    row = re.search(rf"^\| `{metric}` \| (.*?) \|", text, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row.group(1))) if row else set()
