"""What docs/hooks.md shows is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from operators.api.hooktemplate import HookTemplateSpec
from operators.hookrun.assess import refusal
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate
from operators.hookrun.conditions.parser import CLOSURES, FUNCTIONS, STRING_WORDS
from operators.hookrun.jsonpath import check
from operators.hookrun.providers.base import Provider
from operators.hookrun.providers.findings import TemplateArguments
from operators.hookrun.providers.registry import PROVIDERS
from tests.unit.hookrun.runs import spec

DOCS = Path(__file__).parents[3] / "docs"
TEXT, SECURITY = ((DOCS / page).read_text() for page in ("hooks.md", "security.md"))
CONDITIONS = re.findall(r"^\| `(.+)` \| `(.+)` \| (true|false|an error)", TEXT, re.MULTILINE)
PATHS = re.findall(r"`(\$?\{[.$].*?\})`", TEXT.replace("{range", "{.a}{range"))


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_templates(block: str) -> None:
    template = HookTemplateSpec.model_validate(yaml.safe_load(block)["spec"])
    assert refusal(spec(*(m.model_dump(by_alias=True, exclude_unset=True) for m in template.metrics))) == ""
    for each in template.metrics:
        assert evaluate(each.success_condition, "0") is True
        for provider in PROVIDERS.select(each.provider.given()):
            raw = each.model_dump(by_alias=True, exclude_unset=True, mode="json")
            found = provider.findings(raw["provider"][provider.name], raw, TemplateArguments({}))
            assert list(found) == []


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_providers(provider: Provider) -> None:
    """What a provider does, and what it can reach."""
    assert re.search(rf"^\*\*{provider.name}\*\*", TEXT, re.MULTILINE)
    assert re.search(rf"^\|[ \w,]*\b{provider.name}\b[ \w,]*\|", SECURITY, re.MULTILINE)


@pytest.mark.parametrize(("condition", "result", "outcome"), CONDITIONS)
def test_conditions(condition: str, result: str, outcome: str) -> None:
    value = json.loads(result)
    if isinstance(value, int | float):
        value = float(value)
    if isinstance(value, list):
        value = [float(each) for each in value]
    if outcome == "an error":
        with pytest.raises(ExpressionError):
            evaluate(condition, value)
    else:
        assert evaluate(condition, value) is (outcome == "true")


@pytest.mark.parametrize("path", PATHS)
def test_paths(path: str) -> None:
    check(path)


def test_all_of_the_language_is_shown() -> None:
    assert len(CONDITIONS) > 10
    assert len(PATHS) > 8
    for word in (*FUNCTIONS, *CLOSURES, *STRING_WORDS):
        assert re.search(rf"\b{word}\b", TEXT), word
