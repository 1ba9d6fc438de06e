"""docs/running.md says what the program says; run as a module it rewrites the tables."""

import asyncio
from pathlib import Path

import pytest
from kubernetes.aio.client.configuration import Configuration

from operators.kube.official import OfficialCredentials
from operators.manager import settings
from operators.manager.manager import Manager
from operators.manager.version import operator_version
from tests.unit.manager.test_settings import parsed

DOCUMENT = Path(__file__).parents[3] / "docs" / "running.md"


def section(text, name):
    """What stands between the marks of a section."""
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


async def metrics():
    """One row for each family of a process that runs everything."""
    one = Manager(parsed(), OfficialCredentials(Configuration(host="http://127.0.0.1:1")))
    operator_version(one.registry, "gamedeployment", "GameDeployment", "", {}, crd_version="")
    rows = []
    for family in one.registry._collector_to_names:
        suffix = "_total" if family._type == "counter" else ""
        labels = ", ".join(f"`{name}`" for name in family._labelnames)
        rows.append(f"| `{family._name}{suffix}` | {labels} | {family._documentation} |\n")
    await one.client.close()
    await one._background_client.close()
    return "| Name | Labels | Meaning |\n|---|---|---|\n" + "".join(sorted(rows))


async def written():
    """The sections as they should be."""
    return {"flags": settings.FLAGS.table() + "\n", "metrics": await metrics()}


@pytest.mark.parametrize("name", ["flags", "metrics"])
async def test_the_document_says_what_the_program_says(name):
    found = section(DOCUMENT.read_text(), name)
    assert found == (await written())[name], "run python -m tests.unit.manager.test_documentation"


def test_exit_codes_and_endpoints_are_documented():
    text = DOCUMENT.read_text()
    for word in ("/metrics", "/healthz", "/livez", "/readyz", "| 0 |", "| 1 |", "| 2 |", "GAME_OPERATORS_CONTROLLERS"):
        assert word in text


if __name__ == "__main__":
    content = DOCUMENT.read_text()
    for mark, rows in asyncio.run(written()).items():
        content = content.replace(f"<!-- {mark} -->\n{section(content, mark)}", f"<!-- {mark} -->\n{rows}")
    DOCUMENT.write_text(content)
