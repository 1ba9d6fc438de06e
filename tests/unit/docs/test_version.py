"""One version: package, chart, image and definitions agree."""

import re
import tomllib

import yaml

from operators.api.crds import VERSION_ANNOTATION
from tests.unit.docs.markdown import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_chart_has_the_version_of_the_package():
    chart = yaml.safe_load((ROOT / "helm" / "game-operators" / "Chart.yaml").read_text())
    assert (chart["version"], str(chart["appVersion"])) == (VERSION, VERSION)


def test_the_image_is_labelled_with_the_version_of_the_package():
    assert re.findall(r"^ARG VERSION=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == [VERSION]


def test_the_definitions_carry_the_version_of_the_package():
    assert VERSION_ANNOTATION == VERSION


def test_the_changelog_begins_with_what_is_not_released():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\)", heading) for heading in headings[1:])
