"""The webhooks' process stays small: what it must not load is looked for in a process of its own."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["webhooks.main", "webhooks.process"])
def test_neither_kopf_nor_the_official_client_is_loaded(module):
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {module, "operators.kube.client"} <= loaded
    assert loaded.isdisjoint({"kopf", "kubernetes", "operators.kube.official"})
