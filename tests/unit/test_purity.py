"""Decisions are pure: a new module is covered without anybody listing it, and planning loads nothing that waits."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What pydantic itself loads to make a model (``socket``, by way of the e-mail package) is no decision of planning.
LOADED = """
import importlib, pkgutil, sys
import pydantic
pydantic.create_model("Any", field=(int, 1))
before = set(sys.modules)
import operators.planning
for found in pkgutil.walk_packages(operators.planning.__path__, "operators.planning."):
    importlib.import_module(found.name)
print(*sorted(set(sys.modules) - before))
"""
INPUT_AND_OUTPUT = {
    "aiohttp", "asyncio", "concurrent", "http", "httpx", "kopf", "kubernetes", "multiprocessing", "prometheus_client",
    "requests", "selectors", "socket", "ssl", "subprocess", "urllib3",
}  # fmt: skip


def test_planning_loads_no_library_of_input_or_output():
    ran = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "operators.planning.canary.steps" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in INPUT_AND_OUTPUT}
    assert not {name for name in loaded if name.startswith(("operators.runtime", "operators.kube.client"))}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """What the linter says of a copy of the code in which every package has a new module that waits."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in ("operators", "webhooks"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (copy / "operators", copy / "webhooks"):
        for inside in [folder, *(path.parent for path in folder.rglob("__init__.py"))]:
            (inside / "brandnew.py").write_text('"""A module that nobody has listed."""\n\nimport asyncio\n')
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    ran = subprocess.run([linter, "--no-cache"], cwd=copy, capture_output=True, text=True, check=False)
    assert ran.returncode, ran.stdout
    return ran.stdout


@pytest.mark.parametrize(
    "package",
    [
        "operators.planning",
        "operators.planning.canary",
        "operators.planning.hooks",
        "operators.planning.inplace",
        "operators.gamedeployment",
        "operators.gamestatefulset",
        "operators.hookrun",
        "operators.hookrun.conditions",
        "operators.hookrun.providers",
        "webhooks",
        "webhooks.validation",
    ],
)
def test_a_new_module_that_waits_breaks_the_contract_unless_it_is_listed(broken, package):
    assert f"{package}.brandnew -> asyncio" in broken


def test_rooms_for_what_waits_are_open_to_new_modules(broken):
    assert "operators.runtime.brandnew" not in broken
    assert "operators.workload.brandnew" not in broken
