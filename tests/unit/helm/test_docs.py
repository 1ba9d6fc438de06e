"""What the documents say of the chart is so."""

from __future__ import annotations

import re
from pathlib import Path

from helm import reference
from tests.unit.helm.charts import NAMESPACE, RELEASE, render
from tests.unit.helm.monitoring import alerts, metrics, panels

DOCS = Path(__file__).parent.parent.parent.parent / "docs"


def test_the_reference_of_values_is_up_to_date():
    assert (DOCS / "values.md").read_text() == reference.render(), "run: python -m helm.reference"


def test_every_alert_is_explained_and_no_other():
    told = re.findall(r"^\| `(Game\w+)`", (DOCS / "operations.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(alerts())


def test_every_right_has_its_reason():
    rows = re.findall(r"^\| (\S+) \| (.+?) \| (.+?) \|", (DOCS / "security.md").read_text(), re.MULTILINE)
    told = {
        (group.strip("`").replace("core", ""), resource.strip("` "), verb.strip("` "))
        for group, resources, verbs in rows
        for resource in resources.split(",")
        for verb in verbs.split(",")
    }
    rendered = render()
    granted = rendered.rules("ClusterRole", f"{NAMESPACE}-{RELEASE}") | rendered.rules("Role", f"{RELEASE}-leader")
    assert granted <= told, f"not explained: {sorted(granted - told)}"


def test_alerts_and_dashboards_ask_for_metrics_that_are_documented():
    """The documents' own tests hold them to what the programs tell."""
    text = (DOCS / "running.md").read_text() + (DOCS / "admission.md").read_text()
    told = set(re.findall(r"`((?:bkbcs|game_operators)_\w+)`", text)) | {"up"}
    asked = set().union(*(metrics(e) for e in (*alerts().values(), *panels().values())))
    plain = {name if name in told else re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert plain <= told, f"nobody tells {sorted(plain - told)}"
